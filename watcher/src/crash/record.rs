//! What a host left behind, read without trust: it was written in the middle of a fault, and may be cut anywhere.

use crate::process::{fault, signal_name};
use pitstop_contract::crash::{ADDRESS, AT, CODE, FROM, HEAD, SIGNAL, THREAD};
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// How large a file may be, in bytes.
const LARGEST: u64 = 32 << 20;
/// How many frames are taken.
const FRAMES: usize = 256;
/// How many mapped files are taken.
const MAPPED: usize = 1 << 16;

/// The facts of a report. What it does not say is empty.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Record {
    pub(super) signal: i32,
    pub(super) address: Option<u64>,
    pub(super) thread: Option<String>,
    pub(super) mapped: Vec<Mapped>,
    /// Addresses of code, innermost first: each of the instruction that was running, or of the call that was.
    pub(super) frames: Vec<u64>,
}

/// A part of a file with code in it.
#[derive(Debug, PartialEq)]
pub(super) struct Mapped {
    pub(super) addresses: Range<u64>,
    /// Where in the file the first address is.
    pub(super) offset: u64,
    pub(super) path: PathBuf,
}

impl Record {
    /// `None` without a file, or if it is of another format.
    pub(super) fn read(path: &Path) -> Option<Self> {
        // Nothing but a plain file is opened: a FIFO would block.
        std::fs::symlink_metadata(path).ok().filter(std::fs::Metadata::is_file)?;
        let mut bytes = Vec::new();
        File::open(path).ok()?.take(LARGEST).read_to_end(&mut bytes).ok()?;
        Self::parse(&bytes)
    }

    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        // A line without an end was cut, and what it says may be wrong.
        let whole = bytes.iter().rposition(|&byte| byte == b'\n')?;
        let text = String::from_utf8_lossy(bytes.get(..whole)?);
        let mut lines = text.split('\n');
        if lines.next() != Some(HEAD) {
            return None;
        }
        let mut record = Self::default();
        let mut running = None;
        for line in lines {
            match line.split_once(' ') {
                Some((SIGNAL, number)) => record.signal = number.parse().unwrap_or(0),
                Some((ADDRESS, address)) => record.address = number(address),
                Some((THREAD, name)) => record.thread = Some(printable(name)),
                Some((CODE, address)) => running = number(address),
                Some((AT, address)) => record.add_frame(number(address)),
                // The address to return to may be that of the next function.
                Some((FROM, address)) => record.add_frame(number(address).map(|address| address.saturating_sub(1))),
                Some((addresses, rest)) if record.mapped.len() < MAPPED => {
                    record.mapped.extend(Mapped::parse(addresses, rest));
                }
                _ => {}
            }
        }
        if record.frames.is_empty() {
            record.frames.extend(running);
        }
        Some(record)
    }

    /// Whether this is about the signal that has ended the program, and not one that the program has coped with.
    pub(super) fn tells_of(&self, signal: i32) -> bool {
        // `std` tells of a stack overflow, and aborts.
        self.signal == signal || (fault(self.signal) && signal_name(signal) == "SIGABRT")
    }

    fn add_frame(&mut self, address: Option<u64>) {
        if self.frames.len() < FRAMES {
            self.frames.extend(address);
        }
    }

    /// The file that an address is in, and the place there.
    pub(super) fn place(&self, address: u64) -> Option<(&Path, u64)> {
        let mapped = self.mapped.iter().find(|mapped| mapped.addresses.contains(&address))?;
        let offset = (address - mapped.addresses.start).checked_add(mapped.offset)?;
        Some((&mapped.path, offset))
    }
}

impl Mapped {
    /// A line of `/proc/<pid>/maps`: `55d0-55e0 r-xp 00001000 fe:01 123   /path`.
    fn parse(addresses: &str, rest: &str) -> Option<Self> {
        let (start, end) = addresses.split_once('-')?;
        let hex = |text: &str| u64::from_str_radix(text, 16).ok();
        let mut words = rest.split(' ');
        let runs = words.next()?.contains('x');
        let offset = hex(words.next()?)?;
        // No word before the path has a slash; what is mapped without a file has none at all.
        let path = rest.get(rest.find('/')?..)?;
        runs.then(|| Some(Self { addresses: hex(start)?..hex(end)?, offset, path: PathBuf::from(path) }))?
    }
}

