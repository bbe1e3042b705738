//! The time that a call may take, as gRPC writes it in a header.

use http::{HeaderMap, HeaderName, HeaderValue};
use std::time::Duration;

pub(super) const NAME: HeaderName = HeaderName::from_static("grpc-timeout");
/// More digits a number may not have.
const LARGEST: u128 = 99_999_999;

/// What the headers of a request say, if they say it rightly.
pub(super) fn of(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(NAME)?.to_str().ok()?;
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if number.len() > 8 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = number.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

/// As it is written, in the finest unit in which it can be.
pub(super) fn header(time: Duration) -> HeaderValue {
    let seconds = u128::from(time.as_secs());
    let units = [(time.as_nanos(), 'n'), (time.as_micros(), 'u'), (time.as_millis(), 'm'), (seconds, 'S')];
    let fits = units.into_iter().find(|(number, _)| *number <= LARGEST);
    let (number, unit) = fits.unwrap_or(((seconds / 3600).min(LARGEST), 'H'));
    // Of digits and a letter, so it is one.
    HeaderValue::from_str(&format!("{number}{unit}")).unwrap_or(HeaderValue::from_static("99999999H"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_is_written_is_read_again() {
        for time in [Duration::ZERO, Duration::from_micros(1500), Duration::from_secs(10), Duration::from_secs(90_000)]
        {
            let headers = [(NAME, header(time))].into_iter().collect();
            assert_eq!(of(&headers), Some(time), "{headers:?}");
        }
        let headers = [(NAME, header(Duration::MAX))].into_iter().collect();
        assert!(of(&headers) > Some(Duration::from_secs(1 << 40)) || headers[NAME] == "99999999H");
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in ["", "5", "S", "-1S", "+1S", "123456789m", "5x", "5ü"] {
            let headers = [(NAME, HeaderValue::from_bytes(text.as_bytes()).expect("a value"))].into_iter().collect();
            assert_eq!(of(&headers), None, "{text}");
        }
    }
}
