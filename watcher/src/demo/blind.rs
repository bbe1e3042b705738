//! What happens without Pitstop: the example's program loads the plugin unseen, and is watched from outside.

use crate::process::exit_of;
use crossbeam_channel::bounded;
use serde::Serialize;
use std::io::Read;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

/// How long the program may take, before it hangs.
const LIMIT: Duration = Duration::from_secs(10);
/// More than this of what it prints is of no interest: what it takes for a list may have no end.
const MOST: u64 = 1 << 16;

/// How the lines begin that the program prints: what its own functions read, what the plugin's read, and what its own read
/// of what the plugin has left.
const SIDES: [&str; 3] = ["program ", "plugin ", "back "];
/// How lines begin that say nothing new: advice of `std`'s.
const BESIDE: [&str; 1] = ["note: "];
/// Its exit code when the loader refused the plugin.
const NOT_LOADED: i32 = 3;

/// What came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Outcome {
    pub(super) outcome: Kind,
    /// The values, the signal, or the program's last words.
    pub(super) detail: String,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    /// Program and plugin read the same.
    RightValues,
    /// The plugin read something else, or the program did afterwards.
    WrongValues,
    /// By a signal, which the detail names.
    Signal,
    /// It had to be killed.
    Hang,
    /// The system's loader refused the plugin.
    NotLoaded,
    /// With another exit code than 0.
    ExitCode,
}

/// Runs `program` with the plugin, in a folder that is no loss.
pub(super) fn run(program: &Path, plugin: &Path, folder: &Path) -> std::io::Result<Outcome> {
    let (reader, writer) = std::io::pipe()?;
    let mut command = Command::new(program);
    command
        .arg(plugin)
        .current_dir(folder)
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer);
    let mut child = command.spawn()?;
    // With the command goes our end of the pipe, which has to close for the reader to end.
    drop(command);
    let (sender, printed) = bounded(1);
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = reader.take(MOST).read_to_end(&mut text);
        let _ = sender.send(String::from_utf8_lossy(&text).into_owned());
    });
    let Ok(text) = printed.recv_timeout(LIMIT) else {
        child.kill()?;
        child.wait()?;
        return Ok(Outcome { outcome: Kind::Hang, detail: format!("killed after {} s", LIMIT.as_secs()) });
    };
    // The loader's words begin with the path, which everybody knows.
    Ok(judge(&text.replace(&format!("{}: ", plugin.display()), ""), child.wait()?))
}

fn judge(text: &str, status: ExitStatus) -> Outcome {
    let [program, plugin, back] = SIDES.map(|side| values(text, side));
    let mut wrong = differences(&program, &plugin, "read as");
    wrong.extend(differences(&program, &back, "read back as"));
    let is_said = |line: &&str| !line.is_empty() && !BESIDE.iter().chain(&SIDES).any(|start| line.starts_with(start));
    let last = text.lines().rfind(is_said).map(|line| line.strip_prefix("fatal runtime error: ").unwrap_or(line));
    let (code, signal) = exit_of(status);
    let (outcome, words) = match (code, signal) {
        (Some(0), _) if wrong.is_empty() => (Kind::RightValues, None),
        (Some(0), _) => (Kind::WrongValues, None),
        (Some(NOT_LOADED), _) => (Kind::NotLoaded, last.map(str::to_owned)),
        (Some(code), _) => (Kind::ExitCode, Some(last.map_or_else(|| format!("code {code}"), str::to_owned))),
        (None, signal) => {
            let name = signal.map_or_else(|| "a signal".to_owned(), signal_name);
            (Kind::Signal, Some(last.map_or_else(|| name.clone(), |last| format!("{name}: {last}"))))
        }
    };
    let detail = words.into_iter().chain(wrong).collect::<Vec<_>>().join("; ");
    Outcome { outcome, detail }
}

/// What one side read, by name.
fn values<'t>(text: &'t str, side: &str) -> Vec<(&'t str, f64)> {
    let lines = text.lines().filter_map(|line| line.strip_prefix(side)?.split_once(' '));
    lines.filter_map(|(name, value)| Some((name, value.parse().ok()?))).collect()
}

/// What both sides tell of, and not alike.
fn differences(program: &[(&str, f64)], other: &[(&str, f64)], read_as: &str) -> Vec<String> {
    let pairs = program.iter().filter_map(|(name, expected)| {
        let (_, found) = other.iter().find(|(told, _)| told == name)?;
        (expected.to_bits() != found.to_bits()).then_some((name, *expected, *found))
    });
    pairs.map(|(name, expected, found)| format!("{name} {} {read_as} {}", shown(expected), shown(found))).collect()
}

fn shown(value: f64) -> String {
    if value == 0.0 || (1e-3..1e6).contains(&value.abs()) {
        let text = format!("{value:.3}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        format!("{value:.3e}")
    }
}

fn signal_name(signal: i32) -> String {
    // Those that say how a program went wrong have these numbers on all systems but a few; a bus error has two.
    match signal {
        4 => "SIGILL".to_owned(),
        5 => "SIGTRAP".to_owned(),
        6 => "SIGABRT".to_owned(),
        7 if cfg!(target_os = "linux") => "SIGBUS".to_owned(),
        8 => "SIGFPE".to_owned(),
        10 if cfg!(target_os = "macos") => "SIGBUS".to_owned(),
        11 => "SIGSEGV".to_owned(),
        other => format!("signal {other}"),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    const PROGRAM: &str = "program balls 2\nprogram radius 3\nprogram trail 0.5\n";

    fn judged(plugin: &str, status: i32) -> (Kind, String) {
        let Outcome { outcome, detail } = judge(&format!("{PROGRAM}{plugin}"), ExitStatus::from_raw(status));
        (outcome, detail)
    }

    #[test]
    fn what_both_sides_tell_is_compared_by_name() {
        let same = "plugin balls 2\nplugin energy 7\nplugin radius 3\n";
        assert_eq!(judged(same, 0), (Kind::RightValues, String::new()));
        let other = "plugin balls 2\nplugin radius 8.968310171678829e-44\nplugin trail NaN\n";
        let words = "radius 3 read as 8.968e-44; trail 0.5 read as NaN";
        assert_eq!(judged(other, 0), (Kind::WrongValues, words.to_owned()));
        let left = format!("{same}back trail 0\n");
        assert_eq!(judged(&left, 0), (Kind::WrongValues, "trail 0.5 read back as 0".to_owned()));
    }

    #[test]
    fn a_program_that_does_not_end_well_is_quoted() {
        assert_eq!(judged("plugin radius 1\n", 11), (Kind::Signal, "SIGSEGV; radius 3 read as 1".to_owned()));
        let panicked = "thread 'main' panicked at lib.rs:1:\nno balls\nnote: run with `RUST_BACKTRACE=1`\n";
        assert_eq!(judged(panicked, 6), (Kind::Signal, "SIGABRT: no balls".to_owned()));
        let words = "SIGABRT: free(): invalid pointer";
        assert_eq!(judged("free(): invalid pointer\n", 6), (Kind::Signal, words.to_owned()));
        assert_eq!(judged("x.so: file too short\n", 3 << 8), (Kind::NotLoaded, "x.so: file too short".to_owned()));
        assert_eq!(judged("", 101 << 8), (Kind::ExitCode, "code 101".to_owned()));
    }
}
