//! Events in words, for a person at a terminal.

use crate::process::fault;
use pitstop_contract::event::{Answer, Event, MigratedState, RetainedImage, Why};
use pitstop_contract::manifest::plugin_of;
use pitstop_contract::{Generation, Reason, Rule};

pub(crate) const GREEN: &str = "\x1b[1;32m";
pub(crate) const RED: &str = "\x1b[1;31m";
pub(crate) const YELLOW: &str = "\x1b[1;33m";
pub(crate) const BLUE: &str = "\x1b[1;34m";

/// As wide as a label.
const PAD: &str = "             ";
/// How many of a list are shown.
const SHOWN: usize = 4;

/// A reason, in lines that begin under the label's text.
pub(crate) fn finding(reason: &Reason) -> String {
    let Reason { rule, subject, expected, found, notes, advice } = reason;
    let pad = PAD;
    if *rule == Rule::Layout {
        let notes: String = notes.iter().map(|note| format!("; {note}")).collect();
        return format!("\n{pad}{subject}: {expected} → {found}{notes}");
    }
    let notes: String = notes.iter().map(|note| format!("{pad}  {note}\n")).collect();
    format!("\n{pad}{subject} ({rule})\n{pad}  expected {expected}\n{pad}  found    {found}\n{notes}{pad}  {advice}")
}

pub(crate) fn label(colour: &str, word: &str) -> String {
    format!("{colour}{word:>12}\x1b[0m ")
}

/// An image's name in words.
pub(crate) fn named(image: &str) -> String {
    plugin_of(image).map_or_else(|| image.to_owned(), |name| format!("plugin {name}"))
}

