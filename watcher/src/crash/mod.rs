//! What a signal that ended a host tells: where the program was, in whose code, of which generation.

mod backtrace;
mod name;
mod record;
mod symbols;

use crate::process::signal_name;
use backtrace::{Crates, Frame};
use pitstop_contract::Generation;
use pitstop_contract::event::Event;
use pitstop_contract::session::host_crash;
use record::Record;
use std::path::Path;

/// How many frames are told.
const TOLD: usize = 40;

/// Tells of a host that a signal has ended. What it did not leave behind is left out.
pub(crate) fn report(directory: &Path, pid: u32, signal: i32) -> Event {
    let record = Record::read(&directory.join(host_crash(pid)));
    let record = record.filter(|record| record.tells_of(signal)).unwrap_or_default();
    let crates = Crates::of(directory, &record);
    let frames = backtrace::told(backtrace::frames(&record, &crates));
    let (crate_name, generation, function) = match backtrace::function(&frames) {
        Some((crate_name, generation, function)) => (crate_name, Some(generation), Some(function)),
        None => (String::new(), None::<Generation>, None),
    };
    Event::Crashed {
        signal,
        name: signal_name(signal),
        address: record.address.map(|address| format!("{address:#x}")),
        thread: record.thread,
        crate_name,
        generation,
        function,
        backtrace: frames.iter().take(TOLD).map(Frame::text).collect(),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// What is told of a host that left this behind.
    fn told(name: &str, write: impl FnOnce(&Path)) -> Event {
        let directory = tempfile::tempdir().expect("a folder");
        write(&directory.path().join(name));
        report(directory.path(), 7, 11)
    }

    fn signal_only() -> Event {
        Event::Crashed {
            signal: 11,
            name: "SIGSEGV".to_owned(),
            address: None,
            thread: None,
            crate_name: String::new(),
            generation: None,
            function: None,
            backtrace: Vec::new(),
        }
    }

    #[test]
    fn without_a_report_the_signal_is_told() {
        assert_eq!(
            told("host-8.crash", |path| std::fs::write(path, "pitstop-crash 1\naddress 0x8\n").expect("a file")),
            signal_only()
        );
        assert_eq!(told("host-7.crash", |path| std::fs::write(path, "").expect("a file")), signal_only());
        assert_eq!(told("host-7.crash", |path| std::fs::create_dir(path).expect("a folder")), signal_only());
        let of_another = "pitstop-crash 1\nsignal 6\naddress 0x8\nat 0x10\nend\n";
        assert_eq!(told("host-7.crash", |path| std::fs::write(path, of_another).expect("a file")), signal_only());
    }

    #[test]
    fn files_that_cannot_be_read_as_code_give_places_without_names() {
        let told = told("host-7.crash", |path| {
            let folder = path.parent().expect("a folder");
            let fifo = folder.join("fifo");
            let made = std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo");
            assert!(made.success());
            let text = folder.join("text");
            std::fs::write(&text, "no code").expect("a file");
            let mut report = String::from("pitstop-crash 1\nsignal 11\n");
            for (at, file) in
                [&fifo, &text, folder, Path::new("/dev/zero"), Path::new("/nowhere")].into_iter().enumerate()
            {
                report.push_str(&format!("{at}000-{at}fff r-xp 100 0 0 {}\nat 0x{at}010\n", file.display()));
            }
            std::fs::write(path, report + "at 0xffff\nend\n").expect("a report");
        });
        let Event::Crashed { backtrace, function, .. } = told else { panic!("{told:?}") };
        assert_eq!((backtrace.len(), function), (6, None), "{backtrace:?}");
        assert_eq!(backtrace[1], "0x110 in text");
        assert_eq!(backtrace[5], "0xffff");
    }
}
