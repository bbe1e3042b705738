//! WASI, of which a guest gets what its configuration grants. What every C library asks for is linked in any case; without a
//! grant it finds no folder, no variable, no address, and clocks that stand still.

use super::super::guest::Guest;
use super::super::output::{Lines, Said};
use super::Lent;
use crate::plugin::spec::{Access, Address, Host};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::{Error, Result};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::sockets::SocketAddrUse;
use wasmtime_wasi::{FsPerms, HostMonotonicClock, HostWallClock, WasiCtxBuilder};

/// The interface that components wait by, of the version that wasmtime has.
pub(super) const MONOTONIC: &str = "wasi:clocks/monotonic-clock@0.2.12";

/// What a guest finds that asks for WASI.
///
/// # Errors
/// A folder that is granted is gone.
pub(in super::super) fn wasi(lent: &Lent, said: Arc<Said>) -> Result<WasiP1Ctx> {
    let mut builder = WasiCtxBuilder::new();
    builder.stdout(Lines::output(lent.plugin.clone())).stderr(Lines::error(lent.plugin.clone(), said));
    // As for any program, the first is its own name.
    builder.arg(&lent.plugin).args(&lent.arguments);
    for (name, value) in &lent.variables {
        builder.env(name, value);
    }
    for folder in &lent.granted.files {
        let access = match folder.access {
            Access::Read => FsPerms::ReadOnly,
            Access::ReadWrite => FsPerms::ReadWrite,
        };
        let opened = builder.preopened_dir(&folder.path, &folder.at, access);
        opened.map_err(|error| error.context(format!("the folder {} is granted to it", folder.path.display())))?;
    }
    if !lent.granted.clock {
        builder.wall_clock(Standing).monotonic_clock(Standing);
    }
    network(&mut builder, &lent.granted.network);
    Ok(builder.build_p1())
}

/// What a guest is told that waits without being granted the clock.
pub(super) fn may_not_wait() -> Error {
    Error::msg("it waits for time to pass, which is not granted to it; write `wasm = { clock = true }`")
}

/// Lets it connect to the granted addresses, and do nothing else.
fn network(builder: &mut WasiCtxBuilder, granted: &[Address]) {
    if granted.is_empty() {
        return;
    }
    let granted: Arc<[Address]> = granted.into();
    builder.allow_tcp(true).allow_ip_name_lookup(granted.iter().any(|address| matches!(address.host, Host::Name(_))));
    builder.socket_addr_check(move |address, purpose| {
        let granted = granted.clone();
        Box::pin(async move {
            match purpose {
                SocketAddrUse::TcpConnect => is_granted(&granted, address).await,
                // What comes before each connection: any address of its own, and any port.
                SocketAddrUse::TcpBind => address.ip().is_unspecified() && address.port() == 0,
                _ => false,
            }
        })
    });
}

async fn is_granted(granted: &[Address], address: SocketAddr) -> bool {
    for one in granted.iter().filter(|one| one.port == address.port()) {
        let is_it = match &one.host {
            Host::Ip(ip) => *ip == address.ip(),
            // By the name that is granted, not by one that the guest has asked for.
            Host::Name(name) => match tokio::net::lookup_host((name.as_str(), one.port)).await {
                Ok(mut found) => found.any(|found| found.ip() == address.ip()),
                Err(_) => false,
            },
        };
        if is_it {
            return true;
        }
    }
    false
}

/// Whether a guest may ask for the addresses of a name.
pub(super) fn may_look_up(guest: &Guest, name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    guest.lent.granted.network.iter().any(|address| match &address.host {
        Host::Name(granted) => *granted == name,
        Host::Ip(ip) => ip.to_string() == name,
    })
}

/// The clock of a guest that may not know the time.
struct Standing;

impl HostWallClock for Standing {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

impl HostMonotonicClock for Standing {
    fn resolution(&self) -> u64 {
        1_000_000_000
    }

    fn now(&self) -> u64 {
        0
    }
}
