//! One version of a plugin, ready for calls; counted, and ended when nothing calls it any more.

use super::backend::{Description, Instance};
use super::handover::Handover;
use super::pin::Lane;
use super::spec::{Mechanism, Spec};
use super::yard::{Drained, Message};
use crate::lock::lock;
use crossbeam_channel::Sender;
use pitstop_contract::Generation;
use pitstop_contract::event::Event;
use pitstop_reloadable::PluginError;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// One version of a plugin. Whoever calls it holds it; when the last one lets go, its instance is ended elsewhere.
pub(crate) struct Version {
    pub(crate) number: Generation,
    pub(crate) spec: Arc<Spec>,
    pub(crate) description: Description,
    pub(crate) counts: Arc<Counts>,
    /// Its staged file.
    pub(crate) file: PathBuf,
    /// There until it is dropped.
    instance: Option<Box<dyn Instance>>,
    /// One call of so many is timed, less one: looking at the clock costs as much as a short call.
    untimed: u64,
    /// What its calls have to wait for, while they do.
    waits: AtomicBool,
    handover: Handover,
    /// Who takes over what it keeps.
    heir: Mutex<Option<Arc<Version>>>,
    /// What is told once its calls need not wait any more.
    told_then: Mutex<Option<Event>>,
    yard: Sender<Message>,
}

impl Version {
    pub(crate) fn new(
        number: Generation,
        spec: Arc<Spec>,
        file: PathBuf,
        instance: Box<dyn Instance>,
        yard: Sender<Message>,
    ) -> Self {
        let untimed = match spec.mechanism {
            Mechanism::Dylib | Mechanism::C | Mechanism::Wasm => 255,
            Mechanism::Exec | Mechanism::Rpc => 0,
        };
        let description = instance.description().clone();
        Self {
            number,
            spec,
            description,
            counts: Arc::default(),
            file,
            instance: Some(instance),
            untimed,
            waits: AtomicBool::new(false),
            handover: Handover::new(),
            heir: Mutex::default(),
            told_then: Mutex::default(),
            yard,
        }
    }

    /// One that nobody called any more, as it was.
    pub(crate) fn again(drained: Drained, yard: Sender<Message>) -> Self {
        let Drained { number, spec, instance, file, counts, .. } = drained;
        let mut version = Self::new(number, spec, file, instance, yard);
        version.counts = counts;
        version
    }

    /// What this version keeps is handed to that one before its first call, where both keep something.
    pub(crate) fn hands_over_to(&self, heir: &Arc<Self>) {
        let keeps = |version: &Self| version.instance.as_ref().is_some_and(|instance| instance.keeps_state());
        if keeps(self) && keeps(heir) {
            heir.waits.store(true, Ordering::Release);
            *lock(&self.heir) = Some(Arc::clone(heir));
        }
    }

    /// Nobody takes over what it keeps.
    pub(super) fn disinherit(&self) -> Option<Arc<Self>> {
        lock(&self.heir).take()
    }

    /// Tells of it, once its calls need not wait any more.
    pub(super) fn tell(&self, event: Event) {
        *lock(&self.told_then) = Some(event);
        if self.waits_for().is_none() {
            self.tell_now();
        }
    }

    fn tell_now(&self) {
        if let Some(event) = lock(&self.told_then).take() {
            let _ = self.yard.send(Message::Tell(event));
        }
    }

    /// What a call has to wait for first; then which version is live has to be looked up anew.
    #[inline]
    pub(crate) fn waits_for(&self) -> Option<&Handover> {
        if self.waits.load(Ordering::Acquire) { Some(&self.handover) } else { None }
    }

    pub(super) fn restore(&self, saved: &[u8]) -> Result<(), PluginError> {
        self.instance.as_ref().map_or(Ok(()), |instance| instance.restore(saved))
    }

    /// Its calls need not wait any more.
    pub(super) fn begin(&self) {
        self.waits.store(false, Ordering::Release);
        self.handover.end();
        self.tell_now();
    }

    /// It was not to be: its calls look elsewhere.
    pub(super) fn give_way(&self) {
        self.handover.end();
    }

    /// Makes the output of an input.
    #[inline]
    pub(crate) fn call(&self, input: &[u8], lane: &Lane) -> Result<Vec<u8>, PluginError> {
        let Some(instance) = &self.instance else { return Err(PluginError::failed("the version has ended")) };
        let before = self.counts.begins(lane);
        let result = if before & self.untimed == 0 {
            let begun = Instant::now();
            let result = instance.process(input);
            self.counts.took(begun.elapsed());
            result
        } else {
            instance.process(input)
        };
        if result.is_err() {
            self.counts.errors.fetch_add(1, Ordering::Relaxed);
        }
        result
    }
}

