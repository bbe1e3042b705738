//! Brings carried values into the form of new code, all of them or none.
//!
//! The code that made a value saves it and the new code restores it, before one pointer is swapped. The old values stay
//! until nobody can have a reference to them.

use super::snapshot::Save;
use super::{ADVICE, Code, Maker, Place, Registry, Retired, States, Value};
use crate::lock::lock;
use crate::program::Program;
use crate::swap::Target;
use pitstop_contract::descriptor::crate_of;
use pitstop_contract::event::{Event, MigratedState};
use pitstop_contract::{Generation, Reason, Rule};
use std::borrow::Cow;
use std::time::{Duration, Instant};

/// Values that have another layout in the code that is to be live.
pub(crate) struct Changed(Vec<Wanted>);

/// Values that are to be put in place of others.
pub(crate) struct Migrations(Vec<Moved>);

struct Moved {
    number: usize,
    new: *mut (),
    maker: Maker,
    /// What it was.
    before: *mut (),
    told: MigratedState,
}

/// A value that has to be migrated, and how.
struct Wanted {
    number: usize,
    name: String,
    type_name: &'static str,
    key: String,
    to: Code,
    differs: String,
}

/// What stands in the way.
pub(crate) enum Obstacle {
    /// The program's own code has touched a value that it will not know any more. Whether it does so in each frame the
    /// next safe point tells.
    Watch,
    /// These.
    Reasons(Vec<Reason>),
}

impl States {
    /// The values whose layout is another in `target`.
    ///
    /// # Errors
    /// What stands in the way of their migration.
    pub(crate) fn changed(&self, target: &Target, program: &'static Program) -> Result<Changed, Obstacle> {
        lock(&self.registry).changed(target, program).map(Changed)
    }

    /// Saves and restores them; of those that were `saved` just now, that is taken.
    ///
    /// # Errors
    /// Why one cannot be; then nothing has changed.
    pub(crate) fn migrate(&self, changed: Changed, saved: Option<&Save>) -> Result<Migrations, Vec<Reason>> {
        let mut moved = Vec::new();
        let mut reasons: Vec<Reason> = Vec::new();
        for wanted in changed.0 {
            // Its handle may have been dropped since.
            let value = lock(&self.registry).values.get(&wanted.number).map(|value| (value.cell, value.maker.clone()));
            let Some((cell, maker)) = value else { continue };
            let saved = saved.and_then(|saved| saved.value(wanted.type_name, &wanted.key));
            match wanted.migrate(cell.get().value(), saved, &maker.code) {
                Ok(one) => moved.push(one),
                // Several values of a type fail for one reason.
                Err(reason) if reasons.iter().any(|known| known.found == reason.found) => {}
                Err(reason) => reasons.push(reason),
            }
        }
        if reasons.is_empty() {
            return Ok(Migrations(moved));
        }
        moved.into_iter().for_each(|moved| Retired { value: moved.new, maker: moved.maker }.drop());
        Err(reasons)
    }

    /// Puts the new values in place. Until [`keep`](Self::keep) or [`take_back`](Self::take_back), what they were stays.
    pub(crate) fn put(&self, migrations: &Migrations) {
        let mut registry = lock(&self.registry);
        registry.exchanging = true;
        for moved in &migrations.0 {
            let Some(value) = registry.values.get_mut(&moved.number) else { continue };
            let maker = std::mem::replace(&mut value.maker, moved.maker.clone());
            value.retired.push(Retired { value: moved.before, maker });
            value.cell.get().replace(moved.new);
        }
    }

    /// Puts the old values back, and drops the new ones.
    pub(crate) fn take_back(&self, migrations: Migrations) {
        let mut dropped = Vec::new();
        let mut registry = lock(&self.registry);
        registry.exchanging = false;
        for moved in migrations.0 {
            // Where the handle was dropped meanwhile, both values were too.
            let Some(value) = registry.values.get_mut(&moved.number) else { continue };
            let Some(before) = value.retired.pop() else { continue };
            value.cell.get().replace(before.value);
            value.maker = before.maker;
            dropped.push(Retired { value: moved.new, maker: moved.maker });
        }
        drop(registry);
        dropped.into_iter().for_each(Retired::drop);
    }

