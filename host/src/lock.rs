//! Takes a lock of the host's own, poisoned or not.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What the host's locks hold is whole at every point where a panic could be, so a poisoned one holds good data.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
