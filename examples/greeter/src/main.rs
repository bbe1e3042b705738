//! Greets through every plugin there is, once a frame. Edit one of them, or add another, while it runs.

use pitstop_host::{Event, Plugin, PluginState, Plugins};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

fn main() {
    let frames = frames();
    let pit = pitstop_host::attach();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("pitstop.toml");
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

/// After `--frames`.
fn frames() -> Option<u64> {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--frames");
    arguments.nth(1)?.parse().ok()
}
