//! Which mechanism is good for what, by what was measured: where it does not hold here, it is not advised.

use super::row::{Behaviour, Mechanism, Outcome, Row};
use super::units::{megabytes, time, times};

/// What somebody needs, and what to take.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Advice {
    pub(super) need: &'static str,
    /// `None` where none of those that were measured will do.
    pub(super) mechanism: Option<Mechanism>,
    /// What was measured that speaks for it; or what is missing.
    pub(super) reason: String,
}

/// A mechanism for a need: the reason, if its figures allow it.
type Candidate = (Mechanism, fn(&Row) -> Option<String>);

/// The needs, each with what is best for it first.
const NEEDS: [(&str, &[Candidate]); 6] = [
    ("a quick experiment", &[(Mechanism::Exec, experiment), (Mechanism::Dylib, experiment_in_rust)]),
    ("users' plugins, any platform", &[(Mechanism::Wasm, portable), (Mechanism::Rpc, other_process)]),
    ("tight integration", &[(Mechanism::Dylib, tight), (Mechanism::C, tight_in_c)]),
    ("code that is not trusted", &[(Mechanism::Wasm, untrusted)]),
    ("running another command", &[(Mechanism::Exec, command), (Mechanism::Rpc, other_process)]),
    ("a host in C", &[(Mechanism::C, c_host)]),
];

/// What to take for each need.
pub(super) fn advise(rows: &[Row]) -> Vec<Advice> {
    NEEDS.iter().map(|(need, candidates)| for_need(need, candidates, rows)).collect()
}

/// Notes in each row what it is advised for.
pub(super) fn note(rows: &mut [Row], advice: &[Advice]) {
    for row in rows {
        let own = advice.iter().filter(|advice| advice.mechanism == Some(row.mechanism));
        row.advised_for = own.map(|advice| advice.need).collect();
    }
}

fn for_need(need: &'static str, candidates: &[Candidate], rows: &[Row]) -> Advice {
    let row = |mechanism: Mechanism| rows.iter().find(|row| row.mechanism == mechanism);
    let mut missing = Vec::new();
    for (mechanism, reason) in candidates {
        match row(*mechanism).map(reason) {
            Some(Some(reason)) => {
                let reason = if missing.is_empty() { reason } else { format!("{reason}; {}", missing.join("; ")) };
                return Advice { need, mechanism: Some(*mechanism), reason };
            }
            Some(None) => missing.push(format!("{} would be the choice, but did not hold up here", mechanism.name())),
            None => missing.push(format!("{} would be the choice, but was not measured", mechanism.name())),
        }
    }
    Advice { need, mechanism: None, reason: missing.join("; ") }
}

fn experiment(row: &Row) -> Option<String> {
    let (reload, call) = (row.reload_ns?, row.figures.call(16)?);
    Some(format!("a script is a plugin; a new one answers after {}, a call takes {}", time(reload), time(call)))
}

fn experiment_in_rust(row: &Row) -> Option<String> {
    Some(format!("a new library answers after {}", time(row.reload_ns?)))
}

fn portable(row: &Row) -> Option<String> {
    let (ratio, call) = (row.compute_times_native?, row.figures.call(1 << 10)?);
    Some(format!(
        "one file for all platforms, in any language; {} native time to compute, {} for a call with 1 KB",
        times(ratio),
        time(call)
    ))
}

fn other_process(row: &Row) -> Option<String> {
    let is_contained = row.crash.as_ref().is_some_and(is_kept_out);
    is_contained.then_some(())?;
    let (call, memory) = (row.figures.call(16)?, row.figures.memory_bytes);
    let memory = memory.map(|bytes| format!(" and {}", megabytes(bytes))).unwrap_or_default();
    Some(format!("a process of its own in any language, for {} a call{memory}; a crash is an error", time(call)))
}

fn tight(row: &Row) -> Option<String> {
    let (call, ratio) = (row.figures.call(16)?, row.compute_times_native?);
    let kept = "what does not match is refused before it runs";
    let is_proven = row.bad_version.as_ref().is_some_and(|found| found.outcome == Outcome::Refused);
    is_proven.then(|| format!("{} for a call, {} native time to compute; {kept}", time(call), times(ratio)))
}

