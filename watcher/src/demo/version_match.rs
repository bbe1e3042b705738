//! One plugin in all mismatching ways: what Pitstop says to each, and what happens to a program that does not ask.

use super::Request;
use super::blind::{self, Kind, Outcome};
use super::cases::{CASES, Case, Expected};
use super::table;
use super::workshop::{PLUGIN, Published, Workshop};
use crate::exit_code::{ExitCode, Fatal};
use crate::output::Output;
use pitstop_contract::Reason;
use pitstop_proof::layout::{self, Layouts};
use pitstop_proof::{Built, Image, complete, described, descriptor, file, prove};
use std::path::Path;

/// What a case came to.
pub(super) struct Finding {
    pub(super) case: &'static Case,
    pub(super) change: &'static str,
    pub(super) verdict: Verdict,
    pub(super) without: Outcome,
}

/// What Pitstop says.
pub(super) enum Verdict {
    Accepted { notes: Vec<String> },
    Refused(Vec<Reason>),
}

/// Goes through the cases.
pub(super) fn run(request: &Request, output: &mut Output) -> Result<ExitCode, Fatal> {
    let cases = wanted(&request.cases)?;
    if request.list {
        cases.iter().for_each(|case| output.result(&table::listed(case)));
        return Ok(ExitCode::Success);
    }
    output.line("building the example, as `cargo pitstop run` would".to_owned());
    let workshop = Workshop::open()?;
    let program = Loader::of(&workshop.program)?;
    if !output.is_json() {
        output.result(&table::head());
    }
    let mut findings = Vec::new();
    for case in cases {
        let published = workshop.build(case)?;
        let verdict = program.ask(&published);
        let without = blind::run(&workshop.program, &published.path, &workshop.session.directory)
            .map_err(|error| Fatal::session(format!("cannot run {}: {error}", workshop.program.display())))?;
        let change = published.instead.unwrap_or(case.change);
        let finding = Finding { case, change, verdict, without };
        if output.is_json() {
            output.result(&finding.json());
        } else {
            output.result(&table::row(&finding));
            if !request.cases.is_empty() {
                output.result(&table::details(&finding));
            }
        }
        findings.push(finding);
    }
    if !output.is_json() {
        output.result(&table::summary(&findings));
    }
    Ok(code(&findings))
}

/// The cases that are asked for.
fn wanted(names: &[String]) -> Result<Vec<&'static Case>, Fatal> {
    if let Some(unknown) = names.iter().find(|name| CASES.iter().all(|case| case.name != name.as_str())) {
        let message = format!("no case `{unknown}`; `cargo pitstop demo version-match --list` names them all");
        return Err(Fatal { code: ExitCode::Usage, message });
    }
    Ok(CASES.iter().filter(|case| names.is_empty() || names.iter().any(|name| name == case.name)).collect())
}

fn code(findings: &[Finding]) -> ExitCode {
    if findings.iter().all(Finding::is_as_expected) { ExitCode::Success } else { ExitCode::Unexpected }
}

/// The program that is to load the plugins: what it was built with.
struct Loader {
    built: Built,
    layouts: Layouts,
}

impl Loader {
    fn of(program: &Path) -> Result<Self, Fatal> {
        let cannot = |error: String| Fatal::session(format!("{}: {error}", program.display()));
        let bytes = std::fs::read(program).map_err(|error| cannot(error.to_string()))?;
        let mut built = Built::default();
        built.add(described(program, &bytes).map_err(|reason| cannot(reason.found))?);
        Ok(Self { built, layouts: layout::read(&bytes, &[PLUGIN]) })
    }

    /// The host's proof, from the file alone.
    fn ask(&self, published: &Published) -> Verdict {
        self.prove(published).unwrap_or_else(Verdict::Refused)
    }

    fn prove(&self, published: &Published) -> Result<Verdict, Vec<Reason>> {
        let one = |reason| vec![reason];
        let path = &published.path;
        let bytes = file::read(path).map_err(one)?;
        file::identical(path, &bytes, published.bytes, published.crc32).map_err(one)?;
        complete(path, &bytes).map_err(one)?;
        let descriptor = descriptor(path, &bytes).map_err(one)?;
        let image = Image { descriptor, layouts: layout::read(&bytes, &[PLUGIN]) };
        let proof = prove(PLUGIN, &bytes, &image, &self.built, &self.layouts)?;
        let gaps = proof.gaps.into_iter().map(|gap| format!("not proven: {gap}"));
        Ok(Verdict::Accepted { notes: proof.notes.into_iter().chain(gaps).collect() })
    }
}

