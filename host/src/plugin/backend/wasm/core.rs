//! A core module's functions, as `wit/README.md` has them.

use super::guest::Guest;
use super::live::{Answer, Turn};
use crate::plugin::backend::Description;
use serde::Deserialize;
use wasmtime::{Error, Instance, Memory, Result, Store, TypedFunc};

/// What a core module exports.
pub(super) struct Entry {
    memory: Memory,
    alloc: TypedFunc<u32, u32>,
    /// A guest that gives nothing back has none.
    free: Option<TypedFunc<(u32, u32), ()>>,
    process: TypedFunc<(u32, u32), u64>,
    describe: Option<TypedFunc<(), u64>>,
}

/// In an answer's length: it is an error's text.
const IS_ERROR: u32 = 1 << 31;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Described {
    name: String,
    version: String,
    capabilities: Vec<String>,
}

impl Entry {
    /// Looks the functions up, once what a reactor has to do first is done.
    pub(super) fn new(store: &mut Store<Guest>, instance: Instance, turn: &Turn) -> Result<Self> {
        if let Ok(initialize) = instance.get_typed_func::<(), ()>(&mut *store, "_initialize") {
            turn.core(&initialize, store, ())?;
        }
        let memory = instance.get_memory(&mut *store, "memory");
        Ok(Self {
            memory: memory.ok_or_else(|| Error::msg("it exports no `memory`"))?,
            alloc: instance.get_typed_func(&mut *store, "pitstop_alloc")?,
            free: instance.get_typed_func(&mut *store, "pitstop_free").ok(),
            process: instance.get_typed_func(&mut *store, "pitstop_process")?,
            describe: instance.get_typed_func(&mut *store, "pitstop_describe").ok(),
        })
    }

    pub(super) fn process(&self, store: &mut Store<Guest>, turn: &Turn, input: &[u8]) -> Result<Answer> {
        let length = u32::try_from(input.len())
            .map_err(|_| Error::msg(format!("its input is longer than {} bytes, which it cannot address", u32::MAX)))?;
        // Nothing is nowhere.
        let mut at = 0;
        if length > 0 {
            at = turn.core(&self.alloc, store, length)?;
            if at == 0 {
                return Err(Error::msg(format!("it has no room for its input of {length} bytes")));
            }
            self.memory.write(&mut *store, at as usize, input).map_err(|_| {
                Error::msg(format!("`pitstop_alloc` gave {length} bytes at {at}, which are not all in its memory"))
            })?;
        }
        let packed = turn.core(&self.process, store, (at, length))?;
        self.free(store, turn, at, length)?;
        self.answer(store, turn, packed)
    }

    /// What it says of itself: a JSON object, each of whose members is optional.
    pub(super) fn describe(&self, store: &mut Store<Guest>, turn: &Turn) -> Result<Description> {
        let Some(describe) = &self.describe else { return Ok(Description::default()) };
        let packed = turn.core(describe, store, ())?;
        let bytes = match self.answer(store, turn, packed)? {
            Answer::Output(bytes) => bytes,
            Answer::Refusal(message) => return Err(Error::msg(message)),
            Answer::TooMuch => return Err(Error::msg("its description is longer than an output may be")),
        };
        let Described { name, version, capabilities } = serde_json::from_slice(&bytes).map_err(|error| {
            Error::msg(format!(
                "`pitstop_describe` gave no JSON object with `name` and `version` as texts and `capabilities` as a list of texts: {error}"
            ))
        })?;
        Ok(Description { name, version, capabilities })
    }

    /// Takes what it points to, and gives it back.
    fn answer(&self, store: &mut Store<Guest>, turn: &Turn, packed: u64) -> Result<Answer> {
        let (at, length) = ((packed >> 32) as u32, packed as u32);
        let (is_error, length) = (length & IS_ERROR != 0, length & !IS_ERROR);
        if u64::from(length) > turn.output {
            return Ok(Answer::TooMuch);
        }
        let memory = self.memory.data(&*store);
        let bytes = memory.get(at as usize..).and_then(|from| from.get(..length as usize));
        let bytes = bytes.ok_or_else(|| {
            Error::msg(format!("it answered with {length} bytes at {at}, which are not all in its memory"))
        })?;
        let answer = if is_error {
            Answer::Refusal(String::from_utf8_lossy(bytes).into_owned())
        } else {
            Answer::Output(bytes.to_vec())
        };
        self.free(store, turn, at, length)?;
        Ok(answer)
    }

    fn free(&self, store: &mut Store<Guest>, turn: &Turn, at: u32, length: u32) -> Result<()> {
        match &self.free {
            Some(free) if length > 0 => turn.core(free, store, (at, length)),
            _ => Ok(()),
        }
    }
}
