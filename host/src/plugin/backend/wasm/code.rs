//! A guest's machine code, linked with all that it imports: made once for each version, off the host's threads.

use super::cache::Cache;
use super::engine::{Memory, Way, engine};
use super::guest::Guest;
use super::kind::Kind;
use super::lend::{self, Lent};
use crate::plugin::spec::Wasm;
use wasmtime::component::{self, Component};
use wasmtime::{Engine, Error, InstancePre, Module, Result};

/// What a guest's calls may run into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Calls {
    /// It does not ask for WASI.
    Plain,
    /// It does, but nothing is granted to it that it could wait for.
    Wasi,
    /// It may wait: for files, for connections, for time to pass. Such calls have a stack of their own, which takes longer.
    Waiting,
}

/// Ready to be instantiated.
pub(super) enum Code {
    Core(InstancePre<Guest>),
    Component(component::InstancePre<Guest>),
}

/// What was compiled.
pub(super) enum Compiled {
    Module(Module),
    Component(Component),
}

/// Compiles a guest, unless that was done before, and links it.
///
/// # Errors
/// It cannot be compiled, or imports something of another type than there is.
pub(super) fn code(
    kind: Kind,
    bytes: &[u8],
    way: Way,
    lent: &Lent,
    cache: Option<&Cache>,
) -> Result<(Engine, Code, Calls)> {
    let made = compiled(kind, bytes, way, cache);
    let (engine, compiled) = match made {
        // Maybe it is larger than the pool's places; if it was not that, it is told once more.
        Err(_) if way.memory == Memory::Pooled => {
            compiled(kind, bytes, Way { memory: Memory::OnDemand, ..way }, cache)?
        }
        made => made?,
    };
    let (code, calls) = linked(&engine, &compiled, lent)?;
    Ok((engine, code, calls))
}

fn compiled(kind: Kind, bytes: &[u8], way: Way, cache: Option<&Cache>) -> Result<(Engine, Compiled)> {
    let engine = engine(way)?;
    if let Some(found) = cache.and_then(|cache| cache.find(&engine, kind, bytes)) {
        return Ok((engine, found));
    }
    let compiled = match kind {
        Kind::Module => Compiled::Module(Module::from_binary(&engine, bytes)?),
        Kind::Component => Compiled::Component(Component::from_binary(&engine, bytes)?),
        Kind::Other(other) => return Err(Error::msg(format!("it is {}", other.found))),
    };
    if let Some(cache) = cache {
        cache.keep(&engine, kind, bytes, &compiled);
    }
    Ok((engine, compiled))
}

fn linked(engine: &Engine, compiled: &Compiled, lent: &Lent) -> Result<(Code, Calls)> {
    match compiled {
        Compiled::Module(module) => {
            let imports = module.imports().map(|import| (import.module().to_owned(), import.name().to_owned()));
            let calls = calls(imports, &lent.granted);
            Ok((Code::Core(lend::core_linker(engine, lent, calls)?.instantiate_pre(module)?), calls))
        }
        Compiled::Component(component) => {
            let ty = component.component_type();
            let imports = ty.imports(engine).map(|(name, _)| (name.to_owned(), String::new()));
            let calls = calls(imports, &lent.granted);
            Ok((Code::Component(lend::component_linker(engine, lent, calls)?.instantiate_pre(component)?), calls))
        }
    }
}

/// By what is imported, from where, and what is granted.
fn calls(imports: impl Iterator<Item = (String, String)>, granted: &Wasm) -> Calls {
    let mut asks_for_wasi = false;
    let mut polls = false;
    for (from, name) in imports {
        asks_for_wasi |= from.starts_with("wasi");
        polls |= from.starts_with("wasi:io/poll") || name == "poll_oneoff";
    }
    let waits = !granted.files.is_empty() || !granted.network.is_empty() || (granted.clock && polls);
    match (asks_for_wasi, waits) {
        (false, _) => Calls::Plain,
        (true, false) => Calls::Wasi,
        (true, true) => Calls::Waiting,
    }
}