/// `is_live`: the program was built, and may be running.
pub(crate) fn describe(event: &Event, is_live: bool) -> Option<String> {
    let text = match event {
        Event::Session { crates, linkage, linkage_reason, directory, host, .. } => {
            let mut text = label(GREEN, "Pitstop");
            if crates.is_empty() {
                text.push_str(
                    "reloads plugins and libraries that the program asks for; no crate of it depends on \
                     pitstop-reloadable",
                );
            } else {
                text.push_str(&format!("reloads {}; dependencies {linkage}", crates.join(", ")));
                if !linkage_reason.is_empty() {
                    text.push_str(&format!(" ({linkage_reason})"));
                }
            }
            match host {
                Some(host) => text.push_str(&format!("\n{:>13}program {host}", "")),
                None => text.push_str(&format!("\n{:>13}session {directory}", "")),
            }
            text
        }
        Event::Change { files, crates } if crates.is_empty() => {
            format!("{}{}", label(BLUE, "Changed"), files.join(", "))
        }
        Event::BuildStarted { generation: Generation::LINKED, crates } => {
            format!("{}{} anew", label(GREEN, "Building"), crates.join(", "))
        }
        Event::Change { .. } | Event::BuildStarted { .. } | Event::BuildCancelled { .. } | Event::Built { .. } => {
            return None;
        }
        Event::Attached { .. } | Event::Wanted { .. } | Event::Verified { .. } => return None,
        Event::PluginWanted { .. } => return None,
        Event::PluginForgotten { name } => format!("{}plugin {name}", label(GREEN, "Unloaded")),
        Event::BuildFailed { crate_name, errors, rendered, .. } => {
            let plural = if *errors == 1 { "" } else { "s" };
            let head = label(RED, "Not built");
            // How many errors a plugin's own command has found only its words tell.
            let count =
                if plugin_of(crate_name).is_some() { String::new() } else { format!(": {errors} error{plural}") };
            let crate_name = named(crate_name);
            let so = if is_live { "the program goes on as it is" } else { "waiting for the edit that mends it" };
            format!("{}\n{head}{crate_name}{count}; {so}", rendered.trim_end())
        }
        Event::Rejected { reasons, .. } if reasons.iter().all(|reason| reason.rule == Rule::HostCode) => {
            let files: Vec<&str> = reasons.iter().map(|reason| reason.subject.as_str()).collect();
            format!("{}to see {}: it is part of the running program", label(YELLOW, "Restart"), files.join(", "))
        }
        Event::Rejected { crate_name, generation, reasons } => {
            let head = label(YELLOW, "Refused");
            let number = match *generation {
                // Its configuration: no version was looked at.
                Generation::LINKED if plugin_of(crate_name).is_some() => String::new(),
                generation => format!(" #{generation}"),
            };
            let mut text = format!("{head}{}{number}; the program goes on as it is", named(crate_name));
            reasons.iter().for_each(|reason| text.push_str(&finding(reason)));
            // Many parts of types may differ, and one thing is to be done about all of them.
            if let Some(reason) = reasons.iter().find(|reason| reason.rule == Rule::Layout) {
                text.push_str(&format!("\n{:>13}{}", "", reason.advice));
            }
            text
        }
        Event::Waiting { generation, threads, gave_up } => {
            let who: Vec<String> = threads
                .iter()
                .map(|thread| {
                    format!(
                        "`{}` in its unit of work since {} for {:.0} ms",
                        thread.thread, thread.place, thread.for_ms
                    )
                })
                .collect();
            let what = if *gave_up { "gave up for now on" } else { "waits for" };
            format!("{}#{generation} {what} {}", label(YELLOW, "Waiting"), who.join(", "))
        }
        Event::Live { crate_name, generation, edit_to_live_ms, stages, .. } => {
            let build = match plugin_of(crate_name) {
                None => format!(" (rustc {:.0})", stages.build),
                Some(_) if stages.build > 0.0 => format!(" (build {:.0})", stages.build),
                // Something else has built it.
                Some(_) => String::new(),
            };
            let name = named(crate_name);
            format!("{}{name} #{generation} in {edit_to_live_ms:.0} ms{build}", label(GREEN, "Live"))
        }
        Event::Panicked { function, generation, message, location, count, answer, .. } => {
            let head = label(RED, "Panicked");
            let place = location.as_ref().map_or_else(String::new, |place| format!(" at {place}"));
            let times = if *count > 1 { format!(", {count} times by now") } else { String::new() };
            let then = match answer {
                // There is nothing before it.
                Answer::Rollback if generation.0 == 0 => "; waiting for the edit that mends it",
                Answer::Rollback => "; back to the last good generation",
                Answer::Hold => "; the call waits for the edit that mends it",
                Answer::Propagate => "",
            };
            format!("{head}{function} of #{generation}: {message}{place}{times}{then}")
        }
        Event::Exited { code, signal } => match (code, signal) {
            // Ctrl-C and its like: whoever sent it knows.
            (Some(0), _) | (None, Some(2 | 15)) => return None,
            // It was told as a crash.
            (None, Some(signal)) if fault(*signal) => return None,
            (Some(code), _) => format!("{}with code {code}", label(BLUE, "Exited")),
            (None, Some(signal)) => format!("{}by signal {signal}", label(RED, "Ended")),
            (None, None) => return None,
        },
        Event::Migrated { crate_name, generation, states, took_ms } => {
            let states = list(states.iter().map(migrated));
            format!("{}{states} to {} #{generation} in {took_ms:.1} ms", label(GREEN, "Migrated"), named(crate_name))
        }
        // What it is for is told by itself: a restart, a crash.
        Event::Saved { lost, .. } if lost.is_empty() => return None,
        Event::Saved { lost, .. } => lost_values("Not saved", lost),
        // Said with the restart.
        Event::Restored { lost, .. } if lost.is_empty() => return None,
        Event::Restored { lost, .. } => {
            format!("{}; they begin anew", lost_values("Not restored", lost))
        }
        Event::RestartWanted { why } => format!("{}asked for by the program: {why}", label(BLUE, "Restart")),
        Event::RestartOffered { reasons } if reasons.is_empty() => {
            format!("{}the running program is as its source is again; no restart is needed", label(GREEN, "Same"))
        }
        // The reasons were told one by one.
        Event::RestartOffered { .. } => {
            format!("{PAD}`cargo pitstop restart` starts the program anew with its state")
        }
        Event::Restarted { why, down_ms, with_state } => {
            let state = if *with_state { "with its state" } else { "without state" };
            format!("{}{state}, {down_ms:.0} ms after it ended: {why}", label(GREEN, "Restarted"))
        }
        Event::RolledBack { crate_name, from, generation, why } => {
            let to = match *generation {
                Generation::LINKED if plugin_of(crate_name).is_some() => "what the program began with".to_owned(),
                Generation::LINKED => "what it was built with".to_owned(),
                generation => format!("#{generation}"),
            };
            let head = match why {
                Why::Panic => label(YELLOW, "Rolled back"),
                Why::Undo => label(GREEN, "Undone"),
                Why::Redo => label(GREEN, "Redone"),
            };
            format!("{head}{} from #{from} to {to}", named(crate_name))
        }
        Event::Crashed { name, address, thread, generation, function, backtrace, .. } => {
            let function = function.as_deref().unwrap_or("the program");
            let generation = generation.map_or_else(String::new, |generation| format!(" of #{generation}"));
            let address = address.as_ref().map_or_else(String::new, |address| format!(" at address {address}"));
            let thread = thread.as_ref().map_or_else(String::new, |thread| format!(" in thread `{thread}`"));
            let head = label(RED, "Crashed");
            format!("{head}{function}{generation}: {name}{address}{thread}{}", frames(backtrace))
        }
        // The caller knows what was told of these before.
        Event::Retained { .. } | Event::Retired { .. } => return None,
        Event::Notice { message } => format!("{}{message}", label(YELLOW, "Note")),
    };
    Some(text)
}

