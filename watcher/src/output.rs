//! What the command says: lines for a person on standard error, or events as JSON on standard output.

use crate::process::terminal_is_taken;
use pitstop_contract::event::{Answer, Event};
use pitstop_contract::{Reason, Rule};
use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};

/// Where events go.
pub(crate) struct Output {
    json: bool,
    /// What was not shown since a full-screen program has the terminal.
    withheld: Vec<String>,
    /// Whether the program was built once.
    is_live: bool,
    /// Warnings that were shown: one that stays is not news.
    warned: BTreeSet<String>,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, withheld: Vec::new(), is_live: false, warned: BTreeSet::new() }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether rustc should colour its diagnostics.
    pub(crate) fn wants_colour(&self) -> bool {
        !self.json && std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
    }

    pub(crate) fn event(&mut self, event: &Event) {
        if self.json {
            if let Ok(line) = serde_json::to_string(event) {
                // A closed pipe: whoever read has gone, and the program goes on.
                let _ = writeln!(std::io::stdout().lock(), "{line}");
            }
        } else if let Event::Verified { crate_name, gaps, notes, .. } = event {
            self.proof(crate_name, gaps, notes);
        } else if let Some(text) = describe(event, self.is_live) {
            self.line(text);
        }
        self.is_live |= matches!(event, Event::Session { .. });
    }

    /// The program's own crates are about to be compiled, which cargo's lines do not show.
    pub(crate) fn building(&mut self, program: &str, crates: usize) {
        if !self.json {
            let plural = if crates == 1 { "" } else { "s" };
            self.line(format!("{}{program} live, {crates} crate{plural} of the workspace", label(GREEN, "Building")));
        }
    }

    /// rustc's warnings, each once. With `--json` their number is in the event.
    pub(crate) fn warnings(&mut self, warnings: &[String]) {
        for warning in warnings {
            if !self.json && self.warned.insert(warning.clone()) {
                self.line(warning.trim_end().to_owned());
            }
        }
    }

    /// What is to be known of a proof, each thing once: it stays true of every later image.
    fn proof(&mut self, crate_name: &str, gaps: &[String], notes: &[String]) {
        for gap in gaps {
            let text = format!(
                "{}{crate_name}: {gap}; there, only signatures and sizes are compared",
                label(YELLOW, "Unproven")
            );
            if self.warned.insert(text.clone()) {
                self.line(text);
            }
        }
        for note in notes {
            let text = format!("{}{note}", label(BLUE, "Note"));
            if self.warned.insert(text.clone()) {
                self.line(text);
            }
        }
    }

    /// What was asked for, and not a message about it: on standard output.
    pub(crate) fn result(&self, text: &str) {
        // A closed pipe: whoever read has seen enough.
        let _ = writeln!(anstream::stdout().lock(), "{text}");
    }

    /// A line outside of any event; with `--json` on standard error too.
    pub(crate) fn line(&mut self, text: String) {
        if !self.json && terminal_is_taken() {
            self.withheld.push(text);
            return;
        }
        self.flush();
        let _ = writeln!(anstream::stderr().lock(), "{text}");
    }

    /// Shows what was withheld, once the terminal is free.
    pub(crate) fn flush(&mut self) {
        if self.withheld.is_empty() || terminal_is_taken() {
            return;
        }
        let mut stderr = anstream::stderr().lock();
        for text in self.withheld.drain(..) {
            let _ = writeln!(stderr, "{text}");
        }
    }
}

