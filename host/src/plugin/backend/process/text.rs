//! What a plugin wrote, made fit for a message: one line, not too long, nothing that a terminal would act on.

use std::fmt::Write as _;

/// In characters.
const LONGEST: usize = 300;
/// How many lines before the last one may be what it quotes of a source.
const PLACE_WITHIN: usize = 4;

/// Shortened, with control characters escaped.
pub(crate) fn quoted(bytes: &[u8]) -> String {
    // No character takes more than four bytes; one that is cut is not shown.
    let start = &bytes[..bytes.len().min(4 * (LONGEST + 1))];
    let text = String::from_utf8_lossy(start);
    let mut quoted = String::new();
    for (index, character) in text.chars().enumerate() {
        if index == LONGEST {
            let _ = write!(quoted, "… ({} bytes)", bytes.len());
            break;
        }
        if character.is_control() {
            quoted.extend(character.escape_default());
        } else {
            quoted.push(character);
        }
    }
    quoted
}

/// The last line that says something; after a traceback of Python's, whose last line has no place, also where it was.
pub(crate) fn last_line(bytes: &[u8]) -> String {
    let mut lines = bytes.split(|&byte| byte == b'\n').rev().map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let Some(line) = lines.next() else { return String::new() };
    let place = lines.take(PLACE_WITHIN).find_map(place);
    let place = place.map_or_else(String::new, |(file, line)| format!(" ({file}:{line})"));
    quoted(line) + &place
}

/// `File "greeter.py", line 7`, maybe with more after it.
fn place(line: &[u8]) -> Option<(String, u32)> {
    let (file, rest) = std::str::from_utf8(line).ok()?.strip_prefix("File \"")?.split_once("\", line ")?;
    let digits = rest.split(|letter: char| !letter.is_ascii_digit()).next()?;
    Some((quoted(file.as_bytes()), digits.parse().ok()?))
}

/// The last bytes of what is maybe endless.
#[derive(Default)]
pub(crate) struct Tail {
    bytes: Vec<u8>,
}

impl Tail {
    const KEPT: usize = 64 << 10;

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        // At twice the length, so that each byte is moved once at most.
        if self.bytes.len() > 2 * Self::KEPT {
            self.bytes.drain(..self.bytes.len() - Self::KEPT);
        }
    }

    pub(crate) fn last_line(&self) -> String {
        last_line(&self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_is_short_and_plain() {
        assert_eq!(quoted(b"a\x1b[31mb\tc\r"), "a\\u{1b}[31mb\\tc\\r");
        assert_eq!(quoted(&[b'x'; 5000]), format!("{}… (5000 bytes)", "x".repeat(LONGEST)));
        assert_eq!(quoted(b"\xff\xfe"), "\u{fffd}\u{fffd}");
    }

    #[test]
    fn the_last_line_is_the_last_that_says_something() {
        assert_eq!(last_line(b"first\nsecond \n\n \r\n"), "second");
        assert_eq!(last_line(b"\n\n"), "");
        let traceback = b"  File \"a/b.py\", line 9, in f\n    def f(:\n          ^\nSyntaxError: invalid syntax\n";
        assert_eq!(last_line(traceback), "SyntaxError: invalid syntax (a/b.py:9)");
        let mut tail = Tail::default();
        (0..100_000).for_each(|line| tail.push(format!("line {line}\n").as_bytes()));
        assert_eq!(tail.last_line(), "line 99999");
        assert!(tail.bytes.len() <= 2 * Tail::KEPT);
    }
}
