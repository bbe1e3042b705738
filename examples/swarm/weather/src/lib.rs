//! The wind. A reloadable crate that another reloadable crate calls.

use pitstop_reloadable::reloadable;

/// The strongest that the wind gets, in fields per second.
const GUST: f32 = 0.2;

/// The wind at a height, at a time in seconds: positive is to the right.
#[reloadable]
pub fn wind(height: f32, seconds: f32) -> f32 {
    GUST * (seconds * 0.7 + height * 3.0).sin()
}

/// What it is called.
#[reloadable]
pub fn name() -> &'static str {
    "breeze"
}
