//! The report of a fault, written from within the signal handler; see [`pitstop_contract::crash`] for its words.

use super::platform::Fault;
use super::registers::{code, is_readable, with_caller};
use libc::{c_int, c_void};
use pitstop_contract::crash::{ADDRESS, AT, CODE, END, FROM, HEAD, SIGNAL, THREAD};
use std::ffi::CStr;
use std::fmt::Write;

/// How many frames are written: of an endless recursion the innermost tell enough.
const FRAMES: usize = 256;
/// How much of the list of mapped files is copied, in bytes.
const MAPS: usize = 16 << 20;

/// Writes the report into a new file. What fails is left out.
pub(super) fn write(path: &CStr, fault: &Fault, thread: c_int) {
    let Some(mut report) = Report::create(path) else { return };
    let _ = writeln!(report, "{HEAD}\n{SIGNAL} {}", fault.signal);
    if let Some(address) = address(fault) {
        let _ = writeln!(report, "{ADDRESS} {address:#x}");
    }
    report.thread(thread);
    if let Some(code) = code(fault) {
        let _ = writeln!(report, "{CODE} {code:#x}");
    }
    report.maps();
    // The unwinder may run into a fault of its own: what there is until now is safe.
    report.flush();
    report.frames(fault);
    let _ = writeln!(report, "{END}");
    report.flush();
    close(report.file);
}

/// Lets the unwinder set up whatever it needs, outside of any signal handler.
pub(super) fn warm_up() {
    walk(None);
}

/// The calling thread's number.
pub(super) fn thread() -> c_int {
    // SAFETY: has no preconditions.
    let number = unsafe { libc::syscall(libc::SYS_gettid) };
    c_int::try_from(number).unwrap_or(0)
}

/// The address that could not be reached.
fn address(fault: &Fault) -> Option<usize> {
    // SAFETY: the system gives the information with the signal.
    let info = unsafe { fault.info.as_ref() }?;
    if info.si_code <= 0 || !matches!(fault.signal, libc::SIGSEGV | libc::SIGBUS) {
        return None;
    }
    // SAFETY: signals of these kinds that the system sent have the field.
    Some(unsafe { info.si_addr() } as usize)
}

/// A file that is being written, in pieces of the buffer's size.
struct Report {
    file: c_int,
    filled: usize,
    /// Small: the stack of a thread that ran out of stack is a few kilobytes.
    buffer: [u8; 256],
}

impl Report {
    fn create(path: &CStr) -> Option<Self> {
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC | libc::O_CLOEXEC;
        // SAFETY: the path is a C string.
        let file = unsafe { libc::open(path.as_ptr(), flags, 0o600) };
        (file >= 0).then_some(Self { file, filled: 0, buffer: [0; 256] })
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if self.filled >= self.buffer.len() {
                self.flush();
            }
            if let Some(place) = self.buffer.get_mut(self.filled) {
                *place = byte;
                self.filled += 1;
            }
        }
    }

    fn flush(&mut self) {
        let mut rest = self.buffer.get(..self.filled).unwrap_or_default();
        while !rest.is_empty() {
            // SAFETY: the pointer and the length are of one slice.
            let written = unsafe { libc::write(self.file, rest.as_ptr().cast(), rest.len()) };
            // A full disk costs the report, not more.
            let Some(after) = usize::try_from(written).ok().filter(|&written| written > 0) else { break };
            rest = rest.get(after..).unwrap_or_default();
        }
        self.filled = 0;
    }

    fn thread(&mut self, thread: c_int) {
        // SAFETY: has no preconditions.
        let is_main = thread == unsafe { libc::getpid() };
        let mut name = [0u8; 16];
        // SAFETY: the system writes at most 16 bytes there, the last of which is 0.
        let failed = unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) } != 0;
        let name = if is_main { b"main".as_slice() } else { name.as_slice() };
        if failed && !is_main {
            return;
        }
        let _ = write!(self, "{THREAD} ");
        for &byte in name.iter().take_while(|byte| **byte != 0) {
            self.bytes(&[if byte < b' ' { b'?' } else { byte }]);
        }
        self.bytes(b"\n");
    }

    /// Copies what the system says of the mapped files.
    fn maps(&mut self) {
        // SAFETY: the path is a C string.
        let maps = unsafe { libc::open(c"/proc/self/maps".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
        if maps < 0 {
            return;
        }
        let mut copied = 0;
        while copied < MAPS {
            self.flush();
            // SAFETY: the pointer and the length are of one buffer.
            let read = unsafe { libc::read(maps, self.buffer.as_mut_ptr().cast(), self.buffer.len()) };
            let Some(read) = usize::try_from(read).ok().filter(|&read| read > 0) else { break };
            self.filled = read;
            copied = copied.saturating_add(read);
        }
        close(maps);
    }

    fn frames(&mut self, fault: &Fault) {
        let lost = code(fault).filter(|&code| !is_readable(code));
        let mut told = 0;
        match lost {
            // The unwinder would look at the instruction.
            Some(code) => {
                let _ = writeln!(self, "{AT} {code:#x}");
            }
            None => told = walk(Some(self)),
        }
        if told <= 1 {
            with_caller(fault, || {
                walk(Some(self));
            });
        }
    }
}

impl Write for Report {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}

fn close(file: c_int) {
    // SAFETY: the number is of a file that this module opened and closes once.
    unsafe { libc::close(file) };
}

/// A walk over the frames of this thread.
struct Walk<'r> {
    /// `None`: only walks.
    report: Option<&'r mut Report>,
    steps: usize,
    /// Still among the handler's own frames.
    inside: bool,
    told: usize,
}

unsafe extern "C" {
    fn _Unwind_Backtrace(step: extern "C" fn(*mut c_void, *mut c_void) -> c_int, argument: *mut c_void) -> c_int;
    fn _Unwind_GetIPInfo(frame: *mut c_void, is_exact: *mut c_int) -> usize;
}

/// Tells the frames from the one that the signal interrupted. Returns how many these are.
fn walk(report: Option<&mut Report>) -> usize {
    let mut walk = Walk { report, steps: 0, inside: true, told: 0 };
    let argument = (&raw mut walk).cast();
    // SAFETY: `step` is of the type that the unwinder calls, and takes the argument for what it is.
    unsafe { _Unwind_Backtrace(step, argument) };
    walk.told
}

extern "C" fn step(frame: *mut c_void, argument: *mut c_void) -> c_int {
    const GO_ON: c_int = 0;
    const STOP: c_int = 4;
    // SAFETY: `walk` gave this argument, and waits for the walk to end.
    let walk = unsafe { &mut *argument.cast::<Walk<'_>>() };
    let mut is_exact = 0;
    // SAFETY: the frame is the unwinder's own, and good during this call.
    let address = unsafe { _Unwind_GetIPInfo(frame, &raw mut is_exact) };
    // The frame that the signal interrupted is the first whose address is not one to return to.
    walk.inside &= is_exact == 0;
    walk.steps = walk.steps.saturating_add(1);
    // No address to return to: the thread begins here.
    let is_told = !walk.inside && (is_exact != 0 || address != 0);
    if let Some(report) = walk.report.as_mut().filter(|_| is_told) {
        walk.told = walk.told.saturating_add(1);
        let word = if is_exact == 0 { FROM } else { AT };
        let _ = writeln!(report, "{word} {address:#x}");
    }
    if walk.steps < FRAMES { GO_ON } else { STOP }
}
