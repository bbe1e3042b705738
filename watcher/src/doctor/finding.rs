//! What the doctor found: a fact, how serious it is, and what mends it.

use serde::Serialize;

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Severity {
    /// Looked at, and as it should be.
    Ok,
    /// Good to know.
    Note,
    /// Reloading works, but slowly, or less is proven.
    Warning,
    /// Reloading does not work.
    Error,
}

/// One line of the report; with `--json` one object.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Finding {
    /// What kind it is, for scripts.
    pub(super) finding: &'static str,
    pub(super) severity: Severity,
    /// What it is about.
    pub(super) subject: String,
    pub(super) found: String,
    /// One line that says what to do. Empty where all is well.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) remedy: String,
}

impl Finding {
    pub(super) fn ok(finding: &'static str, subject: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(finding, Severity::Ok, subject.into(), found.into(), String::new())
    }

    pub(super) fn note(
        finding: &'static str,
        subject: impl Into<String>,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::new(finding, Severity::Note, subject.into(), found.into(), remedy.into())
    }

    pub(super) fn warning(
        finding: &'static str,
        subject: impl Into<String>,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::new(finding, Severity::Warning, subject.into(), found.into(), remedy.into())
    }

    pub(super) fn error(
        finding: &'static str,
        subject: impl Into<String>,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::new(finding, Severity::Error, subject.into(), found.into(), remedy.into())
    }

    fn new(finding: &'static str, severity: Severity, subject: String, found: String, remedy: String) -> Self {
        Self { finding, severity, subject, found, remedy }
    }

    /// For a person, with the remedy under what it mends.
    pub(super) fn text(&self) -> String {
        let (colour, word) = match self.severity {
            Severity::Ok => ("\x1b[32m", "ok"),
            Severity::Note => ("\x1b[34m", "note"),
            Severity::Warning => ("\x1b[33m", "warning"),
            Severity::Error => ("\x1b[31m", "error"),
        };
        let Self { finding, subject, found, remedy, .. } = self;
        let mut text = format!("{colour}{word:<8}\x1b[0m {finding:<20} ");
        if subject != finding {
            text.push_str(&format!("{subject}: "));
        }
        text.push_str(found);
        if !remedy.is_empty() {
            text.push_str(&format!("\n{:30}{remedy}", ""));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remedy_stands_under_what_it_mends() {
        let finding = Finding::warning("optimised", "crate logic", "opt-level = 3", "[profile.dev] opt-level = 0");
        let text = finding.text().replace("\x1b[33m", "").replace("\x1b[0m", "");
        let expected = [
            "warning  optimised            crate logic: opt-level = 3",
            "                              [profile.dev] opt-level = 0",
        ];
        assert_eq!(text, expected.join("\n"));
        assert_eq!(
            serde_json::to_string(&Finding::ok("linker", "linker", "LLD 22")).expect("JSON"),
            r#"{"finding":"linker","severity":"ok","subject":"linker","found":"LLD 22"}"#
        );
    }
}
