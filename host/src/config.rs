//! How a host takes part in a session.

use pitstop_reloadable::OnPanic;
use std::time::Duration;

/// How a host takes part in a session. [`Config::default`] suits a program with a frame loop.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// How long one [`safe_point`](crate::Pitstop::safe_point) waits for threads that are in a unit of work, and how long
    /// after it new units still wait for the next one. 50 ms.
    pub wait: Duration,
    /// How long new units are held back, over several safe points, before the host lets them begin again and tries
    /// later. 2 s.
    pub patience: Duration,
    /// How long [`library`](crate::Pitstop::library) waits for the library's first image. 10 s.
    pub library_wait: Duration,
    /// What is done about a panic in a reloadable function that does not say so itself.
    pub on_panic: OnPanic,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            wait: Duration::from_millis(50),
            patience: Duration::from_secs(2),
            library_wait: Duration::from_secs(10),
            on_panic: OnPanic::Rollback,
        }
    }
}
