//! The edge of a reloadable function: a panic is caught on the inner side, and answered as the host says.
//!
//! Where an image has a `std` of its own, a panic that crossed raw would abort the process: its landing pads do not
//! know the other's payload. Where `std` is shared, the payload itself goes on.

use crate::note;
use crate::records::follow;
use crate::services::{Panic, Reply, Services, services};
use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

/// What is done about a panic in a reloadable function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnPanic {
    /// The last good generation is made live at the next safe point, and the call returns the function's `fallback`. A
    /// function that has a result and no fallback lets its caller have the panic.
    #[default]
    Rollback,
    /// The call waits until another generation is live, and is made again with that. Where an argument cannot be had
    /// twice, it returns the fallback then.
    Hold,
    /// The caller gets the panic.
    Propagate,
}

/// What is known of a reloadable function where it is compiled.
#[derive(Debug)]
pub struct Site {
    /// Its full name.
    pub function: &'static str,
    /// What it says itself about panics.
    pub on_panic: Option<OnPanic>,
    /// Whether it has something to return in place of a result.
    pub fallback: bool,
    /// Whether it is the polling of a future.
    pub future: bool,
}

/// Runs a body; `answer` makes a result of its panic.
#[inline(always)]
pub fn border<R>(body: impl FnOnce() -> R, answer: impl FnOnce(Caught) -> R) -> R {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(result) => result,
        Err(payload) => answer(Caught(payload)),
    }
}

/// A panic that has reached the border.
pub struct Caught(Box<dyn Any + Send>);

impl std::fmt::Debug for Caught {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Caught")
    }
}

impl Caught {
    /// Asks the host what is to be done, where the call is not to be made again.
    #[cold]
    #[inline(never)]
    #[must_use]
    pub fn answer(self, site: &Site) -> Over {
        let Some(services) = services() else { return Over { payload: self.0, gives_way: false } };
        let reply = self.ask(site, services, std::ptr::null(), false);
        Over { payload: self.0, gives_way: reply == Reply::Fallback }
    }

    /// Asks the host what is to be done. `own` is the function that was called, and `twice` whether that can be done again;
    /// `Ok` is the function to call then.
    ///
    /// # Errors
    /// The call is over.
    #[cold]
    #[inline(never)]
    pub fn answer_or_again(self, site: &Site, own: *const (), twice: bool) -> Result<*const (), Over> {
        let Some(services) = services() else { return Err(Over { payload: self.0, gives_way: false }) };
        match self.ask(site, services, own, twice) {
            Reply::Again(live) => {
                let_go(self.0);
                Ok(live)
            }
            reply => Err(Over { payload: self.0, gives_way: reply == Reply::Fallback }),
        }
    }

    fn ask(&self, site: &Site, services: &Services, own: *const (), twice: bool) -> Reply {
        let message = message(&*self.0);
        let note = (services.note)(&message);
        let place = note.as_ref().map(|note| note.place);
        let reply = (services.answer)(Panic {
            function: site.function,
            on_panic: site.on_panic,
            crate_name: services.crate_name,
            generation: services.generation,
            message,
            note,
            own,
            twice,
            fallback: site.fallback,
            future: site.future,
        });
        // Who has the panic go on wants to hear of each.
        if let Some(place) = place.filter(|_| reply != Reply::Propagate) {
            (services.hush)(place);
        }
        reply
    }
}

/// A call that panicked and is not made again.
pub struct Over {
    payload: Box<dyn Any + Send>,
    gives_way: bool,
}

impl std::fmt::Debug for Over {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Over").field("gives_way", &self.gives_way).finish_non_exhaustive()
    }
}

impl Over {
    /// Returns the fallback, if that is what the host wants.
    pub fn give_way<R>(self, fallback: impl FnOnce() -> R) -> R {
        if !self.gives_way {
            self.go_on();
        }
        let_go(self.payload);
        // It must not cross raw either.
        match catch_unwind(AssertUnwindSafe(fallback)) {
            Ok(value) => value,
            Err(payload) => go_on(payload),
        }
    }

    /// Lets the caller have the panic.
    pub fn go_on(self) -> ! {
        go_on(self.payload)
    }
}

fn go_on(payload: Box<dyn Any + Send>) -> ! {
    match services() {
        Some(services) if !services.shared_std => {
            // A payload of this image's `std` means nothing to the host's: its message does.
            let message = message(&*payload);
            let_go(payload);
            (services.raise)(message)
        }
        _ => resume_unwind(payload),
    }
}

/// Drops a payload, whose drop glue may be anything.
fn let_go(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
}

/// Runs what must not unwind into its caller.
///
/// # Errors
/// The panic's message, and where it was.
pub fn contained(body: impl FnOnce()) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(body)).map_err(|payload| {
        let message = message(&*payload);
        let_go(payload);
        let note = match services() {
            Some(services) => (services.note)(&message),
            None => note::take(&message),
        };
        match note {
            Some(note) => format!("{message}, at {}", note.location),
            None => message,
        }
    })
}

pub(crate) fn message(payload: &dyn Any) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic whose payload is not text".to_owned()
    }
}

/// The future of an `async fn`: every poll is a crossing. A future that panicked is over, so its panic goes on in any case.
pub fn border_future<F: Future>(site: &'static Site, future: F) -> impl Future<Output = F::Output> {
    Bordered { site, future: Box::pin(future) }
}

struct Bordered<F> {
    site: &'static Site,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Bordered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let site = self.site;
        let future = self.future.as_mut();
        follow();
        border(move || future.poll(context), |caught| caught.answer(site).go_on())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("a payload that panics when it is dropped");
        }
    }

    #[test]
    fn a_payload_that_panics_when_it_is_dropped_is_let_go() {
        let over = Over { payload: Box::new(Bomb), gives_way: true };
        assert_eq!(over.give_way(|| 3), 3);
    }

    #[test]
    fn without_a_host_the_payload_itself_goes_on() {
        let site = Site { function: "f", on_panic: None, fallback: true, future: false };
        let caught = catch_unwind(|| {
            border(|| std::panic::panic_any(7_u8), |caught| caught.answer(&site).give_way(|| ()));
        });
        let payload = caught.expect_err("a panic");
        assert_eq!(payload.downcast_ref::<u8>(), Some(&7));
    }

    #[test]
    fn what_a_contained_panic_said_and_where_is_told() {
        assert_eq!(contained(|| ()), Ok(()));
        let said = contained(|| panic!("no {} left", "fuel"));
        assert!(said.as_ref().is_err_and(|said| said.starts_with("no fuel left")), "{said:?}");
        let said = contained(|| std::panic::panic_any(7_u8));
        assert_eq!(said, Err("a panic whose payload is not text".to_owned()));
    }
}
