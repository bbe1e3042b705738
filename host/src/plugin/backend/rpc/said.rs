//! What a plugin says on its standard error: hclog's JSON lines, lines with a level before them, and all others.

use super::lines::Line;
use log::Level;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;

/// How many of the last lines are kept for an error's message.
const KEPT: usize = 8;
/// How much of each, in characters.
const KEPT_OF_EACH: usize = 300;

/// A line as it is logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) level: Level,
    /// One line, without anything that a terminal would act on.
    pub(super) text: String,
}

/// All that a plugin has said so far, as far as it matters for the next line.
#[derive(Default)]
pub(super) struct Said {
    /// What comes after a panic of Go's is about the panic.
    panicking: bool,
    last: VecDeque<String>,
    /// The line that says why it ended, where one does better than the last.
    reason: Option<String>,
    /// The next line says why: the message of a panic of Rust's.
    awaits_reason: bool,
}

impl Said {
    /// The next line; `None` if it says nothing.
    pub(super) fn take(&mut self, line: &Line) -> Option<Record> {
        let mut record = self.read(line.bytes.trim_ascii())?;
        if line.cut > 0 {
            let _ = write!(record.text, "… (cut here: the line has {} bytes more)", line.cut);
        }
        self.remember(&record.text);
        Some(record)
    }

    /// The line that says best why it ended.
    pub(super) fn reason(&self) -> String {
        self.reason.clone().or_else(|| self.last.back().cloned()).unwrap_or_default()
    }

    /// The last lines, as a part of a sentence; empty if it has said nothing.
    pub(super) fn last_lines(&self) -> String {
        let lines: Vec<String> = self.last.iter().map(|line| format!("`{line}`")).collect();
        if lines.is_empty() { String::new() } else { format!("; its standard error ends in {}", lines.join(", ")) }
    }

    fn read(&mut self, line: &[u8]) -> Option<Record> {
        if line.is_empty() {
            return None;
        }
        if line.starts_with(b"{")
            && let Ok(Value::Object(fields)) = serde_json::from_slice(line)
            && fields.contains_key("@message")
        {
            return Some(structured(&fields));
        }
        let text = String::from_utf8_lossy(line);
        if text.starts_with("panic: ") || text.starts_with("fatal error: ") {
            self.panicking = true;
            self.reason.get_or_insert_with(|| shortened(&plain(&text)));
        }
        if std::mem::take(&mut self.awaits_reason) {
            self.reason = Some(shortened(&plain(&text)));
        }
        if text.starts_with("thread '") && text.contains("panicked at ") {
            self.awaits_reason = true;
        }
        if self.panicking {
            return Some(Record { level: Level::Error, text: plain(&text) });
        }
        let (level, text) = prefixed(&text);
        Some(Record { level, text: plain(text) })
    }

    fn remember(&mut self, text: &str) {
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(shortened(text));
    }
}

/// A line of hclog's: its message, then its fields as `key=value`.
fn structured(fields: &Map<String, Value>) -> Record {
    let text = |key: &str| fields.get(key).and_then(Value::as_str).unwrap_or_default();
    let mut line = plain(text("@message"));
    // In one order, whatever the map is made of.
    let sorted: BTreeMap<&String, &Value> = fields.iter().collect();
    for (key, value) in sorted {
        if ["@message", "@level", "@timestamp"].contains(&key.as_str()) {
            continue;
        }
        let value = match value {
            Value::String(text) if text.is_empty() || text.contains([' ', '"', '=']) => format!("{text:?}"),
            Value::String(text) => plain(text),
            other => plain(&other.to_string()),
        };
        let _ = write!(line, " {}={value}", plain(key.trim_start_matches('@')));
    }
    let level = match text("@level") {
        "trace" => Level::Trace,
        "info" => Level::Info,
        "warn" => Level::Warn,
        "error" => Level::Error,
        _ => Level::Debug,
    };
    Record { level, text: line }
}

