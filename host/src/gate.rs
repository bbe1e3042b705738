//! Keeps one generation for a unit of work on any thread, and gives the swap a moment when nobody is in one.
//!
//! A mutex and two condition variables: units of work last milliseconds, so a clever lock would buy nothing. Once a swap
//! waits, new units wait too, so that a program whose threads are never all idle at once is swapped all the same. Between two
//! safe points they wait for a limited time only: the thread that calls the safe point may itself be waiting for them.

use pitstop_contract::event::Waited;
use std::cell::Cell;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// The gate of this process.
pub(crate) static GATE: Gate = Gate::new();

pub(crate) struct Gate {
    state: Mutex<State>,
    emptied: Condvar,
    opened: Condvar,
}

struct State {
    door: Door,
    next: u64,
    inside: Vec<Inside>,
}

/// Whether new units may begin.
#[derive(Clone, Copy)]
enum Door {
    Open,
    /// A safe point is at it right now.
    Closed,
    /// A safe point was at it and found units inside; the next one may go on from here.
    ClosedUntil(Instant),
}

struct Inside {
    id: u64,
    thread: Thread,
    place: &'static Location<'static>,
    since: Instant,
}

thread_local! {
    /// The unit that this thread is in.
    static UNIT: Cell<Option<u64>> = const { Cell::new(None) };
}

/// A unit of work: from [`Pitstop::enter`](crate::Pitstop::enter) until it is dropped, no swap happens.
#[derive(Debug)]
#[must_use = "the unit of work ends when this is dropped"]
pub struct Unit<'a> {
    gate: Option<(&'a Gate, u64)>,
    // A unit belongs to the thread that entered it.
    not_send: PhantomData<*const ()>,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}

impl Unit<'_> {
    /// A unit that holds nothing back: in a program without a session, and within another unit of the same thread.
    pub(crate) fn inert() -> Self {
        Self { gate: None, not_send: PhantomData }
    }
}

impl Drop for Unit<'_> {
    fn drop(&mut self) {
        let Some((gate, id)) = self.gate else { return };
        UNIT.set(None);
        drop(gate.take_out(id));
    }
}

/// While a thread is held in the middle of its unit of work, no swap waits for it.
pub(crate) struct Outside<'a> {
    gate: &'a Gate,
    inside: Option<Inside>,
}

impl Drop for Outside<'_> {
    fn drop(&mut self) {
        if let Some(inside) = self.inside.take() {
            self.gate.pass().inside.push(inside);
        }
    }
}

impl Gate {
    const fn new() -> Self {
        let state = State { door: Door::Open, next: 0, inside: Vec::new() };
        Self { state: Mutex::new(state), emptied: Condvar::new(), opened: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code of a user's runs under this lock, so a poisoned one holds good data.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a unit of work; waits while a swap is about to happen.
    pub(crate) fn enter(&self, place: &'static Location<'static>) -> Unit<'_> {
        if Self::inside_here() {
            // Waiting here for a swap that waits for this very thread would never end.
            return Unit::inert();
        }
        let mut state = self.pass();
        let id = state.next;
        state.next += 1;
        state.inside.push(Inside { id, thread: std::thread::current(), place, since: Instant::now() });
        UNIT.set(Some(id));
        Unit { gate: Some((self, id)), not_send: PhantomData }
    }

    /// Takes this thread's unit, if it is in one, out of the count until the result is dropped; then it comes back in, as a
    /// new unit would.
    pub(crate) fn step_out(&self) -> Outside<'_> {
        Outside { gate: self, inside: UNIT.get().and_then(|id| self.take_out(id)) }
    }

    fn take_out(&self, id: u64) -> Option<Inside> {
        let mut state = self.lock();
        let at = state.inside.iter().position(|inside| inside.id == id)?;
        let inside = state.inside.remove(at);
        if state.inside.is_empty() {
            self.emptied.notify_all();
        }
        Some(inside)
    }

