//! What is lent to a core module: the functions of `wit/README.md`, WASI preview 1, and what AssemblyScript asks for.

use super::super::code::Calls;
use super::super::error::quoted;
use super::super::guest::Guest;
use super::wasi::may_not_wait;
use super::{KeyValue, Lent, monotonic, now};
use std::sync::Arc;
use wasmtime::{Caller, Engine, Error, Extern, Linker, Result};

const PITSTOP: &str = "pitstop";
const WASI: &str = "wasi_snapshot_preview1";

/// All that a core module may import.
pub(in super::super) fn linker(engine: &Engine, lent: &Lent, calls: Calls) -> Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    log(&mut linker)?;
    if lent.granted.clock {
        linker.func_wrap(PITSTOP, "clock_now", now)?;
        linker.func_wrap(PITSTOP, "clock_monotonic", monotonic)?;
    }
    if lent.values.is_some() {
        key_value(&mut linker)?;
    }
    assembly_script(&mut linker)?;
    match calls {
        Calls::Plain => {}
        Calls::Wasi => wasmtime_wasi::p1::add_to_linker_sync(&mut linker, Guest::wasi)?,
        Calls::Waiting => wasmtime_wasi::p1::add_to_linker_async(&mut linker, Guest::wasi)?,
    }
    if calls != Calls::Plain && !lent.granted.clock {
        linker.allow_shadowing(true);
        let poll = |_: Caller<'_, Guest>, _: i32, _: i32, _: i32, _: i32| -> Result<i32> { Err(may_not_wait()) };
        linker.func_wrap(WASI, "poll_oneoff", poll)?;
    }
    Ok(linker)
}

fn log(linker: &mut Linker<Guest>) -> Result<()> {
    linker.func_wrap(PITSTOP, "log", |mut caller: Caller<'_, Guest>, level: u32, at: u32, length: u32| {
        let level = match level {
            0 => log::Level::Error,
            1 => log::Level::Warn,
            2 => log::Level::Info,
            3 => log::Level::Debug,
            _ => log::Level::Trace,
        };
        let (bytes, guest) = bytes(&mut caller, at, length)?;
        guest.lent.log(level, bytes);
        Ok(())
    })?;
    Ok(())
}

fn key_value(linker: &mut Linker<Guest>) -> Result<()> {
    linker.func_wrap(
        PITSTOP,
        "kv_get",
        |mut caller: Caller<'_, Guest>, at: u32, length: u32, to: u32, room: u32| -> Result<i64> {
            let (key, values) = key(&mut caller, at, length)?;
            let Some(value) = values.and_then(|values| values.get(&key)) else { return Ok(-1) };
            if value.len() <= room as usize {
                put(&mut caller, to, &value)?;
            }
            Ok(i64::try_from(value.len())?)
        },
    )?;
    linker.func_wrap(
        PITSTOP,
        "kv_set",
        |mut caller: Caller<'_, Guest>, at: u32, length: u32, from: u32, many: u32| -> Result<i32> {
            let (key, values) = key(&mut caller, at, length)?;
            let (value, _) = bytes(&mut caller, from, many)?;
            Ok(if values.is_none_or(|values| values.set(&key, value).is_ok()) { 0 } else { -1 })
        },
    )?;
    linker.func_wrap(PITSTOP, "kv_delete", |mut caller: Caller<'_, Guest>, at: u32, length: u32| {
        let (key, values) = key(&mut caller, at, length)?;
        if let Some(values) = values {
            values.delete(&key);
        }
        Ok(())
    })?;
    Ok(())
}

/// AssemblyScript ends by `abort`, with a text of its own kind, and draws its random numbers from `seed`.
fn assembly_script(linker: &mut Linker<Guest>) -> Result<()> {
    linker.func_wrap(
        "env",
        "abort",
        |mut caller: Caller<'_, Guest>, message: u32, file: u32, line: u32, column: u32| -> Result<()> {
            let (message, file) = (utf16(&mut caller, message), utf16(&mut caller, file));
            Err(Error::msg(format!("{message} ({file}:{line}:{column})")))
        },
    )?;
    linker.func_wrap("env", "seed", || -> f64 {
        use std::hash::{BuildHasher, RandomState};
        // Any number; of so many bits, each is one of its own.
        (RandomState::new().hash_one(now()) >> 12) as f64
    })?;
    Ok(())
}

/// A text of AssemblyScript's: its length in bytes stands before it.
fn utf16(caller: &mut Caller<'_, Guest>, at: u32) -> String {
    const LONGEST: u32 = 600;
    let length = at.checked_sub(4).and_then(|before| bytes(caller, before, 4).ok()?.0.try_into().ok());
    let length = length.map_or(0, u32::from_le_bytes);
    let Ok((bytes, _)) = bytes(caller, at, length.min(LONGEST)) else { return String::new() };
    let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    quoted(String::from_utf16_lossy(&units).as_bytes())
}

/// A key, which is text, and where it is looked up.
fn key(caller: &mut Caller<'_, Guest>, at: u32, length: u32) -> Result<(String, Option<Arc<KeyValue>>)> {
    let (key, guest) = bytes(caller, at, length)?;
    let key = std::str::from_utf8(key).map_err(|_| Error::msg("a key is no UTF-8"))?;
    Ok((key.to_owned(), guest.lent.values.clone()))
}

/// Bytes of the guest's.
fn bytes<'a>(caller: &'a mut Caller<'_, Guest>, at: u32, length: u32) -> Result<(&'a [u8], &'a Guest)> {
    let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
        return Err(Error::msg("it exports no `memory`"));
    };
    let (memory, guest) = memory.data_and_store_mut(&mut *caller);
    let bytes = memory.get(at as usize..).and_then(|from| from.get(..length as usize));
    let bytes = bytes.ok_or_else(|| Error::msg(format!("{length} bytes at {at} are not all in its memory")))?;
    Ok((bytes, guest))
}

fn put(caller: &mut Caller<'_, Guest>, at: u32, bytes: &[u8]) -> Result<()> {
    let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
        return Err(Error::msg("it exports no `memory`"));
    };
    memory
        .write(caller, at as usize, bytes)
        .map_err(|_| Error::msg(format!("there is no room in its memory for {} bytes at {at}", bytes.len())))
}
