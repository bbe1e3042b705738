//! The program and its images as makers of values: what each of them knows of a type.

use crate::load::Loaded;
use crate::program::Program;
use pitstop_contract::Generation;
use pitstop_contract::descriptor::{CarriedFact, Descriptor};
use pitstop_proof::layout::Layouts;
use pitstop_reloadable::__private::{Carried, Operations, SEAT, Seat};
use std::collections::HashMap;
use std::sync::Arc;

/// The types of carried values that the program, or one image, names; by the type's name.
#[derive(Default)]
pub(crate) struct CarriedTypes(HashMap<String, CarriedType>);

pub(crate) struct CarriedType {
    pub(crate) operations: Operations,
    fact: CarriedFact,
}

impl CarriedTypes {
    pub(crate) fn of(entries: &[Carried]) -> Self {
        let read = |entry: &Carried| {
            // A copy, so that what reads it leaves no pointers into an image behind.
            let record = entry.record.to_vec();
            let fact = Descriptor::parse(&record).ok()?.carried.into_iter().next()?;
            Some(((entry.type_name)().to_owned(), CarriedType { operations: entry.operations, fact }))
        };
        // As large as it gets, for the same reason.
        let mut types = HashMap::with_capacity(entries.len());
        types.extend(entries.iter().filter_map(read));
        Self(types)
    }

    /// Wipes all pointers into the code that these are of, and for which nobody asks any more.
    pub(crate) fn forget_pointers(&mut self) {
        for carried in self.0.values_mut() {
            carried.operations = Operations { version: 0, save: None, restore: None, drop: |_| Ok(()) };
        }
        // So that the compiler does not find that nobody reads what was written.
        std::hint::black_box(&mut self.0);
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    pub(crate) fn get(&self, type_name: &str) -> Option<&CarriedType> {
        self.0.get(type_name)
    }
}

/// Code that was compiled and linked together.
#[derive(Clone)]
pub(crate) enum Code {
    Program(&'static Program),
    Image(Arc<Loaded>),
}

impl Code {
    pub(crate) fn seat(&self) -> &'static Seat {
        match self {
            Self::Program(_) => &SEAT,
            Self::Image(image) => image.seat.unwrap_or(&SEAT),
        }
    }

    pub(crate) fn is(&self, seat: &Seat) -> bool {
        std::ptr::eq(self.seat(), seat)
    }

    pub(crate) fn is_program(&self) -> bool {
        matches!(self, Self::Program(_))
    }

    pub(crate) fn carried(&self, type_name: &str) -> Option<&CarriedType> {
        match self {
            Self::Program(program) => program.carried.get(type_name),
            Self::Image(image) => image.carried.get(type_name),
        }
    }

    fn layouts(&self) -> &Layouts {
        match self {
            Self::Program(program) => program.layouts(),
            Self::Image(image) => &image.layouts,
        }
    }

    pub(crate) fn generation(&self) -> Generation {
        match self {
            Self::Program(_) => Generation::LINKED,
            Self::Image(image) => image.image.generation,
        }
    }

    /// For a person: `generation 3 of logic`.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Program(_) => "the program".to_owned(),
            Self::Image(image) => format!("generation {} of {}", image.image.generation, image.image.crate_name),
        }
    }

    /// Compares a type as this code has made values of it with what another code takes them for, in words; `None` if their
    /// bytes mean the same to both.
    ///
    /// Where debug info does not tell, sizes and alignments do, as everywhere; the gap was said when the image was proven.
    pub(crate) fn differs(&self, other: &Self, type_name: &str) -> Option<String> {
        if self.is(other.seat()) {
            return None;
        }
        let (Some(made), Some(taken)) = (self.carried(type_name), other.carried(type_name)) else {
            let stranger = if self.carried(type_name).is_none() { self } else { other };
            return Some(format!("no reloadable function of {} takes a State<{type_name}>", stranger.name()));
        };
        let (maker, taker) = ((self.layouts(), made.fact.name.as_str()), (other.layouts(), taken.fact.name.as_str()));
        match pitstop_proof::carried(maker, taker) {
            Ok(comparison) if comparison.differences.is_empty() => None,
            Ok(comparison) => {
                let each = comparison.differences.iter();
                let text: Vec<String> =
                    each.map(|found| format!("{}: {} → {}", found.path, found.expected, found.found)).collect();
                Some(text.join(", "))
            }
            Err(unproven) => {
                let (one, two) = (&made.fact.ty, &taken.fact.ty);
                ((one.size, one.align) != (two.size, two.align))
                    .then(|| format!("size {} → {} ({unproven})", one.size, two.size))
            }
        }
    }
}
