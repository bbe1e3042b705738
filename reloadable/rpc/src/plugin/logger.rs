//! Records of `log` as hclog writes them: a line of JSON each on standard error, which go-plugin's hosts take apart.

use log::{LevelFilter, Log, Metadata, Record};
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// The standard error that the process was started with, once its own goes elsewhere.
static DIRECT: Mutex<Option<File>> = Mutex::new(None);

/// Makes it the program's logger, of all levels: the host chooses.
///
/// # Errors
/// There is one already.
pub fn install() -> Result<(), log::SetLoggerError> {
    log::set_logger(&Logger)?;
    log::set_max_level(LevelFilter::Trace);
    Ok(())
}

/// Where lines go from now on; to standard error again without one.
pub(super) fn redirect(to: Option<File>) {
    *DIRECT.lock().unwrap_or_else(PoisonError::into_inner) = to;
}

/// Tells the host of every panic, even if nobody reads the plugin's redirected standard error any more.
pub(super) fn tell_of_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        emit(&line("error", &panic.to_string(), "panic", SystemTime::now()));
        before(panic);
    }));
}

/// What carries the protocol: its steps are not the plugin's.
const CARRIERS: &[&str] = &["h2", "hyper", "hyper_util", "mio", "rustls", "tokio_util", "tonic", "tower"];

struct Logger;

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let whose = metadata.target().split("::").next().unwrap_or_default();
        metadata.level() <= log::Level::Warn || !CARRIERS.contains(&whose)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let level = record.level().as_str().to_ascii_lowercase();
        emit(&line(&level, &record.args().to_string(), record.target(), SystemTime::now()));
    }

    fn flush(&self) {}
}

/// In one write, so that lines of several threads stay whole. A host that is gone reads none.
fn emit(line: &str) {
    let direct = DIRECT.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = match direct.as_ref() {
        Some(mut file) => file.write_all(line.as_bytes()),
        None => std::io::stderr().lock().write_all(line.as_bytes()),
    };
}

fn line(level: &str, message: &str, module: &str, at: SystemTime) -> String {
    let mut line = format!("{{\"@level\":\"{level}\",\"@message\":");
    quote(&mut line, message);
    line.push_str(",\"@module\":");
    quote(&mut line, module);
    let _ = writeln!(line, ",\"@timestamp\":\"{}\"}}", timestamp(at));
    line
}

/// A string of JSON.
fn quote(into: &mut String, text: &str) {
    into.push('"');
    for letter in text.chars() {
        match letter {
            '"' => into.push_str("\\\""),
            '\\' => into.push_str("\\\\"),
            '\n' => into.push_str("\\n"),
            '\r' => into.push_str("\\r"),
            '\t' => into.push_str("\\t"),
            control if control < ' ' => {
                let _ = write!(into, "\\u{:04x}", u32::from(control));
            }
            other => into.push(other),
        }
    }
    into.push('"');
}

/// As Go writes it, in UTC: `2026-01-31T12:00:00.000000Z`.
fn timestamp(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let micros = since.subsec_micros();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// Year, month and day of a number of days since the beginning of 1970.
fn date(mut days: u64) -> (u64, u64, u64) {
    let leaps = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(leaps(year)) {
        days -= 365 + u64::from(leaps(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(leaps(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    (year, month as u64 + 1, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_record_is_a_line_of_json_whatever_is_in_it() {
        let at = UNIX_EPOCH + Duration::from_micros(951_827_696_000_007);
        let made = line("warn", "a \"b\"\\\n\u{1}ü", "kv::store", at);
        let expected = "{\"@level\":\"warn\",\"@message\":\"a \\\"b\\\"\\\\\\n\\u0001ü\",\"@module\":\"kv::store\",\
                        \"@timestamp\":\"2000-02-29T12:34:56.000007Z\"}\n";
        assert_eq!(made, expected);
    }

    #[test]
    fn days_are_dates() {
        for (days, expected) in [
            (0, (1970, 1, 1)),
            (58, (1970, 2, 28)),
            (59, (1970, 3, 1)),
            (364, (1970, 12, 31)),
            (365, (1971, 1, 1)),
            (11_016, (2000, 2, 29)),
            (20_787, (2026, 11, 30)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
        ] {
            assert_eq!(date(days), expected, "{days}");
        }
    }
}
