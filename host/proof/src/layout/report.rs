//! A comparison in words: one reason for each difference, or all as a tree for the terminal.

use super::path::Step;
use super::{Comparison, Difference, Extent, Resized, RootKind};
use pitstop_contract::{Reason, Rule};
use std::fmt;
use std::fmt::Write as _;

const ADVICE: &str = "undo the change, or restart the program, so that its code and its values are made anew";

/// Tells a parameter's name, from the slot's name and the parameter's place.
pub type ParameterName<'a> = dyn Fn(&str, usize) -> Option<String> + 'a;

impl Difference {
    /// As a finding, on its own.
    #[must_use]
    pub fn reason(&self, parameter: &ParameterName<'_>) -> Reason {
        let mut notes: Vec<String> = self.resized.iter().map(Resized::to_string).collect();
        notes.push(format!("reached from {}", self.origin(parameter)));
        Reason::new(Rule::Layout, &self.path, &self.expected, &self.found, ADVICE).with_notes(notes)
    }

    /// `logic::update(world)`, `logic::update(result)`.
    fn origin(&self, parameter: &ParameterName<'_>) -> String {
        let root = &self.root;
        match (self.root_kind, self.parameter) {
            (RootKind::Keyed, _) => format!("{root}, kept by type"),
            (RootKind::Own, _) => root.clone(),
            (RootKind::Carried, _) => format!("the carried {root}"),
            (RootKind::Slot | RootKind::Export | RootKind::Method, Some(index)) => match parameter(root, index) {
                Some(name) => format!("{root}({name})"),
                None => format!("{root}{}", Step::Argument(index)),
            },
            (RootKind::Slot | RootKind::Export | RootKind::Method, None) if self.path == *root => root.clone(),
            (RootKind::Slot | RootKind::Export | RootKind::Method, None) => format!("{root}{}", Step::Result),
        }
    }

    /// What it says of the type that it is in: `radius`, of `World.balls[].radius`.
    fn part(&self) -> &str {
        // A parameter is all that its difference is in.
        if self.within.is_empty() {
            return "";
        }
        self.path.strip_prefix(&self.within).map_or(self.path.as_str(), |part| part.trim_start_matches('.'))
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "size {}", self.size)?;
        self.align.map_or(Ok(()), |align| write!(f, ", alignment {align}"))
    }
}

impl fmt::Display for Resized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expected, found } = self;
        if expected.size != found.size {
            write!(f, "size {} → {}", expected.size, found.size)?;
        }
        match (expected.align, found.align) {
            (Some(before), Some(after)) if before != after => {
                let comma = if expected.size == found.size { "" } else { ", " };
                write!(f, "{comma}alignment {before} → {after}")
            }
            _ => Ok(()),
        }
    }
}

/// The differences as a tree for the terminal, those of one type together.
#[must_use]
pub fn tree(comparison: &Comparison, parameter: &ParameterName<'_>) -> String {
    let mut text = String::new();
    let same = |one: &Difference, other: &Difference| {
        let place = |it: &Difference| (it.root.clone(), it.parameter, it.within.clone(), it.ty.clone());
        place(one) == place(other)
    };
    for group in comparison.differences.chunk_by(same) {
        let Some(first) = group.first() else { continue };
        let origin = first.origin(parameter);
        // Writing to a string does not fail.
        let _ = match first.within.as_str() {
            "" => writeln!(text, "{origin}"),
            _ if first.root_kind == RootKind::Own && first.ty == first.root => writeln!(text, "{}", first.ty),
            within => writeln!(text, "{}, reached from {origin} as {within}", first.ty),
        };
        for difference in group {
            let part = difference.part();
            let colon = if part.is_empty() { "" } else { ": " };
            let _ = writeln!(text, "    {part}{colon}{} → {}", difference.expected, difference.found);
        }
        if let Some(resized) = first.resized {
            let _ = writeln!(text, "    {resized}");
        }
    }
    for note in &comparison.notes {
        let _ = writeln!(text, "{} {}", note.path, note.text);
    }
    for unproven in &comparison.unproven {
        let _ = writeln!(text, "{unproven}");
    }
    text
}
