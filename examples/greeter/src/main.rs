//! Greets through every plugin there is, once a frame. Edit one of them, or add another, while it runs.
//!
//! `--frames N` ends it after so many frames, and `--plugins FILE` opens these plugins in place of its own `pitstop.toml`.

use pitstop_host::{Event, Plugin, PluginState, Plugins};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn main() {
    let frames = after("--frames").and_then(|frames| frames.parse().ok());
    let pit = pitstop_host::attach();
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join("pitstop.toml");
    let file = after("--plugins").map_or_else(own, PathBuf::from);
    let plugins = Plugins::open(&file).unwrap_or_else(|error| {
        eprintln!("{error}");
        std::process::exit(1);
    });
    let mut events = plugins.events();
    // In a session `cargo pitstop` tells what is wrong.
    let tells = !pit.is_attached();
    for plugin in plugins.list().iter().filter(|_| tells) {
        plugin.problem.iter().for_each(|problem| println!("! {}: {problem}", plugin.name));
    }
    let mut last = String::new();
    for frame in 0..frames.unwrap_or(u64::MAX) {
        pit.safe_point();
        let mut picture = String::new();
        for plugin in plugins.list().iter().filter(|plugin| plugin.state == PluginState::Live) {
            let Ok(handle) = plugins.get(&plugin.name) else { continue };
            let greeting = handle.process_text("pit crew").unwrap_or_else(|error| format!("! {error}"));
            let version = handle.metadata().version;
            picture += &format!("{:8} {:6} {:8} {greeting}\n", plugin.name, plugin.mechanism, version);
        }
        if picture != last {
            println!("frame {frame}\n{picture}");
            let _ = std::io::stdout().flush();
            last = picture;
        }
        // The time between frames, or less if something happens.
        let event = events.next_within(Duration::from_millis(100));
        if let Some(Event::Rejected { crate_name, reasons, .. }) = event.filter(|_| tells) {
            reasons.iter().for_each(|reason| println!("! {crate_name}: {reason}"));
        }
    }
}

/// What follows this argument.
fn after(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}
