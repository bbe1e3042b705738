//! The frames of a report, named; without those that are not of the program's making.

use super::name::{Kind, as_written};
use super::record::{Record, printable};
use super::symbols::{self, Call, Place};
use crate::build::{image_of, linked_crates, program_in};
use pitstop_contract::Generation;
use pitstop_contract::manifest::plugin_of;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What is known of the session's crates.
pub(super) struct Crates {
    session: String,
    /// Those of the workspace that the program is linked with, and its own.
    names: BTreeSet<String>,
}

/// A frame that is told.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Frame {
    /// The function's path, as the source names it.
    function: Option<String>,
    place: Option<Place>,
    /// Where the code is, for want of anything better.
    code: String,
    /// The image that it is in, by crate and generation.
    image: Option<(String, Generation)>,
    /// The crate of the user's that it is code of.
    user_crate: Option<String>,
    kind: Kind,
}

impl Crates {
    pub(super) fn of(session: &Path, record: &Record) -> Self {
        let mut names = linked_crates(session);
        names.extend(record.mapped.iter().filter_map(|mapped| program_in(session, &mapped.path)));
        Self { session: session.file_name().unwrap_or_default().to_string_lossy().into_owned(), names }
    }

    fn frame(&self, call: Call, file: Option<&Path>, code: String) -> Frame {
        let name = file.and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        let image = image_of(&name, &self.session);
        let user_crate = call.function.as_ref().and_then(|function| self.user_crate(function, image.as_ref()));
        // Code of another crate may be compiled anew in a user's, for the user's types.
        let user_crate = user_crate.filter(|_| call.place.as_ref().is_none_or(|place| place.local.is_some()));
        let own = image.as_ref().map(|(name, _)| name.as_str());
        let (function, kind) = match call.function.map(|function| as_written(&function, own)) {
            Some((function, kind)) => (Some(function), kind),
            None => (None, Kind::Plain),
        };
        Frame { function, place: call.place, code, image, user_crate, kind }
    }

    /// The first of the user's crates that a function's path names: `logic` for `<logic::World as core::fmt::Display>::fmt`.
    fn user_crate(&self, function: &str, image: Option<&(String, Generation)>) -> Option<String> {
        // A plugin's image is called by the plugin's name, which is mostly that of its crate too.
        let own = image.map(|(name, _)| plugin_of(name).unwrap_or(name));
        let mut words = function.split(|character: char| !character.is_alphanumeric() && character != '_');
        if let Some(word) = words.find(|word| self.names.contains(*word) || own == Some(word)) {
            return Some(word.to_owned());
        }
        // A library that is asked for by name exports functions without a path, or is not of Rust.
        own.filter(|own| !self.names.contains(*own) && !function.contains("::")).map(str::to_owned)
    }
}

impl Frame {
    pub(super) fn text(&self) -> String {
        let function = self.function.as_deref();
        match (&self.place, function) {
            (Some(place), Some(function)) => format!("{function} at {}", self.shown(place)),
            (None, Some(function)) => format!("{function} in {}", self.code),
            (_, None) => self.code.clone(),
        }
    }

    fn shown(&self, place: &Place) -> String {
        let local = place.local.as_deref().filter(|_| self.user_crate.is_some());
        // The standard library's source, wherever it was compiled: `library/core/src/ptr/mod.rs`.
        let library = place.file.strip_prefix("/rustc/").and_then(|rest| rest.split_once('/'));
        let file = local.or(library.map(|(_, file)| file)).unwrap_or(&place.file);
        place.line.map_or_else(|| file.to_owned(), |line| format!("{file}:{line}"))
    }

    /// The last part of the function's path.
    fn method(&self) -> Option<&str> {
        self.function.as_deref()?.rsplit("::").next()
    }

    fn is(&self, prefixes: &[&str]) -> bool {
        let function = self.function.as_deref().unwrap_or_default();
        prefixes.iter().any(|prefix| function.trim_start_matches('<').starts_with(prefix))
    }
}

/// The user's function that was running: its crate, its generation, its path. Those of images come first: they are what is new.
pub(super) fn function(frames: &[Frame]) -> Option<(String, Generation, String)> {
    let mut users = frames.iter().filter(|frame| frame.user_crate.is_some());
    let in_image = users.clone().find(|frame| frame.image.is_some());
    let frame = in_image.or_else(|| users.next())?;
    let (crate_name, generation) = match &frame.image {
        Some(image) => image.clone(),
        None => (frame.user_crate.clone()?, Generation::LINKED),
    };
    Some((crate_name, generation, frame.function.clone()?))
}