#[cfg(all(unix, feature = "rpc"))]
impl Version {
    /// Begins a call of a service of the program's own.
    pub(crate) fn typed(&self, lane: &Lane) -> Option<super::backend::rpc::Route> {
        let typed = self.instance.as_ref()?.typed()?;
        self.counts.begins(lane);
        Some(typed)
    }
}

impl Drop for Version {
    fn drop(&mut self) {
        if let Some(instance) = self.instance.take() {
            let file = std::mem::take(&mut self.file);
            let (spec, counts) = (Arc::clone(&self.spec), Arc::clone(&self.counts));
            let drained = Drained { number: self.number, spec, instance, file, counts, heir: self.disinherit() };
            // The yard ends after all versions; should it be gone, the instance ends here.
            let _ = self.yard.send(Message::Drained(drained));
        }
    }
}

/// What is counted of a version.
pub(crate) struct Counts {
    /// By lane; the last is shared by all that have no place of their own.
    calls: [Calls; LANES + 1],
    errors: AtomicU64,
    /// How many timed calls took how long: four classes for each power of two of nanoseconds.
    times: [AtomicU64; CLASSES],
}

const CLASSES: usize = 160;

/// So many threads count for themselves, which costs a fifth of counting together.
const LANES: usize = 31;

/// Alone in its line of the cache, so that threads do not take it from each other.
#[derive(Default)]
#[repr(align(64))]
struct Calls(AtomicU64);

impl Default for Counts {
    fn default() -> Self {
        let calls = std::array::from_fn(|_| Calls::default());
        Self { calls, errors: AtomicU64::new(0), times: std::array::from_fn(|_| AtomicU64::new(0)) }
    }
}

impl Counts {
    /// Counts a call that begins; returns how many this thread had begun before.
    #[inline]
    fn begins(&self, lane: &Lane) -> u64 {
        match self.calls.get(lane.index).filter(|_| lane.index < LANES) {
            Some(own) => {
                // Written by the lane's thread alone.
                let before = own.0.load(Ordering::Relaxed);
                own.0.store(before + 1, Ordering::Relaxed);
                before
            }
            None => self.calls[LANES].0.fetch_add(1, Ordering::Relaxed),
        }
    }

    pub(crate) fn calls(&self) -> u64 {
        self.calls.iter().map(|calls| calls.0.load(Ordering::Relaxed)).sum()
    }

    pub(crate) fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    fn took(&self, time: Duration) {
        self.times[class(time)].fetch_add(1, Ordering::Relaxed);
    }

    /// The time that so many percent of the timed calls did not exceed, to within a fifth; `None` before any.
    pub(crate) fn percentile(&self, percent: u64) -> Option<Duration> {
        let times: Vec<u64> = self.times.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let all: u64 = times.iter().sum();
        let wanted = (all * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let found = times.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        found.map(upper_end)
    }
}

fn class(time: Duration) -> usize {
    let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(4);
    let power = nanos.ilog2();
    // The two bits below the highest one.
    let quarter = (nanos >> (power - 2)) & 3;
    (power as usize * 4 + quarter as usize).min(CLASSES - 1)
}

fn upper_end(class: usize) -> Duration {
    let (power, quarter) = (class / 4, class as u64 % 4);
    let width = 1_u64 << power.saturating_sub(2);
    Duration::from_nanos((4 + quarter + 1) * width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_a_fifth_of_the_truth() {
        let counts = Counts::default();
        assert_eq!(counts.percentile(50), None);
        for micros in 1..=1000 {
            counts.took(Duration::from_micros(micros));
        }
        for percent in [1, 10, 50, 90, 99, 100] {
            let found = counts.percentile(percent).expect("some were timed").as_secs_f64() * 1e6;
            let truth = percent as f64 * 10.0;
            assert!((truth..truth * 1.26).contains(&(found + 1e-9)), "{percent}: {found} for {truth}");
        }
    }

    #[test]
    fn every_time_has_a_class() {
        for time in [0, 1, 3, 4, 5, 7, 8, 1000, u64::MAX] {
            let class = class(Duration::from_nanos(time));
            assert!(class < CLASSES, "{time}");
            assert!(class == CLASSES - 1 || upper_end(class) >= Duration::from_nanos(time), "{time}");
        }
    }
}
