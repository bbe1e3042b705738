//! What is lent to a component: the interfaces of `wit/pitstop.wit`, and WASI 0.2.

use super::super::code::Calls;
use super::super::guest::Guest;
use super::super::types::Level;
use super::wasi::{MONOTONIC, may_look_up, may_not_wait};
use super::{Lent, monotonic, now};
use wasmtime::component::{Linker, Resource};
use wasmtime::{Engine, Result, StoreContextMut};
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::bindings::sockets::ip_name_lookup::{Host as _, ResolveAddressStream};
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, Network};
use wasmtime_wasi::sockets::WasiSocketsView as _;

type Store<'a> = StoreContextMut<'a, Guest>;

/// All that a component may import.
pub(in super::super) fn linker(engine: &Engine, lent: &Lent, calls: Calls) -> Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    log(&mut linker)?;
    if lent.granted.clock {
        clock(&mut linker)?;
    }
    if lent.values.is_some() {
        key_value(&mut linker)?;
    }
    match calls {
        Calls::Plain => {}
        Calls::Wasi => wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?,
        Calls::Waiting => wasmtime_wasi::p2::add_to_linker_async(&mut linker)?,
    }
    if calls != Calls::Plain {
        linker.allow_shadowing(true);
        names(&mut linker)?;
        if !lent.granted.clock {
            standing(&mut linker)?;
        }
    }
    Ok(linker)
}

fn log(linker: &mut Linker<Guest>) -> Result<()> {
    linker.instance("pitstop:plugin/log@0.1.0")?.func_wrap(
        "log",
        |store: Store<'_>, (level, message): (Level, String)| {
            store.data().lent.log(level.into(), message.as_bytes());
            Ok(())
        },
    )
}

fn clock(linker: &mut Linker<Guest>) -> Result<()> {
    let mut clock = linker.instance("pitstop:plugin/clock@0.1.0")?;
    clock.func_wrap("now", |_: Store<'_>, (): ()| Ok((now(),)))?;
    clock.func_wrap("monotonic", |_: Store<'_>, (): ()| Ok((monotonic(),)))
}

fn key_value(linker: &mut Linker<Guest>) -> Result<()> {
    let mut values = linker.instance("pitstop:plugin/key-value@0.1.0")?;
    values.func_wrap("get", |store: Store<'_>, (key,): (String,)| {
        let values = store.data().lent.values.as_ref();
        Ok((values.and_then(|values| values.get(&key)),))
    })?;
    values.func_wrap("set", |store: Store<'_>, (key, value): (String, Vec<u8>)| {
        let values = store.data().lent.values.as_ref();
        Ok((values.map_or(Ok(()), |values| values.set(&key, &value)),))
    })?;
    values.func_wrap("delete", |store: Store<'_>, (key,): (String,)| {
        if let Some(values) = &store.data().lent.values {
            values.delete(&key);
        }
        Ok(())
    })
}

/// Only the granted names are looked up: a question for any other would tell somebody something.
fn names(linker: &mut Linker<Guest>) -> Result<()> {
    linker.instance("wasi:sockets/ip-name-lookup@0.2.12")?.func_wrap(
        "resolve-addresses",
        |mut store: Store<'_>, (network, name): (Resource<Network>, String)| {
            let guest = store.data_mut();
            let found: std::result::Result<Resource<ResolveAddressStream>, ErrorCode> = if may_look_up(guest, &name) {
                let mut sockets = guest.sockets();
                let found = sockets.resolve_addresses(network, name);
                match found {
                    Ok(found) => Ok(found),
                    Err(error) => Err(error.downcast()?),
                }
            } else {
                Err(ErrorCode::AccessDenied)
            };
            Ok((found,))
        },
    )
}

/// Whoever has no clock cannot wait for it.
fn standing(linker: &mut Linker<Guest>) -> Result<()> {
    let mut clock = linker.instance(MONOTONIC)?;
    for name in ["subscribe-duration", "subscribe-instant"] {
        clock.func_wrap(name, |_: Store<'_>, (_,): (u64,)| -> Result<(Resource<DynPollable>,)> {
            Err(may_not_wait())
        })?;
    }
    Ok(())
}
