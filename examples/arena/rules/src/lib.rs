//! The rules of the arena. Run `cargo pitstop run arena`, change anything below, save, and watch the balls.

use pitstop_reloadable::reloadable;

/// Downwards, in arena heights per second squared. Try a negative number.
const GRAVITY: f32 = 1.6;
/// The part of its speed that a ball keeps when it hits the floor or a wall.
const BOUNCE: f32 = 0.92;
/// What a ball looks like, from slow to fast.
const LOOKS: [char; 4] = ['.', 'o', 'O', '@'];

/// Everything that moves. The host owns it, so it outlives every edit.
#[derive(Debug, Default)]
pub struct World {
    /// The balls.
    pub balls: Vec<Ball>,
}

/// A ball. The arena reaches from 0 to 1 both ways, and y grows upwards.
#[derive(Debug)]
pub struct Ball {
    /// Position.
    pub x: f32,
    /// Position.
    pub y: f32,
    /// Speed, in arenas per second.
    pub vx: f32,
    /// Speed, in arenas per second.
    pub vy: f32,
}

/// Puts the balls into place.
#[reloadable]
pub fn begin(world: &mut World) {
    world.balls = (0..12_u8)
        .map(|index| {
            let part = f32::from(index) / 12.0;
            Ball { x: part, y: 0.4 + 0.5 * part, vx: 0.3 - 0.5 * part, vy: 0.0 }
        })
        .collect();
}

/// Moves everything on by `dt` seconds.
#[reloadable]
pub fn step(world: &mut World, dt: f32) {
    for ball in &mut world.balls {
        ball.vy -= GRAVITY * dt;
        ball.x += ball.vx * dt;
        ball.y += ball.vy * dt;
        bounce(&mut ball.x, &mut ball.vx);
        bounce(&mut ball.y, &mut ball.vy);
    }
}

fn bounce(position: &mut f32, speed: &mut f32) {
    if *position < 0.0 || *position > 1.0 {
        *position = position.clamp(0.0, 1.0);
        *speed = -*speed * BOUNCE;
    }
}

#[reloadable]
impl Ball {
    /// The character that the ball is drawn with.
    pub fn look(&self) -> char {
        let speed = self.vx.hypot(self.vy);
        let index = if speed < 0.2 {
            0
        } else if speed < 0.6 {
            1
        } else if speed < 1.2 {
            2
        } else {
            3
        };
        LOOKS[index]
    }
}
