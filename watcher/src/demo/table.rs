//! What a person sees of the cases: a line each, and all that is found where one was asked for.

use super::blind::Kind;
use super::cases::Case;
use super::version_match::{Finding, Verdict};
use crate::describe::finding as described;
use pitstop_contract::{Reason, Rule};

/// The columns' widths, of 120 in all.
pub(super) const CASE: usize = 19;
pub(super) const CHANGE: usize = 23;
const VERDICT: usize = 49;
const WITHOUT: usize = 26;

const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[31m";
const BOLD: &str = "\x1b[1m";
const END: &str = "\x1b[0m";

pub(super) fn listed(case: &Case) -> String {
    format!("{:CASE$} {:CHANGE$} {}", case.name, case.change, case.expected.rule())
}

pub(super) fn head() -> String {
    let [case, change, verdict, without] = ["case", "what is changed", "Pitstop says", "what happens without it"];
    format!("{BOLD}{case:CASE$} {change:CHANGE$} {verdict:VERDICT$} {without}{END}")
}

pub(super) fn row(finding: &Finding) -> String {
    let case = finding.case;
    let verdict = match &finding.verdict {
        Verdict::Accepted { notes } => match notes.first() {
            Some(note) => format!("accepted: {note}"),
            None => "accepted".to_owned(),
        },
        Verdict::Refused(reasons) => reasons.first().map(short).unwrap_or_default(),
    };
    let colour = if finding.is_as_expected() { GREEN } else { RED };
    let without = cut(&without(finding), WITHOUT);
    let verdict = cut(&verdict, VERDICT);
    // The loader's own refusal does no harm.
    let is_harm = matches!(finding.without.outcome, Kind::WrongValues | Kind::Signal | Kind::Hang);
    let harm = if is_harm { RED } else { "" };
    let mut row =
        format!("{:CASE$} {:CHANGE$} {colour}{verdict:VERDICT$}{END} {harm}{without}{END}", case.name, finding.change);
    if !finding.is_as_expected() {
        row.push_str(&format!("\n{:CASE$} {RED}not as expected: {}{END}", "", case.expected.rule()));
    }
    row
}

/// The rule, and as much of what it found as says it all.
fn short(reason: &Reason) -> String {
    let Reason { rule, subject, expected, found, .. } = reason;
    let version = |text: &str| text.split(' ').next().unwrap_or_default().to_owned();
    let text = match rule {
        Rule::Compiler => format!("{} → {}", version(expected), version(found)),
        Rule::Layout => format!("{}: {expected} → {found}", subject.strip_prefix("World.").unwrap_or(subject)),
        Rule::Missing => subject.clone(),
        Rule::Checksum | Rule::Profile | Rule::Linkage | Rule::Target | Rule::Dependencies => {
            format!("{expected} → {found}").replace(" (no features)", "")
        }
        // What was expected goes without saying.
        _ => found.clone(),
    };
    format!("{rule}: {}", text.replace('`', ""))
}

fn without(finding: &Finding) -> String {
    let detail = &finding.without.detail;
    match finding.without.outcome {
        Kind::RightValues => "right values".to_owned(),
        Kind::WrongValues | Kind::Signal | Kind::NotLoaded | Kind::ExitCode => detail.clone(),
        Kind::Hang => format!("hangs: {detail}"),
    }
}

pub(super) fn details(finding: &Finding) -> String {
    let mut text = String::new();
    match &finding.verdict {
        Verdict::Accepted { notes } => notes.iter().for_each(|note| text.push_str(&format!("\n{:13}{note}", ""))),
        Verdict::Refused(reasons) => reasons.iter().for_each(|reason| text.push_str(&described(reason))),
    }
    format!("{text}\n{:13}without Pitstop: {}\n", "", without(finding))
}

pub(super) fn summary(findings: &[Finding]) -> String {
    let count = |accepted: bool| {
        let alike = findings.iter().filter(|finding| finding.is_as_expected());
        alike.filter(|finding| matches!(finding.verdict, Verdict::Accepted { .. }) == accepted).count()
    };
    let (refused, accepted) = (count(false), count(true));
    let mut text =
        format!("\n{}: {refused} refused as expected, {accepted} accepted as expected", cases(findings.len()));
    let other: Vec<&str> =
        findings.iter().filter(|finding| !finding.is_as_expected()).map(|finding| finding.case.name).collect();
    if !other.is_empty() {
        text.push_str(&format!(", {RED}{} not as expected{END}: {}", other.len(), other.join(", ")));
    }
    text
}

fn cases(number: usize) -> String {
    format!("{number} case{}", if number == 1 { "" } else { "s" })
}

/// As much of a text as fits on one line.
fn cut(text: &str, width: usize) -> String {
    let text = text.replace('\n', " ");
    if text.chars().count() <= width {
        return text;
    }
    text.chars().take(width - 1).chain(['…']).collect()
}
