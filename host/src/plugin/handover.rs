//! A plugin that keeps state hands it over: calls of the new version wait until the old one has ended its own, saved, and the new one
//! has restored.
//!
//! Should that fail, no call of the new version was ever run, and the old one takes its place again.

use super::backend::Instance;
use super::version::Version;
use crate::lock::lock;
use pitstop_reloadable::PluginError;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// What calls of a version wait for. Cheap to look at once it is over.
pub(crate) struct Handover {
    is_over: Mutex<bool>,
    changed: Condvar,
}

impl Handover {
    pub(crate) fn new() -> Self {
        Self { is_over: Mutex::new(false), changed: Condvar::new() }
    }

    /// Waits for its end, whatever that is: who calls looks once more which version is live.
    ///
    /// # Errors
    /// [`PluginError::TimedOut`].
    pub(crate) fn wait(&self, limit: Duration) -> Result<(), PluginError> {
        let until = Instant::now() + limit;
        let mut is_over = lock(&self.is_over);
        while !*is_over {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(PluginError::TimedOut { limit });
            }
            let woken = self.changed.wait_timeout(is_over, left);
            is_over = woken.unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
        Ok(())
    }

    pub(super) fn end(&self) {
        *lock(&self.is_over) = true;
        self.changed.notify_all();
    }
}

/// The versions that could not take over, and why not.
pub(super) type Refused = Vec<(Arc<Version>, PluginError)>;

/// How handing over ended.
pub(super) enum Ended {
    /// What was kept is with another version, or there was nothing to hand over.
    Done(Refused),
    /// It is where it was.
    NotDone(Refused),
}

