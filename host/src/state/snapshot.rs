//! Carried values in a file: for the program that is started after this one, if a person asks for it or this one crashes.

use super::migrate::{run_save, unrestored};
use super::{ADVICE, CellPointer, Code, Maker, States, name};
use crate::attach::Host;
use crate::inbox::Message;
use crate::lock::lock;
use crate::swap::micros_since_1970;
use pitstop_contract::event::Event;
use pitstop_contract::session::ENV_RESTORE;
use pitstop_contract::snapshot::{FORMAT, SavedState, Snapshot};
use pitstop_contract::{Reason, Rule};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The least time between two saves of the program's own accord.
const PAUSE: Duration = Duration::from_secs(1);
/// How much longer than a save the time between two of them is.
const SHARE: u32 = 200;
/// Saves between swaps must not be felt: a twentieth of the shortest frame.
const UNFELT: Duration = Duration::from_millis(4);

/// When values are saved without being asked for, in case the program crashes: before each swap, and every so often, as
/// long as this takes next to none of the program's time.
#[derive(Default)]
pub(crate) struct Due(Mutex<Saves>);

#[derive(Default)]
struct Saves {
    last: Option<Instant>,
    took: Duration,
}

impl Due {
    /// There are values that no save knows of.
    pub(super) fn at_once(&self) {
        lock(&self.0).last = None;
    }

    /// Before a swap, whose code may be what crashes.
    fn before_swap(&self) -> bool {
        let saves = lock(&self.0);
        saves.last.is_none_or(|last| last.elapsed() >= saves.took * (SHARE / 4))
    }

    /// In between.
    pub(crate) fn now(&self) -> bool {
        let saves = lock(&self.0);
        saves.last.is_none_or(|last| saves.took <= UNFELT && last.elapsed() >= PAUSE.max(saves.took * SHARE))
    }

    fn saved(&self, took: Duration) {
        *lock(&self.0) = Saves { last: Some(Instant::now()), took };
    }
}

/// What a host has saved, on its way into a file.
pub(crate) struct Save {
    pub(crate) id: u64,
    pub(crate) snapshot: Snapshot,
    pub(crate) lost: Vec<Reason>,
    pub(crate) took: Duration,
    /// Of each value in the snapshot.
    each_took: Vec<Duration>,
}

impl Save {
    /// The saved form of one value, and how long the saving took.
    pub(super) fn value(&self, type_name: &str, key: &str) -> Option<(&[u8], Duration)> {
        let mut states = self.snapshot.states.iter().zip(&self.each_took);
        let is_it = |(state, _): &(&SavedState, _)| state.type_name == type_name && state.key == key;
        states.find(is_it).map(|(state, took)| (state.value.as_slice(), *took))
    }
}

struct Wanted {
    type_name: &'static str,
    key: String,
    cell: CellPointer,
    maker: Maker,
    is_here: bool,
    owner: String,
}

impl States {
    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.registry).values.is_empty()
    }

    /// Saves all values, if it is time to: new code may be what crashes.
    pub(crate) fn save_before_swap(&self) -> Option<Save> {
        (!self.is_empty() && self.due.before_swap()).then(|| self.save(0))
    }

    /// Saves all values. Those whose handle is on another thread cannot be: it may be changing them.
    fn save(&self, id: u64) -> Save {
        let began = Instant::now();
        let here = std::thread::current().id();
        let wanted: Vec<Wanted> = lock(&self.registry)
            .values
            .values()
            .map(|value| Wanted {
                type_name: value.type_name,
                key: value.key.clone(),
                cell: value.cell,
                maker: value.maker.clone(),
                is_here: value.owner.0 == here,
                owner: value.owner.1.clone(),
            })
            .collect();
        let (mut states, mut each_took, mut lost) = (Vec::new(), Vec::new(), Vec::new());
        for value in wanted {
            let began = Instant::now();
            match value.save() {
                Ok(state) => {
                    states.push(state);
                    each_took.push(began.elapsed());
                }
                Err(reason) => lost.push(reason),
            }
        }
        let took = began.elapsed();
        self.due.saved(took);
        let snapshot = Snapshot { format: FORMAT, at_us: micros_since_1970(), states };
        Save { id, snapshot, lost, took, each_took }
    }

    /// Takes what an earlier run of the program has saved, if there was one.
    pub(crate) fn read_saved(&self) -> Result<(), Reason> {
        let Some(path) = std::env::var_os(ENV_RESTORE) else { return Ok(()) };
        let subject = std::path::Path::new(&path).display().to_string();
        let refuse = |found: String| {
            let advice = "the program begins with new values; the file is left as it is";
            Reason::new(Rule::State, &subject, "saved values", found, advice)
        };
        let bytes = std::fs::read(&path).map_err(|error| refuse(error.to_string()))?;
        let snapshot: Snapshot = rmp_serde::from_slice(&bytes).map_err(|error| refuse(error.to_string()))?;
        if snapshot.format != FORMAT {
            return Err(refuse(format!("format {} where this version reads {FORMAT}", snapshot.format)));
        }
        lock(&self.registry).saved = snapshot.states;
        Ok(())
    }
}

