//! Stores the functions of loaded images into the slots, at the safe point, all in one go.
//!
//! The inbox prepares the stores beforehand, off the host's threads, so that the safe point only writes pointers. What was
//! live before stays mapped: a thread may be inside it.

use crate::attach::Host;
use crate::gate::GATE;
use crate::load::Loaded;
use crate::program::Program;
use crate::state::Obstacle;
use pitstop_contract::descriptor::{SlotFact, crate_of};
use pitstop_contract::event::{Event, Stages, Waited, Why};
use pitstop_contract::manifest::Kind;
use pitstop_contract::{Generation, Reason};
use pitstop_proof::agree_on;
use pitstop_proof::layout::Layouts;
use pitstop_proof::slots::replaceable;
use pitstop_reloadable::__private::{HookKind, SEAT, Seat, Slot};
use pitstop_reloadable::Swap;
use std::collections::{BTreeSet, HashMap};
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
    /// Stores a pointer, and returns what was there.
    pub(crate) fn replace(&self, pointer: *const ()) -> *const () {
        let slot: &Slot = match self {
            Self::Slot(slot) => slot,
            Self::Handle(slot) => slot,
        };
        let before = slot.pointer();
        slot.set(pointer);
        before
    }
}

/// Everything a swap does, worked out beforehand.
pub(crate) struct Plan {
    pub(crate) stores: Vec<(Cell, *const ())>,
    /// Images that become live by it for the first time.
    pub(crate) fresh: Vec<Arc<Loaded>>,
    /// What is live by it.
    pub(crate) target: Target,
    /// Who may touch carried values from then on.
    pub(crate) seats: Vec<(&'static Seat, u64)>,
    /// Why it is not the newest that becomes live; `None` for what was published.
    pub(crate) why: Option<Why>,
}

impl Drop for Plan {
    /// What looks for pointers into old images must not find any left in freed memory.
    fn drop(&mut self) {
        self.stores.iter_mut().for_each(|(_, pointer)| *pointer = std::ptr::null());
        self.seats.iter_mut().for_each(|(seat, _)| *seat = &SEAT);
        // So that the compiler does not find that nobody reads what was written.
        std::hint::black_box((&mut self.stores, &mut self.seats));
    }
}

// SAFETY: the pointers are to code that stays mapped.
#[expect(unsafe_code, reason = "code pointers cross from the inbox to the host's thread")]
unsafe impl Send for Plan {}

/// Works out the stores into slots that make `target` live: the program's own, and those of every image in it.
pub(crate) fn slot_stores(target: &Target, program: &Program) -> Vec<(Cell, *const ())> {
    // As large as it gets: one that grows leaves its pointers behind in freed memory.
    let imports: usize = target.values().map(|image| image.imports.len()).sum();
    let mut stores = Vec::with_capacity(program.slots.len() + imports);
    for (name, linked) in &program.slots {
        let live = program.built.slots.get(name).and_then(|fact| body(target, fact, None));
        stores.push((Cell::Slot(linked.slot), live.unwrap_or(linked.body)));
    }
    for image in target.values() {
        for import in &image.imports {
            let linked = program.slots.get(&import.fact.name);
            let caller = linked.is_none().then_some(&*image.layouts);
            if let Some(pointer) = body(target, &import.fact, caller).or(linked.map(|linked| linked.body)) {
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
    /// The plan is carried out; tell of these.
    Swapped(Vec<Event>),
    /// Threads are in units of work.
    Busy(Vec<Waited>),
    /// The next safe point tells whether it can be done.
    Watching,
    /// It cannot be: nothing has changed.
    Refused(Vec<Reason>),
}

/// Carries a plan out, or waits for up to the host's limit and leaves the gate closed.
pub(crate) fn swap(host: &'static Host, plan: &Plan, live: &Target) -> Outcome {
    if let Err(waited) = GATE.close(host.config.wait) {
        return Outcome::Busy(waited);
    }
    let outcome = exchange(host, plan, live);
    GATE.open();
    outcome
}

/// All of it, or nothing: with nobody in a unit of work.
fn exchange(host: &'static Host, plan: &Plan, live: &Target) -> Outcome {
    let begun = Instant::now();
    let moves = moves(live, &plan.target);
    let changed = match host.states.changed(&plan.target, &host.program) {
        Ok(changed) => changed,
        Err(Obstacle::Watch) => return Outcome::Watching,
        Err(Obstacle::Reasons(reasons)) => return Outcome::Refused(reasons),
    };
    if let Err(reason) = call_hooks(host, HookKind::Before, &moves, live) {
        return Outcome::Refused(vec![reason]);
    }
    let saved = host.states.save_before_swap();
    let migrations = host.states.migrate(changed, saved.as_ref());
    saved.into_iter().for_each(|saved| host.write_down(saved));
    let migrations = match migrations {
        Ok(migrations) => migrations,
        Err(reasons) => return Outcome::Refused(reasons),
    };
    let storing = Instant::now();
    let pointers: Vec<*const ()> = plan.stores.iter().map(|(cell, pointer)| cell.replace(*pointer)).collect();
    let bits: Vec<u64> = plan.seats.iter().map(|(seat, _)| seat.bit()).collect();
    plan.seats.iter().for_each(|(seat, bit)| seat.set(*bit));
    host.states.put(&migrations);
    let took = storing.elapsed();
    let now = micros_since_1970();
    host.states.live(plan.target.clone());
    if let Err(reason) = call_hooks(host, HookKind::After, &moves, &plan.target) {
        for ((cell, _), before) in plan.stores.iter().zip(pointers) {
            cell.replace(before);
        }
        plan.seats.iter().zip(bits).for_each(|((seat, _), before)| seat.set(before));
        host.states.take_back(migrations);
        host.states.live(live.clone());
        return Outcome::Refused(vec![reason]);
    }
    let mut events = host.states.keep(migrations, begun.elapsed());
    match plan.why {
        None => events.extend(plan.fresh.iter().map(|image| became_live(image, begun, took, now))),
        Some(why) => events.extend(moves.into_iter().map(|Swap { crate_name, from, to, .. }| Event::RolledBack {
            crate_name,
            from,
            generation: to,
            why,
        })),
    }
    Outcome::Swapped(events)
}

/// The crates whose code is another once `target` is live.
fn moves(live: &Target, target: &Target) -> Vec<Swap> {
    let mut names = BTreeSet::new();
    for name in live.keys().chain(target.keys()) {
        names.insert(name.clone());
    }
    let of = |target: &Target, name: &str| target.get(name).map_or(Generation::LINKED, |image| image.image.generation);
    let moves = names.iter().map(|name| Swap::new(name, of(live, name), of(target, name)));
    moves.filter(|swap| swap.from != swap.to).collect()
}

/// Calls the hooks of what `code` holds, for each crate that is swapped.
fn call_hooks(host: &Host, kind: HookKind, moves: &[Swap], code: &Target) -> Result<(), Reason> {
    moves.iter().try_for_each(|swap| {
        let hooks = match code.get(&swap.crate_name) {
            Some(image) => image.hooks.clone(),
            None => host.program.hooks_of(&swap.crate_name),
        };
        host.hooks.run(kind, swap, &hooks)
    })
}

fn became_live(image: &Loaded, begun: Instant, took: Duration, now_us: u64) -> Event {
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
            Kind::Library | Kind::Plugin => 0,
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
    plan.target.values().map(|image| image.image.generation).max().unwrap_or_default()
}

/// What a refusal of a plan is about: the newest of what it would have made live.
pub(crate) fn subject(plan: &Plan, live: &Target) -> (String, Generation) {
    let newest = moves(live, &plan.target).into_iter().max_by_key(|swap| swap.to);
    newest.map_or_else(Default::default, |swap| (swap.crate_name, swap.to))
}
