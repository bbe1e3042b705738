//! What a configuration may ask of a plugin in WebAssembly.

use super::engine;
use crate::plugin::spec::{Source, Spec};
use std::ops::RangeInclusive;

/// A module's memory grows by pages of 64 KiB.
const LEAST_MEMORY: u64 = 64 << 10;
/// The thread that calls has to have as much left, and more.
const STACKS: RangeInclusive<u64> = 16 << 10..=1 << 20;

pub(super) fn accepts(spec: &Spec) -> Result<(), (&'static str, String)> {
    if let Source::Crate(name) = &spec.source {
        let why = "a crate is built as a library for this machine; give the file as `artifact`, with a `build` such as";
        let command = format!("`cargo build --release --target wasm32-wasip2 -p {name}`");
        return Err(("crate", format!("{why} {command}")));
    }
    if let Some(memory) = spec.limits.memory.filter(|&memory| memory < LEAST_MEMORY) {
        return Err(("limits.memory_bytes", format!("no memory is of {memory} bytes; give at least {LEAST_MEMORY}")));
    }
    if let Some(stack) = spec.wasm.stack.filter(|stack| !STACKS.contains(stack)) {
        let (least, most) = STACKS.into_inner();
        let why = format!("a stack of {stack} bytes is not from {least} to {most}, which threads are sure to have");
        return Err(("wasm.stack_bytes", why));
    }
    engine::supported().map_err(|why| ("mechanism", why))
}