    /// The new values stay. What they were is dropped when nobody can have a reference to it.
    pub(crate) fn keep(&self, migrations: Migrations, took: Duration) -> Vec<Event> {
        lock(&self.registry).exchanging = false;
        let mut crates: Vec<(String, Generation, Vec<MigratedState>)> = Vec::new();
        for Moved { maker, told, .. } in migrations.0 {
            let crate_name = crate_of(&told.type_name).to_owned();
            match crates.binary_search_by(|(known, ..)| known.cmp(&crate_name)) {
                Ok(at) => crates[at].2.push(told),
                Err(at) => crates.insert(at, (crate_name, maker.code.generation(), vec![told])),
            }
        }
        let took_ms = took.as_secs_f64() * 1e3;
        let event = |(crate_name, generation, states)| Event::Migrated { crate_name, generation, states, took_ms };
        crates.into_iter().map(event).collect()
    }

    /// Brings a value that was just made up to the form of the live code, if that can be done.
    pub(super) fn brought_up(&self, type_name: &'static str, value: *mut (), maker: Maker) -> (*mut (), Maker) {
        let to = {
            let registry = lock(&self.registry);
            registry.newest(&registry.live, type_name)
        };
        let Some(to) = to.filter(|to| maker.code.differs(to, type_name).is_some()) else { return (value, maker) };
        match transfer(type_name, value, None, &maker.code, &to) {
            Ok(transferred) => {
                let maker_of_new = Maker { drop: transferred.drop, code: to };
                Retired { value, maker }.drop();
                (transferred.value, maker_of_new)
            }
            Err(reason) => {
                log::warn!("pitstop: {reason}");
                (value, maker)
            }
        }
    }
}

impl Registry {
    fn changed(&mut self, target: &Target, program: &'static Program) -> Result<Vec<Wanted>, Obstacle> {
        let mut wanted = Vec::new();
        let mut reasons = Vec::new();
        let mut watch = false;
        let watched = std::mem::take(&mut self.watching);
        let changed: Vec<(usize, Code, String)> = self
            .values
            .iter()
            .filter_map(|(number, value)| {
                let program = program.carried.get(value.type_name).map(|_| Code::Program(program));
                let to = self.newest(target, value.type_name).or(program)?;
                let differs = self.differs(&value.maker.code, &to, value.type_name)?;
                Some((*number, to, differs))
            })
            .collect();
        for (number, to, differs) in changed {
            let host = Code::Program(program);
            let is_strange = |value: &Value| self.differs(&to, &host, value.type_name).is_some();
            let strange = self.values.get(&number).is_some_and(is_strange);
            let Some(value) = self.values.get_mut(&number) else { continue };
            let touched = std::mem::take(&mut value.touched);
            if strange && watched {
                // Reloadable code that is linked into the program, and live so far, is what is replaced.
                let is_replaced = |place: &Place| {
                    program
                        .crate_at(&place.0)
                        .is_some_and(|name| !self.live.contains_key(name) && target.contains_key(name))
                };
                reasons.extend(
                    touched.iter().find(|place| !is_replaced(place)).map(|place| strange_touch(value, place, &differs)),
                );
            } else if strange && !touched.is_empty() {
                value.cell.get().close();
                watch = true;
            }
            if value.owner.0 != std::thread::current().id() {
                reasons.push(elsewhere(value));
            }
            wanted.push(Wanted {
                number,
                name: value.name(),
                type_name: value.type_name,
                key: value.key.clone(),
                to,
                differs,
            });
        }
        if !reasons.is_empty() {
            return Err(Obstacle::Reasons(reasons));
        }
        self.watching = watch;
        if watch { Err(Obstacle::Watch) } else { Ok(wanted) }
    }
}

fn strange_touch(value: &Value, (file, line, column): &Place, differs: &str) -> Reason {
    let expected = "a value that reloadable code alone touches, to be migrated";
    let found =
        format!("the program's own code at {file}:{line}:{column}, which was built with the layout from before");
    Reason::new(Rule::State, value.name(), expected, found, ADVICE).with_notes(vec![differs.to_owned()])
}

