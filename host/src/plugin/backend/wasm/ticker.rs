//! The clock by which the time of calls is counted: a thread that moves the engines' epoch on, and sleeps while no call runs.

use super::pool::Lanes;
use crate::lock::lock;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Mutex, Weak};
use std::thread::Thread;
use std::time::{Duration, Instant};
use wasmtime::{Engine, Error, Result};

/// How long an epoch is: the grain of time limits.
const EPOCH: Duration = Duration::from_millis(10);
/// After so many epochs without a call it sleeps.
const IDLE: u32 = 50;

static TICKING: AtomicBool = AtomicBool::new(false);
static TICKER: Mutex<Ticker> = Mutex::new(Ticker { thread: None, engines: Vec::new(), watched: Vec::new() });

struct Ticker {
    thread: Option<Thread>,
    engines: Vec<Engine>,
    watched: Vec<Weak<Lanes>>,
}

/// Moves this engine's epoch on from now on.
pub(super) fn add(engine: &Engine) -> Result<()> {
    let mut ticker = lock(&TICKER);
    ticker.engines.push(engine.clone());
    if ticker.thread.is_none() {
        let spawned = std::thread::Builder::new().name("pitstop-epochs".to_owned()).spawn(run);
        let thread = spawned
            .map_err(|error| Error::msg(format!("no thread can be started that would end calls in time: {error}")))?;
        ticker.thread = Some(thread.thread().clone());
    }
    Ok(())
}

/// Keeps watch over the calls of a plugin's version.
pub(super) fn watch(lanes: Weak<Lanes>) {
    lock(&TICKER).watched.push(lanes);
}

/// How many epochs are sure to be as long as a time, however the call falls between them.
pub(super) fn epochs(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(EPOCH.as_nanos())).unwrap_or(u64::MAX / 2).min(u64::MAX / 2) + 1
}

/// A call begins: whoever says so holds its lane already.
#[inline]
pub(super) fn wake() {
    // Either the ticker sees the lane held before it sleeps, or this sees that it sleeps.
    fence(Ordering::SeqCst);
    if !TICKING.load(Ordering::Relaxed) {
        wake_thread();
    }
}

#[cold]
fn wake_thread() {
    TICKING.store(true, Ordering::SeqCst);
    if let Some(thread) = &lock(&TICKER).thread {
        thread.unpark();
    }
}

fn run() {
    let mut idle = 0;
    let mut next = Instant::now() + EPOCH;
    loop {
        let mut now = Instant::now();
        // Whoever wakes it does not make it tick earlier.
        while now < next {
            std::thread::park_timeout(next - now);
            now = Instant::now();
        }
        // One that is late does not hurry: calls had no processor then either.
        next = Instant::now() + EPOCH;
        let busy = tick();
        idle = if busy { 0 } else { idle + 1 };
        if idle >= IDLE {
            sleep();
            idle = 0;
        }
    }
}

/// Whether calls run.
fn tick() -> bool {
    let mut ticker = lock(&TICKER);
    ticker.engines.iter().for_each(Engine::increment_epoch);
    busy(&mut ticker)
}

fn busy(ticker: &mut Ticker) -> bool {
    let mut busy = false;
    ticker.watched.retain(|lanes| match lanes.upgrade() {
        Some(lanes) => {
            busy |= lanes.busy();
            true
        }
        None => false,
    });
    busy
}

fn sleep() {
    TICKING.store(false, Ordering::SeqCst);
    fence(Ordering::SeqCst);
    if busy(&mut lock(&TICKER)) {
        TICKING.store(true, Ordering::SeqCst);
        return;
    }
    while !TICKING.load(Ordering::SeqCst) {
        std::thread::park();
    }
}
