//! What the command says: lines for a person on standard error, or events as JSON on standard output.

use crate::describe::{BLUE, GREEN, YELLOW, describe, label, named, retained};
use crate::process::terminal_is_taken;
use pitstop_contract::event::Event;
use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::path::MAIN_SEPARATOR;

/// Where events go.
pub(crate) struct Output {
    json: bool,
    /// What was not shown since a full-screen program has the terminal.
    withheld: Vec<String>,
    /// Whether the program was built, and may be running.
    is_live: bool,
    /// Warnings that were shown: one that stays is not news.
    warned: BTreeSet<String>,
    /// The folder that a person is in.
    folder: Option<String>,
    /// What earlier images took up when that was last shown, in bytes.
    retained: u64,
}

/// How much more of it is worth another line.
const NOTICEABLE: u64 = 64 << 20;

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        let folder = std::env::current_dir().ok().map(|folder| format!("{}{MAIN_SEPARATOR}", folder.display()));
        // Of the root every path begins with it.
        let folder = folder.filter(|folder| folder.len() > 2);
        Self { json, withheld: Vec::new(), is_live: false, warned: BTreeSet::new(), folder, retained: 0 }
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
        } else if let Event::Retained { images } = event {
            let (bytes, text) = retained(images);
            if bytes >= self.retained + NOTICEABLE {
                self.retained = bytes;
                self.line(text);
            }
        } else if let Some(text) = describe(event, self.is_live) {
            self.line(match event {
                Event::Rejected { .. } | Event::BuildFailed { .. } => self.near(&text),
                _ => text,
            });
        }
        match event {
            Event::Session { .. } | Event::Restarted { .. } => self.is_live = true,
            Event::Exited { .. } => self.is_live = false,
            _ => {}
        }
    }

    /// The program's own crates are about to be compiled, which cargo's lines do not show.
    pub(crate) fn building(&mut self, program: &str, crates: usize) {
        if !self.json {
            let plural = if crates == 1 { "" } else { "s" };
            self.line(format!("{}{program} live, {crates} crate{plural} of the workspace", label(GREEN, "Building")));
        }
    }

    /// Something was asked of a session. With `--json` only the answer counts.
    pub(crate) fn asked(&mut self, what: &str, session: &str) {
        if !self.json {
            self.line(format!("{}session {session} to {what}", label(GREEN, "Asked")));
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

    /// A text with the paths in it as a person here would write them.
    fn near(&self, text: &str) -> String {
        let Some(folder) = &self.folder else { return text.to_owned() };
        let mut near = String::new();
        for (index, part) in text.split(folder.as_str()).enumerate() {
            // Within a word it is a part of another path.
            let is_within = near.ends_with(|before: char| before.is_alphanumeric() || "-_./\\".contains(before));
            if index > 0 && is_within {
                near.push_str(folder);
            }
            near.push_str(part);
        }
        near
    }

    /// What is to be known of a proof, each thing once: it stays true of every later image.
    fn proof(&mut self, crate_name: &str, gaps: &[String], notes: &[String]) {
        for gap in gaps {
            let text = format!(
                "{}{}: {gap}; there, only signatures and sizes are compared",
                label(YELLOW, "Unproven"),
                named(crate_name)
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
