//! Rows for tests: figures as they come out on some machine, of which `c` has failed at one size.

use super::row::{Behaviour, Call, Figures, Mechanism, Outcome, PAYLOADS, Row};

pub(super) fn rows() -> Vec<Row> {
    let mut rows = vec![
        row(Mechanism::Dylib, 1.2e6, 26.0, 1.0, 1.4e6, 200 << 10),
        row(Mechanism::C, 0.3e6, 25.0, 1.02, 0.9e6, 100 << 10),
        row(Mechanism::Rpc, 4.1e6, 140_000.0, 1.01, 5.2e6, 9 << 20),
        row(Mechanism::Wasm, 0.5e6, 700.0, 1.18, 31e6, 3 << 20),
        row(Mechanism::Exec, 2.2e6, 1.1e6, 1.04, 2.4e6, 0),
    ];
    for row in rows.iter_mut().take(2) {
        row.crash = behaviour(Outcome::TakesTheProgram);
        row.endless_loop = behaviour(Outcome::Hangs);
    }
    rows[3].read_file = behaviour(Outcome::Denied);
    rows[1].figures.calls[4] =
        Call { payload_bytes: 16 << 20, call_ns: None, problem: Some("no memory <here> & now".to_owned()) };
    rows[1].problems.push("16777216 bytes: no memory <here> & now".to_owned());
    let start_ns = Some(2.1e6);
    rows[4].serve =
        Some(Figures { start_ns, first_start_ns: start_ns, memory_bytes: Some(2 << 20), calls: calls(14_000.0) });
    rows
}

pub(super) fn behaviour(outcome: Outcome) -> Option<Behaviour> {
    let (words, again_ms) = match outcome {
        Outcome::TakesTheProgram => ("takes the program along (SIGSEGV)", None),
        Outcome::Hangs => ("hangs the caller", None),
        Outcome::Error => ("an error for the call, answers again after 12.0 ms", Some(12.0)),
        Outcome::Limit => ("ends at the limit of 1.00 s, answers again after 3.10 ms", Some(3.1)),
        Outcome::Refused => ("refused before it runs", None),
        Outcome::Done => ("reads the file", None),
        Outcome::Denied => ("denied", None),
    };
    Some(Behaviour { outcome, words: words.to_owned(), detail: "in its own words".to_owned(), again_ms })
}

fn row(mechanism: Mechanism, start: f64, call: f64, ratio: f64, reload: f64, memory: u64) -> Row {
    let figures = Figures {
        start_ns: Some(start),
        first_start_ns: Some(2.0 * start),
        memory_bytes: Some(memory),
        calls: calls(call),
    };
    Row {
        built_by: "cargo build --release".to_owned(),
        figures,
        compute_ns: Some(20e6 * ratio),
        native_ns: Some(20e6),
        compute_times_native: Some(ratio),
        reload_ns: Some(reload),
        crash: behaviour(Outcome::Error),
        endless_loop: behaviour(Outcome::Limit),
        bad_version: behaviour(Outcome::Refused),
        read_file: behaviour(Outcome::Done),
        ..Row::new(mechanism)
    }
}

/// A call has a cost of its own, and one for each byte.
fn calls(call: f64) -> Vec<Call> {
    let of_payload = |(payload, _): &(u64, _)| {
        let call_ns = Some(call + *payload as f64 * 0.2);
        Call { payload_bytes: *payload, call_ns, problem: None }
    };
    PAYLOADS.iter().map(of_payload).collect()
}
