//! Stops all threads of the process and takes a copy of its memory: a child process that does nothing.
//!
//! There are two children. The *stopper*, which shares the program's memory, stops every thread but the calling one, as a
//! debugger does, and notes their registers. Then the calling thread forks the *copy*, whose memory is that of the moment at
//! which all were stopped, and the stopper lets the threads go on. The program is held up for as long as the fork takes;
//! what looks through the copy takes its time.
//!
//! Neither child allocates, locks, or runs anything of the program's: a thread that is stopped may hold any lock. Nor does
//! the calling thread while all others are stopped. The children share the table of open files, so that none is held open
//! by them; they end without a signal, so that no `wait` of the program's sees them; they have all signals blocked, and
//! end with the calling thread.
#![expect(unsafe_code, reason = "forks, and stops threads as a debugger does")]

use crate::lock::lock;
use libc::{c_int, c_long, c_void, pid_t};
use std::cell::UnsafeCell;
use std::fs::File;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// More threads than this are not stopped.
const MOST: usize = 1024;
/// How long the threads may take to stop; one that waits for a disk cannot be stopped meanwhile.
const TO_STOP: Duration = Duration::from_millis(100);
/// How long one process waits for the other, in any step. Guards against one that was killed.
const TO_ANSWER: Duration = Duration::from_secs(2);

/// The steps that the two processes wait for, one after the other.
mod step {
    pub(super) const BEGIN: u32 = 0;
    pub(super) const ALLOWED: u32 = 1;
    pub(super) const STOPPED: u32 = 2;
    pub(super) const COPIED: u32 = 3;
    pub(super) const RELEASED: u32 = 4;
    pub(super) const FAILED: u32 = 5;
}

/// What `user_regs_struct` has at which word.
mod register {
    pub(super) const COUNT: usize = 27;
    pub(super) const SYSTEM_CALL: usize = 15;
    pub(super) const CODE: usize = 16;
    pub(super) const STACK: usize = 19;
    pub(super) const THREAD_LOCAL: usize = 21;
}

const SIGNALS: usize = 64;

/// Memory that the program and the stopper share, and the copy does not have. All zeros at first.
#[repr(C)]
struct Area {
    step: AtomicU32,
    /// Of [`step::FAILED`]: the system's number, and the thread.
    error: AtomicI32,
    failed: AtomicI32,
    paused_ns: AtomicU64,
    /// For the stopper: the program's `task` folder, its number, and the thread that is left to run.
    tasks: AtomicI32,
    parent: AtomicI32,
    caller: AtomicI32,
    stack: UnsafeCell<Stack>,
    /// How many of the slots are taken.
    taken: AtomicU32,
    /// The kernel alone has these: what to call for each signal.
    handlers: [AtomicU64; SIGNALS],
    threads: [Slot; MOST],
}

/// What the stopper runs on.
#[repr(C, align(16))]
struct Stack([u8; 256 << 10]);

/// One thread. What is not atomic is written before [`step::STOPPED`] and read after it.
#[repr(C)]
struct Slot {
    id: AtomicI32,
    state: AtomicU32,
    /// A signal that it was about to get.
    signal: AtomicI32,
    general: UnsafeCell<[u64; register::COUNT]>,
    /// Floating point and vectors, in the form of `xsave`.
    vectors: UnsafeCell<[u64; 1536]>,
}

/// What is known of a thread.
mod state {
    pub(super) const GONE: u32 = 0;
    pub(super) const SEIZED: u32 = 1;
    pub(super) const STOPPED: u32 = 2;
}

/// The process as it was at one moment. The copy of its memory ends when this is dropped.
pub(crate) struct Frozen {
    copy: pid_t,
    area: Shared,
    stopped: Vec<usize>,
}

