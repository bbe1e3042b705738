//! What a plugin that does what it should not comes to. Where that is the end of this program, nothing is printed.

use crate::{Outcome, Subject, nanoseconds, say};
use pitstop_host::Plugin;
use serde_json::json;
use std::time::{Duration, Instant};

/// How long a plugin may take to answer again.
const PATIENCE: Duration = Duration::from_secs(20);

/// Has the plugin do it, and then greet.
pub(crate) fn observe(configuration: &str, input: &str) -> Outcome {
    let subject = Subject::open(configuration)?;
    if !subject.greets() {
        return Err("it does not greet before anything else is tried".to_owned());
    }
    let begun = Instant::now();
    let result = subject.handle.process(input.as_bytes());
    let took = nanoseconds(begun.elapsed());
    match result {
        Ok(output) => say(&json!({ "outcome": "answered", "output_bytes": output.len(), "took_ns": took })),
        Err(error) => {
            let again = again(&subject);
            let (kind, message) = (error.kind(), error.to_string());
            say(&json!({ "outcome": "error", "kind": kind, "message": message, "took_ns": took, "again_ns": again }));
        }
    }
    Ok(())
}

/// How long it takes until it greets again.
fn again(subject: &Subject) -> Option<f64> {
    let begun = Instant::now();
    // A call waits by itself for a process that is being started.
    while !subject.greets() {
        if begun.elapsed() > PATIENCE {
            return None;
        }
        std::thread::yield_now();
    }
    Some(nanoseconds(begun.elapsed()))
}

/// Opens a plugin that was made for another version of the interface.
pub(crate) fn version(configuration: &str) -> Outcome {
    let subject = match Subject::open(configuration) {
        Ok(subject) => subject,
        Err(message) => {
            say(&json!({ "outcome": "refused", "message": message }));
            return Ok(());
        }
    };
    match subject.handle.process(b"greet:pit crew") {
        Ok(_) => say(&json!({ "outcome": "answered" })),
        Err(error) => say(&json!({ "outcome": "error", "kind": error.kind(), "message": error.to_string() })),
    }
    Ok(())
}
