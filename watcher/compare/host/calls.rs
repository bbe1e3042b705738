//! What a call takes, by the size of what goes there and comes back.

use crate::{Outcome, Subject, median, nanoseconds, number, say};
use pitstop_host::{Plugin, PluginHandle};
use serde_json::json;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// From a word to a picture.
const PAYLOADS: [usize; 5] = [16, 1 << 10, 64 << 10, 1 << 20, 16 << 20];
/// Calls that are shorter are timed by so much at once.
const STRETCH: Duration = Duration::from_micros(100);
/// However long they take.
const LEAST: usize = 3;

/// `budget`: the milliseconds for each size.
pub(crate) fn measure(configuration: &str, budget: &str) -> Outcome {
    let budget = Duration::from_millis(number(budget)?);
    let subject = Subject::open(configuration)?;
    for payload in PAYLOADS {
        let mut input = b"echo:".to_vec();
        input.resize(payload, b'x');
        match time(&subject.handle, &input, budget) {
            Ok(call) => say(&json!({ "payload_bytes": payload, "call_ns": call })),
            Err(problem) => say(&json!({ "payload_bytes": payload, "problem": problem })),
        }
    }
    Ok(())
}

/// The nanoseconds of a call: the median of as many stretches as there is time for.
fn time(handle: &PluginHandle, input: &[u8], budget: Duration) -> Result<f64, String> {
    let call = || handle.process(black_box(input)).map(black_box).map_err(|error| error.to_string());
    // The first one is not warm.
    if call()? != input {
        return Err("the answer is another".to_owned());
    }
    let begun = Instant::now();
    drop(call()?);
    let calls = (STRETCH.as_nanos() / begun.elapsed().as_nanos().max(1)).clamp(1, 10_000) as u32;
    let (mut stretches, begun) = (Vec::new(), Instant::now());
    while stretches.len() < LEAST || begun.elapsed() < budget {
        let stretch = Instant::now();
        for _ in 0..calls {
            drop(call()?);
        }
        stretches.push(stretch.elapsed());
    }
    Ok(nanoseconds(median(stretches)) / f64::from(calls))
}
