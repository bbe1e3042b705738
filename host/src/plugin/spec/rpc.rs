//! How a program that speaks go-plugin's protocol is started and spoken to.

use std::path::PathBuf;
use std::time::Duration;

/// By which a program notices that it was not started by a host: Pitstop's own, as `pitstop_reloadable::rpc::serve` has it.
pub(crate) const COOKIE_KEY: &str = "PITSTOP_PLUGIN_COOKIE";
pub(crate) const COOKIE_VALUE: &str = "pitstop-plugin-v1";

/// The table `rpc` of a plugin's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rpc {
    pub(crate) cookie: Cookie,
    /// The versions of the application's protocol that the program speaks, in ascending order; at least one.
    pub(crate) versions: Vec<u32>,
    pub(crate) tls: Tls,
    /// Where a plugin listens that takes TCP: the first and the last port.
    pub(crate) ports: (u16, u16),
    /// A process that runs already, in place of one that is started.
    pub(crate) reattach: Option<Reattach>,
    /// How long a plugin has for ending once it was told to.
    pub(crate) kill_after: Duration,
    /// How many ends within ten seconds are too many.
    pub(crate) crashes: u32,
}

impl Default for Rpc {
    fn default() -> Self {
        Self {
            cookie: Cookie { key: COOKIE_KEY.to_owned(), value: COOKIE_VALUE.to_owned() },
            versions: vec![1],
            tls: Tls::Auto,
            ports: (10_000, 25_000),
            reattach: None,
            kill_after: Duration::from_secs(2),
            crashes: 5,
        }
    }
}

/// A variable that a plugin looks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cookie {
    pub(crate) key: String,
    pub(crate) value: String,
}

/// Whether both ends show each other a certificate of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    /// They do: go-plugin's AutoMTLS.
    Auto,
    None,
}

/// A process that runs already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reattach {
    pub(crate) address: ReattachAddress,
    pub(crate) pid: u32,
    /// The version of the application's protocol that it has settled on.
    pub(crate) version: u32,
}

/// Where it listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ReattachAddress {
    Unix(PathBuf),
    Tcp(std::net::SocketAddr),
}
