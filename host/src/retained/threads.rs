//! Which threads of the process run code of which image: those whose next instruction, or an address on their stack to
//! return to, lies in the image's code.
//!
//! Nobody is stopped for it. What is left on a stack of an earlier call looks like one that still runs, so that a thread
//! may be named in vain; none that waits in a call is missed.

use super::maps::{self, Mapping};
use super::peek::{Peek, Scratch};
use super::place::Place;

/// A thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Thread {
    pub(super) id: u32,
    pub(super) name: String,
}

/// Where a thread is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// At this instruction, with its stack up to here.
    Place {
        /// The stack pointer.
        stack: u64,
        /// The next instruction.
        code: u64,
    },
    /// On a processor right now, which the system does not interrupt to tell.
    Running,
}

/// How often a running thread is looked at.
const LOOKS: usize = 5;
/// No stack is looked at any further.
const DEEPEST: u64 = 64 << 20;
/// What the system's convention lets a function use below its stack pointer, on x86-64.
pub(super) const RED_ZONE: u64 = 128;

/// All threads of this process, but for the calling one.
pub(super) fn list() -> Vec<(Thread, At)> {
    let own = std::fs::read_link("/proc/thread-self").ok();
    let own = own.and_then(|path| path.file_name()?.to_str()?.parse::<u32>().ok());
    let entries = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter(|id| Some(*id) != own).filter_map(thread).collect()
}

/// A thread of this process; `None` when it has ended.
fn thread(id: u32) -> Option<(Thread, At)> {
    let mut at = At::Running;
    for _ in 0..LOOKS {
        at = parse(&std::fs::read_to_string(format!("/proc/self/task/{id}/syscall")).ok()?)?;
        if at != At::Running {
            break;
        }
        std::thread::yield_now();
    }
    Some((Thread { id, name: name(id)? }, at))
}

/// The name of a thread of this process.
pub(super) fn name(id: u32) -> Option<String> {
    let name = std::fs::read(format!("/proc/self/task/{id}/comm")).ok()?;
    Some(String::from_utf8_lossy(&name).trim_end().to_owned())
}

/// `running`, or the numbers of a system call of which the last two are the stack pointer and the instruction.
fn parse(text: &str) -> Option<At> {
    let text = text.trim_end();
    if text == "running" {
        return Some(At::Running);
    }
    let mut numbers = text.rsplit(' ').map(|number| u64::from_str_radix(number.strip_prefix("0x")?, 16).ok());
    let (code, stack) = (numbers.next()??, numbers.next()??);
    Some(At::Place { stack, code })
}

/// Which of the images a thread that is there runs; `None` for one that cannot be looked at.
pub(super) fn runs(at: At, memory: &Peek, mappings: &[Mapping], places: &[&Place]) -> Option<Vec<usize>> {
    let At::Place { stack, code } = at else { return None };
    let mut found: Vec<usize> = (0..places.len()).filter(|&index| places[index].runs_in(code)).collect();
    let mapping = &mappings[maps::at(mappings, stack)?];
    let mut at = stack / 8 * 8;
    let end = mapping.range.end.min(at.saturating_add(DEEPEST));
    let mut bytes = Scratch::new(64 << 10);
    while at < end {
        let wanted = usize::try_from(end - at).unwrap_or(usize::MAX).min(bytes.len());
        let read = memory.read(at, &mut bytes[..wanted]).ok()?;
        if read < 8 {
            break;
        }
        for word in bytes[..read].as_chunks::<8>().0 {
            let word = u64::from_ne_bytes(*word);
            for (index, place) in places.iter().enumerate() {
                if place.runs_in(word) && !found.contains(&index) && follows_a_call(memory, word) {
                    found.push(index);
                }
            }
        }
        at += read as u64 / 8 * 8;
    }
    Some(found)
}

/// Whether an address can be one that a call returns to, and not only one of a function.
fn follows_a_call(memory: &Peek, address: u64) -> bool {
    if !cfg!(target_arch = "x86_64") {
        return true;
    }
    let mut before = [0; 7];
    if address < 7 || !memory.read(address - 7, &mut before).is_ok_and(|read| read == 7) {
        return true;
    }
    // `call` with a distance; or through a register or memory, which is 2 to 7 bytes long with the operation in the middle
    // bits of its second byte.
    let indirect = |length: usize| matches!(before[7 - length..], [0xff, operand, ..] if operand >> 3 & 7 == 2);
    before[2] == 0xe8 || (2..=7).any(indirect)
}

/// The sentence for a thread that runs an image.
pub(super) fn sentence(thread: &Thread) -> String {
    format!("thread `{}` (tid {}) runs it", thread.name, thread.id)
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "a place with one part")]
mod tests {
    use super::*;

    #[test]
    fn where_a_thread_is_is_the_end_of_the_line() {
        assert_eq!(parse("running\n"), Some(At::Running));
        let waiting = "202 0x7f 0x189 0x0 0x0 0x0 0xffffffff 0x7ffe9c01cc30 0x7f359d433aec\n";
        assert_eq!(parse(waiting), Some(At::Place { stack: 0x7ffe_9c01_cc30, code: 0x7f35_9d43_3aec }));
        assert_eq!(parse("-1 0x10 0x20\n"), Some(At::Place { stack: 0x10, code: 0x20 }));
    }

    #[test]
    fn hostile_lines_are_nowhere() {
        for text in ["", "\n", "0x1", "run", "-1 -1", "1 2", "0x 0x", "0x1 0xfffffffffffffffff", "0x1  0x2 ", "é é"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_waiting_thread_is_found_in_the_code_that_waits_and_a_running_one_is_said_to_run() {
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let (ready, on_ready) = std::sync::mpsc::channel();
        let waiting = move || {
            ready.send(()).expect("a receiver");
            let _ = receiver.recv();
        };
        let waiting = std::thread::Builder::new().name("waiting".to_owned()).spawn(waiting).expect("a thread");
        on_ready.recv().expect("a thread that has begun");
        let mappings = Peek::mappings("self", "maps").expect("the own mappings");
        let memory = Peek::of("self").expect("the own memory");
        let own = maps::at(&mappings, parse as fn(&str) -> Option<At> as usize as u64).expect("this code");
        let range = mappings[own].range.clone();
        let length = range.end - range.start;
        let place = Place { start: Some(range.start), length, code: vec![0..length], ..Place::default() };
        let elsewhere = Place { start: Some(1 << 40), length: 8, code: vec![0..8], ..Place::default() };
        // It may still be on its way from the message to where it waits.
        let found = (0..10_000).find_map(|_| {
            let (thread, at) = list().into_iter().find(|(thread, _)| thread.name == "waiting")?;
            let found = runs(at, &memory, &mappings, &[&elsewhere, &place])?;
            Some((found, sentence(&thread)))
        });
        let (found, sentence) = found.expect("a thread that waits");
        assert_eq!(found, [1]);
        assert!(sentence.starts_with("thread `waiting` (tid "), "{sentence}");
        assert_eq!(runs(At::Running, &memory, &mappings, &[&place]), None);
        drop(sender);
        waiting.join().expect("a thread that ends");
    }
}
