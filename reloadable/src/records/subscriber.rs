//! Spans and events of an image that has its own copy of `tracing-core` go to the program's subscriber.
//!
//! The image's copy gets a subscriber whose code is the program's, and which hands all on to what the program has on that
//! thread at that time. It answers `sometimes` to the image's callsites, so that each event asks anew: no cache of the image's
//! can be out of date when the program sets a subscriber or changes a filter. The program's subscribers still hear of each
//! callsite, because it is entered into the program's registry too.

use super::Lent;
use std::any::Any;
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use tracing_core::callsite::{self, Callsite, Identifier};
use tracing_core::dispatcher::{Dispatch, get_default, has_been_set, set_global_default};
use tracing_core::span::{Attributes, Current, Id, Record};
use tracing_core::subscriber::Interest;
use tracing_core::{Event, LevelFilter, Metadata, Subscriber};

type Lend = fn() -> Box<dyn Subscriber + Send + Sync>;

/// In the program: what it lends.
pub(super) fn lent() -> Option<Lent> {
    static LEND: Lend = || Box::new(OfTheProgram);
    Some(&LEND)
}

/// Whether there is a subscriber.
pub(super) fn is_set() -> bool {
    has_been_set()
}

/// In an image: takes what the program lends. False when that is of another build of `tracing-core`.
pub(super) fn adopt(lent: Option<Lent>) -> bool {
    let Some(lend) = lent.and_then(<dyn Any + Send + Sync>::downcast_ref::<Lend>) else { return false };
    // Fails when the image has set a subscriber itself: then that is what it wants.
    let _ = set_global_default(Dispatch::new(lend()));
    true
}

/// The subscriber that the program has on the calling thread.
struct OfTheProgram;

impl Subscriber for OfTheProgram {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        static KNOWN: Mutex<Option<HashSet<Identifier>>> = Mutex::new(None);
        let fresh = {
            let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
            known.get_or_insert_default().insert(metadata.callsite())
        };
        if fresh {
            // Never forgotten, like the image.
            callsite::register(Box::leak(Box::new(OfAnImage(metadata))));
        }
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= LevelFilter::current() && get_default(|current| current.enabled(metadata))
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        get_default(|current| current.new_span(span))
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        get_default(|current| current.record(span, values));
    }

    fn record_follows_from(&self, span: &Id, follows: &Id) {
        get_default(|current| current.record_follows_from(span, follows));
    }

    fn event(&self, event: &Event<'_>) {
        get_default(|current| current.event(event));
    }

    fn enter(&self, span: &Id) {
        get_default(|current| current.enter(span));
    }

    fn exit(&self, span: &Id) {
        get_default(|current| current.exit(span));
    }

    fn clone_span(&self, id: &Id) -> Id {
        get_default(|current| current.clone_span(id))
    }

    fn try_close(&self, id: Id) -> bool {
        get_default(|current| current.try_close(id.clone()))
    }

    fn current_span(&self) -> Current {
        get_default(Dispatch::current_span)
    }
}

/// A callsite of an image, in the program's registry. The image's own entry cannot be in two registries.
struct OfAnImage(&'static Metadata<'static>);

impl Callsite for OfAnImage {
    // The image asks each time.
    fn set_interest(&self, _: Interest) {}

    fn metadata(&self) -> &Metadata<'_> {
        self.0
    }
}
