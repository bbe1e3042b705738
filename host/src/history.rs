//! What was live in this program, one after the other: where undo, redo and a panic lead.

use crate::load::Loaded;
use crate::swap::Target;
use pitstop_contract::Generation;
use pitstop_contract::event::Why;
use pitstop_reloadable::__private::Seat;
use std::sync::Arc;

/// Which images were live together, in their order. The first is the program as it was built.
pub(crate) struct History {
    targets: Vec<Target>,
    /// Which of them is live.
    at: usize,
    /// Generations of crates that panicked.
    bad: Vec<(String, Generation)>,
    /// Every image that was ever loaded, and the seat of each crate.
    images: Vec<Arc<Loaded>>,
    seats: Vec<(String, u64)>,
}

impl Default for History {
    fn default() -> Self {
        Self { targets: vec![Target::new()], at: 0, bad: Vec::new(), images: Vec::new(), seats: Vec::new() }
    }
}

impl History {
    /// What is live.
    pub(crate) fn live(&self) -> &Target {
        &self.targets[self.at]
    }

    /// Newly published images are live: what was undone cannot be done again.
    pub(crate) fn went_on(&mut self, target: Target) {
        self.targets.truncate(self.at + 1);
        self.targets.push(target);
        self.at += 1;
    }

    /// An earlier or a later one is live.
    pub(crate) fn moved(&mut self, target: &Target) {
        let is_it = |known: &Target| same(known, target);
        if let Some(at) = self.targets.iter().position(is_it) {
            self.at = at;
        }
    }

    /// Code of this generation panicked: nothing leads back to it but a person's redo.
    pub(crate) fn mark(&mut self, crate_name: &str, generation: Generation) {
        let bad = (crate_name.to_owned(), generation);
        if !self.bad.contains(&bad) {
            self.bad.push(bad);
        }
    }

    /// Where to go, if there is somewhere.
    pub(crate) fn towards(&self, why: Why) -> Option<Target> {
        let good = |target: &&Target| {
            let live = |name: &str| target.get(name).map_or(Generation::LINKED, |image| image.image.generation);
            self.bad.iter().all(|(name, generation)| live(name) != *generation)
        };
        let (earlier, later) = self.targets.split_at(self.at);
        match why {
            Why::Undo | Why::Panic => earlier.iter().rev().find(good).cloned(),
            Why::Redo => later.get(1).cloned(),
        }
    }

    /// An image that was loaded.
    pub(crate) fn loaded(&mut self, image: Arc<Loaded>) {
        let next = 1_u64.checked_shl(u32::try_from(self.seats.len() + 1).unwrap_or(u32::MAX));
        if self.seat(&image.image.crate_name).is_none() {
            self.seats.push((image.image.crate_name.clone(), next.unwrap_or(Seat::NONE)));
        }
        self.images.push(image);
    }

    fn seat(&self, crate_name: &str) -> Option<u64> {
        self.seats.iter().find(|(name, _)| name == crate_name).map(|(_, seat)| *seat)
    }

    /// Who sits where once this is live.
    pub(crate) fn seats(&self, target: &Target) -> Vec<(&'static Seat, u64)> {
        let seat_of = |image: &Arc<Loaded>| {
            let name = &image.image.crate_name;
            let is_live = target.get(name).is_some_and(|live| Arc::ptr_eq(live, image));
            let bit = if is_live { self.seat(name).unwrap_or(Seat::NONE) } else { Seat::NONE };
            Some((image.seat?, bit))
        };
        // As large as it gets: one that grows leaves its pointers behind in freed memory.
        let mut seats = Vec::with_capacity(self.images.len());
        seats.extend(self.images.iter().filter_map(seat_of));
        seats
    }

    /// Forgets what was live more than so many `steps` ago. Gives back the images that nothing leads to then, neither this
    /// nor what is to be live.
    pub(crate) fn forget(&mut self, steps: usize, next: &Target) -> Vec<Arc<Loaded>> {
        let forgotten = self.at.saturating_sub(steps);
        self.targets.drain(..forgotten);
        self.at -= forgotten;
        let is_known = |image: &Arc<Loaded>| {
            // One that is on its way to the safe point right now may have been overtaken already.
            let live = self.targets[self.at].get(&image.image.crate_name);
            if live.is_none_or(|live| live.image.generation < image.image.generation) {
                return true;
            }
            let mut targets = self.targets.iter().chain([next]);
            targets.any(|target| target.values().any(|known| Arc::ptr_eq(known, image)))
        };
        let (known, unknown) = std::mem::take(&mut self.images).into_iter().partition(is_known);
        self.images = known;
        unknown
    }
}

/// Whether the same images are live.
fn same(one: &Target, other: &Target) -> bool {
    one.len() == other.len()
        && one.iter().all(|(name, image)| other.get(name).is_some_and(|other| Arc::ptr_eq(image, other)))
}
