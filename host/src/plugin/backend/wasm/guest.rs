//! What belongs to one instance of a guest: what it may use, and what it has used.

use super::lend::Lent;
use super::output::Said;
use std::sync::Arc;
use wasmtime::{ResourceLimiter, Result};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{WasiCtxBuilder, WasiCtxView, WasiView};

/// How much memory an instance may have, where nothing else is said: 256 MiB.
pub(super) const MEMORY: u64 = 256 << 20;
/// How many elements one table may have.
pub(super) const MOST_ELEMENTS: usize = 100_000;
/// How many instances, tables and memories a component may consist of.
const MOST_PARTS: usize = 1000;

/// What a store holds.
pub(super) struct Guest {
    pub(super) lent: Arc<Lent>,
    pub(super) used: Used,
    /// Made for a guest that asks for WASI.
    pub(super) wasi: Option<WasiP1Ctx>,
    pub(super) said: Arc<Said>,
}

impl Guest {
    pub(super) fn wasi(&mut self) -> &mut WasiP1Ctx {
        // Without anything granted, should one be asked for that was not made.
        self.wasi.get_or_insert_with(|| WasiCtxBuilder::new().build_p1())
    }

    /// Forgets what only a call that fails tells of.
    pub(super) fn end_of_call(&mut self) {
        self.used.refused = None;
        if self.wasi.is_some() {
            self.said.clear();
        }
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi().ctx()
    }
}

/// The memory that an instance has.
pub(super) struct Used {
    /// Of all its memories.
    pub(super) memory: usize,
    most: usize,
    /// What it was refused in this call.
    pub(super) refused: Option<Refused>,
}

/// What a guest has asked for in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Memory { most: usize },
    Elements,
}

impl Used {
    pub(super) fn new(most: u64) -> Self {
        Self { memory: 0, most: usize::try_from(most).unwrap_or(usize::MAX), refused: None }
    }

    /// Whether it has so much that a fresh instance is better: more than half of what it may.
    pub(super) fn is_much(&self) -> bool {
        self.memory > self.most / 2
    }
}

impl ResourceLimiter for Used {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        let memory = self.memory.saturating_add(desired.saturating_sub(current));
        if memory > self.most {
            self.refused = Some(Refused::Memory { most: self.most });
            return Ok(false);
        }
        self.memory = memory;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        if desired > MOST_ELEMENTS {
            self.refused = Some(Refused::Elements);
            return Ok(false);
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        MOST_PARTS
    }

    fn tables(&self) -> usize {
        MOST_PARTS
    }

    fn memories(&self) -> usize {
        MOST_PARTS
    }
}