/// Hands over what an instance keeps, which nobody calls any more.
pub(super) fn hand_over(instance: &dyn Instance, heir: Option<Arc<Version>>) -> Ended {
    let mut refused = Vec::new();
    let mut next = heir;
    while let Some(heir) = next {
        match instance.save().and_then(|saved| saved.map_or(Ok(()), |saved| heir.restore(&saved))) {
            Ok(()) => {
                heir.begin();
                return Ended::Done(refused);
            }
            Err(why) => {
                // What was to take over from it takes over from the instance.
                next = heir.disinherit();
                refused.push((heir, why));
            }
        }
    }
    if refused.is_empty() { Ended::Done(refused) } else { Ended::NotDone(refused) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::backend::Description;
    use crate::plugin::pin::Pinned;
    use crate::plugin::spec::Spec;
    use crate::plugin::yard::{Drained, Message};
    use crossbeam_channel::{Receiver, Sender, unbounded};
    use pitstop_contract::Generation;
    use std::path::Path;

    /// Adds up what it is given, and takes over only from what `takes` allows.
    struct Sum {
        sum: Mutex<u64>,
        takes: Result<(), PluginError>,
        description: Description,
    }

    impl Instance for Sum {
        fn description(&self) -> &Description {
            &self.description
        }

        fn process(&self, input: &[u8]) -> Result<Vec<u8>, PluginError> {
            let mut sum = lock(&self.sum);
            *sum += input.len() as u64;
            Ok(sum.to_string().into_bytes())
        }

        fn keeps_state(&self) -> bool {
            true
        }

        fn save(&self) -> Result<Option<Vec<u8>>, PluginError> {
            Ok(Some(lock(&self.sum).to_string().into_bytes()))
        }

        fn restore(&self, saved: &[u8]) -> Result<(), PluginError> {
            self.takes.clone()?;
            *lock(&self.sum) = String::from_utf8_lossy(saved).parse().map_err(|_| "no number")?;
            Ok(())
        }

        fn retire(self: Box<Self>, _grace: Duration) {}
    }

    struct Ground {
        yard: Sender<Message>,
        messages: Receiver<Message>,
    }

    impl Ground {
        fn new() -> Self {
            let (yard, messages) = unbounded();
            Self { yard, messages }
        }

        fn version(&self, number: u32, takes: Result<(), PluginError>) -> Arc<Version> {
            let spec = Arc::new(Spec::of_library(Path::new("/nowhere/libsum.so"), 1));
            let sum = Sum { sum: Mutex::new(0), takes, description: Description::default() };
            Arc::new(Version::new(Generation(number), spec, "/nowhere".into(), Box::new(sum), self.yard.clone()))
        }

        /// What is left of a version that nobody calls any more.
        fn drained(&self) -> Drained {
            let is_drained = |message| if let Message::Drained(drained) = message { Some(drained) } else { None };
            self.messages.try_iter().find_map(is_drained).expect("a version was let go")
        }
    }

    fn call(version: &Version, input: &[u8]) -> String {
        let pinned = Pinned::new(Arc::new(()));
        let output = pinned.with(|(), lane| version.call(input, lane)).expect("an output");
        String::from_utf8(output).expect("a number")
    }

    #[test]
    fn a_version_waits_for_what_the_one_before_it_keeps() {
        let ground = Ground::new();
        let (old, new) = (ground.version(1, Ok(())), ground.version(2, Ok(())));
        assert_eq!(call(&old, b"12345"), "5");
        old.hands_over_to(&new);
        let handover = new.waits_for().expect("its calls wait");
        let early = handover.wait(Duration::from_millis(1));
        assert_eq!(early, Err(PluginError::TimedOut { limit: Duration::from_millis(1) }));
        drop(old);
        let mut drained = ground.drained();
        let heir = drained.heir.take();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| handover.wait(Duration::from_secs(60)));
            assert!(matches!(hand_over(&*drained.instance, heir), Ended::Done(refused) if refused.is_empty()));
            assert_eq!(waiting.join().expect("no panic"), Ok(()));
        });
        assert!(new.waits_for().is_none());
        assert_eq!(call(&new, b"67"), "7");
    }

    #[test]
    fn one_that_was_overtaken_before_it_had_anything_passes_on_all() {
        let ground = Ground::new();
        let [old, between, new] = [1, 2, 3].map(|number| ground.version(number, Ok(())));
        call(&old, b"12345");
        old.hands_over_to(&between);
        between.hands_over_to(&new);
        drop((old, between));
        for _ in 0..2 {
            let mut drained = ground.drained();
            let heir = drained.heir.take();
            assert!(matches!(hand_over(&*drained.instance, heir), Ended::Done(refused) if refused.is_empty()));
        }
        assert_eq!(call(&new, b""), "5");
    }

    #[test]
    fn where_nothing_can_be_taken_over_the_old_version_is_whole() {
        let ground = Ground::new();
        let refuses = || Err(PluginError::failed("another form"));
        let (old, new, newest) = (ground.version(1, Ok(())), ground.version(2, refuses()), ground.version(3, Ok(())));
        call(&old, b"12345");
        old.hands_over_to(&new);
        drop(old);
        let mut drained = ground.drained();
        let heir = drained.heir.take();
        let Ended::NotDone(refused) = hand_over(&*drained.instance, heir) else { panic!("it cannot be handed over") };
        let [(heir, why)] = &refused[..] else { panic!("one, not {}", refused.len()) };
        assert_eq!((heir.number.0, why), (2, &PluginError::failed("another form")));
        let again = Arc::new(Version::again(drained, ground.yard.clone()));
        assert_eq!((again.counts.calls(), call(&again, b"6").as_str()), (1, "6"));
        // What was to come after the refused one takes over in its stead.
        let refusing = ground.version(4, refuses());
        again.hands_over_to(&refusing);
        refusing.hands_over_to(&newest);
        drop(again);
        let mut drained = ground.drained();
        let heir = drained.heir.take();
        assert!(matches!(hand_over(&*drained.instance, heir), Ended::Done(refused) if refused.len() == 1));
        assert_eq!(call(&newest, b""), "6");
    }
}
