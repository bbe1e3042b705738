//! The program's panic hook hears of panics in an image that has a `std` of its own.

use std::panic::{PanicHookInfo, set_hook, take_hook};
use std::sync::{Arc, Mutex, PoisonError};

type Hook = dyn Fn(&PanicHookInfo<'_>) + Send + Sync;

/// In an image: has every panic told to the program, which says whether it could be.
pub(crate) fn tell(program: fn(&PanicHookInfo<'_>) -> bool) {
    let own = take_hook();
    set_hook(Box::new(move |info| {
        if !program(info) {
            own(info);
        }
    }));
}

/// In the program: calls its hook with a panic of an image's. False if it cannot be had, since this thread is panicking.
///
/// The standard library only hands out a hook for good. So it is put back in a form that is kept here too; a panic on
/// another thread at that very moment would meet the hook of the standard library's.
pub fn hear(info: &PanicHookInfo<'_>) -> bool {
    if std::thread::panicking() {
        return false;
    }
    current()(info);
    true
}

fn current() -> Arc<Hook> {
    /// What was put back last: where it lies, and what it calls.
    static KEPT: Mutex<Option<(usize, Arc<Hook>)>> = Mutex::new(None);
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let taken = take_hook();
    let place = std::ptr::from_ref(&*taken).addr();
    if let Some((known, hook)) = &*kept
        // Alone, it was dropped, and another may lie where it was.
        && *known == place
        && Arc::strong_count(hook) > 1
    {
        set_hook(taken);
        return Arc::clone(hook);
    }
    let hook: Arc<Hook> = Arc::from(taken);
    let called = Arc::clone(&hook);
    let back: Box<Hook> = Box::new(move |info| called(info));
    *kept = Some((std::ptr::from_ref(&*back).addr(), Arc::clone(&hook)));
    set_hook(back);
    hook
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::panic::catch_unwind;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Held by tests that set the hook: the process has one.
    pub(crate) static THE_HOOK: Mutex<()> = Mutex::new(());

    #[test]
    fn whatever_hook_the_program_has_at_the_time_hears_of_a_panic_and_stays() {
        let _mine = THE_HOOK.lock().unwrap_or_else(PoisonError::into_inner);
        static FIRST: AtomicUsize = AtomicUsize::new(0);
        static SECOND: AtomicUsize = AtomicUsize::new(0);
        let me = std::thread::current().id();
        let counting = |count: &'static AtomicUsize| -> Box<Hook> {
            Box::new(move |_| {
                if std::thread::current().id() == me {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        let counts = || (FIRST.load(Ordering::Relaxed), SECOND.load(Ordering::Relaxed));
        let fail = || drop(catch_unwind(|| panic!("a panic")));
        set_hook(counting(&FIRST));
        for _ in 0..3 {
            drop(current());
        }
        let place = std::ptr::from_ref(&*current()).addr();
        assert_eq!(std::ptr::from_ref(&*current()).addr(), place, "it is wrapped once");
        fail();
        assert_eq!(counts(), (1, 0));
        // Another one, which calls the first.
        let (first, second) = (take_hook(), counting(&SECOND));
        set_hook(Box::new(move |info| {
            first(info);
            second(info);
        }));
        drop(current());
        fail();
        assert_eq!(counts(), (2, 1));
        // And one in its place.
        set_hook(counting(&SECOND));
        drop(current());
        drop(current());
        fail();
        assert_eq!(counts(), (2, 2));
        drop(take_hook());
        assert_eq!(counts(), (2, 2));
    }
}
