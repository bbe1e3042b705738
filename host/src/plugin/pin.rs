//! A shared value that is replaced while threads use it: the old one is dropped once none of them does.
//!
//! Hazard pointers (M. Michael, 2004): each thread notes in a lane of its own what it is about to use, and looks once more
//! whether that is still the value. Between the two there has to be a fence, which would cost as much as a short call, so that on
//! Linux whoever replaces pays for it: `membarrier(2)` runs a fence on every core where a thread of the process runs.
#![expect(unsafe_code, reason = "gives out references to what other threads may replace")]

use crate::lock::lock;
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering, compiler_fence, fence};
use std::sync::{Arc, Mutex, OnceLock};

/// How many values a thread can use at once, one within the other, before it takes a further lane.
const DEPTH: usize = 8;

/// What one thread uses right now. Written by that thread alone, but for `watched`.
pub(crate) struct Lane {
    /// Its place among all.
    pub(crate) index: usize,
    used: [AtomicPtr<()>; DEPTH],
    /// Somebody waits for this thread to be done with something.
    watched: AtomicBool,
}

/// All lanes there ever were; those of threads that have ended are taken by others.
#[derive(Default)]
struct Lanes {
    all: Vec<&'static Lane>,
    free: Vec<&'static Lane>,
}

static LANES: Mutex<Lanes> = Mutex::new(Lanes { all: Vec::new(), free: Vec::new() });

/// What was replaced and is still used.
static REPLACED: Mutex<Vec<Replaced>> = Mutex::new(Vec::new());

/// A pointer that an `Arc` was turned into, and what turns it back and drops it.
struct Replaced {
    pointer: *mut (),
    release: unsafe fn(*mut ()),
}

// SAFETY: `Pinned` makes these of values that are `Send` and `Sync`.
unsafe impl Send for Replaced {}

thread_local! {
    static LANE: Cell<Option<&'static Lane>> = const { Cell::new(None) };
    static OWNED: Owned = const { Owned(Cell::new(None)) };
}

/// Gives a thread's lane back when the thread ends.
struct Owned(Cell<Option<&'static Lane>>);

impl Drop for Owned {
    fn drop(&mut self) {
        let _ = LANE.try_with(|lane| lane.set(None));
        if let Some(lane) = self.0.take() {
            lock(&LANES).free.push(lane);
        }
    }
}

/// A lane for one use, where the thread has none any more, or all places of its own are taken.
struct Borrowed(&'static Lane);

impl Drop for Borrowed {
    fn drop(&mut self) {
        lock(&LANES).free.push(self.0);
    }
}

fn take_lane() -> &'static Lane {
    let mut lanes = lock(&LANES);
    if let Some(lane) = lanes.free.pop() {
        return lane;
    }
    let lane: &'static Lane = Box::leak(Box::new(Lane {
        index: lanes.all.len(),
        used: [const { AtomicPtr::new(std::ptr::null_mut()) }; DEPTH],
        watched: AtomicBool::new(false),
    }));
    lanes.all.push(lane);
    lane
}

#[cold]
fn first_lane() -> Option<&'static Lane> {
    let lane = take_lane();
    match OWNED.try_with(|owned| owned.0.set(Some(lane))) {
        Ok(()) => {
            LANE.set(Some(lane));
            Some(lane)
        }
        Err(_) => {
            // The thread is ending.
            lock(&LANES).free.push(lane);
            None
        }
    }
}

/// A shared value that is replaced while threads use it.
pub(crate) struct Pinned<T> {
    pointer: AtomicPtr<T>,
    owns: PhantomData<Arc<T>>,
}

