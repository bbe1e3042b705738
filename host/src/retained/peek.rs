//! Reads the memory of a process through the system, which refuses where a pointer would fault.

use super::maps::{self, Mapping};
use std::fs::File;
use std::ops::Range;

/// The memory of a process.
pub(super) struct Peek {
    memory: File,
    pages: File,
}

/// Bytes of a page, as `pagemap` counts them. Linux on x86-64 has no others; elsewhere only the reading by page is off.
pub(super) const PAGE: u64 = 4096;

impl Peek {
    /// The memory of the process in a folder of `/proc`.
    pub(super) fn of(process: &str) -> std::io::Result<Self> {
        let open = |name: &str| File::open(format!("/proc/{process}/{name}"));
        Ok(Self { memory: open("mem")?, pages: open("pagemap")? })
    }

    /// The mappings of the process in a folder of `/proc`; `file` is `maps` or `smaps`.
    pub(super) fn mappings(process: &str, file: &str) -> std::io::Result<Vec<Mapping>> {
        Ok(maps::parse(&std::fs::read(format!("/proc/{process}/{file}"))?))
    }

    /// Fills `bytes` from `address` on; how many there were.
    pub(super) fn read(&self, address: u64, bytes: &mut [u8]) -> std::io::Result<usize> {
        read_at(&self.memory, bytes, address)
    }

    /// The word at an address.
    pub(super) fn word(&self, address: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        let read = self.read(address, &mut bytes).ok()?;
        (read == bytes.len()).then(|| u64::from_ne_bytes(bytes))
    }

    /// The runs of pages in a range that were written to since they were mapped, in memory or swapped out. All others
    /// hold zeros, or what their file does.
    pub(super) fn written(&self, range: &Range<u64>, mut each: impl FnMut(Range<u64>)) -> std::io::Result<()> {
        const IN_MEMORY: u64 = 1 << 63;
        const SWAPPED: u64 = 1 << 62;
        const OF_FILE: u64 = 1 << 61;
        let mut entries = [0; 4096];
        let mut run: Option<Range<u64>> = None;
        let mut page = range.start / PAGE;
        let end = range.end.div_ceil(PAGE);
        while page < end {
            let wanted = usize::try_from((end - page).saturating_mul(8)).unwrap_or(usize::MAX).min(entries.len());
            let read = read_at(&self.pages, &mut entries[..wanted], page * 8)?;
            if read < 8 {
                break;
            }
            for entry in entries[..read].as_chunks::<8>().0 {
                let entry = u64::from_ne_bytes(*entry);
                if entry & (IN_MEMORY | SWAPPED) != 0 && entry & OF_FILE == 0 {
                    let start = run.map_or(page * PAGE, |run| run.start);
                    run = Some(start..(page + 1) * PAGE);
                } else if let Some(run) = run.take() {
                    each(run);
                }
                page += 1;
            }
        }
        run.into_iter().for_each(each);
        Ok(())
    }
}

/// Room for memory that is read. Wiped in the end: what is read may be pointers, and the next look must not find them here.
pub(super) struct Scratch(Vec<u8>);

impl Scratch {
    pub(super) fn new(bytes: usize) -> Self {
        Self(vec![0; bytes])
    }
}

impl std::ops::Deref for Scratch {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl std::ops::DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.0.fill(0);
        // So that the compiler does not find that nobody reads what was written.
        std::hint::black_box(&mut self.0);
    }
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], at: u64) -> std::io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, bytes, at)
}

#[cfg(not(unix))]
fn read_at(_file: &File, _bytes: &mut [u8], _at: u64) -> std::io::Result<usize> {
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_where_there_is_some_and_refused_elsewhere() {
        let peek = Peek::of("self").expect("the own memory");
        let known = std::hint::black_box(Box::new(0x5eed_5eed_u64));
        assert_eq!(peek.word(std::ptr::from_ref(&*known).addr() as u64), Some(0x5eed_5eed));
        assert_eq!(peek.word(0), None);
        assert_eq!(peek.word(u64::MAX - 7), None);
    }

    #[test]
    fn only_pages_that_were_written_to_are_looked_at() {
        let mut block = vec![0_u8; 64 << 20];
        let touched = std::ptr::from_ref(&block[32 << 20]).addr() as u64 / PAGE * PAGE;
        block[32 << 20] = 1;
        let start = block.as_ptr().addr() as u64;
        let (mut pages, mut found) = (0, false);
        let peek = Peek::of("self").expect("the own memory");
        let each = |run: Range<u64>| {
            pages += (run.end - run.start) / PAGE;
            found |= run.contains(&touched);
        };
        peek.written(&(start..start + block.len() as u64), each).expect("pagemap");
        // Large pages may make it more than one, but never all.
        assert!(found && pages < 8192, "{pages} pages");
    }
}
