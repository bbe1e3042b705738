//! Linux can wake any of 32 threads that wait at one word by one call. A thread that is woken takes the processor of the one that
//! has woken it, so that with a call for each, a thread with many to wake is interrupted as often.

use rustix::thread::futex::{Flags, wait_bitset, wake_bitset};
use rustix::time::{ClockId, Timespec, clock_gettime};
use std::cell::RefCell;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

/// With more threads than these words have bits, some are woken in vain now and then.
static WORDS: [Word; 64] = [const { Word(AtomicU32::new(0)) }; 64];

/// How often threads were woken at it, on a line of the cache of its own.
#[repr(align(64))]
struct Word(AtomicU32);

/// One thread's bit.
#[derive(Debug)]
pub(super) struct Place {
    word: usize,
    bit: NonZeroU32,
}

impl Place {
    pub(super) fn new() -> Self {
        static LAST: AtomicUsize = AtomicUsize::new(0);
        let at = LAST.fetch_add(1, Ordering::Relaxed);
        let bits = u32::BITS as usize;
        Self { word: at / bits % WORDS.len(), bit: NonZeroU32::new(1 << (at % bits)).unwrap_or(NonZeroU32::MIN) }
    }

    /// Sleeps until it is woken or the time is over, or for no reason.
    pub(super) fn wait(&self, is_asleep: impl FnOnce() -> bool, left: Option<Duration>) {
        let word = &WORDS[self.word].0;
        let seen = word.load(Ordering::SeqCst);
        if !is_asleep() {
            return;
        }
        // One that cannot be told is as good as none.
        let until = left.and_then(|left| clock_gettime(ClockId::Monotonic).checked_add(Timespec::try_from(left).ok()?));
        // Whatever the reason why it returns, who calls looks again.
        let _ = wait_bitset(word, Flags::PRIVATE, seen, until.as_ref(), self.bit);
    }

    pub(super) fn wake(&self) {
        let gathered = GATHERED.try_with(|gathered| match &mut *gathered.borrow_mut() {
            None => false,
            Some(all) => {
                match all.iter_mut().find(|(word, _)| *word == self.word) {
                    Some((_, bits)) => *bits |= self.bit,
                    None => all.push((self.word, self.bit)),
                }
                true
            }
        });
        if gathered != Ok(true) {
            wake(self.word, self.bit);
        }
    }
}

thread_local! {
    /// Whom to wake, by word, while they are gathered.
    static GATHERED: RefCell<Option<Vec<(usize, NonZeroU32)>>> = const { RefCell::new(None) };
}

/// Whoever is woken in a function is woken after it, all at once.
pub(in crate::transport) fn together(wakes: impl FnOnce()) {
    /// Whatever ends the function: who is not woken would wait for ever.
    struct Gathering;
    impl Drop for Gathering {
        fn drop(&mut self) {
            let gathered = GATHERED.try_with(RefCell::take).ok().flatten();
            gathered.into_iter().flatten().for_each(|(word, bits)| wake(word, bits));
        }
    }
    let begins = |gathered: &RefCell<Option<Vec<_>>>| {
        let is_outermost = gathered.borrow().is_none();
        gathered.borrow_mut().get_or_insert_default();
        is_outermost
    };
    let _gathering = GATHERED.try_with(begins).is_ok_and(|is_outermost| is_outermost).then_some(Gathering);
    wakes();
}

fn wake(word: usize, bits: NonZeroU32) {
    let word = &WORDS[word].0;
    word.fetch_add(1, Ordering::SeqCst);
    let _ = wake_bitset(word, Flags::PRIVATE, i32::MAX as u32, bits);
}