const GREEN: &str = "\x1b[1;32m";
const RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[1;33m";
const BLUE: &str = "\x1b[1;34m";

/// A reason, in lines that begin under the label's text.
pub(crate) fn finding(reason: &Reason) -> String {
    let Reason { rule, subject, expected, found, notes, advice } = reason;
    let pad = " ".repeat(13);
    if *rule == Rule::Layout {
        let notes: String = notes.iter().map(|note| format!("; {note}")).collect();
        return format!("\n{pad}{subject}: {expected} → {found}{notes}");
    }
    let notes: String = notes.iter().map(|note| format!("{pad}  {note}\n")).collect();
    format!("\n{pad}{subject} ({rule})\n{pad}  expected {expected}\n{pad}  found    {found}\n{notes}{pad}  {advice}")
}

/// A backtrace, in lines that begin under the label's text. Of a recursion each frame is shown once.
fn frames(backtrace: &[String]) -> String {
    let repeated = backtrace.chunk_by(|one, next| one == next);
    let lines = repeated.filter_map(|run| match run {
        [frame] => Some(format!("\n{:>13}{frame}", "")),
        [frame, ..] => Some(format!("\n{:>13}{frame}, {} times", "", run.len())),
        [] => None,
    });
    lines.collect()
}

fn label(colour: &str, word: &str) -> String {
    format!("{colour}{word:>12}\x1b[0m ")
}

/// `is_live`: the program was built once, and may be running.
fn describe(event: &Event, is_live: bool) -> Option<String> {
    let text = match event {
        Event::Session { crates, linkage, linkage_reason, directory, host, .. } => {
            let mut text = label(GREEN, "Pitstop");
            if crates.is_empty() {
                text.push_str("nothing to reload: no crate of the program depends on pitstop-reloadable");
            } else {
                text.push_str(&format!("reloads {}; dependencies {linkage}", crates.join(", ")));
                if !linkage_reason.is_empty() {
                    text.push_str(&format!(" ({linkage_reason})"));
                }
            }
            match host {
                Some(host) => text.push_str(&format!("\n{:>13}program {host}", "")),
                None => text.push_str(&format!("\n{:>13}session {directory}", "")),
            }
            text
        }
        Event::Change { files, crates } if crates.is_empty() => {
            format!("{}{}", label(BLUE, "Changed"), files.join(", "))
        }
        Event::Change { .. } | Event::BuildStarted { .. } | Event::BuildCancelled { .. } | Event::Built { .. } => {
            return None;
        }
        Event::Attached { .. } | Event::Wanted { .. } | Event::Verified { .. } => return None,
        Event::BuildFailed { crate_name, errors, rendered, .. } => {
            let plural = if *errors == 1 { "" } else { "s" };
            let head = label(RED, "Not built");
            let so = if is_live { "the program goes on as it is" } else { "waiting for the edit that mends it" };
            format!("{}\n{head}{crate_name}: {errors} error{plural}; {so}", rendered.trim_end())
        }
        Event::Rejected { reasons, .. } if reasons.iter().all(|reason| reason.rule == Rule::HostCode) => {
            let files: Vec<&str> = reasons.iter().map(|reason| reason.subject.as_str()).collect();
            format!("{}to see {}: it is linked into the running program", label(YELLOW, "Restart"), files.join(", "))
        }
        Event::Rejected { crate_name, generation, reasons } => {
            let head = label(YELLOW, "Refused");
            let mut text = format!("{head}{crate_name} #{generation}; the program goes on as it is");
            reasons.iter().for_each(|reason| text.push_str(&finding(reason)));
            // Many parts of types may differ, and one thing is to be done about all of them.
            if let Some(reason) = reasons.iter().find(|reason| reason.rule == Rule::Layout) {
                text.push_str(&format!("\n{:>13}{}", "", reason.advice));
            }
            text
        }
        Event::Waiting { generation, threads, gave_up } => {
            let who: Vec<String> = threads
                .iter()
                .map(|thread| {
                    format!(
                        "`{}` in its unit of work since {} for {:.0} ms",
                        thread.thread, thread.place, thread.for_ms
                    )
                })
                .collect();
            let what = if *gave_up { "gave up for now on" } else { "waits for" };
            format!("{}#{generation} {what} {}", label(YELLOW, "Waiting"), who.join(", "))
        }
        Event::Live { crate_name, generation, edit_to_live_ms, stages, .. } => format!(
            "{}{crate_name} #{generation} in {edit_to_live_ms:.0} ms (rustc {:.0})",
            label(GREEN, "Live"),
            stages.build
        ),
        Event::Panicked { function, generation, message, location, count, answer, .. } => {
            let head = label(RED, "Panicked");
            let place = location.as_ref().map_or_else(String::new, |place| format!(" at {place}"));
            let times = if *count > 1 { format!(", {count} times by now") } else { String::new() };
            let then = match answer {
                // There is nothing before it.
                Answer::Rollback if generation.0 == 0 => "; waiting for the edit that mends it",
                Answer::Rollback => "; back to the last good generation",
                Answer::Hold => "; the call waits for the edit that mends it",
                Answer::Propagate => "",
            };
            format!("{head}{function} of #{generation}: {message}{place}{times}{then}")
        }
        Event::Crashed { name, address, thread, generation, function, backtrace, .. } => {
            let function = function.as_deref().unwrap_or("the program");
            let generation = generation.map_or_else(String::new, |generation| format!(" of #{generation}"));
            let address = address.as_ref().map_or_else(String::new, |address| format!(" at address {address}"));
            let thread = thread.as_ref().map_or_else(String::new, |thread| format!(" in thread `{thread}`"));
            let head = label(RED, "Crashed");
            format!("{head}{function}{generation}: {name}{address}{thread}{}", frames(backtrace))
        }
        Event::Exited { code, signal } => match (code, signal) {
            // Ctrl-C and its like: whoever sent it knows.
            (Some(0), _) | (None, Some(2 | 15)) => return None,
            (Some(code), _) => format!("{}with code {code}", label(BLUE, "Exited")),
            (None, Some(signal)) => format!("{}by signal {signal}", label(RED, "Ended")),
            (None, None) => return None,
        },
        Event::Migrated { .. }
        | Event::Saved { .. }
        | Event::Restored { .. }
        | Event::RestartWanted { .. }
        | Event::RestartOffered { .. }
        | Event::Restarted { .. }
        | Event::RolledBack { .. }
        | Event::Retained { .. } => return None,
        Event::Notice { message } => format!("{}{message}", label(YELLOW, "Note")),
    };
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pitstop_contract::Generation;

    /// What a person reads, without colours.
    fn shown(event: &Event) -> String {
        let text = describe(event, true).unwrap_or_default();
        [GREEN, RED, YELLOW, BLUE, "\x1b[0m"].iter().fold(text, |text, colour| text.replace(colour, ""))
    }

    #[test]
    fn a_refusal_says_what_was_expected_what_was_found_and_what_to_do() {
        let reason =
            Reason::new(Rule::Signature, "logic::tick", "`fn(u32)`", "`fn(u64)`", "undo the change, or restart");
        let event = Event::Rejected { crate_name: "logic".into(), generation: Generation(3), reasons: vec![reason] };
        let expected = [
            "     Refused logic #3; the program goes on as it is",
            "             logic::tick (signature)",
            "               expected `fn(u32)`",
            "               found    `fn(u64)`",
            "               undo the change, or restart",
        ];
        assert_eq!(shown(&event), expected.join("\n"));
    }

    #[test]
    fn an_edit_of_host_code_is_one_line() {
        let reason = Reason::new(Rule::HostCode, "src/main.rs", "a", "b", "c");
        let event = Event::Rejected { crate_name: "game".into(), generation: Generation(0), reasons: vec![reason] };
        assert_eq!(shown(&event), "     Restart to see src/main.rs: it is linked into the running program");
    }

    #[test]
    fn a_crash_says_where_and_a_recursion_is_one_line() {
        let frame = |text: &str| text.to_owned();
        let mut event = Event::Crashed {
            signal: 11,
            name: "SIGSEGV".into(),
            address: Some("0x8".into()),
            thread: Some("worker".into()),
            crate_name: "logic".into(),
            generation: Some(Generation(3)),
            function: Some("logic::fall".into()),
            backtrace: vec![
                frame("logic::fall at a.rs:1"),
                frame("logic::fall at a.rs:1"),
                frame("game::main at b.rs:2"),
            ],
        };
        let expected = [
            "     Crashed logic::fall of #3: SIGSEGV at address 0x8 in thread `worker`",
            "             logic::fall at a.rs:1, 2 times",
            "             game::main at b.rs:2",
        ];
        assert_eq!(shown(&event), expected.join("\n"));
        if let Event::Crashed { address, thread, generation, function, backtrace, .. } = &mut event {
            (*address, *thread, *generation, *function) = (None, None, None, None);
            backtrace.clear();
        }
        assert_eq!(shown(&event), "     Crashed the program: SIGSEGV");
    }

    #[test]
    fn a_panic_says_where_it_was_and_what_becomes_of_it() {
        let panicked = |generation, count, answer| Event::Panicked {
            crate_name: "logic".into(),
            generation: Generation(generation),
            function: "logic::update".into(),
            message: "no fuel".into(),
            location: Some("logic/src/lib.rs:7:5".into()),
            backtrace: Vec::new(),
            count,
            answer,
        };
        let place = "logic::update of #3: no fuel at logic/src/lib.rs:7:5";
        let expected = format!("    Panicked {place}; back to the last good generation");
        assert_eq!(shown(&panicked(3, 1, Answer::Rollback)), expected);
        assert_eq!(shown(&panicked(3, 10, Answer::Propagate)), format!("    Panicked {place}, 10 times by now"));
        assert!(shown(&panicked(0, 1, Answer::Rollback)).ends_with("; waiting for the edit that mends it"));
    }

    #[test]
    fn a_failed_build_ends_in_what_it_means_for_the_program() {
        let event = Event::BuildFailed {
            generation: Generation(1),
            crate_name: "logic".into(),
            errors: 2,
            rendered: "error: a\nerror: b\n".into(),
        };
        let expected = "error: a\nerror: b\n   Not built logic: 2 errors; the program goes on as it is";
        assert_eq!(shown(&event), expected);
    }
}