impl Frozen {
    /// Stops all other threads, takes the copy, and lets them go on.
    pub(crate) fn new() -> Result<Self, String> {
        // Two at a time would stop each other.
        static ONE: Mutex<()> = Mutex::new(());
        let _one = lock(&ONE);
        let area = Shared::new().map_err(|error| format!("no memory for it: {error}"))?;
        let tasks = File::open("/proc/self/task").map_err(|error| format!("/proc/self/task: {error}"))?;
        let must_allow = std::fs::read("/proc/sys/kernel/yama/ptrace_scope").is_ok_and(|text| text.starts_with(b"1"));
        let blocked = Blocked::all();
        let (copied, stopper) = stop_and_copy(&area, tasks.as_raw_fd(), must_allow);
        // Threads that a dead stopper had stopped go on.
        stopper.into_iter().for_each(end);
        drop(blocked);
        let copy = copied.map_err(|trouble| trouble.describe())?;
        let slots = area.taken().iter().enumerate();
        let stopped = slots.filter(|(_, slot)| slot.state.load(Ordering::Acquire) == state::STOPPED);
        let stopped = stopped.map(|(index, _)| index).collect();
        Ok(Self { copy, area, stopped })
    }

    /// Where the stack of the calling thread begins, from below.
    pub(crate) fn own_stack(&self) -> Option<u64> {
        let mut attributes = std::mem::MaybeUninit::<libc::pthread_attr_t>::zeroed();
        // SAFETY: asks about the calling thread.
        let caller = unsafe { libc::pthread_self() };
        // SAFETY: as above; writes the attributes.
        let told = unsafe { libc::pthread_getattr_np(caller, attributes.as_mut_ptr()) };
        if told != 0 {
            return None;
        }
        let (mut start, mut length) = (std::ptr::null_mut(), 0);
        // SAFETY: the attributes were written above.
        let told = unsafe { libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut start, &raw mut length) };
        // SAFETY: as above, and not used any more.
        unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
        (told == 0).then_some(start.addr() as u64)
    }

    /// The process that has the copy.
    pub(crate) fn process(&self) -> u32 {
        self.copy.unsigned_abs()
    }

    /// How long the threads were held up.
    pub(crate) fn paused(&self) -> Duration {
        Duration::from_nanos(self.area.paused_ns.load(Ordering::Acquire))
    }

    /// How many threads there are, without the calling one.
    pub(crate) fn threads(&self) -> usize {
        self.stopped.len()
    }

    /// A thread's id.
    pub(crate) fn id(&self, thread: usize) -> u32 {
        self.slot(thread).id.load(Ordering::Acquire).unsigned_abs()
    }

    /// Its stack pointer.
    pub(crate) fn stack(&self, thread: usize) -> u64 {
        self.general(thread)[register::STACK]
    }

    /// Its next instruction.
    pub(crate) fn code(&self, thread: usize) -> u64 {
        self.general(thread)[register::CODE]
    }

    /// Where its thread-locals are reckoned from.
    pub(crate) fn thread_local(&self, thread: usize) -> u64 {
        self.general(thread)[register::THREAD_LOCAL]
    }

    /// Whether it waits in a call of the system's.
    pub(crate) fn is_in_system_call(&self, thread: usize) -> bool {
        self.general(thread)[register::SYSTEM_CALL].cast_signed() >= 0
    }

    /// All words in its general registers.
    pub(crate) fn registers(&self, thread: usize) -> impl Iterator<Item = u64> {
        self.general(thread).iter().copied()
    }

    /// All words in its registers for vectors and floating point.
    pub(crate) fn vectors(&self, thread: usize) -> impl Iterator<Item = u64> {
        // SAFETY: the stopper, the only writer, has ended.
        unsafe { &*self.slot(thread).vectors.get() }.iter().copied()
    }

    /// Each signal with a function of the program's.
    pub(crate) fn handlers(&self) -> impl Iterator<Item = (u32, u64)> {
        (1..).zip(self.area.handlers.iter().map(|handler| handler.load(Ordering::Acquire)))
    }

    fn slot(&self, thread: usize) -> &Slot {
        &self.area.threads[self.stopped[thread]]
    }

    fn general(&self, thread: usize) -> &[u64; register::COUNT] {
        // SAFETY: the stopper, the only writer, has ended.
        unsafe { &*self.slot(thread).general.get() }
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        end(self.copy);
    }
}

