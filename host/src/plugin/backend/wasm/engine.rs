//! Wasmtime's engines: one for each way of compiling, kept for as long as the program runs.

use super::ticker;
use crate::lock::lock;
use crate::plugin::spec::Spec;
use std::collections::HashMap;
use std::sync::{Mutex, OnceLock};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Result};

/// How deep a stack is, where nothing else is said.
const STACK: usize = 512 << 10;
/// What host functions need below a guest's stack.
const HOST_STACK: usize = 512 << 10;
/// How many instances, memories and so on there may be at once in one engine: only addresses are reserved for them.
const AT_ONCE: u32 = 1000;

/// All that compiled code depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Way {
    /// Whether it looks at each turn of a loop whether its time is up.
    pub(super) interrupt: bool,
    pub(super) fuel: bool,
    pub(super) stack: usize,
    pub(super) memory: Memory,
}

/// Where memories come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Memory {
    /// Reserved ahead, so that an instance is made in a microsecond.
    Pooled,
    /// From the system each time: for what does not fit into the pool.
    OnDemand,
}

impl Way {
    pub(super) fn of(spec: &Spec) -> Self {
        Self {
            interrupt: spec.wasm.interrupt,
            fuel: spec.wasm.fuel.is_some(),
            stack: spec.wasm.stack.map_or(STACK, |stack| usize::try_from(stack).unwrap_or(STACK)),
            memory: Memory::Pooled,
        }
    }
}

/// The engine for a way of compiling. Where the system does not let so many addresses be reserved, memories come on demand.
pub(super) fn engine(way: Way) -> Result<Engine> {
    static ENGINES: Mutex<Option<HashMap<Way, Engine>>> = Mutex::new(None);
    let mut engines = lock(&ENGINES);
    let engines = engines.get_or_insert_default();
    if let Some(engine) = engines.get(&way) {
        return Ok(engine.clone());
    }
    let made = match (make(way), way.memory) {
        (Err(error), Memory::Pooled) => {
            log::debug!("pitstop: WebAssembly does without a pool of memories: {error:#}");
            make(Way { memory: Memory::OnDemand, ..way })?
        }
        (made, _) => made?,
    };
    if way.interrupt {
        ticker::add(&made)?;
    }
    engines.insert(way, made.clone());
    Ok(made)
}

fn make(way: Way) -> Result<Engine> {
    let mut config = Config::new();
    config
        .epoch_interruption(way.interrupt)
        .consume_fuel(way.fuel)
        .max_wasm_stack(way.stack)
        .async_stack_size(way.stack + HOST_STACK);
    if way.memory == Memory::Pooled {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
    }
    Engine::new(&config)
}

fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(AT_ONCE)
        .total_component_instances(AT_ONCE)
        .total_memories(AT_ONCE)
        .total_tables(AT_ONCE)
        .total_stacks(AT_ONCE)
        .table_elements(super::guest::MOST_ELEMENTS)
        // A little is kept and cleared, rather than given back and asked for again.
        .linear_memory_keep_resident(64 << 10)
        .table_keep_resident(16 << 10);
    pool
}

/// Whether code can be compiled for this machine at all.
pub(super) fn supported() -> std::result::Result<(), String> {
    static SUPPORTED: OnceLock<std::result::Result<(), String>> = OnceLock::new();
    let find_out = || {
        let made = Engine::new(Config::new().memory_reservation(0));
        made.map(drop).map_err(|error| format!("wasmtime does not compile for this machine: {error:#}"))
    };
    SUPPORTED.get_or_init(find_out).clone()
}