/// A backtrace, in lines that begin under the label's text. Of a recursion each frame is shown once.
fn frames(backtrace: &[String]) -> String {
    let repeated = backtrace.chunk_by(|one, next| one == next);
    let lines = repeated.filter_map(|run| match run {
        [frame] => Some(format!("\n{PAD}{frame}")),
        [frame, ..] => Some(format!("\n{PAD}{frame}, {} times", run.len())),
        [] => None,
    });
    lines.collect()
}

fn migrated(state: &MigratedState) -> String {
    let MigratedState { type_name, key, from, .. } = state;
    let key = if key.is_empty() { String::new() } else { format!(" \"{key}\"") };
    format!("{type_name}{key} of #{from}")
}

fn lost_values(what: &str, lost: &[Reason]) -> String {
    let lost = lost.iter().map(|reason| format!("{}: {}", reason.subject, reason.found));
    format!("{}{}", label(YELLOW, what), list(lost))
}

/// A few by name, and how many more.
fn list(items: impl ExactSizeIterator<Item = String>) -> String {
    let more = items.len().saturating_sub(SHOWN);
    let mut text = items.take(SHOWN).collect::<Vec<_>>().join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

/// What earlier images take up, in bytes, and in one line.
pub(crate) fn retained(images: &[RetainedImage]) -> (u64, String) {
    let old = images.iter().filter(|image| !image.live);
    let bytes = old.clone().map(|image| image.resident_bytes.unwrap_or(image.mapped_bytes)).sum();
    let held = old.clone().find(|image| !image.held_by.is_empty());
    let held = held.map(|image| {
        format!(
            "; {} #{} is held by {}",
            named(&image.crate_name),
            image.generation,
            list(image.held_by.iter().cloned())
        )
    });
    let (mib, held) = (bytes >> 20, held.unwrap_or_default());
    (bytes, format!("{}{mib} MiB by {} earlier images{held}", label(BLUE, "Retained"), old.count()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a person reads, without colours.
    fn shown(event: &Event) -> String {
        let text = describe(event, true).unwrap_or_default();
        [GREEN, RED, YELLOW, BLUE, "\x1b[0m"].iter().fold(text, |text, colour| text.replace(colour, ""))
    }

    #[test]
    fn a_refusal_says_what_was_expected_what_was_found_and_what_to_do() {
        let reason =
            Reason::new(Rule::Signature, "logic::tick", "`fn(u32)`", "`fn(u64)`", "undo the change, or restart");
        let event = Event::Rejected { crate_name: "logic".into(), generation: Generation(3), reasons: vec![reason] };
        let expected = [
            "     Refused logic #3; the program goes on as it is",
            "             logic::tick (signature)",
            "               expected `fn(u32)`",
            "               found    `fn(u64)`",
            "               undo the change, or restart",
        ];
        assert_eq!(shown(&event), expected.join("\n"));
    }

    #[test]
    fn an_edit_of_host_code_is_one_line() {
        let reason = Reason::new(Rule::HostCode, "src/main.rs", "a", "b", "c");
        let event = Event::Rejected { crate_name: "game".into(), generation: Generation(0), reasons: vec![reason] };
        assert_eq!(shown(&event), "     Restart to see src/main.rs: it is part of the running program");
    }

    #[test]
    fn a_failed_build_ends_in_what_it_means_for_the_program() {
        let event = Event::BuildFailed {
            generation: Generation(1),
            crate_name: "logic".into(),
            errors: 2,
            rendered: "error: a\nerror: b\n".into(),
        };
        let expected = "error: a\nerror: b\n   Not built logic: 2 errors; the program goes on as it is";
        assert_eq!(shown(&event), expected);
    }

    #[test]
    fn a_plugin_is_called_by_its_name() {
        let live = |crate_name: &str, build| Event::Live {
            crate_name: crate_name.into(),
            generation: Generation(4),
            edit_to_live_ms: 20.0,
            stages: pitstop_contract::event::Stages { build, ..Default::default() },
            slots: 0,
            image_bytes: 1,
        };
        assert_eq!(shown(&live("logic", 12.0)), "        Live logic #4 in 20 ms (rustc 12)");
        assert_eq!(shown(&live("plugin:greeter", 12.0)), "        Live plugin greeter #4 in 20 ms (build 12)");
        assert_eq!(shown(&live("plugin:greeter", 0.0)), "        Live plugin greeter #4 in 20 ms");
        let failed = Event::BuildFailed {
            generation: Generation(5),
            crate_name: "plugin:greeter".into(),
            errors: 1,
            rendered: "greeter.c:1: error".into(),
        };
        let expected = "greeter.c:1: error\n   Not built plugin greeter; the program goes on as it is";
        assert_eq!(shown(&failed), expected);
        let reason = Reason::new(Rule::Load, "greeter.so", "a table", "none", "export it");
        let crate_name = "plugin:greeter".to_owned();
        let refused = Event::Rejected { crate_name, generation: Generation(5), reasons: vec![reason] };
        assert!(shown(&refused).starts_with("     Refused plugin greeter #5; the program goes on as it is\n"));
    }

    #[test]
    fn a_crash_says_where_and_a_recursion_is_one_line() {
        let frame = |text: &str| text.to_owned();
        let mut event = Event::Crashed {
            signal: 11,
            name: "SIGSEGV".into(),
            address: Some("0x8".into()),
            thread: Some("worker".into()),
            crate_name: "logic".into(),
            generation: Some(Generation(3)),
            function: Some("logic::fall".into()),
            backtrace: vec![
                frame("logic::fall at a.rs:1"),
                frame("logic::fall at a.rs:1"),
                frame("game::main at b.rs:2"),
            ],
        };
        let expected = [
            "     Crashed logic::fall of #3: SIGSEGV at address 0x8 in thread `worker`",
            "             logic::fall at a.rs:1, 2 times",
            "             game::main at b.rs:2",
        ];
        assert_eq!(shown(&event), expected.join("\n"));
        if let Event::Crashed { address, thread, generation, function, backtrace, .. } = &mut event {
            (*address, *thread, *generation, *function) = (None, None, None, None);
            backtrace.clear();
        }
        assert_eq!(shown(&event), "     Crashed the program: SIGSEGV");
    }

    #[test]
    fn a_restart_is_offered_taken_back_and_done_in_a_line_each() {
        let offer =
            |reasons: &[&str]| Event::RestartOffered { reasons: reasons.iter().map(ToString::to_string).collect() };
        assert_eq!(
            shown(&offer(&["src/main.rs is linked into the program"])),
            "             `cargo pitstop restart` starts the program anew with its state"
        );
        assert_eq!(
            shown(&offer(&[])),
            "        Same the running program is as its source is again; no restart is needed"
        );
        let done = Event::Restarted { why: "it was asked for".into(), down_ms: 12.3, with_state: true };
        assert_eq!(shown(&done), "   Restarted with its state, 12 ms after it ended: it was asked for");
    }

    #[test]
    fn a_panic_says_where_it_was_and_what_becomes_of_it() {
        let panicked = |generation, count, answer| Event::Panicked {
            crate_name: "logic".into(),
            generation: Generation(generation),
            function: "logic::update".into(),
            message: "no fuel".into(),
            location: Some("logic/src/lib.rs:7:5".into()),
            backtrace: Vec::new(),
            count,
            answer,
        };
        let place = "logic::update of #3: no fuel at logic/src/lib.rs:7:5";
        let expected = format!("    Panicked {place}; back to the last good generation");
        assert_eq!(shown(&panicked(3, 1, Answer::Rollback)), expected);
        assert_eq!(shown(&panicked(3, 10, Answer::Propagate)), format!("    Panicked {place}, 10 times by now"));
        assert!(shown(&panicked(0, 1, Answer::Rollback)).ends_with("; waiting for the edit that mends it"));
    }

    #[test]
    fn what_is_saved_and_restored_is_told_only_where_something_is_lost() {
        let lost = |name: &str| Reason::new(Rule::State, name, "a Serialize type", "none in game", "a");
        let saved = |lost| Event::Saved { id: 1, file: "f".into(), states: Vec::new(), lost, bytes: 1, took_ms: 1.0 };
        assert_eq!(shown(&saved(Vec::new())), "");
        assert_eq!(shown(&saved(vec![lost("logic::Counter")])), "   Not saved logic::Counter: none in game");
        let restored = Event::Restored { states: Vec::new(), lost: vec![lost("logic::World")] };
        assert_eq!(shown(&restored), "Not restored logic::World: none in game; they begin anew");
    }
}
