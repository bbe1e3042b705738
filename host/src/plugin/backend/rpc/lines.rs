//! Lines of a plugin, as they come in: whole ones up to a bound, what is longer cut, and none of it kept for ever.

/// No line is kept beyond this: 1 MiB.
pub(super) const LONGEST: usize = 1 << 20;

/// The line that is being written.
#[derive(Default)]
pub(super) struct Lines {
    line: Vec<u8>,
    /// So many bytes of it are not kept.
    cut: u64,
}

/// A line without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) bytes: Vec<u8>,
    /// How many more bytes it had.
    pub(super) cut: u64,
}

impl Lines {
    /// Takes what was read, and hands on each line that it completes.
    pub(super) fn push(&mut self, mut bytes: &[u8], mut complete: impl FnMut(Line)) {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            self.keep(&bytes[..end]);
            bytes = &bytes[end + 1..];
            complete(self.take());
        }
        self.keep(bytes);
    }

    /// What has no end of a line, and will have none; `None` if there is nothing.
    pub(super) fn rest(&mut self) -> Option<Line> {
        (!self.line.is_empty()).then(|| self.take())
    }

    fn keep(&mut self, bytes: &[u8]) {
        let kept = bytes.len().min(LONGEST - self.line.len());
        self.line.extend_from_slice(&bytes[..kept]);
        self.cut += (bytes.len() - kept) as u64;
    }

    fn take(&mut self) -> Line {
        let cut = std::mem::take(&mut self.cut);
        let mut bytes = std::mem::take(&mut self.line);
        if cut == 0 && bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        Line { bytes, cut }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pushed(pieces: &[&[u8]]) -> (Vec<Line>, Option<Line>) {
        let (mut lines, mut complete) = (Lines::default(), Vec::new());
        pieces.iter().for_each(|piece| lines.push(piece, |line| complete.push(line)));
        let rest = lines.rest();
        (complete, rest)
    }

    fn line(bytes: &[u8]) -> Line {
        Line { bytes: bytes.to_vec(), cut: 0 }
    }

    #[test]
    fn lines_come_whole_however_they_are_written() {
        let (complete, rest) = pushed(&[b"on", b"e\r\n\ntwo", b"\nthr", b"ee"]);
        assert_eq!(complete, [line(b"one"), line(b""), line(b"two")]);
        assert_eq!(rest, Some(line(b"three")));
        assert_eq!(pushed(&[b"one\n"]).1, None);
    }

    #[test]
    fn a_line_beyond_the_bound_is_cut_and_the_next_one_is_whole() {
        let piece = vec![b'x'; 300_000];
        let mut pieces = vec![&piece[..]; 10];
        pieces.push(b"\nnext\n");
        let (complete, _) = pushed(&pieces);
        assert_eq!((complete[0].bytes.len(), complete[0].cut), (LONGEST, 3_000_000 - LONGEST as u64));
        assert_eq!(complete[1], line(b"next"));
    }
}
