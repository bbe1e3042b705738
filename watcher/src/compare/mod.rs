//! `cargo pitstop compare`: the same plugin in all five mechanisms, measured on this machine.
//!
//! In reading order: `sources` are written into a `workshop`, where the measuring program and the `plugins` are built; `measure`
//! has the program do one task after the other, each in a `child`; that makes a `row` of each mechanism, and of these a `table`,
//! a `picture`, a `page`, and `advice`.

mod sources;
mod workshop;

mod plugins;

mod child;
mod measure;

mod row;

mod advice;
mod page;
mod picture;
mod table;
mod units;

#[cfg(test)]
mod examples;
#[cfg(test)]
mod markup;

pub(crate) use measure::Effort;
pub(crate) use row::Mechanism;
pub(crate) use workshop::Network;

use crate::describe::{GREEN, YELLOW, label};
use crate::exit_code::{ExitCode, Fatal};
use crate::output::Output;
use crate::session::replace;
use plugins::Subject;
use row::Row;
use std::path::{Path, PathBuf};
use workshop::{Host, Workshop};

/// What is to be compared, and where it goes.
pub(crate) struct Request {
    /// Only these; none for all.
    pub(crate) only: Vec<Mechanism>,
    pub(crate) effort: Effort,
    pub(crate) network: Network,
    /// Files to write.
    pub(crate) svg: Option<PathBuf>,
    pub(crate) html: Option<PathBuf>,
}

/// Compares the mechanisms.
pub(crate) fn run(request: &Request, mut output: Output) -> std::process::ExitCode {
    let code = compare(request, &mut output).unwrap_or_else(|fatal| {
        output.line(format!("\x1b[1;31merror\x1b[0m: {}", fatal.message));
        fatal.code
    });
    code.into()
}

fn compare(request: &Request, output: &mut Output) -> Result<ExitCode, Fatal> {
    let wanted = wanted(&request.only);
    // What cannot be written is known before anything is measured.
    for file in [&request.svg, &request.html].into_iter().flatten() {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !folder.is_dir() || file.is_dir() {
            let message = format!("cannot write {}: name a file in a folder that is there", file.display());
            return Err(Fatal { code: ExitCode::Usage, message });
        }
    }
    let workshop = Workshop::open(request.network)?;
    if !workshop.is_warm(&wanted) {
        output.line(format!("{}{}", label(GREEN, "Building"), first_time(&workshop, &wanted)));
    }
    let host = workshop.host(&wanted)?;
    let mut rows = Vec::new();
    for &mechanism in &wanted {
        let row = measured(&workshop, &host, mechanism, request.effort, output);
        for problem in &row.problems {
            output.line(format!("{}{}: {problem}", label(YELLOW, "Problem"), mechanism.name()));
        }
        rows.push(row);
    }
    let advice = advice::advise(&rows);
    advice::note(&mut rows, &advice);
    tell(&rows, &advice, output);
    let machine = machine(request.effort);
    if let Some(file) = &request.svg {
        write(file, &picture::draw(&rows, &machine))?;
    }
    if let Some(file) = &request.html {
        write(file, &page::page(&rows, &advice, &machine))?;
    }
    Ok(code(&rows))
}

/// Each once, in one order.
fn wanted(only: &[Mechanism]) -> Vec<Mechanism> {
    Mechanism::ALL.into_iter().filter(|mechanism| only.is_empty() || only.contains(mechanism)).collect()
}

fn first_time(workshop: &Workshop, wanted: &[Mechanism]) -> String {
    let long = if wanted.contains(&Mechanism::Wasm) { ", with wasmtime in it, which takes minutes" } else { "" };
    format!("the measuring program in {}{long}; the next time it is there", workshop.folder().display())
}

/// Builds and measures one mechanism. Whatever goes wrong is in its row.
fn measured(workshop: &Workshop, host: &Host, mechanism: Mechanism, effort: Effort, output: &mut Output) -> Row {
    let failed = |problem: String| {
        let problems = vec![problem];
        Row { problems, ..Row::new(mechanism) }
    };
    if let Some((_, why)) = host.without.iter().find(|(without, _)| *without == mechanism) {
        return failed(format!("the measuring program cannot be built with it: {why}"));
    }
    match Subject::make(workshop, mechanism) {
        Ok(subject) => {
            output.line(format!("{}{}", label(GREEN, "Measuring"), mechanism.name()));
            measure::measure(&host.program, &subject, mechanism, effort)
        }
        Err(why) => failed(why),
    }
}

fn tell(rows: &[Row], advice: &[advice::Advice], output: &Output) {
    if output.is_json() {
        rows.iter().for_each(|row| output.result(&serde_json::to_string(row).unwrap_or_default()));
        return;
    }
    for text in [table::figures(rows), table::behaviours(rows), table::advice(advice)] {
        output.result(&format!("\n{text}"));
    }
}

/// What was measured on, and how much.
fn machine(effort: Effort) -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let quick = if effort == Effort::Quick { ", few repetitions" } else { "" };
    let plural = if cores == 1 { "" } else { "s" };
    format!("{} {}, {cores} core{plural}{quick}; medians", std::env::consts::OS, std::env::consts::ARCH)
}

fn write(file: &Path, text: &str) -> Result<(), Fatal> {
    replace(file, text.as_bytes()).map_err(|error| Fatal::session(format!("cannot write {}: {error}", file.display())))
}

fn code(rows: &[Row]) -> ExitCode {
    if rows.iter().all(|row| row.problems.is_empty()) { ExitCode::Success } else { ExitCode::Unmeasured }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mechanisms_are_measured_once_and_in_one_order() {
        use Mechanism::{C, Dylib, Exec, Rpc, Wasm};
        assert_eq!(wanted(&[]), [Dylib, C, Rpc, Wasm, Exec]);
        assert_eq!(wanted(&[Exec, C, Exec]), [C, Exec]);
    }

    #[test]
    fn a_problem_of_one_mechanism_is_an_exit_code() {
        let mut rows = examples::rows();
        assert_eq!(code(&rows), ExitCode::Unmeasured);
        rows.iter_mut().for_each(|row| row.problems.clear());
        assert_eq!(code(&rows), ExitCode::Success);
    }

    #[test]
    fn a_line_of_json_has_the_mechanism_first_and_units_in_its_names() {
        for row in examples::rows() {
            let line = serde_json::to_string(&row).expect("JSON");
            assert!(line.starts_with(&format!("{{\"mechanism\":\"{}\",", row.mechanism.name())), "{line}");
            let value: serde_json::Value = serde_json::from_str(&line).expect("JSON");
            for number in ["start_ns", "memory_bytes", "compute_ns", "native_ns", "compute_times_native", "reload_ns"] {
                assert!(value[number].is_number(), "{number} in {line}");
            }
            assert_eq!(value["calls"][0]["payload_bytes"], 16);
            assert!(value["calls"][0]["call_ns"].is_number());
            assert_eq!(value["serve"].is_object(), row.mechanism == Mechanism::Exec);
        }
    }
}