impl Wanted {
    fn save(self) -> Result<SavedState, Reason> {
        let Self { type_name, key, cell, maker, is_here, owner } = self;
        let name = name(type_name, &key);
        let lost = |expected: String, found: String| Reason::new(Rule::State, &name, expected, found, ADVICE);
        if !is_here {
            let here = std::thread::current().name().unwrap_or("without a name").to_owned();
            return Err(lost(format!("a safe point on its thread `{owner}`"), format!("one on the thread `{here}`")));
        }
        let ty = maker.code.carried(type_name);
        let save = ty.and_then(|ty| Some((ty.operations.save?, ty.operations.version)));
        let Some((save, version)) = save else {
            let expected = "a Serialize type, in a State that a reloadable function takes";
            return Err(lost(expected.to_owned(), format!("none in {}", maker.code.name())));
        };
        let value = run_save(save, cell.get().value());
        let value = value.map_err(|why| lost(format!("a value that {} can save", maker.code.name()), why))?;
        Ok(SavedState { type_name: type_name.to_owned(), key, version, generation: maker.code.generation(), value })
    }
}

impl Host {
    /// Saves all values, and has the inbox write them down.
    pub(crate) fn save(&self, id: u64) {
        if id != 0 || !self.states.is_empty() {
            self.write_down(self.states.save(id));
        }
    }

    /// Has the inbox write down what was saved.
    pub(crate) fn write_down(&self, save: Save) {
        // The inbox ends with the process only.
        let _ = self.inbox.send(Message::Save(save));
    }

    /// The value that an earlier run of the program has saved under this name, restored by the newest code.
    pub(super) fn restored(&'static self, type_name: &str, key: &str) -> Option<(*mut (), Maker)> {
        let (saved, code) = {
            let mut registry = lock(&self.states.registry);
            let at = registry.saved.iter().position(|saved| saved.type_name == type_name && saved.key == key)?;
            let saved = registry.saved.swap_remove(at);
            let newest = registry.newest(&registry.live, type_name);
            (saved, newest.unwrap_or(Code::Program(&self.program)))
        };
        let name = name(type_name, key);
        let operations = code.carried(type_name).map(|ty| ty.operations);
        let restore = operations.and_then(|operations| Some((operations.restore?, operations.drop)));
        let result = match restore {
            Some((restore, drop)) => match restore(&saved.value, saved.version) {
                Ok(value) => Ok((value, Maker { code, drop })),
                Err(error) => Err(unrestored(&name, &code, &error)),
            },
            None => {
                let expected = "a Deserialize type, in a State that a reloadable function takes";
                let advice = "the value begins anew";
                Err(Reason::new(Rule::State, &name, expected, format!("none in {}", code.name()), advice))
            }
        };
        let (states, lost) = match &result {
            Ok(_) => (vec![name], Vec::new()),
            Err(reason) => (Vec::new(), vec![reason.clone()]),
        };
        self.report(Event::Restored { states, lost });
        result.ok()
    }
}
