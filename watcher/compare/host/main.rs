//! The program that plugins are measured in. One task a process, so that no measurement meets what another has left, and what
//! takes the program along takes nothing else.
//!
//! `measure TASK CONFIGURATION [TASK'S OWN]`: prints a JSON object a line, on standard output. Opens the plugin `subject`.

#[path = "../kernel.rs"]
mod kernel;

mod behave;
mod calls;
mod compute;
mod memory;
mod reload;
mod start;

use pitstop_host::{Pitstop, Plugin, PluginHandle, Plugins};
use serde_json::Value;
use std::process::ExitCode;
use std::time::Duration;

type Outcome = Result<(), String>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["start", configuration] => start::measure(configuration),
        ["calls", configuration, budget] => calls::measure(configuration, budget),
        ["compute", configuration, size, rounds] => compute::measure(configuration, size, rounds),
        ["reload", configuration, live, first, second, rounds] => {
            reload::measure(configuration, live, [first, second], rounds)
        }
        ["behave", configuration, input] => behave::observe(configuration, input),
        ["version", configuration] => behave::version(configuration),
        other => Err(format!("no such task: {}", other.join(" "))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// A plugin that is open, and the program around it.
struct Subject {
    pit: Pitstop,
    plugins: Plugins,
    handle: PluginHandle,
}

impl Subject {
    /// Opens it, or says what is wrong with it.
    fn open(configuration: &str) -> Result<Self, String> {
        let pit = pitstop_host::attach();
        let plugins = Plugins::open(configuration).map_err(|error| error.to_string())?;
        if let Some(problem) = plugins.list().into_iter().find_map(|plugin| plugin.problem) {
            return Err(problem);
        }
        let handle = plugins.get("subject").map_err(|error| error.to_string())?;
        Ok(Self { pit, plugins, handle })
    }

    fn ask(&self, input: &str) -> Result<String, String> {
        self.handle.process_text(input).map_err(|error| error.to_string())
    }

    /// Whether it greets.
    fn greets(&self) -> bool {
        self.ask("greet:pit crew").is_ok_and(|greeting| greeting.ends_with(", pit crew!"))
    }
}

fn say(line: &Value) {
    println!("{line}");
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("`{text}` is no number"))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn nanoseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}
