//! Calls in a library that go wrong.

use super::row::{Bad, Done, Expected, Row};

const fn c(name: &'static str, input: &'static [u8], kind: &'static str, text: &'static str) -> Row {
    Row { name, bad: Bad::C(&[]), more: "", done: Done::Called(input), expected: Expected::Error(kind, text) }
}

const fn rust(name: &'static str, input: &'static [u8], kind: &'static str, text: &'static str) -> Row {
    let done = Done::Called(input);
    Row { name, bad: Bad::Rust("version-0000"), more: "", done, expected: Expected::Error(kind, text) }
}

pub(super) const ROWS: &[Row] = &[
    c("returns null", b"null", "protocol", "expected bytes, found NULL with a length of 5"),
    c(
        "returns a wrong length",
        b"length",
        "protocol",
        "expected a length of at most the capacity, 5, found a length of 500",
    ),
    c("returns more than there is memory", b"huge length", "protocol", "found a length of 18446744073709551615"),
    Row {
        more: "limits = { output_bytes = 1000 }\n",
        ..c(
            "returns more than it may",
            b"much",
            "too-much-output",
            "longer than 1000 bytes; `limits.output_bytes` says",
        )
    },
    c("returns an unknown status", b"status", "protocol", "expected a status of 0 to 3, found 12"),
    c("returns a negative status", b"negative status", "protocol", "expected a status of 0 to 3, found -1"),
    c("fails in its own words", b"fail", "failed", "as asked"),
    c("fails without a word", b"fail silently", "failed", "the plugin failed and does not say why"),
    c("fails with a message that is null", b"fail with null", "protocol", "found NULL with a length of 9"),
    c("fails with a megabyte of message", b"fail at length", "failed", "a message of 1048576 bytes"),
    c("fails with a message that is no text", b"fail in no language", "failed", "\u{fffd}\u{fffd}"),
    c("throws", b"throw", "panicked", "the plugin panicked: std::bad_alloc"),
    c("does not know the verb", b"verb", "unsupported", "the plugin does not know `verb`"),
    Row {
        done: Done::CalledForText("no text"),
        ..c("returns no text", b"", "not-text", "no UTF-8 after its first 0 of 2 bytes")
    },
    rust("panics in Rust", b"panic", "panicked", "the plugin panicked: on purpose"),
    rust("panics with what is no text", b"payload", "panicked", "a panic whose payload is not text"),
    rust("fails in Rust", b"fail", "failed", "as asked"),
    rust("does not know the verb in Rust", b"verb", "unsupported", "the plugin does not know `verb`"),
];