/// All frames of a report, innermost first.
pub(super) fn frames(record: &Record, crates: &Crates) -> Vec<Frame> {
    let mut by_file: BTreeMap<&Path, BTreeSet<u64>> = BTreeMap::new();
    for (path, offset) in record.frames.iter().filter_map(|&address| record.place(address)) {
        by_file.entry(path).or_default().insert(offset);
    }
    let mut calls: BTreeMap<(&Path, u64), Vec<Call>> = BTreeMap::new();
    for (path, offsets) in by_file {
        let offsets: Vec<u64> = offsets.into_iter().collect();
        let found = symbols::calls(path, &offsets);
        calls.extend(offsets.iter().map(|&offset| (path, offset)).zip(found));
    }
    let mut frames = Vec::new();
    for &address in &record.frames {
        let place = record.place(address);
        let found = place.and_then(|place| calls.get(&place)).filter(|calls| !calls.is_empty());
        let code = match place {
            Some((path, _)) if found.is_some() => file_name(path),
            Some((path, offset)) => format!("{offset:#x} in {}", file_name(path)),
            None => format!("{address:#x}"),
        };
        let unknown = [Call::default()];
        let found = found.map_or(unknown.as_slice(), Vec::as_slice);
        let file = place.map(|(path, _)| path);
        frames.extend(found.iter().map(|call| crates.frame(call.clone(), file, code.clone())));
    }
    frames
}

fn file_name(path: &Path) -> String {
    printable(&path.file_name().unwrap_or_default().to_string_lossy())
}

/// Leaves out how a panic ends a program, how the system gets to `main` or a thread to its closure, and the attribute's part.
pub(super) fn told(mut frames: Vec<Frame>) -> Vec<Frame> {
    cut_beginning(&mut frames);
    cut_end(&mut frames);
    cut_borders(&mut frames);
    frames
}

const ENDS_THE_PROGRAM: [&str; 12] = [
    "abort",
    "gsignal",
    "raise",
    "pthread_kill",
    "__pthread_kill",
    "std::process::abort",
    "std::panicking::",
    "core::panicking::",
    "__rustc::",
    "rust_begin_unwind",
    "rust_panic",
    "std::sys::backtrace::__rust_end_short_backtrace",
];

fn cut_beginning(frames: &mut Vec<Frame>) {
    let before = frames.iter().take_while(|frame| frame.user_crate.is_none());
    let ways_to_end = before.enumerate().filter(|(_, frame)| frame.is(&ENDS_THE_PROGRAM));
    if let Some((last, _)) = ways_to_end.last() {
        frames.drain(..=last);
    }
}

const BEGINS: [&str; 7] = [
    "std::sys::backtrace::__rust_begin_short_backtrace",
    "std::rt::",
    "__libc_start",
    "_start",
    "start_thread",
    "clone",
    "__clone",
];

fn cut_end(frames: &mut Vec<Frame>) {
    let Some(end) = frames.iter().position(|frame| frame.user_crate.is_none() && frame.is(&BEGINS)) else { return };
    frames.truncate(end);
    while frames.last().is_some_and(|frame| frame.user_crate.is_none() && frame.is(&["core::ops::function::"])) {
        frames.pop();
    }
}

/// What `catch_unwind` consists of.
const CATCHES: [&str; 6] = [
    "std::panic::",
    "std::panicking::",
    "core::panic::unwind_safe::",
    "core::ops::function::",
    "__rust_try",
    "__rustc::",
];

