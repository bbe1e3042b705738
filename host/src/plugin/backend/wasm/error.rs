//! What went wrong in a guest, in words: the trap, where in its code, and what it said last.

pub(super) use crate::plugin::backend::process::quoted;

use super::guest::{Guest, Refused};
use super::live::Plan;
use pitstop_reloadable::PluginError;
use std::fmt::Write as _;
use wasmtime::{Error, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

/// How many of the functions that called each other are named.
const FRAMES: usize = 8;

/// Why a call gave no output.
pub(super) fn told(error: &Error, guest: &mut Guest, plan: &Plan) -> PluginError {
    let said = guest.said.take();
    let refused = guest.used.refused.take();
    if let Some(I32Exit(code)) = error.downcast_ref::<I32Exit>() {
        return PluginError::Exited { code: *code, message: said };
    }
    let what = match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => return PluginError::TimedOut { limit: plan.limits.time },
        Some(Trap::OutOfFuel) => {
            let fuel = plan.fuel.unwrap_or_default();
            return PluginError::failed(format!(
                "the plugin has used up its fuel of {fuel}; `fuel` in the table `wasm` says how much it has"
            ));
        }
        Some(trap) => trap.to_string().trim_start_matches("wasm trap: ").to_owned(),
        None => root(error),
    };
    if what.contains("fuel allocated for hostcalls") {
        return PluginError::TooMuchOutput { limit: plan.limits.output };
    }
    let place = error.downcast_ref::<WasmBacktrace>().map(place).unwrap_or_default();
    let what = format!("{what}{place}");
    let mut message = if said.is_empty() { what } else { format!("{said} ({what})") };
    if let Some(refused) = refused {
        message.push_str(&after(refused));
    }
    PluginError::Panicked { message }
}

/// What is at the bottom of an error, without the names of what it went through.
pub(super) fn root(error: &Error) -> String {
    let last = error.chain().last().map_or_else(|| error.to_string(), ToString::to_string);
    quoted(last.trim().as_bytes())
}

/// What may have been the cause.
fn after(refused: Refused) -> String {
    match refused {
        Refused::Memory { most } => format!(
            "; it was refused more memory than {most} bytes, and `limits.memory_bytes` says how much it may have"
        ),
        Refused::Elements => {
            let most = super::guest::MOST_ELEMENTS;
            format!("; it was refused a table of more than {most} elements")
        }
    }
}

/// The functions that had called each other.
fn place(backtrace: &WasmBacktrace) -> String {
    let mut place = String::new();
    for (index, frame) in backtrace.frames().iter().take(FRAMES).enumerate() {
        place.push_str(if index == 0 { ", in " } else { ", called by " });
        match frame.func_name() {
            Some(name) => {
                let name = format!("{:#}", rustc_demangle::demangle(name));
                let _ = write!(place, "`{}`", quoted(name.as_bytes()));
            }
            None => {
                let _ = write!(place, "function {}", frame.func_index());
            }
        }
    }
    let more = backtrace.frames().len().saturating_sub(FRAMES);
    if more > 0 {
        let _ = write!(place, ", and {more} more");
    }
    place
}
