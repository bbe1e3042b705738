//! The kernel in the plugin, and in the program itself.

use crate::kernel::kernel;
use crate::{Outcome, Subject, median, nanoseconds, number, say};
use serde_json::json;
use std::hint::black_box;
use std::time::Instant;

/// In turn, so that what slows the machine down slows both.
pub(crate) fn measure(configuration: &str, size: &str, rounds: &str) -> Outcome {
    let (points, rounds): (u32, usize) = (number(size)?, number(rounds)?);
    let subject = Subject::open(configuration)?;
    let input = format!("kernel:{size}");
    let (mut there, mut here) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let begun = Instant::now();
        let answer = subject.ask(&input)?;
        let took = begun.elapsed();
        let begun = Instant::now();
        let expected = kernel(black_box(points)).to_string();
        let native = begun.elapsed();
        if answer != expected {
            return Err(format!("the kernel's answer is {answer}, and should be {expected}"));
        }
        // The first one is not warm.
        if round > 0 {
            there.push(took);
            here.push(native);
        }
    }
    say(&json!({ "compute_ns": nanoseconds(median(there)), "native_ns": nanoseconds(median(here)) }));
    Ok(())
}
