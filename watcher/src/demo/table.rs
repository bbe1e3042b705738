//! What a person sees of the cases: a line each, and all that is found where one was asked for.

use super::blind::Kind;
use super::cases::Case;
use super::version_match::{Finding, Verdict};
use crate::output::finding as described;
use pitstop_contract::Reason;

/// The columns' widths, of 120 in all.
const CASE: usize = 21;
const CHANGE: usize = 30;
const VERDICT: usize = 37;
const WITHOUT: usize = 29;

const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[31m";
const BOLD: &str = "\x1b[1m";
const END: &str = "\x1b[0m";

pub(super) fn listed(case: &Case) -> String {
    format!("{:CASE$} {:CHANGE$} {}", case.name, cut(case.change, CHANGE), case.expected.rule())
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
    let is_right = finding.without.outcome == Kind::RightValues;
    let (change, verdict) = (cut(case.change, CHANGE), cut(&verdict, VERDICT));
    let harm = if is_right { "" } else { RED };
    let mut row = format!("{:CASE$} {change:CHANGE$} {colour}{verdict:VERDICT$}{END} {harm}{without}{END}", case.name);
    if !finding.is_as_expected() {
        row.push_str(&format!("\n{:CASE$} {RED}not as expected: {}{END}", "", case.expected.rule()));
    }
    if let Some(remark) = &finding.remark {
        row.push_str(&format!("\n{:CASE$} {remark}", ""));
    }
    row
}

/// The rule, and what it found.
fn short(reason: &Reason) -> String {
    format!("{}: {} for {}", reason.rule, reason.found, reason.expected)
}

fn without(finding: &Finding) -> String {
    let detail = &finding.without.detail;
    match finding.without.outcome {
        Kind::RightValues => "right values".to_owned(),
        Kind::WrongValues | Kind::Signal | Kind::ExitCode => detail.clone(),
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
        format!("\n{} cases: {refused} refused as expected, {accepted} accepted as expected", findings.len());
    let other: Vec<&str> =
        findings.iter().filter(|finding| !finding.is_as_expected()).map(|finding| finding.case.name).collect();
    if !other.is_empty() {
        text.push_str(&format!(", {RED}{} not as expected{END}: {}", other.len(), other.join(", ")));
    }
    text
}

/// As much of a text as fits on one line.
fn cut(text: &str, width: usize) -> String {
    let text = text.replace('\n', " ");
    if text.chars().count() <= width {
        return text;
    }
    text.chars().take(width - 1).chain(['…']).collect()
}
