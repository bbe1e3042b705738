//! Runs the measuring program for one task, and takes what it prints and how it ends; for so long, and no longer.

use crate::process::exit_of;
use crossbeam_channel::{Receiver, bounded};
use serde_json::Value;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Once a process is gone, what it has written is there.
const REST: Duration = Duration::from_secs(2);
/// More of what it prints is of no interest.
const MOST: u64 = 1 << 20;

/// How a task came out.
#[derive(Debug)]
pub(super) struct Ended {
    /// What it has printed.
    pub(super) lines: Vec<Value>,
    /// The last line of its standard error.
    pub(super) said: String,
    pub(super) end: End,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Code(i32),
    Signal(i32),
    /// It was killed since it took too long.
    Limit(Duration),
}

/// Runs a task to its end. `cache`: where compiled code is kept, in place of the user's own cache.
pub(super) fn run(program: &Path, task: &[&str], cache: &Path, limit: Duration) -> Result<Ended, String> {
    let cannot = |error: std::io::Error| format!("{} cannot be run: {error}", program.display());
    let mut command = Command::new(program);
    command.args(task).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env("XDG_CACHE_HOME", cache);
    // No session of the caller's is meant.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PITSTOP_") {
            command.env_remove(name);
        }
    }
    let mut child = command.spawn().map_err(cannot)?;
    let printed = collect(child.stdout.take());
    let said = collect(child.stderr.take());
    // The end of the output is the end of the process.
    let (text, limited) = match printed.recv_timeout(limit) {
        Ok(text) => (text, None),
        Err(_) => {
            child.kill().map_err(cannot)?;
            (printed.recv_timeout(REST).unwrap_or_default(), Some(limit))
        }
    };
    let status = child.wait().map_err(cannot)?;
    let said = said.recv_timeout(REST).unwrap_or_default();
    let end = match (limited, exit_of(status)) {
        (Some(limit), _) => End::Limit(limit),
        (None, (Some(code), _)) => End::Code(code),
        (None, (None, signal)) => End::Signal(signal.unwrap_or_default()),
    };
    let lines = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    Ok(Ended { lines, said: last_line(&said), end })
}

impl Ended {
    /// How it ended, where it should not have.
    pub(super) fn problem(&self) -> String {
        match self.end {
            _ if !self.said.is_empty() && !matches!(self.end, End::Limit(_)) => self.said.clone(),
            End::Code(code) => format!("it ended with exit code {code}"),
            End::Signal(signal) => format!("{} ended it", signal_name(signal)),
            End::Limit(limit) => format!("it took longer than {} s", limit.as_secs()),
        }
    }
}

/// The signals that say how a program went wrong.
pub(super) fn signal_name(signal: i32) -> String {
    match signal {
        4 => "SIGILL".to_owned(),
        6 => "SIGABRT".to_owned(),
        7 if cfg!(target_os = "linux") => "SIGBUS".to_owned(),
        8 => "SIGFPE".to_owned(),
        10 if cfg!(target_os = "macos") => "SIGBUS".to_owned(),
        11 => "SIGSEGV".to_owned(),
        other => format!("signal {other}"),
    }
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (sender, receiver) = bounded(1);
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            let _ = pipe.take(MOST).read_to_end(&mut bytes);
        }
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

fn last_line(text: &str) -> String {
    text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().trim().to_owned()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Ended {
        run(Path::new("/bin/sh"), &["-c", script], Path::new("/"), limit).expect("a shell")
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn what_is_printed_is_read_up_to_the_end_whatever_that_is() {
        let ended = shell("echo '{\"a\":1}'; echo no JSON; echo '{\"a\":2}'; echo one >&2; echo two >&2; exit 3", LONG);
        assert_eq!(ended.lines, [serde_json::json!({"a": 1}), serde_json::json!({"a": 2})]);
        assert_eq!((ended.end, ended.said.as_str()), (End::Code(3), "two"));
        assert_eq!(shell("kill -SEGV $$", LONG).end, End::Signal(11));
    }

    #[test]
    fn what_does_not_end_is_ended_and_its_output_kept() {
        let limit = Duration::from_millis(200);
        let ended = shell("echo '{\"a\":1}'; while :; do :; done", limit);
        assert_eq!(ended.end, End::Limit(limit));
        assert_eq!(ended.lines.len(), 1);
    }

    #[test]
    fn a_session_of_the_callers_is_not_handed_on() {
        let ended = shell("env | grep -c ^PITSTOP_SESSION= >&2", LONG);
        assert_eq!(ended.said, "0");
        assert_eq!(shell("exit 1", LONG).problem(), "it ended with exit code 1");
    }
}