fn number(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// A name from a file, which may be anything: nothing in it writes to the terminal.
pub(super) fn printable(name: &str) -> String {
    /// Names of generic code are long.
    const LONGEST: usize = 2048;
    name.chars().filter(|character| !character.is_control()).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "pitstop-crash 1\nsignal 11\naddress 0x8\nthread main\ncode 0x1010\n\
        1000-2000 r--p 00000000 08:01 7                          /bin/game\n\
        2000-3000 r-xp 00001000 08:01 7                          /bin/my game\n\
        3000-4000 r-xp 00000000 00:00 0                          [vdso]\n\
        4000-5000 r-xp 00000000 00:00 0 \n\
        at 0x2010\nfrom 0x2020\nend\n";

    #[test]
    fn a_report_tells_its_facts() {
        let record = Record::parse(WHOLE.as_bytes()).expect("a report");
        assert_eq!((record.signal, record.address, record.thread.as_deref()), (11, Some(8), Some("main")));
        assert_eq!(record.frames, [0x2010, 0x201f], "a return address may be that of the next function");
        assert_eq!(record.mapped.len(), 1, "only what runs and is in a file: {:?}", record.mapped);
        assert_eq!(record.place(0x2010), Some((Path::new("/bin/my game"), 0x1010)));
        assert_eq!(record.place(0x1010), None);
    }

    #[test]
    fn a_report_that_was_cut_tells_nothing_wrong() {
        let whole = Record::parse(WHOLE.as_bytes()).expect("a report");
        for length in 0..WHOLE.len() {
            let Some(cut) = Record::parse(&WHOLE.as_bytes()[..length]) else { continue };
            assert!(cut.address.is_none() || cut.address == whole.address);
            assert!(cut.thread.is_none() || cut.thread == whole.thread);
            assert!(whole.mapped.starts_with(&cut.mapped));
            // Without any frame there is the instruction that was running.
            assert!(whole.frames.starts_with(&cut.frames) || cut.frames == [0x1010], "{cut:?}");
        }
    }

    #[test]
    fn hostile_bytes_are_no_report_or_a_poor_one() {
        for text in ["", "\n", "pitstop-crash 2\nsignal 11\n", "signal 11\npitstop-crash 1\n", "pitstop-crash 1"] {
            assert_eq!(Record::parse(text.as_bytes()), None, "{text:?}");
        }
        let strange = [
            "signal 99999999999999999999",
            "address 8",
            "address 0x10000000000000000",
            "at 0x-1",
            "from 0x0",
            "thread \u{1b}[31mred\u{7}",
            "5000-4000 r-xp 00000000 08:01 7 /backwards",
            "0-ffffffffffffffff r-xp ffffffffffffffff 08:01 7 /all",
            "10000000000000000-2 r-xp 0 0 0 /far",
            "- - - /",
            " ",
            "1000-2000",
            "1000-2000 r-xp",
        ];
        let text = format!("pitstop-crash 1\n{}\n", strange.join("\n"));
        let record = Record::parse(text.as_bytes()).expect("a head is enough");
        assert_eq!((record.signal, record.address, &record.frames), (0, None, &vec![0]));
        assert_eq!(record.thread.as_deref(), Some("[31mred"));
        assert_eq!(record.place(0x4800), None, "the offset is beyond all files");
        let mut endless = b"pitstop-crash 1\n".to_vec();
        for _ in 0..100_000 {
            endless.extend_from_slice(b"at 0x1\n1-2 r-xp 0 0 0 /x\n\xff\xfe\0\n");
        }
        let record = Record::parse(&endless).expect("a report");
        assert_eq!((record.frames.len(), record.mapped.len()), (FRAMES, MAPPED));
    }

    #[test]
    fn only_the_signal_that_ended_the_program_is_told_of() {
        let record = |signal| Record { signal, ..Record::default() };
        assert!(record(11).tells_of(11) && record(6).tells_of(6));
        assert!(record(11).tells_of(6), "std aborts after a stack overflow");
        assert!(!record(6).tells_of(11) && !record(11).tells_of(9) && !record(0).tells_of(6));
    }
}
