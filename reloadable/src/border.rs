//! The edge of an image: a panic is caught on the inner side and goes on from the host's.
//!
//! Where an image has a `std` of its own, a panic that crossed raw would abort the process: its landing pads do not
//! know the other's payload. Where `std` is shared, the payload itself goes on.

use crate::records::follow;
use crate::services::raise;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Runs an exported body.
#[inline]
pub fn border<R>(function: &'static str, body: impl FnOnce() -> R) -> R {
    follow();
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(result) => result,
        Err(payload) => raise(function, payload),
    }
}

/// The future of an exported `async fn`: every poll is a crossing.
pub fn border_future<F: Future>(function: &'static str, future: F) -> impl Future<Output = F::Output> {
    Bordered { function, future: Box::pin(future) }
}

struct Bordered<F> {
    function: &'static str,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Bordered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let function = self.function;
        let future = self.future.as_mut();
        border(function, || future.poll(context))
    }
}
