//! Hands what plugins say to the program's logger, from a thread of its own: a logger that is slow, or stuck, holds up no
//! plugin. What does not fit between is dropped, and how much is told.

use super::said::Record;
use crossbeam_channel::{Receiver, Sender, bounded};
use log::Level;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// So many lines may wait for the logger.
const WAITING: usize = 4096;
/// So many bytes of them.
const WAITING_BYTES: u64 = 16 << 20;

/// Where the lines of one plugin go.
#[derive(Clone)]
pub(super) struct Journal {
    queue: Arc<Queue>,
    target: Arc<str>,
    dropped: Arc<AtomicU64>,
}

/// Between the plugins and the thread that logs.
struct Queue {
    lines: Sender<Entry>,
    bytes: AtomicU64,
}

struct Entry {
    target: Arc<str>,
    record: Record,
    /// How many lines before this one are missing.
    dropped: u64,
}

impl Journal {
    /// Of a plugin, whose name becomes the target of its records.
    pub(super) fn of(name: &str) -> Self {
        static QUEUE: OnceLock<Arc<Queue>> = OnceLock::new();
        let queue = QUEUE.get_or_init(|| {
            let (queue, entries) = Queue::new();
            let thread = std::thread::Builder::new().name("pitstop-log".to_owned());
            let own = Arc::clone(&queue);
            // Without the thread all lines are dropped, as with a logger that is stuck.
            let _ = thread.spawn(move || own.log_all(&entries, write));
            queue
        });
        Self::new(Arc::clone(queue), name)
    }

    fn new(queue: Arc<Queue>, name: &str) -> Self {
        Self { queue, target: name.into(), dropped: Arc::default() }
    }

    /// Logs a line, unless too many wait already. Never waits.
    pub(super) fn log(&self, record: Record) {
        if record.level > log::max_level() {
            return;
        }
        let bytes = record.text.len() as u64;
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        let fits = self.queue.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= WAITING_BYTES;
        let entry = Entry { target: Arc::clone(&self.target), record, dropped };
        if !fits || self.queue.lines.try_send(entry).is_err() {
            self.queue.bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.dropped.fetch_add(dropped + 1, Ordering::Relaxed);
        }
    }
}

impl Queue {
    fn new() -> (Arc<Self>, Receiver<Entry>) {
        let (lines, entries) = bounded(WAITING);
        (Arc::new(Self { lines, bytes: AtomicU64::new(0) }), entries)
    }

    fn log_all(&self, entries: &Receiver<Entry>, mut write: impl FnMut(&str, &Record)) {
        for Entry { target, record, dropped } in entries {
            if dropped > 0 {
                let text = format!("{dropped} lines of {target} are missing here: the logger did not keep up");
                write(&target, &Record { level: Level::Warn, text });
            }
            write(&target, &record);
            self.bytes.fetch_sub(record.text.len() as u64, Ordering::Relaxed);
        }
    }
}

fn write(target: &str, record: &Record) {
    log::log!(target: target, record.level, "{}", record.text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Record {
        Record { level: Level::Error, text: text.to_owned() }
    }

    #[test]
    fn a_logger_that_is_stuck_holds_up_nobody_and_what_is_missing_is_told() {
        log::set_max_level(log::LevelFilter::Trace);
        let (queue, entries) = Queue::new();
        let journal = Journal::new(Arc::clone(&queue), "kv");
        let more = 10;
        // Nothing takes them.
        (0..WAITING + more).for_each(|number| journal.log(line(&number.to_string())));
        let taken = entries.recv().expect("an entry");
        queue.bytes.fetch_sub(taken.record.text.len() as u64, Ordering::Relaxed);
        journal.log(line("after"));
        drop(journal);
        let mut written = Vec::new();
        let entries: Vec<Entry> = entries.try_iter().collect();
        let (again, again_out) = bounded(WAITING);
        entries.into_iter().for_each(|entry| again.send(entry).expect("room"));
        drop(again);
        queue.log_all(&again_out, |target, record| written.push(format!("{target}: {}", record.text)));
        assert_eq!(written[0], "kv: 1");
        let end = &written[written.len() - 2..];
        assert_eq!(end, ["kv: 10 lines of kv are missing here: the logger did not keep up", "kv: after"]);
        assert_eq!(queue.bytes.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn lines_that_wait_take_up_a_bounded_number_of_bytes() {
        log::set_max_level(log::LevelFilter::Trace);
        let (queue, entries) = Queue::new();
        let journal = Journal::new(queue, "kv");
        let long = "x".repeat(1 << 20);
        (0..100).for_each(|_| journal.log(line(&long)));
        assert_eq!(entries.len(), 16);
    }
}
