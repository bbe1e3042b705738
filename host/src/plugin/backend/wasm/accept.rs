//! What a configuration may ask of a plugin in WebAssembly.

use super::engine;
use crate::plugin::spec::{Source, Spec};

/// A module's memory grows by pages of 64 KiB.
const LEAST_MEMORY: u64 = 64 << 10;

pub(super) fn accepts(spec: &Spec) -> Result<(), (&'static str, String)> {
    if let Source::Crate(name) = &spec.source {
        let why = "a crate is built as a library for this machine; give the file as `artifact`, with a `build` such as";
        let command = format!("`cargo build --release --target wasm32-wasip2 -p {name}`");
        return Err(("crate", format!("{why} {command}")));
    }
    if let Some(memory) = spec.limits.memory.filter(|&memory| memory < LEAST_MEMORY) {
        return Err(("limits.memory_bytes", format!("no memory is of {memory} bytes; give at least {LEAST_MEMORY}")));
    }
    engine::supported().map_err(|why| ("mechanism", why))
}