/// Why there is no such moment.
struct Trouble {
    step: &'static str,
    thread: i32,
    error: i32,
}

impl Trouble {
    fn describe(&self) -> String {
        let Self { step, thread, error } = self;
        let why = match *error {
            libc::EPERM => "not permitted: a debugger is there already, or the system forbids it \
                            (`kernel.yama.ptrace_scope`, a container)"
                .to_owned(),
            0 => "it took too long".to_owned(),
            error => std::io::Error::from_raw_os_error(error).to_string(),
        };
        if *thread == 0 { format!("{step}: {why}") } else { format!("{step} (tid {thread}): {why}") }
    }
}

/// Allocates nothing from the first fork on. Gives the stopper back too, which has to be ended.
fn stop_and_copy(area: &Area, tasks: RawFd, must_allow: bool) -> (Result<pid_t, Trouble>, Option<pid_t>) {
    let trouble = |step, error| Err(Trouble { step, thread: 0, error });
    let parent = std::process::id().cast_signed();
    // SAFETY: tells a number.
    let caller = unsafe { libc::gettid() };
    area.tasks.store(tasks, Ordering::Relaxed);
    area.parent.store(parent, Ordering::Relaxed);
    area.caller.store(caller, Ordering::Relaxed);
    let flags = libc::CLONE_VM | libc::CLONE_FILES | libc::CLONE_FS;
    let (top, own) = (area.stack.get().wrapping_add(1), std::ptr::from_ref(area).cast_mut());
    // SAFETY: the stack is the child's alone, and it and the area are there until the child has ended.
    let stopper = unsafe { libc::clone(stopper, top.cast(), flags, own.cast()) };
    if stopper < 0 {
        return (trouble("a child to stop the threads", errno()), None);
    }
    if must_allow {
        allow(stopper);
    }
    area.go(step::ALLOWED);
    area.wait_while(step::ALLOWED);
    let copied = match area.step.load(Ordering::Acquire) {
        step::STOPPED => {
            note_handlers(area);
            let copied = match fork() {
                Ok(0) => rest(parent),
                Ok(copy) => Ok(copy),
                Err(error) => trouble("a copy of the memory", error),
            };
            area.go(step::COPIED);
            area.wait_while(step::COPIED);
            copied
        }
        step::FAILED => {
            let (thread, error) = (area.failed.load(Ordering::Acquire), area.error.load(Ordering::Acquire));
            Err(Trouble { step: "stopping the threads", thread, error })
        }
        _ => trouble("stopping the threads", 0),
    };
    if must_allow {
        allow(0);
    }
    (copied, Some(stopper))
}

/// Lets a process stop this one's threads, where only debuggers' own children may be.
fn allow(process: pid_t) {
    // SAFETY: a number is set.
    unsafe { libc::prctl(libc::PR_SET_PTRACER, process as libc::c_ulong) };
}

/// The kernel's own form, in words: function, flags, return, mask.
fn note_handlers(area: &Area) {
    for (signal, handler) in (1..).zip(&area.handlers) {
        let signal: c_int = signal;
        let mut action = [0_u64; 4];
        let none = std::ptr::null::<c_void>();
        // SAFETY: only asks, into a structure of the kernel's size for this processor.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, none, action.as_mut_ptr(), 8_usize) };
        handler.store(action[0], Ordering::Release);
    }
}

/// The copy: is there, and nothing else.
fn rest(parent: pid_t) -> ! {
    end_with(parent);
    loop {
        // SAFETY: waits.
        unsafe { libc::pause() };
    }
}

extern "C" fn stopper(area: *mut c_void) -> c_int {
    // SAFETY: the area that `stop_and_copy` has given, which is there until this process has ended.
    let area = unsafe { &*area.cast::<Area>() };
    let load = |number: &AtomicI32| number.load(Ordering::Relaxed);
    stop(area, load(&area.tasks), load(&area.parent), load(&area.caller))
}

