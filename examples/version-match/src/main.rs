//! A program that checks nothing: opens the plugin that it is given, and calls it on a world of its own.
//!
//! First it runs the functions that are linked into it, then those of the plugin, and says what each of them reads. The two
//! lists are equal, where the plugin matches.
#![expect(unsafe_code, reason = "the point of the example: nobody vouches for the plugin")]

use libloading::Library;
use plugin::World;
use std::path::Path;
use std::process::ExitCode;

/// Exit code when the system's loader refuses the plugin.
const NOT_LOADED: u8 = 3;

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: version-match PLUGIN; `cargo pitstop demo version-match` makes the plugins");
        return ExitCode::from(2);
    };
    let mut world = plugin::begin();
    plugin::tick(&mut world, 0.5);
    plugin::look(&world, |name, value| println!("program {name} {value}"));
    match call(Path::new(&path), plugin::begin()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(NOT_LOADED)
        }
    }
}

/// Runs the plugin's functions on a world that the program's own code made, and that it frees.
fn call(path: &Path, mut world: World) -> Result<(), libloading::Error> {
    // SAFETY: nobody knows.
    let plugin = unsafe { Library::new(path) }?;
    // SAFETY: nobody knows.
    let tick = unsafe { plugin.get::<fn(&mut World, f32)>(b"tick") }?;
    // SAFETY: nobody knows.
    let look = unsafe { plugin.get::<fn(&World, fn(&str, f64))>(b"look") }?;
    tick(&mut world, 0.5);
    look(&world, |name, value| println!("plugin {name} {value}"));
    drop(world);
    Ok(())
}
