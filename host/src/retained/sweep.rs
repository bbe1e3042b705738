//! Writes over what threads that have ended left on their stacks. The system's library keeps such stacks for threads to come,
//! with what was on them, and that would hold every image which ever had a thread.

use super::maps::Mapping;
use std::hint::black_box;

/// As many stacks as the system's library keeps at most: 40 MiB, of 2 MiB each.
const MOST: usize = 20;

/// How far down a stack is written over. When a thread ends, the system's library gives back all pages but the uppermost.
const DEPTH: usize = 32 << 10;

/// Where glibc begins the heaps of threads: at multiples of their largest size (`HEAP_MAX_SIZE`).
const HEAPS: u64 = 64 << 20;

/// Lets threads run on all stacks that are kept, all at the same time, so that each has one.
pub(super) fn sweep(mappings: &[Mapping], threads: usize) {
    let kept = stacks(mappings).saturating_sub(threads).min(MOST);
    #[cfg(target_os = "linux")]
    running::on(kept);
    #[cfg(not(target_os = "linux"))]
    let _ = kept;
}

/// Threads without the frames of `std`, which would lie over what is to be written over and leave some of it between them.
#[cfg(target_os = "linux")]
mod running {
    #![expect(unsafe_code, reason = "starts threads of the system's own")]

    use super::wipe_stack;
    use crate::lock::lock;
    use libc::c_void;
    use std::mem::MaybeUninit;
    use std::sync::{Condvar, Mutex, PoisonError};

    /// What `std` gives its threads.
    const STACK: usize = 2 << 20;

    /// Holds the threads until all are there.
    #[derive(Default)]
    struct Hold {
        open: Mutex<bool>,
        opened: Condvar,
    }

    extern "C" fn sweeper(hold: *mut c_void) -> *mut c_void {
        wipe_stack();
        // SAFETY: `on` waits for this thread before it lets go of it.
        let hold = unsafe { &*hold.cast::<Hold>() };
        let mut open = lock(&hold.open);
        while !*open {
            open = hold.opened.wait(open).unwrap_or_else(PoisonError::into_inner);
        }
        std::ptr::null_mut()
    }

    /// Runs on so many stacks.
    pub(super) fn on(stacks: usize) {
        let hold = Hold::default();
        let mut attributes = MaybeUninit::<libc::pthread_attr_t>::zeroed();
        // SAFETY: writes the attributes.
        if unsafe { libc::pthread_attr_init(attributes.as_mut_ptr()) } != 0 {
            return;
        }
        // SAFETY: of the attributes that were written above.
        unsafe { libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), STACK) };
        let own = std::ptr::from_ref(&hold).cast_mut().cast();
        let threads = (0..stacks).map_while(|_| {
            let mut thread = MaybeUninit::uninit();
            // SAFETY: the function's argument is there until the thread was waited for.
            let made = unsafe { libc::pthread_create(thread.as_mut_ptr(), attributes.as_ptr(), sweeper, own) };
            // SAFETY: written where a thread was made.
            (made == 0).then(|| unsafe { thread.assume_init() })
        });
        let threads: Vec<libc::pthread_t> = threads.collect();
        *lock(&hold.open) = true;
        hold.opened.notify_all();
        for thread in threads {
            // SAFETY: made above, and waited for once.
            unsafe { libc::pthread_join(thread, std::ptr::null_mut()) };
        }
        // SAFETY: written above, and not used any more.
        unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
    }
}

/// Writes over what calls that are over have left on this thread's stack: a value that is made there and moved to lasting
/// memory takes it along between its fields.
#[inline(never)]
pub(crate) fn wipe_stack() {
    black_box(&mut [0_u8; DEPTH]);
}

/// How many mappings could be a thread's stack: memory without a name behind a guard, but none where the system's library has
/// heaps for threads.
fn stacks(mappings: &[Mapping]) -> usize {
    let is_stack = |pair: &[Mapping]| {
        let [guard, stack] = pair else { return false };
        let is_guard = !guard.readable && !guard.writable && guard.private && guard.name.is_empty();
        let length = stack.range.end - stack.range.start;
        is_guard
            && guard.range.end == stack.range.start
            && stack.writable
            && stack.name.is_empty()
            && !stack.range.start.is_multiple_of(HEAPS)
            && (64 << 10..HEAPS).contains(&length)
    };
    mappings.windows(2).filter(|pair| is_stack(pair)).count()
}

#[cfg(test)]
mod tests {
    use super::super::maps::parse;
    use super::*;

    #[test]
    fn a_stack_is_memory_behind_a_guard() {
        let maps = parse(
            b"1000-2000 ---p 0 0:0 0\n2000-202000 rw-p 0 0:0 0\n300000-301000 ---p 0 0:0 0\n301000-302000 rw-p 0 0:0 0\n\
              400000-600000 rw-p 0 0:0 0\n700000-701000 ---p 0 0:0 0\n702000-902000 rw-p 0 0:0 0\n\
              7fff000-8000000 ---p 0 0:0 0\n8000000-8200000 rw-p 0 0:0 0\n",
        );
        assert_eq!(stacks(&maps), 1, "the others are too small, without a guard, not right behind it, or a heap");
    }

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn a_word_on_the_stack_of_a_thread_that_has_ended_is_written_over() {
        use super::super::peek::Peek;
        use super::super::threads::list;
        let thread = std::thread::spawn(|| {
            let word = black_box([0x5eed_5eed_u64; 4]);
            std::ptr::from_ref(&word).addr() as u64
        });
        let address = thread.join().expect("an address");
        let mappings = Peek::mappings("self", "maps").expect("the own mappings");
        // The others of this process may end meanwhile: as if none were there.
        assert!(stacks(&mappings) > 0 && !list().is_empty());
        sweep(&mappings, 0);
        let peek = Peek::of("self").expect("the own memory");
        assert_ne!(peek.word(address), Some(0x5eed_5eed));
    }
}
