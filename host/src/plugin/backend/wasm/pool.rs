//! A version of a guest: instances that wait for calls, so that a call does not have to make one.
//!
//! A thread comes back to the instance that it used last, if that is free; what a guest keeps from one call to the next is
//! therefore there for some calls and not for others. Values that have to stay belong into `key-value`.

use super::cache::Cache;
use super::code::{Calls, code};
use super::engine::Way;
use super::guest::MEMORY;
use super::kind::kind;
use super::lend::Lent;
use super::live::{Fate, Live, Plan};
use super::ticker;
use crate::plugin::backend::{Candidate, Description, Instance};
use pitstop_reloadable::PluginError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::Duration;

/// So many instances wait at most; calls beyond that have one each to themselves.
const LANES: usize = 32;

/// The instances of a version.
pub(super) struct Lanes {
    lanes: [Lane; LANES],
    /// Calls for which there was no lane.
    more: AtomicUsize,
}

/// Held for as long as a call runs in it. Alone in its line of the cache.
#[derive(Default)]
#[repr(align(64))]
struct Lane(Mutex<Option<Live>>);

impl Lanes {
    fn new() -> Self {
        Self { lanes: std::array::from_fn(|_| Lane::default()), more: AtomicUsize::new(0) }
    }

    /// Whether a call runs.
    pub(super) fn busy(&self) -> bool {
        self.more.load(Ordering::Relaxed) > 0 || self.lanes.iter().any(|lane| lane.take().is_none())
    }

    /// A lane for a call: the thread's own, else one with an instance, else one without.
    #[inline]
    fn find(&self) -> Option<MutexGuard<'_, Option<Live>>> {
        let own = thread_number() % LANES;
        let mut free = self.lanes[own].take();
        if free.as_ref().is_some_and(|lane| lane.is_some()) {
            return free;
        }
        for lane in self.lanes[own + 1..].iter().chain(&self.lanes[..own]) {
            let Some(lane) = lane.take() else { continue };
            if lane.is_some() {
                return Some(lane);
            }
            free.get_or_insert(lane);
        }
        free
    }
}

impl Lane {
    /// Unless somebody else has it.
    #[inline]
    fn take(&self) -> Option<MutexGuard<'_, Option<Live>>> {
        match self.0.try_lock() {
            Ok(lane) => Some(lane),
            // Its instance was taken out before the panic.
            Err(TryLockError::Poisoned(lane)) => Some(lane.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

/// A number of this thread's own, from 0.
fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    NUMBER.try_with(|number| *number).unwrap_or(0)
}

struct Pool {
    plan: Plan,
    lanes: Arc<Lanes>,
    description: Description,
}

/// Compiles a guest and makes its first instance, which says what it is.
pub(super) fn open(candidate: &Candidate, cache: Option<&Cache>) -> Result<Box<dyn Instance>, PluginError> {
    let spec = &candidate.spec;
    let lent = Arc::new(Lent::new(spec));
    let linked = code(kind(&candidate.bytes), &candidate.bytes, Way::of(spec), &lent, cache);
    let (engine, code, calls) = linked.map_err(|error| PluginError::failed(format!("it cannot be used: {error:#}")))?;
    let memory = spec.limits.memory.unwrap_or(MEMORY);
    let plan = Plan { engine, code, calls, lent, limits: spec.limits.clone(), memory, fuel: spec.wasm.fuel };
    let mut pool = Pool { plan, lanes: Arc::new(Lanes::new()), description: Description::default() };
    ticker::watch(Arc::downgrade(&pool.lanes));
    pool.description = aside(calls, || pool.first())?;
    Ok(Box::new(pool))
}

impl Pool {
    fn first(&self) -> Result<Description, PluginError> {
        let mut lane = self.lanes.find();
        self.begin();
        let mut live = Live::new(&self.plan)?;
        let description = live.describe(&self.plan)?;
        if let Some(lane) = &mut lane {
            **lane = Some(live);
        }
        Ok(description)
    }

    /// A lane is held: the ticker has to see that.
    #[inline]
    fn begin(&self) {
        if self.plan.is_interrupted() {
            ticker::wake();
        }
    }

    #[inline]
    fn call(&self, input: &[u8]) -> Result<Vec<u8>, PluginError> {
        match self.lanes.find() {
            Some(mut lane) => self.call_in(&mut lane, input),
            None => {
                self.lanes.more.fetch_add(1, Ordering::Relaxed);
                let _less = Less(&self.lanes.more);
                self.call_in(&mut None, input)
            }
        }
    }

    #[inline]
    fn call_in(&self, lane: &mut Option<Live>, input: &[u8]) -> Result<Vec<u8>, PluginError> {
        self.begin();
        let mut live = match lane.take() {
            Some(live) => live,
            None => Live::new(&self.plan)?,
        };
        let (result, fate) = live.process(&self.plan, input);
        if fate == Fate::Keep {
            *lane = Some(live);
        }
        result
    }
}

/// One call less without a lane.
struct Less<'a>(&'a AtomicUsize);

impl Drop for Less<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Instance for Pool {
    fn description(&self) -> &Description {
        &self.description
    }

    fn process(&self, input: &[u8]) -> Result<Vec<u8>, PluginError> {
        aside(self.plan.calls, || self.call(input))
    }

    fn retire(self: Box<Self>, _: Duration) {
        // It has nothing to do yet: no call runs, and its instances are memory only.
    }
}

/// Runs it on this thread, if it can be: wasmtime's WASI has a tokio of its own, which a thread of the program's tokio cannot
/// enter.
#[inline]
fn aside<T: Send>(calls: Calls, run: impl FnOnce() -> Result<T, PluginError> + Send) -> Result<T, PluginError> {
    if calls != Calls::Wasi || tokio::runtime::Handle::try_current().is_err() {
        return run();
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("pitstop-wasm".to_owned()).spawn_scoped(scope, run);
        let thread = thread.map_err(|error| PluginError::failed(format!("no thread can be started: {error}")))?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