impl Finding {
    /// What Pitstop has to say is in the case. What happens without it is nobody's promise, except where it accepts.
    pub(super) fn is_as_expected(&self) -> bool {
        let is_right = self.without.outcome == Kind::RightValues;
        match (&self.verdict, self.case.expected) {
            (Verdict::Refused(reasons), Expected::Refused(rule)) => {
                reasons.first().is_some_and(|reason| reason.rule == rule)
            }
            (Verdict::Accepted { .. }, Expected::Accepted) => is_right,
            (Verdict::Accepted { notes }, Expected::Noted(text)) => {
                is_right && notes.iter().any(|note| note.contains(text))
            }
            _ => false,
        }
    }

    fn json(&self) -> String {
        let (reasons, notes): (&[Reason], &[String]) = match &self.verdict {
            Verdict::Accepted { notes } => (&[], notes),
            Verdict::Refused(reasons) => (reasons, &[]),
        };
        let line = serde_json::json!({
            "case": self.case.name,
            "change": self.change,
            "rule": self.verdict.rule(),
            "expected_rule": self.case.expected.rule(),
            "as_expected": self.is_as_expected(),
            "reasons": reasons,
            "notes": notes,
            "without": self.without,
        });
        line.to_string()
    }
}

impl Verdict {
    pub(super) fn rule(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => ACCEPTED,
            Self::Refused(reasons) => reasons.first().map_or("none", |reason| reason.rule.name()),
        }
    }
}

impl Expected {
    pub(super) fn rule(self) -> &'static str {
        match self {
            Self::Refused(rule) => rule.name(),
            Self::Accepted | Self::Noted(_) => ACCEPTED,
        }
    }
}

/// In the place of a rule's name, where none refuses.
const ACCEPTED: &str = "accepted";

#[cfg(test)]
mod tests {
    use super::*;
    use pitstop_contract::Rule;
    use std::collections::BTreeSet;

    fn finding(case: &str, verdict: Verdict, outcome: Kind) -> Finding {
        let case = CASES.iter().find(|known| known.name == case).expect("a case");
        Finding { case, change: case.change, verdict, without: Outcome { outcome, detail: String::new() } }
    }

    fn refused(rule: Rule) -> Verdict {
        Verdict::Refused(vec![Reason::new(rule, "a", "b", "c", "d")])
    }

    fn accepted(note: &str) -> Verdict {
        Verdict::Accepted { notes: vec![note.to_owned()] }
    }

    #[test]
    fn only_the_expected_rule_is_as_expected_whatever_happens_without() {
        for (verdict, expected) in
            [(refused(Rule::Layout), true), (refused(Rule::Signature), false), (accepted(""), false)]
        {
            assert_eq!(finding("field-added", verdict, Kind::RightValues).is_as_expected(), expected);
        }
        assert!(finding("field-added", refused(Rule::Layout), Kind::Signal).is_as_expected());
    }

    #[test]
    fn what_does_no_harm_has_to_be_accepted_and_to_work() {
        for (verdict, outcome, expected) in [
            (accepted(""), Kind::RightValues, true),
            (accepted(""), Kind::WrongValues, false),
            (refused(Rule::Layout), Kind::RightValues, false),
        ] {
            assert_eq!(finding("comment", verdict, outcome).is_as_expected(), expected);
        }
        assert!(!finding("field-renamed", accepted("is called otherwise"), Kind::RightValues).is_as_expected());
        assert!(finding("field-renamed", accepted("has another `TypeId`"), Kind::RightValues).is_as_expected());
    }

    #[test]
    fn one_case_that_is_not_as_expected_is_an_exit_code() {
        let good = || finding("empty", refused(Rule::Complete), Kind::ExitCode);
        let bad = || finding("empty", accepted(""), Kind::ExitCode);
        assert_eq!(code(&[good(), good()]), ExitCode::Success);
        assert_eq!(code(&[good(), bad(), good()]), ExitCode::Unexpected);
    }

    #[test]
    fn cases_have_names_of_their_own_and_fit_the_table() {
        let names: BTreeSet<&str> = CASES.iter().map(|case| case.name).collect();
        assert_eq!(names.len(), CASES.len());
        let fits = |case: &Case| case.name.len() <= table::CASE && case.change.chars().count() <= table::CHANGE;
        assert!(CASES.iter().all(fits));
        assert!(wanted(&["field-added".to_owned()]).is_ok_and(|cases| cases.len() == 1));
        assert!(wanted(&["field".to_owned()]).is_err());
    }
}