impl<T: Send + Sync + 'static> Pinned<T> {
    pub(crate) fn new(value: Arc<T>) -> Self {
        asks_kernel();
        Self { pointer: AtomicPtr::new(Arc::into_raw(value).cast_mut()), owns: PhantomData }
    }

    /// Uses the value. What is used stays as it is until this returns, whatever takes its place meanwhile.
    #[inline]
    pub(crate) fn with<R>(&self, use_it: impl FnOnce(&T, &Lane) -> R) -> R {
        if let Some(lane) = LANE.get().or_else(first_lane)
            && let Some(place) = lane.used.iter().find(|place| place.load(Ordering::Relaxed).is_null())
        {
            return self.with_place(lane, place, use_it);
        }
        let lane = Borrowed(take_lane());
        self.with_place(lane.0, &lane.0.used[0], use_it)
    }

    #[inline]
    fn with_place<R>(&self, lane: &Lane, place: &AtomicPtr<()>, use_it: impl FnOnce(&T, &Lane) -> R) -> R {
        let mut pointer = self.pointer.load(Ordering::Relaxed);
        loop {
            place.store(pointer.cast(), Ordering::Relaxed);
            light_fence();
            let now = self.pointer.load(Ordering::Acquire);
            if now == pointer {
                break;
            }
            pointer = now;
        }
        let _leave = Leave { lane, place };
        // SAFETY: the lane said that it is used before it was still the value: whoever has replaced it since sees that.
        use_it(unsafe { &*pointer }, lane)
    }

    /// The value, to be kept.
    pub(crate) fn load(&self) -> Arc<T> {
        self.with(|value, _| {
            let pointer = std::ptr::from_ref(value);
            // SAFETY: it came from `Arc::into_raw`, and the count that belongs to `self.pointer` is not given up yet.
            unsafe { Arc::increment_strong_count(pointer) };
            // SAFETY: the count that was just added.
            unsafe { Arc::from_raw(pointer) }
        })
    }

    /// Puts another value in its place. The old one is dropped here, or by the last thread that uses it.
    pub(crate) fn replace(&self, value: Arc<T>) {
        let old = self.pointer.swap(Arc::into_raw(value).cast_mut(), Ordering::AcqRel);
        lock(&REPLACED).push(Replaced { pointer: old.cast(), release: release::<T> });
        collect();
    }
}

impl<T> Drop for Pinned<T> {
    fn drop(&mut self) {
        // SAFETY: nobody can use it any more, for that takes a reference; it came from `Arc::into_raw`.
        drop(unsafe { Arc::from_raw(*self.pointer.get_mut()) });
    }
}

unsafe fn release<T>(pointer: *mut ()) {
    // SAFETY: the caller hands over the count of a `Pinned<T>`.
    drop(unsafe { Arc::from_raw(pointer.cast::<T>().cast_const()) });
}

/// The end of a use.
struct Leave<'a> {
    lane: &'a Lane,
    place: &'a AtomicPtr<()>,
}

impl Drop for Leave<'_> {
    #[inline]
    fn drop(&mut self) {
        self.place.store(std::ptr::null_mut(), Ordering::Release);
        // Whoever watches has a fence between the mark and the look at what is used.
        light_fence();
        if self.lane.watched.load(Ordering::Relaxed) {
            watched(self.lane);
        }
    }
}

#[cold]
fn watched(lane: &Lane) {
    lane.watched.store(false, Ordering::Relaxed);
    collect();
}

/// Drops what was replaced and is not used any more.
fn collect() {
    let mut replaced = lock(&REPLACED);
    if replaced.is_empty() {
        return;
    }
    let lanes = lock(&LANES).all.clone();
    let users = |pointer: *mut ()| {
        lanes.iter().filter(move |lane| lane.used.iter().any(|used| used.load(Ordering::Acquire) == pointer))
    };
    heavy_fence();
    for replaced in replaced.iter() {
        users(replaced.pointer).for_each(|lane| lane.watched.store(true, Ordering::Relaxed));
    }
    // Who leaves from here on sees that it is watched; who left before is seen to have left.
    heavy_fence();
    let (used, unused): (Vec<Replaced>, Vec<Replaced>) =
        replaced.drain(..).partition(|replaced| users(replaced.pointer).next().is_some());
    *replaced = used;
    drop(replaced);
    for Replaced { pointer, release } in unused {
        // SAFETY: it was replaced before the fence, and no lane says that it is used: nobody can come to use it.
        unsafe { release(pointer) };
    }
}

/// Whether uses do without a fence, since the kernel runs one for them.
static LIGHT: AtomicBool = AtomicBool::new(false);

/// Whether the kernel does. Finds out before anything is pinned.
fn asks_kernel() -> bool {
    static ASKS: OnceLock<bool> = OnceLock::new();
    *ASKS.get_or_init(|| {
        let asks = system::register();
        LIGHT.store(asks, Ordering::SeqCst);
        asks
    })
}

