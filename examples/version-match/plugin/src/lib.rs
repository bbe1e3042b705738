//! The plugin: three functions over a world that the program owns.
//!
//! `cargo pitstop demo version-match` builds this crate once into the program, and then again and again as an image with
//! one thing changed. `tick` and `look` have plain symbol names, so that a program which checks nothing can find them too.
#![expect(unsafe_code, reason = "plain symbol names, which no other library of the program has")]

use geometry::Vector;
use pitstop_reloadable::reloadable;

/// Downwards, per second squared.
const GRAVITY: f32 = 1.0;

/// What the program keeps.
#[derive(Debug)]
pub struct World {
    /// What moves.
    pub balls: Vec<Ball>,
    /// From where to where the first ball went last.
    pub trail: Vec<Vector>,
    /// What blows.
    pub weather: Weather,
}

/// A ball.
#[derive(Debug)]
pub struct Ball {
    /// Its place.
    pub place: Vector,
    /// Its speed, per second.
    pub speed: Vector,
    /// Half its width.
    pub radius: f32,
    /// What it weighs.
    pub mass: f32,
}

/// What the air does.
#[derive(Debug)]
pub enum Weather {
    /// Nothing.
    Calm,
    /// It blows to the right with this force.
    Wind(f32),
}

/// What a ball feels. It never leaves the plugin.
struct Push {
    right: f32,
    up: f32,
}

/// The world at the beginning.
#[must_use]
#[reloadable]
pub fn begin() -> World {
    World { balls: vec![ball(2.0, 8.0), ball(3.0, 27.0)], trail: Vec::new(), weather: Weather::Wind(4.0) }
}

fn ball(radius: f32, mass: f32) -> Ball {
    let place = Vector::new(0.0, 10.0);
    let speed = Vector::new(1.0, 0.0);
    Ball { place, speed, radius, mass }
}

/// Moves everything on by some seconds.
///
/// # Panics
/// When there is no ball.
#[reloadable]
#[unsafe(no_mangle)]
pub fn tick(world: &mut World, seconds: f32) {
    let from = world.balls[0].place;
    for ball in &mut world.balls {
        let push = push(&world.weather, ball.mass);
        ball.speed.x += push.right * seconds;
        ball.speed.y += push.up * seconds;
        ball.place.x += ball.speed.x * seconds;
        ball.place.y += ball.speed.y * seconds;
    }
    world.trail = vec![from, world.balls[0].place];
}

/// Tells all that is in the world, each value with its name.
#[reloadable]
#[unsafe(no_mangle)]
pub fn look(world: &World, tell: fn(&str, f64)) {
    tell("balls", world.balls.len() as f64);
    if let Some(ball) = world.balls.last() {
        tell("radius", f64::from(ball.radius));
        tell("mass", f64::from(ball.mass));
        tell("height", f64::from(ball.place.y));
        tell("speed", f64::from(ball.speed.length()));
    }
    if let Some(place) = world.trail.last() {
        tell("trail", f64::from(place.x));
    }
    tell("wind", f64::from(force(&world.weather)));
}

fn push(weather: &Weather, mass: f32) -> Push {
    Push { right: force(weather) / mass, up: -GRAVITY }
}

fn force(weather: &Weather) -> f32 {
    match weather {
        Weather::Calm => 0.0,
        Weather::Wind(force) => *force,
    }
}
