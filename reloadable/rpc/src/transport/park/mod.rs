//! Where threads wait that have nothing else to do: many of them can be woken at once.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(not(target_os = "linux"))]
use other as system;

pub(super) use system::together;

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;

const AWAKE: u8 = 0;
const PARKED: u8 = 1;
const WOKEN: u8 = 2;

/// Where one thread waits, and others wake it.
#[derive(Debug)]
pub struct Park {
    state: AtomicU8,
    place: system::Place,
}

impl Park {
    /// For the thread that calls this: no other may wait there.
    #[must_use]
    pub fn new() -> Self {
        Self { state: AtomicU8::new(AWAKE), place: system::Place::new() }
    }

    /// Forgets that it was woken.
    pub fn begin(&self) {
        self.state.store(AWAKE, Ordering::Release);
    }

    /// Whether it was woken since.
    pub fn is_woken(&self) -> bool {
        self.state.load(Ordering::Acquire) == WOKEN
    }

    /// Waits for that, asleep. Whether it was woken before the time was over.
    pub fn wait(&self, until: Option<Instant>) -> bool {
        if self.state.compare_exchange(AWAKE, PARKED, Ordering::SeqCst, Ordering::SeqCst).is_err() {
            return true;
        }
        while !self.is_woken() {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return self.state.swap(AWAKE, Ordering::SeqCst) == WOKEN;
            }
            self.place.wait(|| !self.is_woken(), left);
        }
        true
    }

    /// Wakes the thread that waits there, or will.
    pub fn wake(&self) {
        if self.state.swap(WOKEN, Ordering::SeqCst) == PARKED {
            self.place.wake();
        }
    }
}

impl Default for Park {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    #[test]
    fn who_is_woken_before_it_waits_does_not_wait() {
        let park = Park::new();
        park.wake();
        assert!(park.wait(None));
        park.begin();
        assert!(!park.is_woken());
    }

    #[test]
    fn nobody_waits_longer_than_the_time() {
        let (park, limit) = (Park::new(), Duration::from_millis(5));
        let begun = Instant::now();
        assert!(!park.wait(Some(begun + limit)));
        assert!(begun.elapsed() >= limit);
    }

    #[test]
    fn threads_that_are_woken_together_all_go_on() {
        const ROUNDS: usize = 200;
        let (sender, parks) = channel();
        let threads: Vec<_> = (0..70)
            .map(|_| {
                let sender = sender.clone();
                std::thread::spawn(move || {
                    let park = Arc::new(Park::new());
                    for _ in 0..ROUNDS {
                        park.begin();
                        sender.send(Arc::clone(&park)).unwrap();
                        assert!(park.wait(None));
                    }
                })
            })
            .collect();
        drop(sender);
        while let Ok(first) = parks.recv() {
            together(|| {
                first.wake();
                parks.try_iter().for_each(|park| park.wake());
            });
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}
