//! Without the feature `tracing`: an image with its own copy of `tracing-core` has the subscriber that it sets itself.

use super::Lent;

/// In the program: what it lends.
pub(super) fn lent() -> Option<Lent> {
    None
}

/// Whether there is a subscriber.
pub(super) fn is_set() -> bool {
    false
}

/// In an image: takes what the program lends. False when that is of another build of `tracing-core`.
pub(super) fn adopt(_: Option<Lent>) -> bool {
    true
}
