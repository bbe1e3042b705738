//! Lines, as they come in.

/// Bytes, of which whole lines are taken.
#[derive(Default)]
pub(crate) struct Lines {
    pub(crate) bytes: Vec<u8>,
    /// So many have no end of a line in them.
    seen: usize,
}

impl Lines {
    /// Takes all whole lines, one after the other.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let new = self.bytes.get(self.seen..).unwrap_or_default();
        let Some(last) = new.iter().rposition(|&byte| byte == b'\n') else {
            self.seen = self.bytes.len();
            return Vec::new();
        };
        let rest = self.bytes.split_off(self.seen + last + 1);
        self.seen = rest.len();
        std::mem::replace(&mut self.bytes, rest)
    }
}

/// The lines that say something.
pub(crate) fn split(lines: &[u8]) -> impl Iterator<Item = &[u8]> {
    lines.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_whole() {
        let mut lines = Lines::default();
        let mut push = |bytes: &[u8]| {
            lines.bytes.extend_from_slice(bytes);
            lines.take()
        };
        assert_eq!(push(b"on"), b"");
        assert_eq!(push(b"e"), b"");
        assert_eq!(push(b"\ntwo\nthr"), b"one\ntwo\n");
        assert_eq!(push(b"ee\n"), b"three\n");
        assert_eq!(lines.bytes, b"");
        assert_eq!(split(b"one\r\n\n  \ntwo\n").collect::<Vec<_>>(), [b"one", b"two"]);
    }
}
