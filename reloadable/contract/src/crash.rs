//! What a host leaves behind when a signal ends it: the words of `host-<pid>.crash`, one fact per line.
//!
//! ```text
//! pitstop-crash 1
//! signal 11
//! address 0x8                  where the signal tells of one
//! thread main
//! code 0x55d0c0ffee10          the instruction that was running
//! 55d0c0ff0000-55d0c1000000…   what is mapped where, as /proc/self/maps says it
//! at 0x55d0c0ffee10            the frames, innermost first: an instruction that a signal interrupted,
//! from 0x55d0c0ffee80          or one to return to
//! end
//! ```
//!
//! The frames come last: to find them may fail in a broken program, and what was written before is of use without them.

/// The first line: what the file is, and the version of this format.
pub const HEAD: &str = "pitstop-crash 1";
/// Before the signal's number.
pub const SIGNAL: &str = "signal";
/// Before the address that could not be reached.
pub const ADDRESS: &str = "address";
/// Before the thread's name.
pub const THREAD: &str = "thread";
/// Before the address of the instruction that was running.
pub const CODE: &str = "code";
/// Before a frame's address that is exact.
pub const AT: &str = "at";
/// Before a frame's address that is the one to return to, after the call.
pub const FROM: &str = "from";
/// The last line of a file that is whole.
pub const END: &str = "end";
