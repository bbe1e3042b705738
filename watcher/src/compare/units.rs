//! Numbers with their units, in three digits.

/// A time, in whichever unit is short.
pub(super) fn time(nanoseconds: f64) -> String {
    let (value, unit) = match nanoseconds {
        ns if ns < 999.5 => (ns, "ns"),
        ns if ns < 999.5e3 => (ns / 1e3, "µs"),
        ns if ns < 999.5e6 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    format!("{} {unit}", digits(value))
}

/// Memory.
pub(super) fn megabytes(bytes: u64) -> String {
    let value = bytes as f64 / f64::from(1 << 20);
    if value < 0.05 {
        "0 MB".to_owned()
    } else if value < 10.0 {
        format!("{value:.1} MB")
    } else {
        format!("{value:.0} MB")
    }
}

/// A ratio.
pub(super) fn times(ratio: f64) -> String {
    format!("{ratio:.2}×")
}

/// A number below 1000 with three digits, and without those that say nothing.
fn digits(value: f64) -> String {
    match value {
        value if value < 9.995 => format!("{value:.2}"),
        value if value < 99.95 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_three_digits_and_the_unit_in_which_it_is_short() {
        for (nanoseconds, expected) in [
            (0.31, "0.31 ns"),
            (27.94, "27.9 ns"),
            (999.6, "1.00 µs"),
            (1_100_000.0, "1.10 ms"),
            (99_960.0, "100 µs"),
            (999_600_000.0, "1.00 s"),
            (63e9, "63.0 s"),
        ] {
            assert_eq!(time(nanoseconds), expected);
        }
    }

    #[test]
    fn memory_that_is_next_to_none_is_none() {
        for (bytes, expected) in [(0, "0 MB"), (4096, "0 MB"), (1 << 20, "1.0 MB"), (25 << 20, "25 MB")] {
            assert_eq!(megabytes(bytes), expected);
        }
        assert_eq!(times(0.998), "1.00×");
    }
}