#[inline(always)]
fn light_fence() {
    if LIGHT.load(Ordering::Relaxed) {
        compiler_fence(Ordering::SeqCst);
    } else {
        fence(Ordering::SeqCst);
    }
}

fn heavy_fence() {
    fence(Ordering::SeqCst);
    if asks_kernel() {
        system::fence_everywhere();
    }
}

#[cfg(target_os = "linux")]
mod system {
    //! `membarrier(2)`, since Linux 4.14.

    const EXPEDITED: libc::c_int = 1 << 3;
    const REGISTER: libc::c_int = 1 << 4;

    pub(super) fn register() -> bool {
        // SAFETY: takes numbers only.
        unsafe { libc::syscall(libc::SYS_membarrier, REGISTER, 0, 0) == 0 }
    }

    pub(super) fn fence_everywhere() {
        // Does not fail once the process is registered.
        // SAFETY: takes numbers only.
        unsafe { libc::syscall(libc::SYS_membarrier, EXPEDITED, 0, 0) };
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    //! Elsewhere each use has its fence.

    pub(super) fn register() -> bool {
        false
    }

    pub(super) fn fence_everywhere() {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, AtomicUsize};

    /// Tells that it was dropped, and spoils what it holds.
    struct Value {
        number: AtomicU64,
        dropped: Arc<AtomicUsize>,
    }

    impl Drop for Value {
        fn drop(&mut self) {
            self.number.store(u64::MAX, Ordering::SeqCst);
            self.dropped.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn value(number: u64, dropped: &Arc<AtomicUsize>) -> Arc<Value> {
        Arc::new(Value { number: AtomicU64::new(number), dropped: Arc::clone(dropped) })
    }

    #[test]
    fn a_value_in_use_outlives_its_replacement_and_is_dropped_by_its_last_user() {
        let dropped = Arc::new(AtomicUsize::new(0));
        let pinned = Pinned::new(value(0, &dropped));
        pinned.with(|outer, _| {
            pinned.replace(value(1, &dropped));
            assert_eq!(dropped.load(Ordering::SeqCst), 0, "it is in use");
            assert_eq!(outer.number.load(Ordering::SeqCst), 0);
            pinned.with(|inner, _| assert_eq!(inner.number.load(Ordering::SeqCst), 1));
        });
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
        let kept = pinned.load();
        pinned.replace(value(2, &dropped));
        assert_eq!((dropped.load(Ordering::SeqCst), kept.number.load(Ordering::SeqCst)), (1, 1));
        drop(kept);
        assert_eq!(dropped.load(Ordering::SeqCst), 2);
        drop(pinned);
        assert_eq!(dropped.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn uses_within_uses_and_panics_leave_nothing_behind() {
        let dropped = Arc::new(AtomicUsize::new(0));
        let pinned = Pinned::new(value(0, &dropped));
        fn down(pinned: &Pinned<Value>, levels: u64) {
            pinned.with(|value, _| {
                assert_eq!(value.number.load(Ordering::SeqCst), 0);
                if levels > 0 {
                    down(pinned, levels - 1);
                }
            });
        }
        down(&pinned, 30);
        let panics = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            pinned.with(|_, _| std::panic::resume_unwind(Box::new("on purpose")))
        }));
        assert!(panics.is_err());
        pinned.replace(value(1, &dropped));
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn no_thread_ever_sees_a_value_that_was_dropped() {
        for light in [true, false] {
            let dropped = Arc::new(AtomicUsize::new(0));
            let pinned = Pinned::new(value(0, &dropped));
            // As where there is no membarrier. Other tests of this process go on correctly either way.
            LIGHT.store(light && asks_kernel(), Ordering::SeqCst);
            let stop = AtomicBool::new(false);
            let replaced = 20_000;
            std::thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| {
                        let mut last = 0;
                        while !stop.load(Ordering::Relaxed) {
                            pinned.with(|value, _| {
                                let number = value.number.load(Ordering::SeqCst);
                                assert_ne!(number, u64::MAX, "it was dropped");
                                assert!(number >= last, "an older one came back");
                                last = number;
                            });
                        }
                    });
                }
                for number in 1..=replaced {
                    pinned.replace(value(number, &dropped));
                }
                stop.store(true, Ordering::Relaxed);
            });
            drop(pinned);
            assert_eq!(dropped.load(Ordering::SeqCst) as u64, replaced + 1);
        }
    }
}
