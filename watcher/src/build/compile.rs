//! Runs a set of compilations in the order of their dependencies, several at a time, and stops them all when told to.

use super::arguments::{Linkage, Place, command};
use super::cancel::Cancel;
use crate::program::{Form, Job, Program};
use crate::stage::Artifact;
use crate::unit::Compiler;
use crossbeam_channel::{Sender, unbounded};
use pitstop_contract::Generation;
use pitstop_contract::manifest::Kind;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// What came of a set of compilations.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// All compiled.
    Built,
    /// The compiler refused a crate.
    Failed {
        /// The crate.
        crate_name: String,
        /// How many errors.
        errors: usize,
        /// rustc's own rendering.
        rendered: String,
    },
    /// Stopped by [`Cancel`].
    Cancelled,
}

/// The outcome, and what it produced.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) outcome: Outcome,
    /// The images and libraries.
    pub(crate) artifacts: Vec<Artifact>,
    /// The files that each compiled crate was made from.
    pub(crate) sources: BTreeMap<Job, Vec<PathBuf>>,
    /// Each warning as rustc renders it.
    pub(crate) warnings: Vec<String>,
}

struct Finished {
    job: Job,
    success: bool,
    diagnostics: Diagnostics,
}

#[derive(Default)]
struct Diagnostics {
    errors: usize,
    warnings: Vec<String>,
    rendered: String,
}

/// Compiles `jobs`. Blocks until all are done, one failed, or `cancel` is used.
pub(crate) fn compile(
    program: &Program,
    jobs: &[Job],
    generation: Generation,
    compiler: &Compiler,
    linkage: &Linkage,
    place: &Place,
    cancel: &Cancel,
) -> Report {
    let mut report =
        Report { outcome: Outcome::Built, artifacts: Vec::new(), sources: BTreeMap::new(), warnings: Vec::new() };
    let limit = std::thread::available_parallelism().map_or(2, usize::from);
    let mut waiting: Vec<Job> = jobs.to_vec();
    let mut unfinished: BTreeSet<Job> = jobs.iter().copied().collect();
    let (sender, finished) = unbounded();
    let mut running = 0;
    loop {
        waiting.retain(|&job| {
            let free = running < limit && matches!(report.outcome, Outcome::Built);
            let needs = |id| unfinished.contains(&Job { unit: id, form: Form::Linked });
            if !free || program.dependencies(job.unit).any(needs) {
                return true;
            }
            running += 1;
            let command = command(program, job.unit, job.form, generation, compiler, linkage, place);
            start(job, command, cancel.clone(), sender.clone());
            false
        });
        if running == 0 {
            break;
        }
        let Ok(done) = finished.recv() else { break };
        running -= 1;
        unfinished.remove(&done.job);
        let unit = &program.units[done.job.unit];
        if !done.success {
            if matches!(report.outcome, Outcome::Built) {
                report.outcome = Outcome::Failed {
                    crate_name: unit.crate_name.clone(),
                    errors: done.diagnostics.errors.max(1),
                    rendered: done.diagnostics.rendered,
                };
            }
            continue;
        }
        report.warnings.extend(done.diagnostics.warnings);
        let (built, dep_info) = place.output(unit, done.job.form);
        report.sources.insert(done.job, sources(&dep_info, &unit.captured.directory));
        let kind = match done.job.form {
            Form::Image => Kind::Reloadable,
            Form::Library => Kind::Library,
            Form::Linked | Form::Host => continue,
        };
        let path = place.image(unit, generation);
        match cancel.unless_cancelled(|| std::fs::rename(&built, &path)) {
            Some(Ok(())) => {
                report.artifacts.push(Artifact { crate_name: unit.crate_name.clone(), kind, path });
            }
            Some(Err(error)) => {
                let rendered = format!("cannot move {} to {}: {error}", built.display(), path.display());
                let crate_name = unit.crate_name.clone();
                report.outcome = Outcome::Failed { crate_name, errors: 1, rendered };
            }
            None => {}
        }
    }
    if cancel.is_cancelled() {
        report.outcome = Outcome::Cancelled;
    }
    report
}

/// Starts one compiler, on a thread that reads what it says.
fn start(job: Job, command: Command, cancel: Cancel, sender: Sender<Finished>) {
    std::thread::spawn(move || {
        let (success, diagnostics) = run(command, &cancel);
        // The receiver waits for every compiler that it started.
        let _ = sender.send(Finished { job, success, diagnostics });
    });
}

