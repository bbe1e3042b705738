//! What was printed without the end of a line is written when the program ends: each `std` buffers for itself, and only the
//! one that ends the program does this by itself.
#![cfg_attr(unix, expect(unsafe_code, reason = "declares a function of the C library"))]

/// Once in each link unit with a `std` of its own.
pub fn flush_at_exit() {
    #[cfg(unix)]
    // Half a line is lost at worst.
    at_exit(flush);
}

/// Has a function called when the program ends, as far as there is memory for one more. Not where it is killed or aborts.
pub fn at_exit(function: extern "C" fn()) {
    #[cfg(unix)]
    {
        unsafe extern "C" {
            safe fn atexit(function: extern "C" fn()) -> std::ffi::c_int;
        }
        let _ = atexit(function);
    }
    #[cfg(not(unix))]
    let _ = function;
}

/// On a thread of its own: another one may hold the lock for ever, and the program is to end.
#[cfg(unix)]
extern "C" fn flush() {
    use std::io::Write;
    use std::time::Duration;
    let (done, end) = std::sync::mpsc::channel();
    let flushing = move || {
        let _ = std::io::stdout().flush();
        let _ = done.send(());
    };
    let Ok(thread) = std::thread::Builder::new().spawn(flushing) else { return };
    if end.recv_timeout(Duration::from_millis(100)).is_ok() {
        // An image that is let go of must not be left with a thread in it.
        let _ = thread.join();
    }
}
