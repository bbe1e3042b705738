//! Stores the functions of loaded images into the slots, at the safe point, all in one go.
//!
//! The inbox prepares the stores beforehand, off the host's threads, so that the safe point only writes pointers. What was
//! live before stays mapped: a thread may be inside it.

use crate::gate::Gate;
use crate::load::Loaded;
use crate::program::Program;
use pitstop_contract::Generation;
use pitstop_contract::descriptor::{SlotFact, crate_of};
use pitstop_contract::event::{Event, Stages, Waited};
use pitstop_contract::manifest::Kind;
use pitstop_proof::agree_on;
use pitstop_proof::layout::Layouts;
use pitstop_proof::slots::replaceable;
use pitstop_reloadable::__private::Slot;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The newest proven image of each crate: what is live once every pending swap is done.
pub(crate) type Target = HashMap<String, Arc<Loaded>>;

/// Where a function pointer is stored.
#[derive(Clone)]
pub(crate) enum Cell {
    /// A slot of the host's or of an image.
    Slot(&'static Slot),
    /// A handle that the host asked for by name.
    Handle(Arc<Slot>),
}

impl Cell {
    fn set(&self, pointer: *const ()) {
        match self {
            Self::Slot(slot) => slot.set(pointer),
            Self::Handle(slot) => slot.set(pointer),
        }
    }
}

/// Everything a swap does, worked out beforehand.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) stores: Vec<(Cell, *const ())>,
    /// Images that become live by it.
    pub(crate) fresh: Vec<Arc<Loaded>>,
}

// SAFETY: the pointers are to code that stays mapped.
#[expect(unsafe_code, reason = "code pointers cross from the inbox to the host's thread")]
unsafe impl Send for Plan {}

/// Works out the stores into slots that make `target` live: the program's own, and those of every image in it.
pub(crate) fn slot_stores(target: &Target, program: &Program) -> Vec<(Cell, *const ())> {
    let mut stores = Vec::new();
    for (name, slot) in &program.slots {
        if let Some(pointer) = program.built.slots.get(name).and_then(|fact| body(target, fact, None)) {
            stores.push((Cell::Slot(slot), pointer));
        }
    }
    for image in target.values() {
        for import in &image.imports {
            let linked = || program.slots.get(&import.fact.name).map(|slot| slot.pointer());
            let caller = (!program.slots.contains_key(&import.fact.name)).then_some(&image.layouts);
            if let Some(pointer) = body(target, &import.fact, caller).or_else(linked) {
                stores.push((Cell::Slot(import.slot), pointer));
            }
        }
    }
    stores
}

/// The live function for a slot of the program's, or of the `caller`; `None` where the crate has no image, or a function
/// that only its own crate called has changed or gone: then what called it stays with what it has.
fn body(target: &Target, fact: &SlotFact, caller: Option<&Layouts>) -> Option<*const ()> {
    let image = target.get(crate_of(&fact.name))?;
    let body = image.bodies.get(&fact.name)?;
    let same = match caller {
        // Both were compared with the program, unless the program does not have it.
        Some(caller) => agree_on(&fact.name, caller, &image.layouts),
        None => !image.kept.contains(&fact.name),
    };
    (same && replaceable(fact, &body.fact)).then_some(body.pointer)
}

/// What a safe point found.
pub(crate) enum Outcome {
    /// The plan is carried out; tell of these images.
    Swapped(Vec<Event>),
    /// Threads are in units of work.
    Busy(Vec<Waited>),
}

/// Carries a plan out, or waits for up to `wait` and leaves the gate closed.
pub(crate) fn swap(plan: &Plan, gate: &Gate, wait: Duration) -> Outcome {
    if let Err(waited) = gate.close(wait) {
        return Outcome::Busy(waited);
    }
    let begun = Instant::now();
    for (cell, pointer) in &plan.stores {
        cell.set(*pointer);
    }
    let took = begun.elapsed();
    gate.open();
    let now = micros_since_1970();
    let events = plan.fresh.iter().map(|image| live(image, begun, took, now)).collect();
    Outcome::Swapped(events)
}

fn live(image: &Loaded, begun: Instant, took: Duration, now_us: u64) -> Event {
    let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
    let facts = &image.image;
    Event::Live {
        crate_name: facts.crate_name.clone(),
        generation: facts.generation,
        edit_to_live_ms: now_us.saturating_sub(facts.edit_at_us) as f64 / 1e3,
        stages: Stages {
            detect: facts.detect_ms,
            build: facts.build_ms,
            stage: facts.stage_ms,
            verify: image.verify_ms,
            load: image.load_ms,
            wait: ms(begun.saturating_duration_since(image.ready)),
            swap: ms(took),
        },
        slots: match facts.kind {
            Kind::Reloadable => image.bodies.len(),
            Kind::Library => 0,
        },
        image_bytes: facts.bytes,
    }
}

/// The wall clock, which host and watcher share.
pub(crate) fn micros_since_1970() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// The highest generation of a plan.
pub(crate) fn generation(plan: &Plan) -> Generation {
    plan.fresh.iter().map(|image| image.image.generation).max().unwrap_or_default()
}
