//! A program that checks nothing: opens the plugin that it is given, and calls it on a world of its own.
//!
//! First it runs the functions that are linked into it, then those of the plugin, and says what each of them reads, and at
//! last what it reads itself of what the plugin has left. Where the plugin matches, the three lists are equal.
#![expect(unsafe_code, reason = "the point of the example: nobody vouches for the plugin")]

use libloading::Library;
use plugin::{Weather, World};
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::path::Path;
use std::process::ExitCode;

/// Exit code when the system's loader refuses the plugin.
const NOT_LOADED: u8 = 3;

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: version-match PLUGIN; `cargo pitstop demo version-match` makes the plugins");
        return ExitCode::from(2);
    };
    set_hook(Box::new(|_| {}));
    let mut world = plugin::begin();
    plugin::tick(&mut world, 0.5);
    plugin::look(&world, |name, value| println!("program {name} {value:?}"));
    println!("program panics {}", survived(plugin::tick));
    match call(Path::new(&path), plugin::begin()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let said = error.source().map(ToString::to_string);
            eprintln!("{}", said.unwrap_or_else(|| error.to_string()));
            ExitCode::from(NOT_LOADED)
        }
    }
}

/// Runs the plugin's functions on a world that the program's own code made, reads, and frees.
fn call(path: &Path, mut world: World) -> Result<(), libloading::Error> {
    // SAFETY: nobody knows.
    let image = unsafe { Library::new(path) }?;
    // SAFETY: nobody knows.
    let tick = unsafe { image.get::<fn(&mut World, f32)>(b"tick") }?;
    // SAFETY: nobody knows.
    let look = unsafe { image.get::<fn(&World, fn(&str, f64))>(b"look") }?;
    tick(&mut world, 0.5);
    look(&world, |name, value| println!("plugin {name} {value:?}"));
    plugin::look(&world, |name, value| println!("back {name} {value:?}"));
    drop(world);
    println!("plugin panics {}", survived(*tick));
    Ok(())
}

/// How many panics the program survives: `tick` panics in a world without balls.
fn survived(tick: fn(&mut World, f32)) -> u8 {
    let mut empty = World { balls: Vec::new(), trail: Vec::new(), weather: Weather::Calm };
    let ended = catch_unwind(AssertUnwindSafe(|| tick(&mut empty, 0.5)));
    u8::from(ended.is_err())
}
