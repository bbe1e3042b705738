//! Hooks: functions of the reloadable crates, and closures of the host, that are called around a swap.

use crate::lock::lock;
use pitstop_contract::{Reason, Rule};
use pitstop_reloadable::__private::{HookEntry, HookKind, contained};
use pitstop_reloadable::Swap;
use std::panic::Location;
use std::sync::Mutex;

/// The closures of the host.
#[derive(Default)]
pub(crate) struct Hooks(Mutex<Vec<Closure>>);

struct Closure {
    kind: HookKind,
    /// Where the host gave it.
    place: &'static Location<'static>,
    run: Box<dyn FnMut(&Swap) + Send>,
}

impl Hooks {
    pub(crate) fn add(
        &self,
        kind: HookKind,
        place: &'static Location<'static>,
        run: impl FnMut(&Swap) + Send + 'static,
    ) {
        lock(&self.0).push(Closure { kind, place, run: Box::new(run) });
    }

    /// Calls the hooks of one kind: those of the crate's code, as the old or the new image has them, and then the host's.
    ///
    /// # Errors
    /// The first that panicked. Those after it are not called.
    pub(crate) fn run(&self, kind: HookKind, swap: &Swap, code: &[&'static HookEntry]) -> Result<(), Reason> {
        for hook in code.iter().filter(|hook| hook.kind == kind) {
            (hook.run)(swap).map_err(|said| cancelled(kind, hook.name.to_owned(), &said))?;
        }
        // A hook may add hooks: they are not locked while they run.
        let mut closures = std::mem::take(&mut *lock(&self.0));
        let mut of_kind = closures.iter_mut().filter(|hook| hook.kind == kind);
        let outcome = of_kind.try_for_each(|hook| {
            let place = hook.place;
            let name = format!("the host's hook of {}:{}", place.file(), place.line());
            contained(|| (hook.run)(swap)).map_err(|said| cancelled(kind, name, &said))
        });
        let mut all = lock(&self.0);
        closures.append(&mut all);
        *all = closures;
        outcome
    }
}

fn cancelled(kind: HookKind, hook: String, said: &str) -> Reason {
    let advice = match kind {
        HookKind::Before => "the hook is part of what runs: save again once it can return, or restart the program",
        HookKind::After => "mend the hook and save: the program goes on with the code that it has",
    };
    Reason::new(Rule::Hook, hook, "a hook that returns", format!("a panic: {said}"), advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pitstop_contract::Generation;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    static CALLED: HookEntry = HookEntry { kind: HookKind::Before, name: "logic::fine", run: |_| Ok(()) };
    static FAILS: HookEntry =
        HookEntry { kind: HookKind::After, name: "logic::fails", run: |_| Err("no fuel".to_owned()) };

    #[test]
    fn a_hook_that_panics_is_named_and_those_after_it_are_not_called() {
        let swap = Swap::new("logic", Generation(1), Generation(2));
        let hooks = Hooks::default();
        let count = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&count);
        hooks.add(HookKind::Before, Location::caller(), move |swap| {
            assert_eq!((swap.from, swap.to), (Generation(1), Generation(2)));
            counted.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(hooks.run(HookKind::Before, &swap, &[&CALLED, &FAILS]), Ok(()));
        assert_eq!(count.load(Ordering::Relaxed), 1);
        let reason = hooks.run(HookKind::After, &swap, &[&CALLED, &FAILS]).expect_err("a hook that panics");
        assert_eq!((reason.rule, reason.subject.as_str()), (Rule::Hook, "logic::fails"));
        assert!(reason.found.contains("no fuel"), "{reason}");

        hooks.add(HookKind::Before, Location::caller(), |swap| panic!("{} is busy", swap.crate_name));
        let reason = hooks.run(HookKind::Before, &swap, &[]).expect_err("a closure that panics");
        assert!(reason.subject.contains("hooks.rs:") && reason.found.contains("logic is busy"), "{reason}");
        assert_eq!(count.load(Ordering::Relaxed), 2, "those before it were called");
    }
}
