//! What a process writes, read as it comes: nothing that it writes, and no logger, holds it up.

use super::journal::Journal;
use super::lines::{Line, Lines};
use super::said::{Record, Said, plain};
use log::Level;

/// The two streams of a process.
pub(super) struct Output {
    journal: Journal,
    stdout: Lines,
    stderr: Lines,
    said: Said,
}

impl Output {
    pub(super) fn new(journal: Journal) -> Self {
        Self { journal, stdout: Lines::default(), stderr: Lines::default(), said: Said::default() }
    }

    /// What it has said on standard error.
    pub(super) fn said(&self) -> &Said {
        &self.said
    }

    /// From its standard error.
    pub(super) fn errors(&mut self, bytes: &[u8]) {
        let Self { journal, stderr, said, .. } = self;
        stderr.push(bytes, |line| log_said(journal, said, &line));
    }

    /// From its standard output, after the handshake.
    pub(super) fn chatter(&mut self, bytes: &[u8]) {
        let Self { journal, stdout, .. } = self;
        stdout.push(bytes, |line| log_chatter(journal, &line));
    }

    /// Nothing comes any more: what has no end of a line is a line too.
    pub(super) fn end(&mut self) {
        if let Some(line) = self.stdout.rest() {
            log_chatter(&self.journal, &line);
        }
        if let Some(line) = self.stderr.rest() {
            log_said(&self.journal, &mut self.said, &line);
        }
    }
}

fn log_said(journal: &Journal, said: &mut Said, line: &Line) {
    if let Some(record) = said.take(line) {
        journal.log(record);
    }
}

fn log_chatter(journal: &Journal, line: &Line) {
    let text = String::from_utf8_lossy(line.bytes.trim_ascii());
    if text.is_empty() {
        return;
    }
    let cut =
        if line.cut > 0 { format!("… (cut here: the line has {} bytes more)", line.cut) } else { String::new() };
    journal.log(Record { level: Level::Info, text: format!("on standard output: {}{cut}", plain(&text)) });
}
