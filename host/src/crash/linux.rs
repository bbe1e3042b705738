//! Linux: handlers of the signals that tell of a fault. They write the report, and pass the signal on to whoever had it before:
//! `std`, which tells of stack overflows, a handler of the user's, or the system, which ends the program.
//!
//! All but [`prepare`] runs inside a signal handler, maybe on the few kilobytes of an alternate stack, and whatever the thread
//! was doing is half done. So it allocates nothing, takes no lock and does not panic.

use super::report;
use libc::{c_char, c_int, c_void, siginfo_t};
use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicI32, AtomicPtr, Ordering};
use std::sync::{Once, OnceLock};

const SIGNALS: [c_int; 6] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGABRT, libc::SIGTRAP];

/// What was done about each signal before.
static PREVIOUS: [OnceLock<libc::sigaction>; SIGNALS.len()] = [const { OnceLock::new() }; SIGNALS.len()];
/// Where the report goes.
static FILE: AtomicPtr<c_char> = AtomicPtr::new(null_mut());
/// The process that the file is for: a child that it forked is not the host.
static PROCESS: AtomicI32 = AtomicI32::new(0);
/// The thread whose fault is being handled, or 0.
static OWNER: AtomicI32 = AtomicI32::new(0);
/// That fault, while the report is being written.
static REPORTED: AtomicPtr<Fault> = AtomicPtr::new(null_mut());

/// A signal as its handler gets it.
#[derive(Clone, Copy)]
pub(super) struct Fault {
    pub(super) signal: c_int,
    pub(super) info: *mut siginfo_t,
    pub(super) context: *mut c_void,
}

/// Installs the handlers, once per process; what they write goes to this file from now on.
pub(crate) fn prepare(file: &Path) {
    let Ok(path) = CString::new(file.as_os_str().as_bytes()) else { return };
    // What an earlier process of this number left.
    let _ = std::fs::remove_file(file);
    // The path before it is not freed: a handler may be about to use it.
    FILE.store(path.into_raw(), Ordering::Release);
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // SAFETY: has no preconditions.
        PROCESS.store(unsafe { libc::getpid() }, Ordering::Release);
        report::warm_up();
        SIGNALS.iter().zip(&PREVIOUS).for_each(|(&signal, previous)| install(signal, previous));
    });
}

fn install(signal: c_int, previous: &OnceLock<libc::sigaction>) {
    let Some(before) = action(signal) else { return };
    if before.sa_sigaction == libc::SIG_IGN {
        return;
    }
    let mut ours = before;
    ours.sa_sigaction = handle as *const () as usize;
    // With the mask and the manner of the handler before, which is called from ours.
    ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | (before.sa_flags & (libc::SA_NODEFER | libc::SA_RESTART));
    let _ = previous.set(before);
    set_action(signal, &ours);
}

fn action(signal: c_int) -> Option<libc::sigaction> {
    // SAFETY: all of its fields may be zero.
    let mut found: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a `sigaction` of ours; without a new action the call changes nothing.
    let failed = unsafe { libc::sigaction(signal, null(), &raw mut found) } != 0;
    (!failed).then_some(found)
}

fn set_action(signal: c_int, action: &libc::sigaction) {
    // SAFETY: the action is the default, or has the address of a handler of the form that its flags name.
    unsafe { libc::sigaction(signal, action, null_mut()) };
}

extern "C" fn handle(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let errno = errno();
    let fault = Fault { signal, info, context };
    let thread = report::thread();
    match claim(thread) {
        Claim::First => {
            leave_report(&fault, thread);
            pass_on(&fault);
            // Whoever had the signal before has mended the fault, or what returns here runs into it again.
            OWNER.store(0, Ordering::Release);
        }
        Claim::Nested => match reported() {
            Some(first) => {
                // The report itself met this fault: it is left as it is, and the program ends by the one it was about.
                pass_on(&first);
                by_default(first.signal);
                send(first.signal);
            }
            None => pass_on(&fault),
        },
        Claim::Late => pass_on(&fault),
    }
    set_errno(errno);
}

enum Claim {
    /// This thread has the report to itself.
    First,
    /// A fault within the handling of one: of the report, or `std` aborts after its message.
    Nested,
    /// Another thread takes too long.
    Late,
}