/// The stopper.
fn stop(area: &Area, tasks: RawFd, parent: pid_t, caller: pid_t) -> ! {
    end_with(parent);
    area.wait_while(step::BEGIN);
    if area.step.load(Ordering::Acquire) == step::ALLOWED {
        let begun = Instant::now();
        let stopped = stop_all(area, tasks, caller, begun + TO_STOP);
        match stopped {
            Ok(()) => {
                area.go(step::STOPPED);
                area.wait_while(step::STOPPED);
            }
            Err((thread, error)) => {
                area.failed.store(thread, Ordering::Release);
                area.error.store(error, Ordering::Release);
            }
        }
        area.taken().iter().for_each(release);
        let paused = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        area.paused_ns.store(paused, Ordering::Release);
        area.go(if stopped.is_ok() { step::RELEASED } else { step::FAILED });
    }
    leave()
}

/// Stops all threads but one, until no listing names a new one. `Err` has the thread and the system's number.
fn stop_all(area: &Area, tasks: RawFd, caller: pid_t, deadline: Instant) -> Result<(), (i32, i32)> {
    loop {
        let mut fresh = false;
        let mut failed = Ok(());
        list(tasks, |thread| {
            let is_known = area.taken().iter().any(|slot| slot.id.load(Ordering::Relaxed) == thread);
            if thread != caller && !is_known && failed.is_ok() {
                fresh = true;
                failed = seize(area, tasks, thread);
            }
        })
        .map_err(|error| (0, error))?;
        failed?;
        if !fresh {
            return Ok(());
        }
        for slot in area.taken().iter().filter(|slot| slot.state.load(Ordering::Relaxed) == state::SEIZED) {
            wait_until_stopped(slot, deadline)?;
        }
    }
}

fn seize(area: &Area, tasks: RawFd, thread: pid_t) -> Result<(), (i32, i32)> {
    let taken = area.taken.load(Ordering::Relaxed);
    let slot = area.threads.get(taken as usize).ok_or((thread, libc::E2BIG))?;
    let null = std::ptr::null_mut();
    let seized = ptrace(libc::PTRACE_SEIZE, thread, null, null)
        .and_then(|()| ptrace(libc::PTRACE_INTERRUPT, thread, null, null));
    let state = match seized {
        Ok(()) => state::SEIZED,
        Err(libc::ESRCH) => state::GONE,
        Err(libc::EPERM) if has_ended(tasks, thread) => state::GONE,
        Err(error) => return Err((thread, error)),
    };
    slot.id.store(thread, Ordering::Relaxed);
    slot.state.store(state, Ordering::Relaxed);
    area.taken.store(taken.saturating_add(1), Ordering::Release);
    Ok(())
}

fn wait_until_stopped(slot: &Slot, deadline: Instant) -> Result<(), (i32, i32)> {
    let thread = slot.id.load(Ordering::Relaxed);
    let mut status = 0;
    loop {
        // SAFETY: asks for the state of a thread that this process traces.
        match unsafe { libc::waitpid(thread, &raw mut status, libc::__WALL | libc::WNOHANG) } {
            0 if Instant::now() >= deadline => return Err((thread, 0)),
            // SAFETY: gives the processor to whoever wants it.
            0 => _ = unsafe { libc::sched_yield() },
            found if found == thread => break,
            _ => return Err((thread, errno())),
        }
    }
    if !libc::WIFSTOPPED(status) {
        slot.state.store(state::GONE, Ordering::Relaxed);
        return Ok(());
    }
    // Anything else than what `PTRACE_INTERRUPT` does is a signal on its way, which it gets when it goes on.
    let is_ours = status >> 16 == libc::PTRACE_EVENT_STOP;
    slot.signal.store(if is_ours { 0 } else { libc::WSTOPSIG(status) }, Ordering::Relaxed);
    slot.state.store(state::STOPPED, Ordering::Release);
    let read = |set: usize, into: *mut c_void, bytes: usize| {
        let mut vector = libc::iovec { iov_base: into, iov_len: bytes };
        ptrace(libc::PTRACE_GETREGSET, thread, set as *mut c_void, (&raw mut vector).cast())
    };
    const GENERAL: usize = 1;
    const VECTORS: usize = 0x202;
    const PLAIN_VECTORS: usize = 2;
    let (general, vectors) = (slot.general.get(), slot.vectors.get());
    let vector_bytes = size_of::<[u64; 1536]>();
    read(GENERAL, general.cast(), size_of::<[u64; register::COUNT]>()).map_err(|error| (thread, error))?;
    read(VECTORS, vectors.cast(), vector_bytes)
        .or_else(|_| read(PLAIN_VECTORS, vectors.cast(), vector_bytes))
        .map_err(|error| (thread, error))
}

