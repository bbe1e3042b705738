//! Machine code from the cache becomes executable: the one place where bytes of a file are trusted.
#![expect(unsafe_code, reason = "wasmtime cannot check machine code, only run it")]

use super::code::Compiled;
use super::kind::Kind;
use wasmtime::component::Component;
use wasmtime::{Engine, Module, Result};

/// What is in an entry of the cache: `Cache` makes one only of a file that this user alone can write, whose sum is right.
pub(super) struct Trusted<'a>(pub(super) &'a [u8]);

/// Makes code of an entry.
///
/// # Errors
/// It is of another version of wasmtime, of another way of compiling, or for another processor.
pub(super) fn deserialize(engine: &Engine, kind: Kind, trusted: Trusted<'_>) -> Result<Option<Compiled>> {
    match kind {
        Kind::Module => {
            // SAFETY: wasmtime wrote these bytes on behalf of this user, and they are as they were.
            let module = unsafe { Module::deserialize(engine, trusted.0) };
            module.map(|module| Some(Compiled::Module(module)))
        }
        Kind::Component => {
            // SAFETY: as above.
            let component = unsafe { Component::deserialize(engine, trusted.0) };
            component.map(|component| Some(Compiled::Component(component)))
        }
        Kind::Other(_) => Ok(None),
    }
}
