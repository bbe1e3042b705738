//! `undo`, `redo` and `restart`: asks something of the newest session of a workspace.

use crate::cargo::{self, Selection};
use crate::exit_code::{ExitCode, Fatal};
use crate::host_process::HostLogs;
use crate::output::Output;
use crate::session;
use crate::watch::Watch;
use crossbeam_channel::unbounded;
use notify::RecursiveMode;
use pitstop_contract::event::Event;
use pitstop_contract::request::Request;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a program may take to answer: it does so at its next safe point.
const ANSWER: Duration = Duration::from_secs(3);

/// Asks, and waits for the answer where there is one.
pub(crate) fn run(selection: &Selection, request: &Request, mut output: Output) -> std::process::ExitCode {
    let code = ask(selection, request, &mut output).unwrap_or_else(|fatal| {
        let message = fatal.message.strip_prefix("error: ").unwrap_or(&fatal.message);
        output.line(format!("\x1b[1;31merror\x1b[0m: {message}"));
        fatal.code
    });
    code.into()
}

fn ask(selection: &Selection, request: &Request, output: &mut Output) -> Result<ExitCode, Fatal> {
    let target = cargo::workspace(selection)?.target_directory;
    let Some(directory) = session::newest(&target) else {
        return Err(Fatal::session(format!(
            "no session to ask: nothing runs in {}; begin one with `cargo pitstop run`",
            target.display()
        )));
    };
    let cannot = |error: &dyn std::fmt::Display| Fatal::session(format!("{}: {error}", directory.display()));
    // Watch first, look then, ask last: the answer is news, and all that was said before is not.
    let (sender, touched) = unbounded();
    let mut watch = Watch::new(sender, |_| ()).map_err(|error| cannot(&error))?;
    watch.folder(&directory, RecursiveMode::NonRecursive).map_err(|error| cannot(&error))?;
    let mut logs = HostLogs::default();
    logs.news(&directory);
    session::ask(&directory, request).map_err(|error| cannot(&error))?;
    let what = match request {
        Request::Undo => "undo",
        Request::Redo => "redo",
        Request::Restart | Request::Save { .. } => "restart",
    };
    output.asked(what, &name(&directory));
    if *request == Request::Restart {
        return Ok(ExitCode::Success);
    }
    let deadline = Instant::now() + ANSWER;
    loop {
        let mut answers = Vec::new();
        for (_, event) in logs.news(&directory) {
            let code = match event {
                Event::RolledBack { .. } => ExitCode::Success,
                Event::Rejected { .. } | Event::Notice { .. } => ExitCode::Unfit,
                _ => continue,
            };
            output.event(&event);
            answers.push(code);
        }
        if let Some(&code) = answers.iter().find(|code| **code != ExitCode::Success).or(answers.first()) {
            return Ok(code);
        }
        if touched.recv_deadline(deadline).is_err() {
            output.line(format!(
                "no program of session {} has answered within {} s: does it call `safe_point()`?",
                name(&directory),
                ANSWER.as_secs()
            ));
            return Ok(ExitCode::Unfit);
        }
    }
}

fn name(directory: &Path) -> String {
    directory.file_name().unwrap_or_default().display().to_string()
}
