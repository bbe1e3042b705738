//! The edge to C: no panic leaves it, and every failure has the form of an error object.

use crate::error::{Error, PITSTOP_ERROR_PANICKED};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;

/// Runs what a function does. Null when all is well, otherwise an error that the caller frees.
pub(crate) fn guarded(work: impl FnOnce() -> Result<(), Error>) -> *mut Error {
    let error = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => return null_mut(),
        Ok(Err(error)) => error,
        Err(payload) => Error::new(PITSTOP_ERROR_PANICKED, format!("pitstop panicked: {}", message(payload))),
    };
    Box::into_raw(Box::new(error))
}

fn message(payload: Box<dyn Any + Send>) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned());
    // A payload may panic when it is dropped.
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{pitstop_error_code, pitstop_error_free, pitstop_error_text};
    use std::ffi::CStr;

    #[test]
    #[expect(unsafe_code, reason = "reads an error as C does")]
    fn a_panic_is_an_error_with_its_message() {
        let error = guarded(|| std::panic::panic_any("no\0 way".to_owned()));
        // SAFETY: an error that is freed below.
        assert_eq!(unsafe { pitstop_error_code(error) }, PITSTOP_ERROR_PANICKED);
        // SAFETY: as above.
        let text = unsafe { pitstop_error_text(error) };
        // SAFETY: the error's text, NUL-terminated.
        let text = unsafe { CStr::from_ptr(text) };
        assert_eq!(text.to_str(), Ok("pitstop panicked: no  way"));
        // SAFETY: freed once.
        unsafe { pitstop_error_free(error) };
    }
}
