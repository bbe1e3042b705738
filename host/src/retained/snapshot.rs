//! The process at one moment, with what is known of its memory and threads.

use super::freeze::Frozen;
use super::maps::{self, Mapping};
use super::peek::Peek;
use super::threads::{At, RED_ZONE, Thread, name};
use std::ops::Range;
use std::time::Duration;

/// Where a thread's record has the guard, with glibc on x86-64 (`sysdeps/x86_64/nptl/tls.h`).
const GUARD: u64 = 0x30;

/// The process at one moment.
pub(super) struct Snapshot {
    frozen: Frozen,
    pub(super) peek: Peek,
    pub(super) mappings: Vec<Mapping>,
    pub(super) threads: Vec<Thread>,
    /// What the system's library hides the addresses of functions with that are to be called at the end of a thread or of
    /// the program.
    pub(super) guard: Option<u64>,
    /// Parts of stacks below what is in use of them: leftovers, which nobody reads.
    pub(super) unused: Vec<Range<u64>>,
}

impl Snapshot {
    /// Takes one. `own` is where the stack of the calling thread is in use from, as seen by whoever began it: all below
    /// is its own affair.
    pub(super) fn take(own: u64) -> Result<Self, String> {
        let frozen = Frozen::new()?;
        let process = frozen.process().to_string();
        let told = |error: std::io::Error| format!("the copy of the memory cannot be read: {error}");
        let peek = Peek::of(&process).map_err(told)?;
        let mappings = Peek::mappings(&process, "maps").map_err(told)?;
        let threads = (0..frozen.threads()).map(|index| {
            let id = frozen.id(index);
            Thread { id, name: name(id).unwrap_or_default() }
        });
        let threads = threads.collect();
        let stacks = (0..frozen.threads()).filter_map(|index| {
            below(&mappings, frozen.stack(index).checked_sub(RED_ZONE)?, frozen.thread_local(index))
        });
        let mut unused: Vec<Range<u64>> = Vec::new();
        for stack in stacks.chain(frozen.own_stack().map(|start| start..own)) {
            unused.insert(unused.partition_point(|other| other.start <= stack.start), stack);
        }
        let guard = (0..frozen.threads()).find_map(|thread| peek.word(frozen.thread_local(thread).checked_add(GUARD)?));
        Ok(Self { frozen, peek, mappings, threads, guard, unused })
    }

    /// Where a thread is.
    pub(super) fn at(&self, thread: usize) -> At {
        At::Place { stack: self.frozen.stack(thread), code: self.frozen.code(thread) }
    }

    /// All words in a thread's registers, but for what is left over in those that no call preserves: vectors, in a thread
    /// that waits in a call of the system's library.
    pub(super) fn registers(&self, thread: usize) -> impl Iterator<Item = u64> {
        let code = maps::at(&self.mappings, self.frozen.code(thread)).map(|index| self.mappings[index].name.as_str());
        let waits = self.frozen.is_in_system_call(thread) && code.is_some_and(|name| name.ends_with("/libc.so.6"));
        self.frozen.registers(thread).chain(self.frozen.vectors(thread).filter(move |_| !waits))
    }

    /// Each signal with the function that is called for it.
    pub(super) fn handlers(&self) -> impl Iterator<Item = (u32, u64)> {
        self.frozen.handlers()
    }

    /// How long the program was held up.
    pub(super) fn paused(&self) -> Duration {
        self.frozen.paused()
    }

    /// The thread on whose stack an address is.
    pub(super) fn stack_of(&self, address: u64) -> Option<&Thread> {
        let range = &self.mappings[maps::at(&self.mappings, address)?].range;
        let is_there =
            |index: &usize| range.contains(&self.frozen.stack(*index)) && self.frozen.stack(*index) <= address;
        (0..self.threads.len()).find(is_there).map(|index| &self.threads[index])
    }
}

/// The part of a stack below an address in it. `None` unless it surely is a thread's own stack: the first thread's, or one
/// that the system's library made, which puts the thread's record at its upper end and a guard page before its lower one.
/// A program may put stacks of its own anywhere, and other things beside them.
fn below(mappings: &[Mapping], stack: u64, record: u64) -> Option<Range<u64>> {
    let index = maps::at(mappings, stack)?;
    let mapping = &mappings[index];
    let guarded = || {
        let before = &mappings[index.checked_sub(1)?];
        Some(before.range.end == mapping.range.start && !before.readable && !before.writable)
    };
    let is_threads = mapping.range.contains(&record) && stack <= record && guarded() == Some(true);
    (mapping.name == "[stack]" || is_threads).then_some(mapping.range.start..stack)
}

#[cfg(test)]
mod tests {
    use super::super::maps::parse;
    use super::*;

    #[test]
    fn only_what_surely_is_a_stack_has_an_unused_part() {
        let maps = parse(
            b"1000-2000 ---p 00000000 00:00 0\n2000-9000 rw-p 00000000 00:00 0\n9000-a000 rw-p 00000000 00:00 0 [heap]\n\
              a000-f000 rw-p 00000000 00:00 0 [stack]\n",
        );
        assert_eq!(below(&maps, 0x8000, 0x8f00), Some(0x2000..0x8000));
        assert_eq!(below(&maps, 0x8000, 0x9100), None, "its record is elsewhere");
        assert_eq!(below(&maps, 0x8000, 0x7000), None, "its record is below");
        assert_eq!(below(&maps, 0x9500, 0x9600), None, "no guard");
        assert_eq!(below(&maps, 0xb000, 0x10), Some(0xa000..0xb000));
        assert_eq!(below(&maps, 0x10, 0x10), None);
    }

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64", target_pointer_width = "64"))]
    fn a_snapshot_has_the_memory_and_registers_of_one_moment_and_the_program_goes_on() {
        use std::sync::Arc;
        use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
        // A word that is always in exactly one of two places, or on its way between them in a register.
        let places = Arc::new([AtomicU64::new(0x5eed), AtomicU64::new(0)]);
        let stop = Arc::new(AtomicBool::new(false));
        let mover = {
            let (places, stop) = (Arc::clone(&places), Arc::clone(&stop));
            let work = move || {
                let mut turns = 0_u64;
                while !stop.load(Ordering::Relaxed) {
                    for (from, to) in [(0, 1), (1, 0)] {
                        let word = places[from].swap(0, Ordering::Relaxed);
                        places[to].store(word, Ordering::Relaxed);
                    }
                    turns += 1;
                }
                turns
            };
            std::thread::Builder::new().name("mover".to_owned()).spawn(work).expect("a thread")
        };
        let address = |index: usize| places[index].as_ptr().addr() as u64;
        for _ in 0..50 {
            let snapshot = Snapshot::take(std::ptr::from_ref(&places).addr() as u64).expect("a snapshot");
            let thread = snapshot.threads.iter().position(|thread| thread.name == "mover").expect("the mover");
            let words = [0, 1].map(|index| snapshot.peek.word(address(index)).expect("a word"));
            // In a register, or where the compiler keeps its variables: on the mover's stack.
            let At::Place { stack, .. } = snapshot.at(thread) else { panic!("a stopped thread is somewhere") };
            let on_stack = || (0..4096).any(|at| snapshot.peek.word(stack / 8 * 8 + at * 8) == Some(0x5eed));
            let is_there =
                words.contains(&0x5eed) || snapshot.registers(thread).any(|word| word == 0x5eed) || on_stack();
            assert!(is_there, "{words:x?}");
            assert!(words != [0x5eed, 0x5eed], "two moments");
        }
        stop.store(true, Ordering::Relaxed);
        assert!(mover.join().expect("a thread that ends") > 0);
    }
}
