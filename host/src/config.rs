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
    /// Whether generations that nothing of the program refers to any more are unmapped; otherwise all stay. Off.
    ///
    /// Linux with glibc on x86-64 only; elsewhere nothing is unmapped, and the event `retained` says so. That event says too
    /// what keeps a generation.
    ///
    /// With this, undo goes back by two steps at most, and older code that still runs is refused carried values. Shortly
    /// after a swap all threads are stopped, as by a debugger, for as long as it takes to fork: some milliseconds for a
    /// hundred megabytes in use. A call that no interruption is hidden from, such as `epoll_wait`, ends with `EINTR`. While
    /// a debugger is attached, or where the system forbids to stop threads, nothing is unmapped.
    ///
    /// Not known as pointers into an old generation are: addresses that are kept in another form (tagged in their upper
    /// bits, compressed, not aligned to eight bytes) or outside the program (in shared memory, files, pipes, and in the
    /// kernel but for signal handlers), and pointers to its thread-locals. A program that relies on such leaves this off.
    pub unload: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            wait: Duration::from_millis(50),
            patience: Duration::from_secs(2),
            library_wait: Duration::from_secs(10),
            on_panic: OnPanic::Rollback,
            unload: false,
        }
    }
}
