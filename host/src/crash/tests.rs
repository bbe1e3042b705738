//! What becomes of signals, each in a process of its own that this test program starts.

use super::{FILE, prepare};
use pitstop_contract::crash::{ADDRESS, AT, END, FROM, HEAD};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::ptr::{null_mut, without_provenance_mut};
use std::sync::Barrier;
use std::sync::atomic::Ordering;

/// Runs one of these tests again in a process of its own, where it does what `act` says with the report's path. Returns how that
/// process ended, and the report.
fn alone(test: &str, act: impl FnOnce(&Path)) -> (ExitStatus, String) {
    const VARIABLE: &str = "PITSTOP_TEST_CRASH";
    if let Some(file) = std::env::var_os(VARIABLE) {
        act(Path::new(&file));
        std::process::exit(0);
    }
    let file = std::env::temp_dir().join(format!("pitstop-{}-{test}.crash", std::process::id()));
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args([&format!("crash::platform::tests::{test}"), "--exact"]).env(VARIABLE, &file);
    let output = command.output().expect("this program starts");
    let report = std::fs::read_to_string(&file).unwrap_or_default();
    let _ = std::fs::remove_file(&file);
    assert_ne!(output.status.code(), Some(101), "{}", String::from_utf8_lossy(&output.stdout));
    (output.status, report)
}

fn fault() {
    // SAFETY: nothing is mapped there, which is what the test is about.
    unsafe { without_provenance_mut::<u32>(8).write_volatile(1) };
}

fn set_handler(signal: i32, handler: usize) {
    // SAFETY: all of its fields may be zero.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler;
    super::set_action(signal, &action);
}

fn assert_whole(report: &str, signal: i32) {
    assert!(report.starts_with(&format!("{HEAD}\nsignal {signal}\n")), "{report}");
    assert!(report.ends_with(&format!("{END}\n")), "{report}");
    assert_eq!(report.matches(HEAD).count(), 1, "{report}");
    assert!(report.contains(&format!("\n{AT} 0x")), "{report}");
    assert!(report.contains(" r-xp "), "{report}");
}

#[test]
fn a_fault_is_reported_and_ends_the_program_as_ever() {
    let (status, report) = alone("a_fault_is_reported_and_ends_the_program_as_ever", |file| {
        std::fs::write(file, "of an earlier process").expect("a file");
        prepare(file);
        assert!(!file.exists(), "what an earlier process left is not ours");
        let worker = std::thread::Builder::new().name("worker".to_owned()).spawn(fault);
        let _ = worker.expect("a thread").join();
    });
    assert_eq!(status.signal(), Some(libc::SIGSEGV));
    assert_whole(&report, libc::SIGSEGV);
    assert!(report.contains(&format!("\n{ADDRESS} 0x8\nthread worker\n")), "{report}");
}

/// Calls a function that is not there.
#[inline(never)]
fn call(address: usize) {
    // SAFETY: a pointer to a function of this type, which the test has called for its fault.
    let nowhere: extern "C" fn() = unsafe { std::mem::transmute(std::hint::black_box(address)) };
    nowhere();
    std::hint::black_box(address);
}

#[test]
fn a_call_to_where_no_code_is_has_its_caller_as_a_frame() {
    let (status, report) = alone("a_call_to_where_no_code_is_has_its_caller_as_a_frame", |file| {
        prepare(file);
        call(8);
    });
    assert_eq!(status.signal(), Some(libc::SIGSEGV));
    assert_whole(&report, libc::SIGSEGV);
    let frames = report.lines().skip_while(|line| *line != "at 0x8");
    let frames: Vec<&str> = frames.collect();
    assert!(frames.len() > 5 && frames[1].starts_with(AT) && frames[2].starts_with(FROM), "{frames:?}");
}

#[test]
fn a_handler_of_the_users_own_is_called_after_the_report() {
    extern "C" fn ours(_: i32) {
        // SAFETY: has no preconditions.
        unsafe { libc::_exit(7) };
    }
    let (status, report) = alone("a_handler_of_the_users_own_is_called_after_the_report", |file| {
        set_handler(libc::SIGSEGV, ours as *const () as usize);
        prepare(file);
        fault();
    });
    assert_eq!(status.code(), Some(7));
    assert_whole(&report, libc::SIGSEGV);
}