fn tight_in_c(row: &Row) -> Option<String> {
    let (call, ratio) = (row.figures.call(16)?, row.compute_times_native?);
    Some(format!("{} for a call, {} native time to compute", time(call), times(ratio)))
}

/// Only what was seen to keep out all of it.
fn untrusted(row: &Row) -> Option<String> {
    let found = [&row.crash, &row.endless_loop, &row.read_file].map(Option::as_ref);
    let [Some(crash), Some(endless), Some(read)] = found else { return None };
    let holds = is_kept_out(crash) && endless.outcome == Outcome::Limit && read.outcome == Outcome::Denied;
    holds.then(|| "a crash is an error, an endless loop ends at its limit, and files are denied".to_owned())
}

fn command(row: &Row) -> Option<String> {
    let (start, call) = (row.figures.start_ns?, row.figures.call(16)?);
    let kept = row.serve.as_ref().and_then(|serve| serve.call(16));
    let kept = kept.map(|call| format!(", or {} if it is kept running", time(call))).unwrap_or_default();
    Some(format!("whatever can be executed; first answer after {}, then {} a call{kept}", time(start), time(call)))
}

fn c_host(row: &Row) -> Option<String> {
    let call = row.figures.call(16)?;
    let start = row.figures.start_ns?;
    Some(format!(
        "a table of C functions, whatever compiles it; {} for a call, first answer after {}",
        time(call),
        time(start)
    ))
}

fn is_kept_out(crash: &Behaviour) -> bool {
    crash.outcome == Outcome::Error && crash.again_ms.is_some()
}

impl Behaviour {
    /// Whether it harms the program or its user.
    pub(super) fn is_harm(&self) -> bool {
        matches!(self.outcome, Outcome::TakesTheProgram | Outcome::Hangs | Outcome::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::super::examples;
    use super::*;

    fn of(need: &str, rows: &[Row]) -> Advice {
        advise(rows).into_iter().find(|advice| advice.need == need).expect("a need")
    }

    #[test]
    fn each_need_has_the_mechanism_that_was_measured_to_be_good_for_it() {
        let mut rows = examples::rows();
        let chosen = advise(&rows);
        use Mechanism::{C, Dylib, Exec, Wasm};
        let mechanisms: Vec<_> = chosen.iter().filter_map(|advice| advice.mechanism).collect();
        assert_eq!(mechanisms, [Exec, Wasm, Dylib, Wasm, Exec, C]);
        note(&mut rows, &chosen);
        let wasm = rows.iter().find(|row| row.mechanism == Wasm).expect("a row");
        assert_eq!(wasm.advised_for, ["users' plugins, any platform", "code that is not trusted"]);
    }

    #[test]
    fn untrusted_code_is_advised_nothing_that_let_it_read_a_file_or_loop() {
        for spoil in [
            |row: &mut Row| row.read_file = examples::behaviour(Outcome::Done),
            |row: &mut Row| row.endless_loop = examples::behaviour(Outcome::Hangs),
            |row: &mut Row| row.crash = None,
        ] {
            let mut rows = examples::rows();
            rows.iter_mut().filter(|row| row.mechanism == Mechanism::Wasm).for_each(spoil);
            let advice = of("code that is not trusted", &rows);
            assert_eq!(advice.mechanism, None);
            assert!(advice.reason.contains("wasm would be the choice, but did not hold up here"), "{}", advice.reason);
        }
    }

    #[test]
    fn what_was_not_measured_is_not_advised_and_the_next_best_is() {
        let mut rows = examples::rows();
        rows.retain(|row| row.mechanism != Mechanism::Wasm);
        let advice = of("users' plugins, any platform", &rows);
        assert_eq!(advice.mechanism, Some(Mechanism::Rpc));
        assert!(advice.reason.contains("wasm would be the choice, but was not measured"), "{}", advice.reason);
        assert_eq!(of("a host in C", &[]).mechanism, None);
    }
}