/// Waits while another thread reports its fault: its handling may end the program, and must not be cut short by ours.
fn claim(thread: c_int) -> Claim {
    let moment = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
    for _ in 0..2000 {
        match OWNER.compare_exchange(0, thread, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return Claim::First,
            Err(owner) if owner == thread => return Claim::Nested,
            // SAFETY: the pointer is to a time of ours; the time that is left is not asked for.
            Err(_) => unsafe { libc::nanosleep(&moment, null_mut()) },
        };
    }
    Claim::Late
}

fn leave_report(fault: &Fault, thread: c_int) {
    let path = FILE.load(Ordering::Acquire);
    // SAFETY: has no preconditions.
    let process = unsafe { libc::getpid() };
    if path.is_null() || process != PROCESS.load(Ordering::Acquire) {
        return;
    }
    REPORTED.store(std::ptr::from_ref(fault).cast_mut(), Ordering::Release);
    let blocked = unblock();
    // SAFETY: `prepare` stored the pointer of a C string that is never freed.
    let path = unsafe { CStr::from_ptr(path) };
    report::write(path, fault, thread);
    block(&blocked);
    REPORTED.store(null_mut(), Ordering::Release);
}

/// The fault whose report is being written by this thread, which owns it.
fn reported() -> Option<Fault> {
    let fault = REPORTED.load(Ordering::Acquire);
    // SAFETY: `leave_report` sets the pointer while its reference is good. It is further down on the stack of this thread.
    unsafe { fault.as_ref() }.copied()
}

/// A fault within the report has to get here, or the system ends the program before the handler before ours was called.
fn unblock() -> libc::sigset_t {
    let mut faults = empty_set();
    for signal in SIGNALS {
        // SAFETY: the set is initialised, and the signal exists.
        unsafe { libc::sigaddset(&raw mut faults, signal) };
    }
    let mut before = empty_set();
    // SAFETY: both are sets of ours.
    unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const faults, &raw mut before) };
    before
}

fn block(blocked: &libc::sigset_t) {
    // SAFETY: the set is what `unblock` was given; the one before is not asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, blocked, null_mut()) };
}

fn empty_set() -> libc::sigset_t {
    // SAFETY: a set of signals is a number of bits.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a set of ours.
    unsafe { libc::sigemptyset(&raw mut set) };
    set
}

/// Does what would have been done without us.
fn pass_on(fault: &Fault) {
    let previous = SIGNALS.iter().zip(&PREVIOUS).find(|(signal, _)| **signal == fault.signal);
    let previous = previous.and_then(|(_, action)| action.get());
    match previous.filter(|action| action.sa_sigaction != libc::SIG_DFL) {
        Some(action) => call(action, fault),
        None => {
            by_default(fault.signal);
            if !repeats(fault) {
                send(fault.signal);
            }
        }
    }
}

fn call(action: &libc::sigaction, fault: &Fault) {
    let handler = action.sa_sigaction as *const ();
    if action.sa_flags & libc::SA_SIGINFO != 0 {
        // SAFETY: with this flag it is the address of a function of this type.
        let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) = unsafe { std::mem::transmute(handler) };
        handler(fault.signal, fault.info, fault.context);
    } else {
        // SAFETY: without the flag, and not being the default, it is the address of a function of this type.
        let handler: extern "C" fn(c_int) = unsafe { std::mem::transmute(handler) };
        handler(fault.signal);
    }
}

/// Whether the instruction runs into the fault once more when the handler returns.
fn repeats(fault: &Fault) -> bool {
    // SAFETY: the system gives the information with the signal.
    let info = unsafe { fault.info.as_ref() };
    // What somebody sent has codes up to 0; a breakpoint has been passed.
    info.is_some_and(|info| info.si_code > 0) && fault.signal != libc::SIGTRAP
}

fn by_default(signal: c_int) {
    // SAFETY: all of its fields may be zero, and that is the default action.
    let default: libc::sigaction = unsafe { std::mem::zeroed() };
    set_action(signal, &default);
}

fn send(signal: c_int) {
    // SAFETY: has no preconditions. A signal that is blocked comes when the handler returns.
    unsafe { libc::raise(signal) };
}

pub(super) fn errno() -> c_int {
    // SAFETY: has no preconditions.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: the place is this thread's own.
    unsafe { *place }
}

fn set_errno(errno: c_int) {
    // SAFETY: has no preconditions.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: the place is this thread's own.
    unsafe { *place = errno };
}

#[cfg(test)]
mod tests;
