//! Measures a mechanism: has the measuring program do one task after the other, each in a process of its own.

use super::child::{self, End, Ended, signal_name};
use super::plugins::{LIMIT_MS, Setting, Subject};
use super::row::{Behaviour, Call, FOREIGN, Figures, Mechanism, Outcome, Row};
use super::units;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    Usual,
    Quick,
}

/// After so long a call hangs that nothing ends.
const HANGS_AFTER: Duration = Duration::from_secs(4);
/// What takes longer goes wrong.
const PATIENCE: Duration = Duration::from_secs(120);

/// Repetitions.
struct Amounts {
    starts: usize,
    /// For the calls of each size.
    budget_ms: &'static str,
    kernel: [&'static str; 2],
    reloads: &'static str,
}

impl Effort {
    fn amounts(self) -> Amounts {
        match self {
            // An even number of reloads: the file is in the end what it was.
            Self::Usual => Amounts { starts: 9, budget_ms: "400", kernel: ["400", "11"], reloads: "20" },
            Self::Quick => Amounts { starts: 3, budget_ms: "60", kernel: ["200", "5"], reloads: "6" },
        }
    }
}

/// Fills in the row of a mechanism. What cannot be measured is a problem of its own.
pub(super) fn measure(program: &Path, subject: &Subject, mechanism: Mechanism, effort: Effort) -> Row {
    let mut row = Row::new(mechanism);
    row.built_by.clone_from(&subject.built_by);
    let task = Task { program, subject, amounts: effort.amounts() };
    row.figures = task.figures(Setting::Plain, "", &mut row.problems);
    if mechanism == Mechanism::Exec {
        row.serve = Some(task.figures(Setting::Kept, "kept running: ", &mut row.problems));
    }
    let mut problems = Vec::new();
    let mut note = |what: &str, result: Result<(), String>| {
        if let Err(why) = result {
            problems.push(format!("{what}: {why}"));
        }
    };
    note("compute", task.compute(&mut row));
    note("reload", task.reload().map(|reload| row.reload_ns = Some(reload)));
    note("a crash", task.behave(mechanism, "crash").map(|ended| row.crash = Some(crash(&ended))));
    note("an endless loop", task.behave(mechanism, "loop").map(|ended| row.endless_loop = Some(endless(&ended))));
    let version = task.run("version", Setting::Other, &[], PATIENCE).and_then(|ended| version(mechanism, &ended));
    note("a bad version", version.map(|version| row.bad_version = Some(version)));
    let read = task.behave(mechanism, &format!("read:{FOREIGN}")).and_then(|ended| read(&ended));
    note("a read", read.map(|read| row.read_file = Some(read)));
    row.problems.extend(problems);
    row
}

struct Starts {
    first: f64,
    median: f64,
    memory: Option<u64>,
}

struct Task<'a> {
    program: &'a Path,
    subject: &'a Subject,
    amounts: Amounts,
}