#[test]
fn a_fault_that_the_user_mends_is_passed_on_and_the_next_one_is_reported() {
    extern "C" fn mend(_: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
        // SAFETY: the system gives the information with the signal.
        let info = unsafe { &*info };
        // SAFETY: with a fault the system gives the address.
        let page = unsafe { info.si_addr() };
        // SAFETY: the address is that of the page which the test has mapped.
        unsafe { libc::mprotect(page, 4096, libc::PROT_READ | libc::PROT_WRITE) };
    }
    let (status, report) = alone("a_fault_that_the_user_mends_is_passed_on_and_the_next_one_is_reported", |file| {
        // SAFETY: all of its fields may be zero.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = mend as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        super::set_action(libc::SIGSEGV, &action);
        prepare(file);
        // SAFETY: a new mapping, wherever the system likes.
        let page =
            unsafe { libc::mmap(null_mut(), 4096, libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0) };
        for turn in 0..2 {
            // SAFETY: the page is mapped, and the handler makes it one that can be written.
            unsafe { page.cast::<u32>().write_volatile(turn) };
            // SAFETY: as above.
            unsafe { libc::mprotect(page, 4096, libc::PROT_NONE) };
        }
        std::process::abort();
    });
    assert_eq!(status.signal(), Some(libc::SIGABRT));
    assert_whole(&report, libc::SIGABRT);
}

#[test]
fn a_signal_that_was_sent_ends_the_program_at_once() {
    let (status, report) = alone("a_signal_that_was_sent_ends_the_program_at_once", |file| {
        set_handler(libc::SIGSEGV, libc::SIG_DFL);
        prepare(file);
        super::send(libc::SIGSEGV);
    });
    assert_eq!(status.signal(), Some(libc::SIGSEGV));
    assert_whole(&report, libc::SIGSEGV);
    assert!(!report.contains(ADDRESS), "{report}");
}

#[test]
#[cfg(target_arch = "x86_64")]
fn a_breakpoint_ends_the_program() {
    let (status, report) = alone("a_breakpoint_ends_the_program", |file| {
        prepare(file);
        // SAFETY: the instruction has no effect but the signal.
        unsafe { std::arch::asm!("int3") };
    });
    assert_eq!(status.signal(), Some(libc::SIGTRAP));
    assert_whole(&report, libc::SIGTRAP);
}

#[test]
fn a_fault_within_the_report_ends_the_program_by_the_first() {
    let (status, report) = alone("a_fault_within_the_report_ends_the_program_by_the_first", |file| {
        prepare(file);
        // No string is there.
        FILE.store(without_provenance_mut(8), Ordering::Release);
        std::process::abort();
    });
    assert_eq!(status.signal(), Some(libc::SIGABRT));
    assert_eq!(report, "");
}

#[test]
fn threads_that_fault_at_once_leave_one_report() {
    let (status, report) = alone("threads_that_fault_at_once_leave_one_report", |file| {
        prepare(file);
        let together = Barrier::new(8);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    together.wait();
                    fault();
                });
            }
        });
    });
    assert_eq!(status.signal(), Some(libc::SIGSEGV));
    assert_whole(&report, libc::SIGSEGV);
}

#[test]
fn a_forked_child_leaves_no_report() {
    let (status, report) = alone("a_forked_child_leaves_no_report", |file| {
        prepare(file);
        // SAFETY: the child calls nothing but what ends it.
        let child = unsafe { libc::fork() };
        if child == 0 {
            fault();
        }
        let mut status = 0;
        // SAFETY: the pointer is to a status of ours.
        unsafe { libc::waitpid(child, &raw mut status, 0) };
        assert_eq!(ExitStatus::from_raw(status).signal(), Some(libc::SIGSEGV));
    });
    assert_eq!(status.code(), Some(0));
    assert_eq!(report, "");
}
