//! From a file that is replaced to an answer of the new one: without whoever compiles it.

use crate::{Outcome, Subject, median, nanoseconds, number, say};
use pitstop_host::{Event, Events};
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long to wait for what should take milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);
/// The program's frame: how often it comes to a safe point.
const FRAME: Duration = Duration::from_micros(200);

/// Replaces the file that is live by the second and the first in turn.
pub(crate) fn measure(configuration: &str, live: &str, files: [&str; 2], rounds: &str) -> Outcome {
    let rounds: usize = number(rounds)?;
    let subject = Subject::open(configuration)?;
    let mut events = subject.plugins.events();
    let mut times = Vec::new();
    for round in 0..rounds {
        let (file, greeting) = if round % 2 == 0 { (files[1], "Howdy") } else { (files[0], "Hello") };
        times.push(replace(&subject, &mut events, Path::new(live), Path::new(file), greeting)?);
    }
    say(&json!({ "reload_ns": nanoseconds(median(times)) }));
    Ok(())
}

fn replace(
    subject: &Subject,
    events: &mut Events,
    live: &Path,
    file: &Path,
    greeting: &str,
) -> Result<Duration, String> {
    let cannot = |error: std::io::Error| format!("{}: {error}", live.display());
    let fresh = live.with_extension("fresh");
    std::fs::copy(file, &fresh).map_err(cannot)?;
    let begun = Instant::now();
    std::fs::rename(&fresh, live).map_err(cannot)?;
    loop {
        subject.pit.safe_point();
        match events.next_within(FRAME) {
            Some(Event::Live { .. }) => break,
            Some(Event::Rejected { reasons, .. }) => {
                let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
                return Err(format!("the new file is refused: {}", reasons.join("; ")));
            }
            _ if begun.elapsed() > PATIENCE => return Err("the new file does not become live".to_owned()),
            _ => {}
        }
    }
    let answer = subject.ask("greet:pit crew")?;
    let took = begun.elapsed();
    if answer == format!("{greeting}, pit crew!") {
        Ok(took)
    } else {
        Err(format!("after a reload it greets with `{answer}`"))
    }
}
