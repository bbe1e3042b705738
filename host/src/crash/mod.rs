//! Leaves behind what the watcher needs to say where the program was when a signal ended it.

#[cfg(all(target_os = "linux", not(target_arch = "arm")))]
#[path = "linux.rs"]
#[expect(unsafe_code, reason = "handles signals, and calls the handlers that were there before")]
mod platform;
#[cfg(not(all(target_os = "linux", not(target_arch = "arm"))))]
#[path = "other.rs"]
mod platform;

#[cfg(all(target_os = "linux", not(target_arch = "arm")))]
#[expect(unsafe_code, reason = "reads the state of a thread that a signal has interrupted")]
mod registers;
#[cfg(all(target_os = "linux", not(target_arch = "arm")))]
#[expect(unsafe_code, reason = "calls the system and the unwinder from a signal handler")]
mod report;

pub(crate) use platform::prepare;
