//! What the other side of a comparison was built with.

use pitstop_contract::descriptor::{Descriptor, Facts, SlotFact};
use std::collections::BTreeMap;

/// The reloadable functions and crates of a program, or of an earlier image, that an image is compared with.
#[derive(Clone, Debug, Default)]
pub struct Built {
    /// By name.
    pub slots: BTreeMap<String, SlotFact>,
    /// By crate name.
    pub crates: BTreeMap<String, Facts>,
}

impl Built {
    /// Adds what one descriptor says.
    pub fn add(&mut self, descriptor: Descriptor) {
        self.slots.extend(descriptor.slots.into_iter().map(|slot| (slot.name.clone(), slot)));
        self.crates.extend(descriptor.crates.into_iter().map(|facts| (facts.crate_name.clone(), facts)));
    }
}