impl Task<'_> {
    fn run(&self, task: &str, setting: Setting, more: &[&str], limit: Duration) -> Result<Ended, String> {
        let configuration = self.subject.configuration(setting).display().to_string();
        let words: Vec<&str> = [task, &configuration].into_iter().chain(more.iter().copied()).collect();
        // New code was never compiled before: what is no folder keeps nothing.
        let is_reload = task == "reload";
        let cache = if is_reload { self.subject.first.clone() } else { self.subject.folder().join("cache") };
        child::run(self.program, &words, &cache, limit)
    }

    /// Of a task that is to end well.
    fn lines(&self, task: &str, setting: Setting, more: &[&str]) -> Result<Vec<Value>, String> {
        let ended = self.run(task, setting, more, PATIENCE)?;
        if ended.end == End::Code(0) { Ok(ended.lines) } else { Err(ended.problem()) }
    }

    fn figures(&self, setting: Setting, prefix: &str, problems: &mut Vec<String>) -> Figures {
        let mut figures = Figures::default();
        match self.starts(setting) {
            Ok(starts) => {
                (figures.start_ns, figures.first_start_ns) = (Some(starts.median), Some(starts.first));
                figures.memory_bytes = starts.memory;
            }
            // What does not start does nothing else.
            Err(why) => {
                problems.push(format!("{prefix}{why}"));
                return figures;
            }
        }
        match self.lines("calls", setting, &[self.amounts.budget_ms]) {
            Ok(lines) => figures.calls = lines.iter().filter_map(call).collect(),
            Err(why) => problems.push(format!("{prefix}calls: {why}")),
        }
        for call in &figures.calls {
            let problem = call.problem.iter().map(|why| format!("{prefix}{} bytes: {why}", call.payload_bytes));
            problems.extend(problem);
        }
        figures
    }

    /// Several programs, one after the other.
    fn starts(&self, setting: Setting) -> Result<Starts, String> {
        let (mut starts, mut memory) = (Vec::new(), Vec::new());
        for _ in 0..self.amounts.starts {
            let lines = self.lines("start", setting, &[])?;
            let line = lines.first().ok_or("it has printed nothing")?;
            starts.extend(line["start_ns"].as_f64());
            memory.extend(line["memory_bytes"].as_f64());
        }
        let first = starts.first().copied().ok_or("it has told no time")?;
        let median_of = |values| median(values).unwrap_or_default();
        let has_memory = !memory.is_empty();
        Ok(Starts { first, median: median_of(starts), memory: has_memory.then(|| median_of(memory) as u64) })
    }

    fn compute(&self, row: &mut Row) -> Result<(), String> {
        let lines = self.lines("compute", Setting::Plain, &self.amounts.kernel)?;
        let line = lines.first().ok_or("it has printed nothing")?;
        (row.compute_ns, row.native_ns) = (line["compute_ns"].as_f64(), line["native_ns"].as_f64());
        row.compute_times_native = row.compute_ns.zip(row.native_ns).map(|(there, here)| there / here);
        Ok(())
    }

    fn reload(&self) -> Result<f64, String> {
        let path = |path: &Path| path.display().to_string();
        let Subject { live, first, second, .. } = self.subject;
        let (live, first, second) = (path(live), path(first), path(second));
        let lines = self.lines("reload", Setting::Plain, &[&live, &first, &second, self.amounts.reloads])?;
        lines.first().and_then(|line| line["reload_ns"].as_f64()).ok_or_else(|| "it has told no time".to_owned())
    }

    /// An endless loop with a limit, where there can be one. It holds for the start too, which may take a while on a busy machine.
    fn behave(&self, mechanism: Mechanism, input: &str) -> Result<Ended, String> {
        let (setting, limit) = match input {
            "loop" if mechanism.has_limits() => (Setting::Limited, PATIENCE),
            "loop" => (Setting::Limited, HANGS_AFTER),
            _ => (Setting::Plain, PATIENCE),
        };
        let ended = self.run("behave", setting, &[input], limit)?;
        // It says so itself when the plugin was no good before.
        let is_told = ended.end == End::Code(1) && ended.lines.is_empty() && !ended.said.is_empty();
        if is_told { Err(ended.said) } else { Ok(ended) }
    }
}

