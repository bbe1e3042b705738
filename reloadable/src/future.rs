//! Futures of reloadable `async fn`s: boxed by the image that made them, so that callers need not know their type.
#![expect(unsafe_code, reason = "keeps a boxed future without naming the lifetimes that its owner captures")]

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A future whose type and lifetimes are forgotten, and whether it is `Send`.
pub struct Erased<R> {
    future: Pin<Box<dyn Future<Output = R>>>,
    send: bool,
}

impl<R> std::fmt::Debug for Erased<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Erased").field("send", &self.send).finish_non_exhaustive()
    }
}

impl<R> Erased<R> {
    /// Boxes a future.
    ///
    /// # Safety
    /// The result must be dropped before any lifetime in `F` ends. The attribute's expansion keeps it inside a future
    /// whose type captures them all.
    #[must_use]
    pub unsafe fn new<'a, F: Future<Output = R> + 'a>(future: F, send: bool) -> Self
    where
        R: 'a,
    {
        let future: Pin<Box<dyn Future<Output = R> + 'a>> = Box::pin(future);
        // SAFETY: only the lifetime bound changes, and the caller keeps to it.
        let future = unsafe {
            std::mem::transmute::<Pin<Box<dyn Future<Output = R> + 'a>>, Pin<Box<dyn Future<Output = R>>>>(future)
        };
        Self { future, send }
    }
}

/// Boxes a future, finding out whether it is `Send`.
#[doc(hidden)]
#[macro_export]
macro_rules! erase {
    ($future:expr) => {{
        #[allow(unused_imports)]
        use $crate::__private::MaybeSend as _;
        let future = $future;
        let send = $crate::__private::IsSend::of(&future).is_send();
        // SAFETY: the expansion keeps the result inside a future that captures the same lifetimes.
        unsafe { $crate::__private::Erased::new(future, send) }
    }};
}

/// Asks a value's type whether it is `Send`: the inherent method is preferred where its bound holds.
#[derive(Debug)]
pub struct IsSend<T>(PhantomData<T>);

impl<T> IsSend<T> {
    /// Of this value's type.
    #[must_use]
    pub fn of(_: &T) -> Self {
        Self(PhantomData)
    }

    /// Of what this function returns.
    #[must_use]
    pub fn result_of<W: Returns<Result = T>>(_: W) -> Self {
        Self(PhantomData)
    }
}

impl<T: Send> IsSend<T> {
    /// It is.
    #[must_use]
    pub fn is_send(&self) -> bool {
        true
    }
}

/// The answer of [`IsSend`] for types that are not.
pub trait MaybeSend {
    /// It is not.
    fn is_send(&self) -> bool {
        false
    }
}

impl<T> MaybeSend for IsSend<T> {}

/// A function pointer's result.
pub trait Returns {
    /// The result's type.
    type Result;
}

macro_rules! returns {
    ($($argument:ident)*) => {
        impl<R, $($argument),*> Returns for fn($($argument),*) -> R {
            type Result = R;
        }
        impl<R, $($argument),*> Returns for unsafe fn($($argument),*) -> R {
            type Result = R;
        }
    };
}

returns!();
returns!(A);
returns!(A B);
returns!(A B C);
returns!(A B C D);
returns!(A B C D E);
returns!(A B C D E F);
returns!(A B C D E F G);
returns!(A B C D E F G H);
returns!(A B C D E F G H I);
returns!(A B C D E F G H I J);
returns!(A B C D E F G H I J K);
returns!(A B C D E F G H I J K L);

/// The future that a reloadable `async fn` returns: runs what `erased` holds, and is `Send` where the future of
/// `witness`, the function linked into the caller, is; `send` says whether that is so.
///
/// # Panics
/// When callers were compiled to rely on `Send` and the live generation's future is not.
pub fn live<R, W: Returns>(erased: Erased<R>, witness: W, send: bool) -> Live<R, W::Result> {
    let _ = witness;
    assert!(
        erased.send || !send,
        "the new code of this async function keeps something across an `.await` that must not leave its thread (an `Rc`, a \
         lock guard), but its callers were compiled to send the future between threads; undo that, or restart"
    );
    Live { erased, witness: PhantomData }
}

/// See [`live`].
pub struct Live<R, W> {
    erased: Erased<R>,
    witness: PhantomData<W>,
}

impl<R, W> std::fmt::Debug for Live<R, W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.erased.fmt(f)
    }
}

// SAFETY: `live` refused a future that is not Send where W is.
unsafe impl<R, W: Send> Send for Live<R, W> {}

// The pinned future is behind its own box.
impl<R, W> Unpin for Live<R, W> {}

impl<R, W> Future for Live<R, W> {
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<R> {
        self.erased.future.as_mut().poll(context)
    }
}