fn elsewhere(value: &Value) -> Reason {
    let here = std::thread::current().name().unwrap_or("without a name").to_owned();
    let expected = format!("a safe point on the thread `{}`, which made its State at {}", value.owner.1, value.place);
    let advice = "call safe_point() on the thread that has the State, or restart the program: `cargo pitstop restart`";
    Reason::new(Rule::State, value.name(), expected, format!("one on the thread `{here}`"), advice)
}

impl Wanted {
    fn migrate(self, before: *mut (), saved: Option<(&[u8], Duration)>, maker: &Code) -> Result<Moved, Reason> {
        let Self { number, name, type_name, key, to, differs } = self;
        let Transferred { value, drop, bytes, save_ms, restore_ms } = transfer(type_name, before, saved, maker, &to)
            .map_err(|reason| {
                let reason = Reason { subject: reason.subject.replacen(type_name, &name, 1), ..reason };
                reason.with_notes(vec![differs])
            })?;
        let told = MigratedState {
            type_name: type_name.to_owned(),
            key,
            from: maker.generation(),
            bytes,
            save_ms,
            restore_ms,
        };
        Ok(Moved { number, new: value, maker: Maker { code: to, drop }, before, told })
    }
}

struct Transferred {
    value: *mut (),
    drop: pitstop_reloadable::__private::Free,
    bytes: u64,
    save_ms: f64,
    restore_ms: f64,
}

/// Has one code save a value, unless it just did, and another one restore it.
fn transfer(
    type_name: &str,
    value: *mut (),
    saved: Option<(&[u8], Duration)>,
    from: &Code,
    to: &Code,
) -> Result<Transferred, Reason> {
    let serde = |code: &Code, lacks: &str| {
        let expected = format!("a type that is Serialize and Deserialize in {}", code.name());
        let found = format!("one that is not {lacks}");
        let advice = "derive both from serde to have values migrated, undo the change, or restart the program: \
                      `cargo pitstop restart`";
        Reason::new(Rule::State, type_name, expected, found, advice)
    };
    let (maker, taker) = (from.carried(type_name), to.carried(type_name));
    let save = maker.and_then(|ty| ty.operations.save).ok_or_else(|| serde(from, "Serialize"))?;
    let taker = taker.ok_or_else(|| serde(to, "named there"))?.operations;
    let restore = taker.restore.ok_or_else(|| serde(to, "Deserialize"))?;
    let began = Instant::now();
    let (bytes, save_took) = match saved {
        Some((bytes, took)) => (Cow::Borrowed(bytes), took),
        None => {
            let bytes = run_save(save, value).map_err(|why| {
                Reason::new(Rule::State, type_name, format!("a value that {} can save", from.name()), why, ADVICE)
            })?;
            (Cow::Owned(bytes), began.elapsed())
        }
    };
    let saved = Instant::now();
    let version = maker.map_or(0, |ty| ty.operations.version);
    let value = restore(&bytes, version).map_err(|error| unrestored(type_name, to, &error))?;
    Ok(Transferred {
        value,
        drop: taker.drop,
        bytes: bytes.len() as u64,
        save_ms: save_took.as_secs_f64() * 1e3,
        restore_ms: saved.elapsed().as_secs_f64() * 1e3,
    })
}

/// A saved value that a code cannot restore; the subject leads to the field.
pub(super) fn unrestored(type_name: &str, code: &Code, error: &pitstop_reloadable::RestoreError) -> Reason {
    let field = error.field();
    let subject = match field {
        "." => type_name.to_owned(),
        field if field.starts_with('[') => format!("{type_name}{field}"),
        field => format!("{type_name}.{field}"),
    };
    let expected = format!("a value that {} can restore", code.name());
    let advice = "give the field a #[serde(default)] or an alias, implement pitstop_reloadable::Migrate, undo the change, or \
                  restart the program";
    Reason::new(Rule::State, subject, expected, error.to_string(), advice)
}

#[expect(unsafe_code, reason = "hands a value to the code that made it")]
pub(super) fn run_save(save: pitstop_reloadable::__private::Save, value: *mut ()) -> Result<Vec<u8>, String> {
    // SAFETY: `save` is of the code that made the value, and on this thread, which has its handle, nobody changes it.
    unsafe { save(value.cast_const()) }
}
