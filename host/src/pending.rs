//! What waits for a safe point in any program, with a session or without: another version of a plugin, or of a library that
//! is followed.
//!
//! The plan of a session has a place of its own, in `attach.rs`; both are carried out at the same safe point.

use crate::gate::GATE;
use crate::lock::lock;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Whether there is something to do at a safe point: all that one looks at.
pub(crate) static READY: AtomicBool = AtomicBool::new(true);

/// Whether anything may ever come to wait here, so that units of work count.
static USED: AtomicBool = AtomicBool::new(false);

static PENDING: Mutex<Vec<Pending>> = Mutex::new(Vec::new());

struct Pending {
    subject: String,
    swap: Box<dyn FnOnce() + Send>,
}

/// From now on units of work keep swaps out.
pub(crate) fn begin() {
    USED.store(true, Ordering::Release);
}

/// Whether units of work have to be counted.
pub(crate) fn is_used() -> bool {
    USED.load(Ordering::Acquire)
}

/// Has the next safe point do this, in place of what waits for the same subject. It must be short, and runs no code of the
/// user's.
pub(crate) fn offer(subject: &str, swap: impl FnOnce() + Send + 'static) {
    let mut pending = lock(&PENDING);
    let overtaken = pending.iter().position(|earlier| earlier.subject == subject);
    // Dropped without the lock: it may hold the last of a version.
    let overtaken = overtaken.map(|at| pending.remove(at));
    pending.push(Pending { subject: subject.to_owned(), swap: Box::new(swap) });
    drop(pending);
    drop(overtaken);
    READY.store(true, Ordering::Release);
}

#[cfg(feature = "plugins")]
/// What waits for this subject is not to be done any more.
pub(crate) fn forget(subject: &str) {
    let mut pending = lock(&PENDING);
    let forgotten = pending.iter().position(|earlier| earlier.subject == subject).map(|at| pending.remove(at));
    drop(pending);
    drop(forgotten);
}

/// Does all that waits, at one moment without a unit of work; or leaves it for the next safe point, where there is none.
pub(crate) fn carry_out(wait: Duration) {
    if lock(&PENDING).is_empty() {
        return;
    }
    if GATE.close(wait).is_err() {
        READY.store(true, Ordering::Release);
        return;
    }
    let pending = std::mem::take(&mut *lock(&PENDING));
    pending.into_iter().for_each(|pending| (pending.swap)());
    GATE.open();
}