    /// Waits while a swap is about to happen.
    fn pass(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        loop {
            state = match state.door {
                Door::Open => return state,
                Door::Closed => self.opened.wait(state).unwrap_or_else(PoisonError::into_inner),
                Door::ClosedUntil(moment) => {
                    let left = moment.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return state;
                    }
                    self.opened.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Whether this thread is in a unit of work.
    pub(crate) fn inside_here() -> bool {
        UNIT.get().is_some()
    }

    /// Lets no new unit begin, and waits until none is left, for `wait` at most. Then the gate stays closed until `open`.
    ///
    /// `Err` names those that are still inside. Then the gate stays closed for as long again, for the next safe point to
    /// come in time.
    pub(crate) fn close(&self, wait: Duration) -> Result<(), Vec<Waited>> {
        let mut state = self.lock();
        state.door = Door::Closed;
        let deadline = Instant::now() + wait;
        while !state.inside.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                state.door = Door::ClosedUntil(Instant::now() + wait);
                self.opened.notify_all();
                return Err(state.inside.iter().map(Inside::describe).collect());
            }
            let waited = self.emptied.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }

    /// Lets units begin.
    pub(crate) fn open(&self) {
        self.lock().door = Door::Open;
        self.opened.notify_all();
    }
}

impl Inside {
    fn describe(&self) -> Waited {
        let thread = match self.thread.name() {
            Some(name) => name.to_owned(),
            None => format!("{:?}", self.thread.id()),
        };
        Waited {
            thread,
            place: format!("{}:{}", self.place.file(), self.place.line()),
            for_ms: self.since.elapsed().as_secs_f64() * 1e3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::bounded;

    #[test]
    fn a_closed_gate_names_who_is_inside_and_lets_nobody_new_in() {
        let gate = Gate::new();
        let unit = gate.enter(Location::caller());
        let names = gate.close(Duration::from_millis(1)).expect_err("a unit is inside");
        assert!(names[0].place.contains("gate.rs"), "{names:?}");
        drop(unit);
        assert_eq!(gate.close(Duration::from_secs(5)), Ok(()));
        std::thread::scope(|scope| {
            let (entered, on_entry) = bounded(1);
            let gate = &gate;
            scope.spawn(move || {
                let _unit = gate.enter(Location::caller());
                entered.send(()).expect("a receiver");
            });
            assert!(on_entry.recv_timeout(Duration::from_millis(30)).is_err(), "entered a closed gate");
            gate.open();
            on_entry.recv_timeout(Duration::from_secs(5)).expect("an open gate lets units in");
        });
    }

    #[test]
    fn a_thread_that_waits_for_units_between_its_safe_points_is_not_locked_out() {
        let gate = Gate::new();
        let long = gate.enter(Location::caller());
        assert!(gate.close(Duration::from_millis(20)).is_err());
        // No further safe point comes: the unit is let in all the same.
        std::thread::scope(|scope| {
            let unit = scope.spawn(|| drop(gate.enter(Location::caller())));
            unit.join().expect("a unit that began and ended");
        });
        drop(long);
    }

    #[test]
    fn a_unit_within_a_unit_does_not_wait() {
        let gate = Gate::new();
        let outer = gate.enter(Location::caller());
        assert!(gate.close(Duration::ZERO).is_err());
        drop(gate.enter(Location::caller()));
        assert!(Gate::inside_here());
        drop(outer);
        assert_eq!(gate.close(Duration::ZERO), Ok(()));
    }

    #[test]
    fn a_held_unit_is_not_waited_for_and_comes_back_when_the_gate_is_open() {
        let gate = Gate::new();
        let unit = gate.enter(Location::caller());
        let outside = gate.step_out();
        assert_eq!(gate.close(Duration::ZERO), Ok(()));
        assert!(Gate::inside_here(), "it is still a unit of work");
        gate.open();
        drop(outside);
        assert!(gate.close(Duration::ZERO).is_err(), "it is back");
        gate.open();
        drop(unit);
        assert_eq!(gate.close(Duration::ZERO), Ok(()));
        drop(gate.step_out());
        gate.open();
    }

    #[test]
    fn threads_that_are_never_all_idle_cannot_starve_a_swap() {
        let gate = Gate::new();
        let stop = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                        let _unit = gate.enter(Location::caller());
                        std::hint::black_box((0..20_000).sum::<u64>());
                    }
                });
            }
            for _ in 0..200 {
                assert_eq!(gate.close(Duration::from_secs(10)), Ok(()));
                gate.open();
            }
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }
}