/// Lets a thread go on.
fn release(slot: &Slot) {
    let signal = slot.signal.load(Ordering::Relaxed);
    if slot.state.load(Ordering::Relaxed) == state::STOPPED {
        let thread = slot.id.load(Ordering::Relaxed);
        // One that has been killed meanwhile needs no leave.
        let _ = ptrace(libc::PTRACE_DETACH, thread, std::ptr::null_mut(), signal as usize as *mut c_void);
    }
}

/// Names each thread of the process whose `task` folder is open. Without memory of its own.
fn list(tasks: RawFd, mut each: impl FnMut(pid_t)) -> Result<(), i32> {
    #[repr(align(8))]
    struct Entries([u8; 4096]);
    let mut entries = Entries([0; 4096]);
    // SAFETY: sets the position in an open folder.
    if unsafe { libc::lseek(tasks, 0, libc::SEEK_SET) } < 0 {
        return Err(errno());
    }
    loop {
        // SAFETY: the kernel writes at most as many bytes as there are.
        let read = unsafe { libc::syscall(libc::SYS_getdents64, tasks, entries.0.as_mut_ptr(), entries.0.len()) };
        let Ok(read) = usize::try_from(read) else { return Err(errno()) };
        if read == 0 {
            return Ok(());
        }
        // Number, offset, and then length, kind and name.
        let mut rest = entries.0.get(..read).unwrap_or_default();
        while let Some(&[low, high]) = rest.get(16..18) {
            let length = usize::from(u16::from_ne_bytes([low, high]));
            let name = rest.get(19..length).unwrap_or_default();
            let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
            if let Some(thread) = number(name) {
                each(thread);
            }
            rest = rest.get(length.max(19)..).unwrap_or_default();
        }
    }
}

fn number(name: &[u8]) -> Option<pid_t> {
    if name.is_empty() {
        return None;
    }
    name.iter().try_fold(0_i32, |sum, digit| match digit {
        b'0'..=b'9' => sum.checked_mul(10)?.checked_add(i32::from(digit - b'0')),
        _ => None,
    })
}

/// Whether a thread that is still listed runs no more, as a first thread that has ended before the others.
fn has_ended(tasks: RawFd, thread: pid_t) -> bool {
    let mut path = *b"0000000000/stat\0";
    let mut left = thread;
    for digit in path.iter_mut().take(10).rev() {
        *digit = b'0' + (left % 10) as u8;
        left /= 10;
    }
    let digits = path.iter().take_while(|&&byte| byte == b'0').count().min(9);
    let Some(name) = path.get(digits..) else { return false };
    // SAFETY: a path that ends in a zero, below an open folder.
    let file = unsafe { libc::openat(tasks, name.as_ptr().cast(), libc::O_RDONLY | libc::O_CLOEXEC) };
    if file < 0 {
        return true;
    }
    let mut text = [0_u8; 128];
    // SAFETY: at most as many bytes as there are.
    let read = unsafe { libc::read(file, text.as_mut_ptr().cast(), text.len()) };
    // SAFETY: opened above.
    unsafe { libc::close(file) };
    let text = text.get(..usize::try_from(read).unwrap_or(0)).unwrap_or_default();
    // The name in brackets may be anything; what follows it is one letter.
    let after = text.iter().rposition(|&byte| byte == b')').and_then(|end| text.get(end + 2));
    matches!(after, Some(b'Z' | b'X' | b'x'))
}

