//! The rules of the game in C: which way the ball is drawn, and what a bounce is worth. Edit, type `make`, and look.
#![expect(unsafe_code, reason = "functions that C finds by name")]

/// How much the speed grows in a frame, in rows per frame.
const GRAVITY: f64 = 0.4;

/// The speed a frame later.
#[unsafe(no_mangle)]
pub extern "C" fn rules_fall(speed: f64) -> f64 {
    speed + GRAVITY
}

/// What a bounce is worth.
#[unsafe(no_mangle)]
pub extern "C" fn rules_points(bounces: u32) -> u32 {
    bounces * 10
}