/// `[INFO] text`; without a level it is for debugging.
fn prefixed(text: &str) -> (Level, &str) {
    const LEVELS: [(&str, Level); 5] = [
        ("[TRACE]", Level::Trace),
        ("[DEBUG]", Level::Debug),
        ("[INFO]", Level::Info),
        ("[WARN]", Level::Warn),
        ("[ERROR]", Level::Error),
    ];
    let found = LEVELS.iter().find_map(|&(word, level)| Some((level, text.strip_prefix(word)?.trim_start())));
    found.unwrap_or((Level::Debug, text))
}

/// On one line, with control characters escaped.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() && character != '\t' {
            plain.extend(character.escape_default());
        } else {
            plain.push(character);
        }
    }
    plain
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(KEPT_OF_EACH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &str) -> Vec<(Level, String)> {
        let mut said = Said::default();
        let lines = text.lines().map(|line| Line { bytes: line.as_bytes().to_vec(), cut: 0 });
        lines.filter_map(|line| said.take(&line)).map(|record| (record.level, record.text)).collect()
    }

    fn reason(text: &str) -> String {
        let mut said = Said::default();
        text.lines().for_each(|line| drop(said.take(&Line { bytes: line.as_bytes().to_vec(), cut: 0 })));
        said.reason()
    }

    #[test]
    fn a_line_of_hclog_has_its_level_its_message_and_its_fields() {
        let line = r#"{"@level":"warn","@message":"low","@module":"kv","@timestamp":"2024-01-01T00:00:00Z","left":3,"of":"a b","ok":true}"#;
        assert_eq!(records(line), [(Level::Warn, "low module=kv left=3 of=\"a b\" ok=true".to_owned())]);
        assert_eq!(records(r#"{"@message":"a\nb"}"#), [(Level::Debug, "a\\nb".to_owned())]);
    }

    #[test]
    fn json_that_is_no_line_of_hclog_is_text() {
        assert_eq!(records(r#"{"level":"warn"}"#), [(Level::Debug, r#"{"level":"warn"}"#.to_owned())]);
        assert_eq!(records(r#"{"@message":"#), [(Level::Debug, r#"{"@message":"#.to_owned())]);
    }

    #[test]
    fn a_level_before_a_line_is_taken() {
        let levels: Vec<Level> = records("[TRACE] a\n[DEBUG] b\n[INFO]  c\n[WARN]  d\n[ERROR] e\nf\n\n \n")
            .into_iter()
            .map(|(level, text)| {
                assert_eq!(text.len(), 1, "{text}");
                level
            })
            .collect();
        assert_eq!(levels, [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error, Level::Debug]);
    }

    #[test]
    fn all_after_a_panic_of_go_is_an_error_and_its_message_is_the_reason() {
        let text =
            "[INFO] up\npanic: boom\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:7 +0x1d\nexit status 2";
        let levels: Vec<Level> = records(text).into_iter().map(|(level, _)| level).collect();
        assert_eq!(levels[0], Level::Info);
        assert!(levels[1..].iter().all(|&level| level == Level::Error), "{levels:?}");
        assert_eq!(reason(text), "panic: boom");
        assert_eq!(
            reason("fatal error: all goroutines are asleep - deadlock!\nx"),
            "fatal error: all goroutines are asleep - deadlock!"
        );
    }

    #[test]
    fn the_message_of_a_panic_of_rust_is_the_reason() {
        let text = "thread 'main' (7) panicked at src/main.rs:3:5:\nboom\nnote: run with `RUST_BACKTRACE=1`";
        assert_eq!(reason(text), "boom");
        assert_eq!(reason("one\ntwo"), "two");
        assert_eq!(reason(""), "");
    }

    #[test]
    fn nothing_that_a_terminal_would_act_on_is_logged() {
        assert_eq!(records("a\u{1b}[31mb"), [(Level::Debug, "a\\u{1b}[31mb".to_owned())]);
        let mut said = Said::default();
        let record = said.take(&Line { bytes: b"long".to_vec(), cut: 7 }).expect("a record");
        assert_eq!(record.text, "long… (cut here: the line has 7 bytes more)");
    }
}
