//! One instance of a guest, with its store: it answers calls, one after the other, until one of them fails.

use super::code::{Calls, Code};
use super::error::{quoted, told};
use super::guest::{Guest, Used};
use super::lend::{Lent, wasi};
use super::output::Said;
use super::wait::wait;
use super::{component, core, ticker};
use crate::plugin::backend::Description;
use crate::plugin::spec::Limits;
use pitstop_reloadable::PluginError;
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;
use wasmtime::component::{ComponentNamedList, Lift, Lower, TypedFunc as ComponentFunc};
use wasmtime::{Engine, Error, Result, Store, Trap, TypedFunc, WasmParams, WasmResults};

/// What the instances of one version are made by.
pub(super) struct Plan {
    pub(super) engine: Engine,
    pub(super) code: Code,
    pub(super) calls: Calls,
    pub(super) lent: Arc<Lent>,
    pub(super) limits: Limits,
    /// In bytes, of one instance.
    pub(super) memory: u64,
    pub(super) fuel: Option<u64>,
}

impl Plan {
    /// Whether its code looks whether its time is up.
    pub(super) fn is_interrupted(&self) -> bool {
        self.lent.granted.interrupt
    }

    /// How much a component may hand over at once: it is copied before it is looked at.
    fn handed_over(&self) -> usize {
        /// What is written to files and the like.
        const LEAST: u64 = 1 << 20;
        let most = LEAST.max(self.limits.output).max(self.lent.granted.key_value.unwrap_or(0));
        // What is around it is counted too.
        usize::try_from(most).unwrap_or(usize::MAX).saturating_add(64 << 10)
    }
}

/// What a guest answers.
pub(super) enum Answer {
    Output(Vec<u8>),
    /// An error in its own words.
    Refusal(String),
    TooMuch,
}

/// One call from outside: what its calls into the guest have in common.
pub(super) struct Turn {
    calls: Calls,
    until: Option<Instant>,
    /// How long an output may be.
    pub(super) output: u64,
}

impl Turn {
    /// Gives the guest its time and fuel.
    fn begin(plan: &Plan, store: &mut Store<Guest>) -> Result<Self> {
        if plan.is_interrupted() {
            store.set_epoch_deadline(ticker::epochs(plan.limits.time));
        }
        if let Some(fuel) = plan.fuel {
            store.set_fuel(fuel)?;
        }
        // Nobody else looks at the clock, which takes as long as a short call.
        let until = (plan.calls == Calls::Waiting).then(|| Instant::now().checked_add(plan.limits.time));
        Ok(Self { calls: plan.calls, until: until.flatten(), output: plan.limits.output })
    }

    pub(super) fn core<P, R>(&self, function: &TypedFunc<P, R>, store: &mut Store<Guest>, parameters: P) -> Result<R>
    where
        P: WasmParams + Sync,
        R: WasmResults + Sync,
    {
        match self.calls {
            Calls::Waiting => self.wait(function.call_async(store, parameters)),
            Calls::Plain | Calls::Wasi => function.call(store, parameters),
        }
    }

    pub(super) fn component<P, R>(
        &self,
        function: &ComponentFunc<P, R>,
        store: &mut Store<Guest>,
        parameters: P,
    ) -> Result<R>
    where
        P: ComponentNamedList + Lower + Send + Sync,
        R: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        match self.calls {
            Calls::Waiting => self.wait(function.call_async(store, parameters)),
            Calls::Plain | Calls::Wasi => function.call(store, parameters),
        }
    }

    fn wait<T>(&self, future: impl Future<Output = Result<T>>) -> Result<T> {
        wait(future, self.until).unwrap_or_else(|_time_is_up| Err(Error::from(Trap::Interrupt)))
    }
}

/// One instance.
pub(super) struct Live {
    store: Store<Guest>,
    entry: Entry,
}

enum Entry {
    Core(Box<core::Entry>),
    Component(component::Entry),
}

/// Whether an instance can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Keep,
    Drop,
}

impl Live {
    /// Makes an instance; what it does at its start has the time and fuel of a call.
    pub(super) fn new(plan: &Plan) -> std::result::Result<Self, PluginError> {
        let said = Arc::<Said>::default();
        let wasi = match plan.calls {
            Calls::Plain => None,
            Calls::Wasi | Calls::Waiting => {
                let made = wasi(&plan.lent, said.clone());
                Some(made.map_err(|error| PluginError::failed(format!("{error:#}")))?)
            }
        };
        let guest = Guest { lent: plan.lent.clone(), used: Used::new(plan.memory), wasi, said };
        let mut store = Store::new(&plan.engine, guest);
        store.limiter(|guest| &mut guest.used);
        store.set_hostcall_fuel(plan.handed_over());
        match Self::enter(plan, &mut store) {
            Ok(entry) => Ok(Self { store, entry }),
            Err(error) => Err(told(&error, store.data_mut(), plan)),
        }
    }

    fn enter(plan: &Plan, store: &mut Store<Guest>) -> Result<Entry> {
        let turn = Turn::begin(plan, store)?;
        let waits = plan.calls == Calls::Waiting;
        Ok(match &plan.code {
            Code::Core(pre) => {
                let made =
                    if waits { turn.wait(pre.instantiate_async(&mut *store))? } else { pre.instantiate(&mut *store)? };
                Entry::Core(Box::new(core::Entry::new(store, made, &turn)?))
            }
            Code::Component(pre) => {
                let made =
                    if waits { turn.wait(pre.instantiate_async(&mut *store))? } else { pre.instantiate(&mut *store)? };
                Entry::Component(component::Entry::new(store, made)?)
            }
        })
    }

    /// What it says of itself.
    pub(super) fn describe(&mut self, plan: &Plan) -> std::result::Result<Description, PluginError> {
        let store = &mut self.store;
        let described = Turn::begin(plan, store).and_then(|turn| match &self.entry {
            Entry::Core(entry) => entry.describe(store, &turn),
            Entry::Component(entry) => entry.describe(store, &turn),
        });
        described.map_err(|error| told(&error, store.data_mut(), plan))
    }

    /// Makes the output of an input. After an error that is not the guest's own word, nothing is known of its state.
    pub(super) fn process(&mut self, plan: &Plan, input: &[u8]) -> (std::result::Result<Vec<u8>, PluginError>, Fate) {
        let store = &mut self.store;
        let answer = Turn::begin(plan, store).and_then(|turn| match &self.entry {
            Entry::Core(entry) => entry.process(store, &turn, input),
            Entry::Component(entry) => entry.process(store, &turn, input),
        });
        let guest = store.data_mut();
        let fate = if guest.used.is_much() { Fate::Drop } else { Fate::Keep };
        match answer {
            Ok(Answer::Output(output)) => {
                guest.end_of_call();
                (Ok(output), fate)
            }
            Ok(Answer::Refusal(message)) => {
                guest.end_of_call();
                (Err(PluginError::Failed { message: quoted_lines(&message) }), fate)
            }
            Ok(Answer::TooMuch) => (Err(PluginError::TooMuchOutput { limit: plan.limits.output }), Fate::Drop),
            Err(error) => (Err(told(&error, guest, plan)), Fate::Drop),
        }
    }
}

/// The guest's own words, as they are unless they are very long.
fn quoted_lines(message: &str) -> String {
    const LONGEST: usize = 16 << 10;
    if message.len() <= LONGEST { message.to_owned() } else { quoted(message.as_bytes()) }
}