fn cut_borders(frames: &mut Vec<Frame>) {
    let mut kept: Vec<Frame> = Vec::new();
    // Whether the function that was kept last is one that a trampoline leads to.
    let mut behind_trampoline = false;
    for frame in frames.drain(..) {
        if frame.kind == Kind::Border || frame.is(&["pitstop_reloadable::"]) {
            while kept.last().is_some_and(|inner| inner.user_crate.is_none() && inner.is(&CATCHES)) {
                kept.pop();
            }
            behind_trampoline = true;
            continue;
        }
        let inner = kept.last_mut().filter(|inner| behind_trampoline && inner.method() == frame.method());
        if let Some(inner) = inner {
            // The trampoline, which knows of which trait a method is.
            inner.function = frame.function;
            behind_trampoline = false;
        } else {
            behind_trampoline = frame.kind == Kind::Body;
            kept.push(frame);
        }
    }
    *frames = kept;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of these functions; those that begin with `#` are in an image, with `logic` as the crate.
    fn frames(functions: &[&str]) -> Vec<Frame> {
        let crates = Crates { session: "s".to_owned(), names: ["logic", "game", "util"].map(str::to_owned).into() };
        let image = format!("{}logic-s-4{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
        let frame = |text: &&str| {
            let (file, function) = match text.strip_prefix('#') {
                Some(function) => (image.as_str(), function),
                None => ("game", *text),
            };
            let is_user = !function.starts_with("std::") && !function.starts_with("core::");
            let local = is_user.then(|| "lib.rs".to_owned());
            let place = Some(Place { file: "/x/lib.rs".to_owned(), local, line: Some(1) });
            crates.frame(Call { function: Some(function.to_owned()), place }, Some(Path::new(file)), file.to_owned())
        };
        functions.iter().map(frame).collect()
    }

    fn names(frames: &[Frame]) -> Vec<&str> {
        frames.iter().filter_map(|frame| frame.function.as_deref()).collect()
    }

    const MAIN: [&str; 7] = [
        "game::main",
        "core::ops::function::FnOnce::call_once",
        "std::sys::backtrace::__rust_begin_short_backtrace",
        "std::rt::lang_start::{{closure}}",
        "std::rt::lang_start",
        "main",
        "__libc_start_main",
    ];

    #[test]
    fn a_panic_that_ends_the_program_begins_in_the_users_code_and_ends_in_main() {
        let mut all = vec!["gsignal", "abort", "std::process::abort", "std::panicking::panic_with_hook"];
        all.extend(["core::panicking::panic_cannot_unwind", "#core::option::unwrap_failed", "#logic::fall"]);
        all.extend(["#core::ops::function::FnOnce::call_once", "#util::each", "#logic::update"]);
        all.extend(["#logic::_::__pitstop_export::{{closure}}", "#core::panic::unwind_safe::AssertUnwindSafe"]);
        all.extend(["#std::panicking::catch_unwind::do_call", "#__rust_try", "#std::panic::catch_unwind"]);
        all.extend(["#pitstop_reloadable::border::border", "#logic::_::__pitstop_export", "logic::update"]);
        all.extend(MAIN);
        let told = told(frames(&all));
        let expected = [
            "core::option::unwrap_failed",
            "logic::fall",
            "core::ops::function::FnOnce::call_once",
            "util::each",
            "logic::update",
            "game::main",
        ];
        assert_eq!(names(&told), expected);
        assert_eq!(function(&told), Some(("logic".to_owned(), Generation(4), "logic::fall".to_owned())));
    }

    #[test]
    fn a_body_and_its_trampoline_are_one_function() {
        let hidden = "<logic::World as logic::_::__PitstopBodies>::__pitstop_fmt";
        let trampoline = "<logic::World as core::fmt::Display>::fmt";
        let recursion =
            ["logic::update::__pitstop_body", "logic::update", "logic::update::__pitstop_body", "logic::update"];
        let all = [&[hidden, trampoline], recursion.as_slice(), &MAIN].concat();
        let told = told(frames(&all));
        assert_eq!(names(&told), [trampoline, "logic::update", "logic::update", "game::main"]);
        assert_eq!(function(&told), Some(("logic".to_owned(), Generation::LINKED, trampoline.to_owned())));
    }

    #[test]
    fn an_images_function_is_told_rather_than_what_it_called_in_the_program() {
        let told = told(frames(&["game::draw", "#logic::update", "game::main"]));
        assert_eq!(function(&told).map(|found| found.2), Some("logic::update".to_owned()));
        assert_eq!(function(&frames(&["std::thread::park", "write"])), None);
    }

    #[test]
    fn frames_without_any_code_of_the_users_stay() {
        let told = told(frames(&["std::thread::park", "std::sys::thread::start"]));
        assert_eq!(names(&told), ["std::thread::park", "std::sys::thread::start"]);
    }
}
