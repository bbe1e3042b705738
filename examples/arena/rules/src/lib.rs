//! The rules of the arena. Run `cargo pitstop run arena`, change anything below, save, and watch the balls.

use pitstop_reloadable::{State, reloadable};
use serde::{Deserialize, Serialize};

/// Downwards, in arena heights per second squared. Try a negative number.
const GRAVITY: f32 = 1.6;
/// The part of its speed that a ball keeps when it hits the floor or a wall.
const BOUNCE: f32 = 0.92;
/// What a ball looks like, from slow to fast.
const LOOKS: [char; 4] = ['.', 'o', 'O', '@'];

/// Everything that moves. It outlives every edit; add a field, and the balls fly on.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct World {
    /// The balls.
    pub balls: Vec<Ball>,
}

/// A ball. The arena reaches from 0 to 1 both ways, and y grows upwards.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
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

/// Where the host draws what. It was compiled with this type, and knows nothing of [`World`].
#[derive(Debug)]
pub struct Dot {
    /// Position.
    pub x: f32,
    /// Position.
    pub y: f32,
    /// The character.
    pub look: char,
}

/// Puts the balls into place, unless they fly already.
#[reloadable]
pub fn begin(world: &mut State<World>) {
    if !world.balls.is_empty() {
        return;
    }
    world.balls = (0..12_u8)
        .map(|index| {
            let part = f32::from(index) / 12.0;
            Ball { x: part, y: 0.4 + 0.5 * part, vx: 0.3 - 0.5 * part, vy: 0.0 }
        })
        .collect();
}

/// Moves everything on by `dt` seconds.
#[reloadable]
pub fn step(world: &mut State<World>, dt: f32) {
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

/// What is to be seen.
#[reloadable]
pub fn draw(world: &State<World>) -> Vec<Dot> {
    world.balls.iter().map(|ball| Dot { x: ball.x, y: ball.y, look: ball.look() }).collect()
}

impl Ball {
    /// The character that the ball is drawn with.
    fn look(&self) -> char {
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
