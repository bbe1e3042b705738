//! How long to wait before a program that has ended is started again, and when no more.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How many ends within that time are too many, if nothing else is said.
pub(crate) const MOST_ENDS: u32 = 5;
pub(crate) const WITHIN: Duration = Duration::from_secs(10);
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// The last ends of a program.
pub(crate) struct Backoff {
    most: u32,
    recent: VecDeque<Instant>,
    /// How often in a row it has ended soon after its start.
    short: u32,
}

impl Backoff {
    /// Of a program that may end one time less than this within [`WITHIN`].
    pub(crate) fn new(most: u32) -> Self {
        Self { most, recent: VecDeque::new(), short: 0 }
    }

    /// It was started then, and has ended now: how long to wait. `None` if it has ended too often.
    pub(crate) fn ended(&mut self, started: Instant, now: Instant) -> Option<Duration> {
        if now.saturating_duration_since(started) >= WITHIN {
            self.short = 0;
        }
        self.short = self.short.saturating_add(1);
        self.recent.push_back(now);
        self.recent.retain(|&end| now.saturating_duration_since(end) < WITHIN);
        if self.recent.len() >= self.most as usize {
            return None;
        }
        // At the sixth it is the longest.
        Some((FIRST * 2_u32.pow((self.short - 1).min(6))).min(LONGEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_at_once_is_started_four_times_more() {
        let (mut backoff, mut now) = (Backoff::new(MOST_ENDS), Instant::now());
        for pause in [100, 200, 400, 800] {
            let pause = Duration::from_millis(pause);
            assert_eq!(backoff.ended(now, now), Some(pause));
            now += pause;
        }
        assert_eq!(backoff.ended(now, now), None);
    }

    #[test]
    fn what_lives_for_some_seconds_is_started_again_ever_more_slowly() {
        let (mut backoff, mut now) = (Backoff::new(MOST_ENDS), Instant::now());
        for pause in [100, 200, 400, 800, 1600, 3200, 5000, 5000] {
            let started = now;
            now += Duration::from_secs(3);
            assert_eq!(backoff.ended(started, now), Some(Duration::from_millis(pause)));
            now += Duration::from_millis(pause);
        }
        let started = now;
        now += WITHIN;
        assert_eq!(backoff.ended(started, now), Some(FIRST), "a long life is a new beginning");
    }
}
