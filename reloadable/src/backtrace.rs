//! A backtrace as a person wants it: the program's own functions, innermost first.

/// How many frames are told.
const AT_MOST: usize = 30;

/// Frames of the standard library, of the C library and of Pitstop itself.
const NOT_THE_PROGRAMS: [&str; 23] = [
    "std::",
    "core::",
    "alloc::",
    "test::",
    "<fn(",
    "<std::",
    "<core::",
    "<alloc::",
    "<&mut core::",
    "__rust",
    "_rust",
    "rust_",
    "<unknown>",
    "_start",
    "__libc",
    "__GI_",
    "clone",
    "start_thread",
    "__pthread",
    "pitstop_",
    "<pitstop_",
    "__scrt",
    "invoke_main",
];

/// The frames in what a `Backtrace` displays, each with its place where that is known.
pub(crate) fn frames(text: &str) -> Vec<String> {
    let mut frames: Vec<(String, Option<&str>)> = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(place) = line.strip_prefix("at ") {
            if let Some((_, known @ None)) = frames.last_mut() {
                *known = Some(place);
            }
        } else if let Some((number, name)) = line.split_once(": ")
            && number.bytes().all(|byte| byte.is_ascii_digit())
        {
            frames.push((name.to_owned(), None));
        }
    }
    let mut told: Vec<String> = Vec::new();
    let mut last = String::new();
    for (name, place) in frames {
        // Where the standard library was built.
        if place.is_some_and(|place| place.starts_with("/rustc/")) {
            continue;
        }
        let Some(name) = own(&name) else { continue };
        // A trampoline and its body have one name.
        if name == last {
            continue;
        }
        told.push(match place {
            Some(place) => format!("{name} at {place}"),
            None => name.clone(),
        });
        last = name;
        if told.len() == AT_MOST {
            break;
        }
    }
    told
}

/// The name as the user knows it; `None` for what is not the user's.
fn own(name: &str) -> Option<String> {
    if name == "main" || NOT_THE_PROGRAMS.iter().any(|prefix| name.starts_with(prefix)) {
        return None;
    }
    if let Some((owner, method)) = name.split_once(">::__pitstop_") {
        // The wrapper around a method, or its body.
        let method = method.strip_prefix("body_")?;
        let owner = owner.trim_start_matches('<');
        let owner = owner.rsplit_once(" as ").map_or(owner, |(owner, _)| owner);
        return Some(format!("{owner}::{method}"));
    }
    if name.contains("::__pitstop_export") {
        return None;
    }
    Some(name.replace("::__pitstop_body", ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_programs_own_frames_are_told() {
        let text = "   0: std::backtrace::Backtrace::force_capture\n             at /rustc/0/library/std/src/backtrace.rs:312:9\n   \
                       1: pitstop_reloadable::note::see\n   2: __rustc::rust_begin_unwind\n   3: core::panicking::panic_fmt\n   \
                       4: logic::rules::fuel\n             at ./logic/src/rules.rs:12:5\n   \
                       5: logic::update::__pitstop_body\n             at ./logic/src/lib.rs:7:9\n   \
                       6: logic::update::__pitstop_export::{{closure}}\n   7: logic::update\n   \
                       8: <logic::World as logic::_::__PitstopBodies>::__pitstop_body_step\n   \
                       9: <logic::World as logic::_::__PitstopBodies>::__pitstop_step\n  \
                       10: <&dyn core::ops::Fn<()> as core::ops::FnOnce<()>>::call_once\n             at /rustc/0/function.rs:2:1\n  \
                       11: game::main\n             at ./game/src/main.rs:9:1\n  12: main\n  13: __libc_start_call_main\n";
        assert_eq!(
            frames(text),
            [
                "logic::rules::fuel at ./logic/src/rules.rs:12:5",
                "logic::update at ./logic/src/lib.rs:7:9",
                "logic::World::step",
                "game::main at ./game/src/main.rs:9:1",
            ]
        );
    }

    #[test]
    fn an_endless_recursion_is_cut_and_any_text_is_read() {
        let text: String = (0..500).map(|n| format!("{n}: logic::f{n}\n")).collect();
        assert_eq!(frames(&text).len(), AT_MOST);
        assert_eq!(frames("disabled backtrace"), Vec::<String>::new());
        assert_eq!(frames("at nowhere\n: \n0: \n1: f\nat\n"), ["f"]);
    }
}
