//! From nothing to the first answer, and what memory that takes.

use crate::{Outcome, Subject, memory, nanoseconds, say};
use pitstop_host::Plugins;
use serde_json::json;
use std::time::Instant;

/// Opens the plugin in a program that has a registry already: what all mechanisms share is not counted.
pub(crate) fn measure(configuration: &str) -> Outcome {
    let none = std::path::Path::new(configuration).with_file_name("none.toml");
    let _registry = Plugins::open(none).map_err(|error| error.to_string())?;
    let before = memory::resident();
    let begun = Instant::now();
    let subject = Subject::open(configuration)?;
    let answer = subject.ask("greet:pit crew")?;
    let took = begun.elapsed();
    if answer != "Hello, pit crew!" {
        return Err(format!("it greets with `{answer}`"));
    }
    let added = memory::resident().zip(before).map(|(after, before)| after.saturating_sub(before));
    say(&json!({ "start_ns": nanoseconds(took), "memory_bytes": added }));
    Ok(())
}