fn run(mut command: Command, cancel: &Cancel) -> (bool, Diagnostics) {
    let failed = |message: String| (false, Diagnostics { errors: 1, warnings: Vec::new(), rendered: message });
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = match cancel.spawn(&mut command) {
        Some(Ok(child)) => child,
        Some(Err(error)) => return failed(format!("cannot start {}: {error}", command.get_program().display())),
        None => return failed(String::new()),
    };
    let mut text = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        let mut bytes = Vec::new();
        let _ = std::io::Read::read_to_end(&mut stderr, &mut bytes);
        text = String::from_utf8_lossy(&bytes).into_owned();
    }
    let status = child.wait();
    cancel.ended(child.id());
    let mut diagnostics = Diagnostics::default();
    text.lines().for_each(|line| diagnostics.note(line));
    match status {
        Ok(status) => (status.success(), diagnostics),
        Err(error) => failed(error.to_string()),
    }
}

/// The parts of rustc's JSON lines that matter here.
#[derive(Deserialize)]
struct Diagnostic {
    level: Option<String>,
    rendered: Option<String>,
    #[serde(default)]
    spans: Vec<serde::de::IgnoredAny>,
    code: Option<serde_json::Value>,
}

impl Diagnostics {
    fn note(&mut self, line: &str) {
        let Ok(diagnostic) = serde_json::from_str::<Diagnostic>(line) else {
            // A panic of the compiler, a linker's own words.
            self.rendered.push_str(line);
            self.rendered.push('\n');
            return;
        };
        let (Some(level), Some(rendered)) = (diagnostic.level, diagnostic.rendered) else {
            return;
        };
        match level.as_str() {
            "error" | "error: internal compiler error" => {
                let is_summary = diagnostic.spans.is_empty() && rendered.contains("aborting due to");
                if !is_summary {
                    self.errors += 1;
                    self.rendered.push_str(&rendered);
                }
            }
            "warning" if !diagnostic.spans.is_empty() || diagnostic.code.is_some() => self.warnings.push(rendered),
            _ => {}
        }
    }
}

/// The files that a dep-info names.
fn sources(dep_info: &std::path::Path, directory: &std::path::Path) -> Vec<PathBuf> {
    let Ok(text) = std::fs::read_to_string(dep_info) else { return Vec::new() };
    let mut files = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((_, list)) = split_rule(line) else { continue };
        files.extend(split_words(list).into_iter().map(|word| directory.join(word)));
    }
    files.into_iter().collect()
}

/// At the colon that ends the target's name.
fn split_rule(line: &str) -> Option<(&str, &str)> {
    line.split_once(": ").or_else(|| line.strip_suffix(':').map(|target| (target, "")))
}

fn split_words(list: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut characters = list.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' if characters.peek() == Some(&' ') => {
                characters.next();
                words.last_mut().into_iter().for_each(|word| word.push(' '));
            }
            ' ' => words.push(String::new()),
            other => words.last_mut().into_iter().for_each(|word| word.push(other)),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dep_info_names_files_with_spaces_and_other_letters() {
        assert_eq!(split_words("src/lib.rs my\\ assets/größe.txt"), ["src/lib.rs", "my assets/größe.txt"]);
        assert_eq!(split_rule("a/b.rlib: c"), Some(("a/b.rlib", "c")));
        assert_eq!(split_rule("src/x.rs:"), Some(("src/x.rs", "")));
    }

    #[test]
    fn errors_are_counted_without_the_summary() {
        let mut diagnostics = Diagnostics::default();
        diagnostics.note(r#"{"$message_type":"diagnostic","message":"m","code":null,"level":"error","spans":[{}],"children":[],"rendered":"error: m\n"}"#);
        diagnostics.note(r#"{"$message_type":"diagnostic","message":"aborting due to 1 previous error","code":null,"level":"error","spans":[],"children":[],"rendered":"error: aborting due to 1 previous error\n"}"#);
        diagnostics.note(r#"{"$message_type":"artifact","artifact":"x","emit":"link"}"#);
        assert_eq!((diagnostics.errors, diagnostics.rendered.as_str()), (1, "error: m\n"));
    }
}
