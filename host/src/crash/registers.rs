//! The registers of the thread that a signal has interrupted.

use super::platform::Fault;
use libc::{c_int, ucontext_t};

/// The instruction that was running.
pub(super) fn code(fault: &Fault) -> Option<usize> {
    // SAFETY: the system gives the thread's state with the signal.
    unsafe { fault.context.cast::<ucontext_t>().as_ref() }.and_then(instruction)
}

/// Lets the unwinder believe that the function which was running has returned to its caller, while `act` runs. For a call that
/// led to where no code is.
pub(super) fn with_caller(fault: &Fault, act: impl FnOnce()) {
    // SAFETY: as above; the handler has it to itself.
    let Some(context) = (unsafe { fault.context.cast::<ucontext_t>().as_mut() }) else { return };
    if let Some(before) = return_to_caller(context) {
        act();
        // Earlier handlers are given what the signal came with.
        undo(context, before);
    }
}

#[cfg(target_arch = "x86_64")]
fn instruction(context: &ucontext_t) -> Option<usize> {
    usize::try_from(context.uc_mcontext.gregs[libc::REG_RIP as usize]).ok()
}

#[cfg(target_arch = "x86_64")]
fn return_to_caller(context: &mut ucontext_t) -> Option<(i64, i64)> {
    let registers = &mut context.uc_mcontext.gregs;
    let (code, stack) = (registers[libc::REG_RIP as usize], registers[libc::REG_RSP as usize]);
    let top = usize::try_from(stack).ok().filter(|top| is_readable(*top))?;
    // SAFETY: it can be read, by the system's word.
    let address = unsafe { std::ptr::with_exposed_provenance::<i64>(top).read_unaligned() };
    // Within the call, and not behind it: to the unwinder this is where the signal came.
    registers[libc::REG_RIP as usize] = address.checked_sub(1)?;
    registers[libc::REG_RSP as usize] = stack.wrapping_add(8);
    Some((code, stack))
}

#[cfg(target_arch = "x86_64")]
fn undo(context: &mut ucontext_t, (code, stack): (i64, i64)) {
    context.uc_mcontext.gregs[libc::REG_RIP as usize] = code;
    context.uc_mcontext.gregs[libc::REG_RSP as usize] = stack;
}

#[cfg(target_arch = "aarch64")]
fn instruction(context: &ucontext_t) -> Option<usize> {
    usize::try_from(context.uc_mcontext.pc).ok()
}

#[cfg(target_arch = "aarch64")]
fn return_to_caller(context: &mut ucontext_t) -> Option<u64> {
    /// The register that a call leaves the address to return to in.
    const LINK: usize = 30;
    let code = context.uc_mcontext.pc;
    context.uc_mcontext.pc = context.uc_mcontext.regs[LINK].checked_sub(4)?;
    Some(code)
}

#[cfg(target_arch = "aarch64")]
fn undo(context: &mut ucontext_t, code: u64) {
    context.uc_mcontext.pc = code;
}

/// Left to the unwinder elsewhere.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn instruction(_: &ucontext_t) -> Option<usize> {
    None
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn return_to_caller(_: &mut ucontext_t) -> Option<()> {
    None
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn undo(_: &mut ucontext_t, (): ()) {}

/// Asks the system, which reads a set of signals from there before it refuses what is to be done with it.
pub(super) fn is_readable(address: usize) -> bool {
    const NOTHING: c_int = -1;
    let set = std::ptr::with_exposed_provenance::<u64>(address & !7);
    // SAFETY: the system reads eight bytes, if it can, and changes nothing.
    let failed = unsafe { libc::syscall(libc::SYS_rt_sigprocmask, NOTHING, set, std::ptr::null::<u64>(), 8usize) } != 0;
    failed && super::platform::errno() == libc::EINVAL
}
