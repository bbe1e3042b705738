//! The mappings of a process, as Linux tells them: the lines of `/proc/<pid>/maps`, and of `smaps` with the pages of each.

use std::ops::Range;

/// One mapping.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mapping {
    pub(super) range: Range<u64>,
    pub(super) readable: bool,
    pub(super) writable: bool,
    /// Copied at the first write, and so nobody else's.
    pub(super) private: bool,
    /// What is mapped: a file's path, `[heap]`, `[stack]`; empty for memory without a name.
    pub(super) name: String,
    /// Bytes of pages that are no file's: written to since they were mapped. Of `smaps` only.
    pub(super) anonymous: Option<u64>,
    /// Of those, what is swapped out.
    pub(super) swapped: u64,
    /// Whether a child process does not get it. Of `smaps` only.
    pub(super) kept_from_children: bool,
}

/// Reads the text of `maps` or `smaps`. A line that is neither a mapping nor a number of one is passed over.
pub(super) fn parse(text: &[u8]) -> Vec<Mapping> {
    let mut mappings: Vec<Mapping> = Vec::new();
    for line in text.split(|&byte| byte == b'\n') {
        let line = String::from_utf8_lossy(line);
        if let Some(mapping) = mapping(&line) {
            mappings.push(mapping);
        } else if let Some(last) = mappings.last_mut() {
            note(last, &line);
        }
    }
    mappings
}

/// `start-end permissions offset device inode name`
fn mapping(line: &str) -> Option<Mapping> {
    let mut rest = line;
    let mut word = || {
        let (word, after) = rest.split_once(' ')?;
        rest = after.trim_start();
        Some(word)
    };
    let (start, end) = word()?.split_once('-')?;
    let range = u64::from_str_radix(start, 16).ok()?..u64::from_str_radix(end, 16).ok()?;
    let permissions = word()?.as_bytes();
    let (_offset, _device) = (word()?, word()?);
    let inode = rest.split(' ').next().unwrap_or_default();
    inode.parse::<u64>().ok()?;
    let name = rest[inode.len()..].trim_start().to_owned();
    let [read, write, execute, shared] = permissions else { return None };
    if !matches!(execute, b'x' | b'-') || range.is_empty() {
        return None;
    }
    let (readable, writable, private) = (*read == b'r', *write == b'w', *shared == b'p');
    Some(Mapping { range, readable, writable, private, name, ..Mapping::default() })
}

/// `Anonymous:    12 kB`
fn note(mapping: &mut Mapping, line: &str) {
    let Some((key, value)) = line.split_once(':') else { return };
    let bytes = || value.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024);
    match key {
        "Anonymous" => mapping.anonymous = bytes(),
        "Swap" => mapping.swapped = bytes().unwrap_or(0),
        "VmFlags" => mapping.kept_from_children = value.split_whitespace().any(|flag| flag == "dc"),
        _ => {}
    }
}

/// The mapping that an address lies in; `mappings` in the order of their addresses.
pub(super) fn at(mappings: &[Mapping], address: u64) -> Option<usize> {
    let index = mappings.partition_point(|mapping| mapping.range.end <= address);
    mappings.get(index).filter(|mapping| mapping.range.contains(&address)).map(|_| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMAPS: &str = "\
55d0c0000000-55d0c0002000 r--p 00000000 fe:00 1234                       /a folder/with spaces/game (deleted)
Size:                  8 kB
Rss:                   8 kB
Anonymous:             4 kB
Swap:                  4 kB
VmFlags: rd mr mw me sd
7f0000000000-7f0000021000 rw-p 00000000 00:00 0
Anonymous:           132 kB
VmFlags: rd wr mr mw me dc ac sd
7ffe00000000-7ffe00021000 rw-s 00000000 00:00 0                          [stack]
";

    #[test]
    fn a_mapping_has_its_range_permissions_name_and_pages() {
        let mappings = parse(SMAPS.as_bytes());
        assert_eq!(mappings.len(), 3);
        let game = &mappings[0];
        assert_eq!(game.range, 0x55d0_c000_0000..0x55d0_c000_2000);
        assert_eq!(game.name, "/a folder/with spaces/game (deleted)");
        assert_eq!((game.readable, game.writable, game.private), (true, false, true));
        assert_eq!((game.anonymous, game.swapped, game.kept_from_children), (Some(4096), 4096, false));
        assert_eq!((mappings[1].anonymous, mappings[1].kept_from_children), (Some(132 * 1024), true));
        assert_eq!((mappings[1].name.as_str(), mappings[2].name.as_str()), ("", "[stack]"));
        assert!(!mappings[2].private && mappings[2].anonymous.is_none());
        assert_eq!(at(&mappings, 0x7f00_0000_0000), Some(1));
        assert_eq!(at(&mappings, 0x7f00_0002_1000), None, "the end is not part of it");
        assert_eq!(at(&mappings, u64::MAX), None);
    }

    #[test]
    fn hostile_text_gives_no_mapping_and_no_panic() {
        let hostile = [
            "",
            "\n\n",
            "-",
            "1-2",
            "1-2 rw-p",
            "2-1 rw-p 0 0:0 0 backwards",
            "1-1 rw-p 0 0:0 0 empty",
            "fffffffffffffffff-1 rw-p 0 0:0 0 too large",
            "1-2 rwxpq 0 0:0 0 permissions",
            "1-2 rw-p 0 0:0 inode",
            "Anonymous: 12 kB",
            "Anonymous: 99999999999999999999 kB\nSwap: -1 kB",
        ];
        for text in hostile {
            assert_eq!(parse(text.as_bytes()), Vec::new(), "{text}");
        }
        let huge = b"1-2 rw-p 0 0:0 0\nAnonymous: 18446744073709551615 kB\nAnonymous\nVmFlags\n\xff\xfe: \xff\n";
        assert_eq!(parse(huge)[0].anonymous, None, "more than there can be");
        // Any cut of a good text, and any byte of it replaced.
        for cut in 0..SMAPS.len() {
            parse(&SMAPS.as_bytes()[..cut]);
            let mut bent = SMAPS.as_bytes().to_vec();
            bent[cut] = 0xc3;
            assert!(parse(&bent).len() <= 3);
        }
    }
}