/// The calling process again, with a copy of its memory, and without anybody being told of its end.
fn fork() -> Result<pid_t, i32> {
    let flags = libc::CLONE_FILES | libc::CLONE_FS;
    // SAFETY: the child has one thread and goes on below this call, with a stack of its own; it runs nothing that
    // allocates or locks, and never returns from here to code of anybody else's.
    let child = unsafe { libc::syscall(libc::SYS_clone, c_long::from(flags), 0_usize, 0_usize, 0_usize, 0_usize) };
    if child < 0 { Err(errno()) } else { Ok(child as pid_t) }
}

/// This process ends when the thread that made it does.
fn end_with(parent: pid_t) {
    // SAFETY: a number is set.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong) };
    // SAFETY: tells a number.
    if unsafe { libc::getppid() } != parent {
        leave();
    }
}

fn leave() -> ! {
    // SAFETY: ends this process, without anything that is registered for the end of the program's.
    unsafe { libc::_exit(0) }
}

/// Ends a child and takes its remains away.
fn end(child: pid_t) {
    // SAFETY: a child of this process that nobody has waited for, so that the number is still its own.
    unsafe { libc::kill(child, libc::SIGKILL) };
    // SAFETY: as above; `__WALL` since it ends without a signal.
    while unsafe { libc::waitpid(child, std::ptr::null_mut(), libc::__WALL) } < 0 && errno() == libc::EINTR {}
}

fn ptrace(request: libc::c_uint, thread: pid_t, address: *mut c_void, data: *mut c_void) -> Result<(), i32> {
    // SAFETY: reads and stops only; where it writes, `data` describes memory of the shared area.
    if unsafe { libc::ptrace(request, thread, address, data) } < 0 { Err(errno()) } else { Ok(()) }
}

fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

impl Area {
    fn taken(&self) -> &[Slot] {
        let taken = self.taken.load(Ordering::Acquire) as usize;
        self.threads.get(..taken).unwrap_or_default()
    }

    /// Goes on to a step, and wakes the other process.
    fn go(&self, step: u32) {
        self.step.store(step, Ordering::Release);
        // SAFETY: wakes whoever waits for this word.
        unsafe { libc::syscall(libc::SYS_futex, self.step.as_ptr(), libc::FUTEX_WAKE, c_int::MAX) };
    }

    /// Waits for the other process to go on.
    fn wait_while(&self, step: u32) {
        let begun = Instant::now();
        while self.step.load(Ordering::Acquire) == step && begun.elapsed() < TO_ANSWER {
            let turn = libc::timespec { tv_sec: 0, tv_nsec: 100_000_000 };
            // SAFETY: sleeps while the word is as given, and for the given time at most.
            unsafe { libc::syscall(libc::SYS_futex, self.step.as_ptr(), libc::FUTEX_WAIT, step, &raw const turn) };
        }
    }
}

/// Memory shared with children, which is not part of what they copy.
struct Shared(*mut Area);

impl Shared {
    fn new() -> Result<Self, std::io::Error> {
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        // SAFETY: new memory, wherever there is room.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), size_of::<Area>(), access, kind, -1, 0) };
        if start == libc::MAP_FAILED { Err(std::io::Error::last_os_error()) } else { Ok(Self(start.cast())) }
    }
}

impl std::ops::Deref for Shared {
    type Target = Area;

    fn deref(&self) -> &Area {
        // SAFETY: mapped until the drop, aligned to a page, and zeros are an Area.
        unsafe { &*self.0 }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: mapped in `new` with this length, and no reference outlives this.
        unsafe { libc::munmap(self.0.cast(), size_of::<Area>()) };
    }
}

/// The calling thread gets no signals for a while.
struct Blocked(libc::sigset_t);

impl Blocked {
    fn all() -> Self {
        let mut all = std::mem::MaybeUninit::<libc::sigset_t>::zeroed();
        // SAFETY: fills the set.
        unsafe { libc::sigfillset(all.as_mut_ptr()) };
        let mut before = all;
        // SAFETY: both sets are there; `before` is written.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) };
        // SAFETY: zeros are a set, and so is what was written.
        Self(unsafe { before.assume_init() })
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // SAFETY: the set from before.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut()) };
    }
}
