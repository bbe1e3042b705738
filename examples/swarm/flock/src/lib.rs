//! How birds fly. Called from worker threads.

use pitstop_reloadable::reloadable;

/// How strongly a bird is drawn to the middle of the field.
const HOMESICKNESS: f32 = 0.5;

/// A bird, in a field that reaches from 0 to 1 both ways.
#[derive(Clone, Debug, Default)]
pub struct Bird {
    /// Position and speed to the right.
    pub x: f32,
    /// Position upwards.
    pub y: f32,
    /// Speed, in fields per second.
    pub vx: f32,
    /// Speed, in fields per second.
    pub vy: f32,
}

/// Moves a part of the flock on by `dt` seconds.
#[reloadable]
pub fn fly(birds: &mut [Bird], seconds: f32, dt: f32) {
    for bird in birds {
        bird.vx += (HOMESICKNESS * (0.5 - bird.x) + weather::wind(bird.y, seconds)) * dt;
        bird.vy += HOMESICKNESS * (0.5 - bird.y) * dt;
        bird.x += bird.vx * dt;
        bird.y += bird.vy * dt;
    }
}

/// One line about a part of the flock.
#[reloadable]
pub fn describe(birds: &[Bird]) -> String {
    let count = birds.len().max(1) as f32;
    let middle = birds.iter().map(|bird| bird.x).sum::<f32>() / count;
    format!("{} birds around {middle:.2} in a {}", birds.len(), weather::name())
}
