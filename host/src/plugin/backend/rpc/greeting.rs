//! Waits for the first line that a plugin writes, which says where it listens.

use super::output::Output;
use crate::plugin::backend::process::{Child, Status, Wanted, failure, quoted, receive, take_present};
use pitstop_reloadable::PluginError;
use rustix::fd::{AsFd as _, BorrowedFd};
use std::time::{Duration, Instant};

/// What a plugin is to write.
pub(super) const EXPECTED: &str = "one line of handshake on standard output, such as `1|1|unix|/tmp/plugin123|grpc|`";
/// A first line is no longer than this: with a certificate it has about one kilobyte.
const LONGEST: usize = 64 << 10;
/// A program that has closed its output has this long for ending by itself, so that its exit code is told.
const LEAVES_WITHIN: Duration = Duration::from_secs(1);

/// Until when, and what to be woken by.
#[derive(Clone, Copy)]
pub(super) struct Patience<'a> {
    pub(super) limit: Duration,
    pub(super) until: Instant,
    pub(super) woken: Option<BorrowedFd<'a>>,
}

/// Why there is no first line.
pub(super) enum Silence {
    Failed(PluginError),
    /// There is something to do that comes first.
    Woken,
}

/// Waits for the first line; returns it without its end.
pub(super) fn first_line(child: &mut Child, output: &mut Output, patience: Patience<'_>) -> Result<Vec<u8>, Silence> {
    let mut until = patience.until;
    let mut written = Vec::new();
    loop {
        let pipes = [child.stdout.as_ref(), child.stderr.as_ref()];
        let [stdout, stderr] = pipes.map(|pipe| pipe.map(|pipe| Wanted::reading(pipe.as_fd())));
        let ([stdout, stderr, woken, _], ended) =
            child.wait([stdout, stderr, patience.woken.map(Wanted::reading), None], Some(until));
        if stderr {
            read_errors(child, output);
        }
        if stdout {
            receive(&mut child.stdout, &mut written);
        }
        if ended {
            take_present(&mut child.stdout, &mut written);
        }
        if let Some(end) = written.iter().position(|&byte| byte == b'\n') {
            output.chatter(&written[end + 1..]);
            written.truncate(end);
            return Ok(written);
        }
        if written.len() > LONGEST {
            return Err(broken(
                format!("more than {LONGEST} bytes without an end of a line: `{}`", quoted(&written)),
                output,
            ));
        }
        if ended {
            return Err(broken(ended_before(child, output, &written), output));
        }
        if woken {
            return Err(Silence::Woken);
        }
        if child.stdout.is_none() {
            until = until.min(Instant::now() + LEAVES_WITHIN);
        }
        if Instant::now() >= until {
            return Err(broken(nothing(child, &written, patience.limit), output));
        }
    }
}

/// Reads what is there of its standard error.
fn read_errors(child: &mut Child, output: &mut Output) {
    let mut said = Vec::new();
    receive(&mut child.stderr, &mut said);
    output.errors(&said);
}

fn ended_before(child: &mut Child, output: &mut Output, written: &[u8]) -> String {
    let how = end_of(child, output);
    let hint = if how.1 == Status::Exited(1) {
        "; if it says that it is a plugin, its cookie is another: set `rpc.cookie`"
    } else {
        ""
    };
    format!("that {} before {}{hint}", how.0, after(written))
}

/// Reads the last that it has said, and takes its end.
pub(super) fn end_of(child: &mut Child, output: &mut Output) -> (String, Status) {
    let mut said = Vec::new();
    take_present(&mut child.stderr, &mut said);
    child.stderr = None;
    output.errors(&said);
    output.end();
    let status = child.finish();
    let how = match status {
        Status::Exited(code) => format!("it ended with exit code {code}"),
        Status::Signalled(signal) => format!("signal {signal} ended it"),
        Status::Unknown => failure(status, String::new()).to_string(),
    };
    (how, status)
}

fn nothing(child: &Child, written: &[u8], limit: Duration) -> String {
    match (&child.stdout, written) {
        (None, written) => format!("that it has closed its standard output after {}, and goes on", after(written)),
        (Some(_), []) => format!("nothing within {limit:?}, which is `limits.time_ms` (60 s at most)"),
        (Some(_), written) => format!("no end of the line `{}` within {limit:?}", quoted(written)),
    }
}

fn after(written: &[u8]) -> String {
    if written.is_empty() { "any line".to_owned() } else { format!("the end of the line `{}`", quoted(written)) }
}

fn broken(found: String, output: &Output) -> Silence {
    Silence::Failed(refused(found, output))
}

/// The error of a plugin that does not greet as it should.
pub(super) fn refused(found: String, output: &Output) -> PluginError {
    PluginError::Protocol { expected: EXPECTED.to_owned(), found: found + &output.said().last_lines() }
}
