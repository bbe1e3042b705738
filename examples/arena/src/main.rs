//! The arena's host: holds the balls and owns the terminal. The rules are in `arena-rules` and change while this runs.

mod screen;

use arena_rules::World;
use pitstop_host::{Event, Events};
use std::time::{Duration, Instant};

const FRAME: Duration = Duration::from_millis(33);

#[expect(clippy::disallowed_methods, reason = "frames are paced, nothing is awaited")]
fn main() -> std::io::Result<()> {
    let pit = pitstop_host::attach();
    let mut events = pit.events();
    let mut news = String::from("edit examples/arena/rules/src/lib.rs and save; q ends");
    let frames = frames_wanted();
    let mut world = pit.state::<World>();
    arena_rules::begin(&mut world);
    let mut screen = screen::Screen::open()?;
    let mut frame = 0_u64;
    while frames.is_none_or(|frames| frame < frames) && !screen.wants_to_quit()? {
        let begun = Instant::now();
        pit.safe_point();
        arena_rules::step(&mut world, FRAME.as_secs_f32());
        hear(&mut events, &mut news);
        screen.draw(frame, &arena_rules::draw(&world), &news)?;
        frame += 1;
        std::thread::sleep(FRAME.saturating_sub(begun.elapsed()));
    }
    Ok(())
}

/// The number after `--frames`.
fn frames_wanted() -> Option<u64> {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--frames");
    arguments.nth(1)?.parse().ok()
}

/// Turns what happens in the session into a line for the screen.
fn hear(events: &mut Events, news: &mut String) {
    while let Some(event) = events.try_next() {
        match event {
            Event::Live { crate_name, generation, edit_to_live_ms, .. } => {
                *news = format!("{crate_name} #{generation} is live, {edit_to_live_ms:.0} ms after the edit");
            }
            Event::BuildFailed { rendered, .. } => {
                *news = rendered.lines().next().unwrap_or("the build failed").to_owned();
            }
            Event::Rejected { reasons, .. } => {
                *news = reasons.first().map_or_else(String::new, |reason| format!("refused: {reason}"));
            }
            _ => {}
        }
    }
}