fn call(line: &Value) -> Option<Call> {
    Some(Call {
        payload_bytes: line["payload_bytes"].as_u64()?,
        call_ns: line["call_ns"].as_f64(),
        problem: line["problem"].as_str().map(str::to_owned),
    })
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn crash(ended: &Ended) -> Behaviour {
    match end(ended) {
        Some(gone) => gone,
        None => error(ended, "an error for the call"),
    }
}

fn endless(ended: &Ended) -> Behaviour {
    if let Some(gone) = end(ended) {
        return gone;
    }
    let is_limit = ended.lines.iter().any(|line| line["kind"] == "timed-out");
    if !is_limit {
        return error(ended, "an error for the call");
    }
    let behaviour = error(ended, &format!("ends at the limit of {}", units::time(LIMIT_MS as f64 * 1e6)));
    Behaviour { outcome: Outcome::Limit, ..behaviour }
}

/// Where the program did not come to say anything.
fn end(ended: &Ended) -> Option<Behaviour> {
    let gone = |outcome, words: String, detail: String| Some(Behaviour { outcome, words, detail, again_ms: None });
    match ended.end {
        End::Code(0) => None,
        End::Signal(signal) => {
            let name = signal_name(signal);
            gone(Outcome::TakesTheProgram, format!("takes the program along ({name})"), name)
        }
        End::Code(code) => {
            let words = format!("takes the program along (exit code {code})");
            gone(Outcome::TakesTheProgram, words, ended.said.clone())
        }
        End::Limit(limit) => {
            let detail = format!("ended from outside after {} s", limit.as_secs());
            gone(Outcome::Hangs, "hangs the caller".to_owned(), detail)
        }
    }
}

/// An error of the call, and when the plugin answered again.
fn error(ended: &Ended, words: &str) -> Behaviour {
    let line = ended.lines.first().cloned().unwrap_or_default();
    if line["outcome"] == "answered" {
        let words = "answers, though it should not".to_owned();
        return Behaviour { outcome: Outcome::Done, words, detail: String::new(), again_ms: None };
    }
    let again = line["again_ns"].as_f64();
    let more = match again {
        None => ", and no answer since".to_owned(),
        Some(again) => format!(", answers again after {}", units::time(again)),
    };
    Behaviour {
        outcome: Outcome::Error,
        words: format!("{words}{more}"),
        detail: text(&line["message"]),
        again_ms: again.map(|again| again / 1e6),
    }
}

fn version(mechanism: Mechanism, ended: &Ended) -> Result<Behaviour, String> {
    let line = ended.lines.first().ok_or_else(|| ended.problem())?;
    let (outcome, words) = match line["outcome"].as_str() {
        Some("refused") => (
            Outcome::Refused,
            match mechanism {
                // By the file alone.
                Mechanism::Dylib | Mechanism::Wasm => "refused before it runs",
                Mechanism::C => "refused by its version number",
                Mechanism::Rpc => "refused at the handshake",
                Mechanism::Exec => "refused as it starts",
            },
        ),
        Some("error") => (Outcome::Error, "is taken, and each call is an error"),
        _ => (Outcome::Done, "is taken, and answers"),
    };
    Ok(Behaviour { outcome, words: words.to_owned(), detail: text(&line["message"]), again_ms: None })
}

fn read(ended: &Ended) -> Result<Behaviour, String> {
    let line = ended.lines.first().ok_or_else(|| ended.problem())?;
    let (outcome, words) = match line["outcome"].as_str() {
        Some("answered") if line["output_bytes"].as_u64().is_some_and(|bytes| bytes > 0) => {
            (Outcome::Done, "reads the file")
        }
        _ => (Outcome::Denied, "denied"),
    };
    Ok(Behaviour { outcome, words: words.to_owned(), detail: text(&line["message"]), again_ms: None })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ended(end: End, lines: &[Value]) -> Ended {
        Ended { lines: lines.to_vec(), said: String::new(), end }
    }

    #[test]
    fn a_crash_is_the_end_of_the_program_or_an_error_and_an_answer_after_it() {
        let gone = crash(&ended(End::Signal(11), &[]));
        assert_eq!(
            (gone.outcome, gone.words.as_str()),
            (Outcome::TakesTheProgram, "takes the program along (SIGSEGV)")
        );
        let line = json!({ "outcome": "error", "kind": "signalled", "message": "signal 11", "again_ns": 12e6 });
        let kept = crash(&ended(End::Code(0), &[line]));
        assert_eq!(kept.outcome, Outcome::Error);
        assert_eq!(kept.words, "an error for the call, answers again after 12.0 ms");
        assert_eq!((kept.again_ms, kept.detail.as_str()), (Some(12.0), "signal 11"));
        let line = json!({ "outcome": "error", "kind": "crash-loop", "message": "", "again_ns": null });
        assert_eq!(crash(&ended(End::Code(0), &[line])).words, "an error for the call, and no answer since");
    }

    #[test]
    fn a_loop_hangs_or_ends_at_its_limit() {
        assert_eq!(endless(&ended(End::Limit(HANGS_AFTER), &[])).words, "hangs the caller");
        let line = json!({ "outcome": "error", "kind": "timed-out", "message": "", "again_ns": 2e6 });
        let limited = endless(&ended(End::Code(0), &[line]));
        assert_eq!(limited.outcome, Outcome::Limit);
        assert_eq!(limited.words, "ends at the limit of 2.00 s, answers again after 2.00 ms");
    }

    #[test]
    fn a_read_counts_only_if_something_was_read() {
        let outcome = |line: Value| read(&ended(End::Code(0), &[line])).map(|read| read.outcome);
        assert_eq!(outcome(json!({ "outcome": "answered", "output_bytes": 900 })), Ok(Outcome::Done));
        assert_eq!(outcome(json!({ "outcome": "answered", "output_bytes": 0 })), Ok(Outcome::Denied));
        assert_eq!(outcome(json!({ "outcome": "error", "message": "no such import" })), Ok(Outcome::Denied));
        assert!(read(&ended(End::Code(0), &[])).is_err());
    }

    #[test]
    fn where_a_bad_version_is_noticed_is_told_by_mechanism() {
        let refused = ended(End::Code(0), &[json!({ "outcome": "refused", "message": "protocol 7" })]);
        let words = |mechanism| version(mechanism, &refused).map(|version| version.words);
        assert_eq!(words(Mechanism::Dylib).as_deref(), Ok("refused before it runs"));
        assert_eq!(words(Mechanism::Rpc).as_deref(), Ok("refused at the handshake"));
        let error = ended(End::Code(0), &[json!({ "outcome": "error" })]);
        assert_eq!(version(Mechanism::Exec, &error).map(|version| version.outcome), Ok(Outcome::Error));
    }

    #[test]
    fn a_call_of_a_size_that_cannot_be_is_a_problem_and_no_number() {
        let line = json!({ "payload_bytes": 16, "problem": "too long" });
        let call = call(&line).expect("a call");
        assert_eq!((call.call_ns, call.problem.as_deref()), (None, Some("too long")));
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(Vec::new()), None);
    }
}
