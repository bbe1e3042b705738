//! `cargo pitstop doctor`: what prevents reloading, makes it slow or leaves types unproven, and what mends it.
//!
//! Settings are not worked out from files: cargo is asked as `run` asks it, and the commands that it gives are the truth.
//! The workspace's own crates are not compiled.

mod finding;

mod toolchain;

mod linker;
mod watch;

mod crates;
mod profile;

use crate::build::Linkage;
use crate::cargo::{self, Selection, Wanted, Workspace};
use crate::cli::LinkageChoice;
use crate::exit_code::{ExitCode, Fatal};
use crate::output::Output;
use crate::program::Program;
use crate::run::linkage;
use crate::session::Session;
use finding::{Finding, Severity};
use serde::Serialize;

/// Looks at everything and reports.
pub(crate) fn run(choice: LinkageChoice, output: Output, selection: &Selection) -> std::process::ExitCode {
    let mut report = Report { output, count: Count::default() };
    if let Err(last) = examine(&mut report, choice, selection) {
        report.take([last]);
    }
    report.end().into()
}

/// How many findings there are of each severity.
#[derive(Default, Serialize)]
struct Count {
    errors: u32,
    warnings: u32,
    notes: u32,
    ok: u32,
}

struct Report {
    output: Output,
    count: Count,
}

impl Report {
    fn take(&mut self, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            match finding.severity {
                Severity::Ok => self.count.ok += 1,
                Severity::Note => self.count.notes += 1,
                Severity::Warning => self.count.warnings += 1,
                Severity::Error => self.count.errors += 1,
            }
            if self.output.is_json() {
                self.output.result(&serde_json::to_string(&finding).unwrap_or_default());
            } else {
                self.output.result(&finding.text());
            }
        }
    }

    fn end(&self) -> ExitCode {
        let Count { errors, warnings, notes, .. } = self.count;
        if self.output.is_json() {
            let summary = serde_json::json!({ "summary": self.count });
            self.output.result(&summary.to_string());
        } else {
            let plural = |number: u32, word: &str| format!("{number} {word}{}", if number == 1 { "" } else { "s" });
            let counts = [plural(errors, "error"), plural(warnings, "warning"), plural(notes, "note")].join(", ");
            let verdict = match (errors, warnings) {
                (0, 0) => "nothing to mend",
                (0, _) => "reloading works, and can be better",
                _ => "nothing is reloaded until the errors are mended",
            };
            self.output.result(&format!("\n{verdict}: {counts}"));
        }
        if errors == 0 { ExitCode::Success } else { ExitCode::Unfit }
    }
}

/// Fails with a finding after which no more can be told.
fn examine(report: &mut Report, choice: LinkageChoice, selection: &Selection) -> Result<(), Finding> {
    let here = std::env::current_dir().unwrap_or_default();
    report.take(toolchain::look(&here)?);
    let workspace = cargo::workspace(selection).map_err(|fatal| {
        let remedy = "run it in a folder with a Cargo.toml that cargo accepts, or name one with --manifest-path";
        Finding::error("no-workspace", here.display().to_string(), one_line(&fatal.message), remedy)
    })?;
    report.take([Finding::ok("workspace", "workspace", workspace.root().display().to_string())]);
    let session = Session::begin(&workspace.target_directory, &workspace.build_directory).map_err(|fatal| {
        let found = fatal.message.split("; ").next().unwrap_or_default().to_owned();
        let remedy = "make the target directory writable and give its disk room, or name another with --target-dir";
        Finding::error("session-directory", workspace.target_directory.display().to_string(), found, remedy)
    })?;
    report.take(watch::look(&workspace));
    let wanted = workspace.program(selection).map_err(|fatal| {
        let remedy = "name a program of the workspace, as for `cargo run`: `-p`, `--bin`, `--example`";
        Finding::error("no-program", "program", fatal.message, remedy)
    })?;
    report.take(crates::look(&workspace, &wanted));
    report.take(linker::look(selection, &session.directory.join("empty"))?);
    if !report.output.is_json() {
        report.output.line("cargo builds the dependencies, as for `cargo pitstop run`".to_owned());
    }
    let unbuilt = |fatal: Fatal| {
        let remedy = "mend what cargo says above; `cargo build` says it too";
        Finding::error("dependencies-unbuilt", "dependencies", fatal.message, remedy)
    };
    let capture = workspace.capture(selection, &wanted.package, &wanted.flags, &session);
    let mut capture = capture.map_err(unbuilt)?;
    let mut program = Program::new(&mut capture, &workspace, &wanted).map_err(unbuilt)?;
    if program.reloadable.is_empty() {
        add_libraries(&mut program, &workspace, selection, &wanted, &session).map_err(unbuilt)?;
    }
    report.take(profile::look(&program, selection, workspace.root()));
    let host = &program.units[program.host];
    let compiler = cargo::compiler(&host.captured.rustc, &host.captured.directory, host.target()).map_err(unbuilt)?;
    report.take([match linkage(choice, &program, &workspace, &capture, &compiler, &session) {
        Ok(Linkage::Shared { .. }) => {
            Finding::ok("linkage", "linkage", "shared: the program and its images use one library of dependencies")
        }
        Ok(Linkage::SelfContained { .. }) if choice == LinkageChoice::SelfContained => Finding::ok(
            "linkage",
            "linkage",
            "self-contained, as asked for: each image has its own copy of the dependencies",
        ),
        Ok(Linkage::SelfContained { reason, .. }) => Finding::note(
            "self-contained",
            "linkage",
            format!("each image has its own copy of the dependencies ({reason})"),
            "change what is named, or let it be: the README says what it means, under \"Shared or self-contained\"",
        ),
        Err(fatal) => {
            Finding::error("linkage-refused", "--linkage shared", one_line(&fatal.message), "leave --linkage out")
        }
    }]);
    Ok(())
}

/// The libraries that a program without reloadable crates can only be there for.
fn add_libraries(
    program: &mut Program,
    workspace: &Workspace,
    selection: &Selection,
    wanted: &Wanted,
    session: &Session,
) -> Result<(), Fatal> {
    for package in crates::libraries(workspace) {
        let mut flags = vec!["-p".to_owned(), package.name.to_string(), "--lib".to_owned()];
        flags.extend(wanted.flags.clone());
        let mut capture = workspace.capture(selection, &wanted.package, &flags, session)?;
        capture.units.retain(|unit| !unit.is_program());
        for target in &package.targets {
            program.add_library(&mut capture, &target.name.replace('-', "_"));
        }
    }
    Ok(())
}

/// The first line of a message, without `error: `.
fn one_line(message: &str) -> String {
    let line = message.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}
