//! Lets images come to lie where nothing was before. The proof has just read their files into memory, and what it leaves in
//! freed memory points to where that was: an image in that place would be held by it.

use super::maps::Mapping;
use std::ops::Range;

/// As long as this is there, memory that the system gives out is such that nobody had before; as far as one thread can see
/// to it.
pub(crate) struct FreshGround(#[cfg_attr(not(target_os = "linux"), expect(dead_code))] Vec<Range<u64>>);

#[cfg(target_os = "linux")]
mod taking {
    #![expect(unsafe_code, reason = "takes address space, and gives it back")]

    use super::{FreshGround, gaps};
    use crate::retained::peek::Peek;
    use std::ops::Range;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// How far down images were mapped so far.
    static LOWEST: AtomicU64 = AtomicU64::new(u64::MAX);
    /// Address space that is passed over for each image: what came and went below the lowest that is left, such as the
    /// files that the proof has read.
    const PASSED_OVER: u64 = 16 << 30;

    impl FreshGround {
        /// Takes all gaps between what is mapped.
        pub(crate) fn new() -> Self {
            let mappings = Peek::mappings("self", "maps").unwrap_or_default();
            let (gaps, lowest) = gaps(&mappings, LOWEST.load(Ordering::Relaxed), PASSED_OVER);
            LOWEST.store(lowest, Ordering::Relaxed);
            Self(gaps.into_iter().filter(take).collect())
        }
    }

    fn take(gap: &Range<u64>) -> bool {
        let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED_NOREPLACE;
        let (start, length) = parts(gap);
        // SAFETY: nothing is there, and what comes to be there meanwhile is left alone.
        let taken = unsafe { libc::mmap(start, length, libc::PROT_NONE, kind, -1, 0) };
        if taken != libc::MAP_FAILED && taken != start {
            // An old kernel, for which the address was a wish.
            // SAFETY: mapped just now.
            unsafe { libc::munmap(taken, length) };
        }
        taken == start
    }

    fn parts(gap: &Range<u64>) -> (*mut libc::c_void, usize) {
        let length = usize::try_from(gap.end - gap.start).unwrap_or(0);
        (std::ptr::without_provenance_mut(usize::try_from(gap.start).unwrap_or(0)), length)
    }

    impl Drop for FreshGround {
        fn drop(&mut self) {
            for gap in &self.0 {
                let (start, length) = parts(gap);
                // SAFETY: taken in `new`, and nobody else knows of it.
                unsafe { libc::munmap(start, length) };
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl FreshGround {
    /// Nothing, here.
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }
}

/// The gaps in the part of the address space that the system gives out from above to below, down to `lowest` or to where it
/// reaches now and `further`; and how far down that is. It lies above the largest gap and below the stack, which needs the
/// gap before it to grow into.
#[cfg_attr(not(target_os = "linux"), expect(dead_code))]
fn gaps(mappings: &[Mapping], lowest: u64, further: u64) -> (Vec<Range<u64>>, u64) {
    let stack = mappings.iter().position(|mapping| mapping.name == "[stack]").unwrap_or(mappings.len());
    let pairs = mappings[..stack].windows(2).map(|pair| pair[0].range.end..pair[1].range.start);
    let gaps: Vec<Range<u64>> = pairs.filter(|gap| !gap.is_empty()).collect();
    let Some(widest) = (0..gaps.len()).max_by_key(|index| gaps[*index].end - gaps[*index].start) else {
        return (Vec::new(), lowest);
    };
    let now = gaps[widest].end;
    // At most half of what is left.
    let half = gaps[widest].start.midpoint(now);
    let below = now.min(lowest).saturating_sub(further).max(half)..now;
    (std::iter::once(below.clone()).chain(gaps[widest + 1..].iter().cloned()).collect(), below.start)
}

#[cfg(test)]
mod tests {
    use super::super::maps::parse;
    use super::*;

    #[test]
    fn gaps_are_those_above_the_widest_and_below_the_stack() {
        let maps = parse(
            b"1000-2000 r-xp 0 0:0 1 /game\n3000-4000 rw-p 0 0:0 0 [heap]\n10000-11000 rw-p 0 0:0 0\n\
              11000-12000 rw-p 0 0:0 0\n13000-14000 r-xp 0 0:0 2 /libc.so\n18000-19000 rw-p 0 0:0 0 [stack]\n\
              20000-21000 r-xp 0 0:0 0 [vdso]\n",
        );
        assert_eq!(gaps(&maps, u64::MAX, 0x1000), (vec![0xf000..0x10000, 0x12000..0x13000], 0xf000));
        assert_eq!(gaps(&maps, 0xf000, 0x1000), (vec![0xe000..0x10000, 0x12000..0x13000], 0xe000));
        assert_eq!(gaps(&maps, 0, 0x1000), (vec![0xa000..0x10000, 0x12000..0x13000], 0xa000), "half of it is left");
        assert_eq!(gaps(&[], 5, 1), (vec![], 5));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn memory_that_was_there_is_not_given_out_again() {
        const LENGTH: usize = 40 << 20;
        let address = |block: &Vec<u8>| block.as_ptr().addr();
        // Too large for anything but a mapping of its own, which ends with it.
        let first = vec![0_u8; LENGTH];
        let gone = address(&first)..address(&first) + LENGTH;
        drop(first);
        let ground = FreshGround::new();
        let second = vec![0_u8; LENGTH];
        assert!(!gone.contains(&address(&second)), "the same place again");
        drop(ground);
        assert_eq!(second[LENGTH - 1], 0);
    }
}
