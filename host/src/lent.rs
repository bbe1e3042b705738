//! What the host lends to its images, and to the functions that are linked into it.

use crate::attach::Host;
use crate::panics;
use pitstop_contract::Generation;
use pitstop_contract::descriptor::{fact, linkage};
use pitstop_reloadable::__private::{Records, Services, flush_at_exit, hear, hush, take_note};
use std::sync::Once;

/// The services for one image, or for the host itself, whose crate has no name here. They live as long as the process.
pub(crate) fn services(host: &'static Host, crate_name: &str, generation: Generation) -> &'static Services {
    let linkage = host.program.built.crates.values().next();
    let shared_std = linkage.is_some_and(|facts| facts.get(fact::LINKAGE) == linkage::SHARED);
    // The host and the functions that are linked into it have one `std`, whatever images have.
    let shared_std = shared_std || generation == Generation::LINKED;
    if !shared_std {
        // An image may end the program too.
        static FLUSHES: Once = Once::new();
        FLUSHES.call_once(flush_at_exit);
    }
    Box::leak(Box::new(Services {
        alloc: std::alloc::alloc,
        alloc_zeroed: std::alloc::alloc_zeroed,
        realloc: std::alloc::realloc,
        dealloc: std::alloc::dealloc,
        answer: panics::answer,
        note: take_note,
        hush,
        raise,
        hook: hear,
        records: Records::of_the_program(),
        shared_std,
        crate_name: crate_name.to_owned().leak(),
        generation,
    }))
}

/// Begins a panic of the host's own `std`, whose unwinding an image's frames let pass.
fn raise(message: String) -> ! {
    std::panic::resume_unwind(Box::new(message))
}
