//! What others do to a file while it is staged.

use super::super::read::{Asked, Attempt, attempt, read, whole};
use super::*;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// Ends the other thread of a race, however this one ends.
struct Race<'a>(&'a AtomicBool);

impl Drop for Race<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs `disturb` in another thread without pause while `look` is asked for as long as it wants more, at most a minute.
fn race(disturb: impl Fn(u64) + Send, mut look: impl FnMut(u32) -> bool) {
    let over = AtomicBool::new(false);
    let start = Instant::now();
    std::thread::scope(|scope| {
        let _end = Race(&over);
        scope.spawn(|| (0..).take_while(|_| !over.load(Ordering::Relaxed)).for_each(disturb));
        let all = (1..).take_while(|_| start.elapsed() < Duration::from_secs(60)).all(&mut look);
        assert!(!all, "the race did not come to what was awaited in time");
    });
}

/// Long ago, so that the file is not waited for.
fn make_old(path: &Path) {
    let file = File::options().write(true).open(path).expect("a file");
    file.set_modified(SystemTime::now() - Duration::from_secs(60)).expect("a time");
}

/// A link, or a folder on the way, that leads in and out by turns: only what is inside is ever staged.
#[cfg(unix)]
fn swapped(name: &str, file: &str, inside: &str, outside: &str) {
    let place = Place::new();
    for folder in ["x/sub", "far"] {
        fs::create_dir(place.at(folder)).expect("a folder");
    }
    make_old(&place.program("x/sub/run", "inside"));
    make_old(&place.program("far/run", "foreign"));
    let (link, draft) = (place.at(name), place.at("draft"));
    let (inside, outside) = (place.at(inside), place.at(outside));
    std::os::unix::fs::symlink(&inside, &link).expect("a link");
    let swap = |round: u64| {
        let target = if round.is_multiple_of(2) { &outside } else { &inside };
        std::os::unix::fs::symlink(target, &draft).expect("a link");
        fs::rename(&draft, &link).expect("in its place");
    };
    let spec = place.spec(Mechanism::Exec, file);
    let (mut staged, mut refused) = (0, 0);
    race(swap, |number| {
        match place.stage(&spec, number) {
            Ok(candidate) => {
                assert_eq!(*candidate.bytes, *b"inside");
                assert_eq!(fs::read(&candidate.file).expect("a copy"), b"inside");
                place.staging.remove(&candidate.file);
                staged += 1;
            }
            Err(reason) => {
                let told = place.told::<()>(Err(reason));
                assert!(told.contains("expected a file in the plugin's folder DIR/x, found DIR/far/run;"), "{told}");
                refused += 1;
            }
        }
        staged < 300 || refused < 300
    });
}

#[cfg(unix)]
#[test]
fn a_link_that_is_swapped_never_gets_foreign_bytes_in() {
    swapped("x/link", "x/link", "x/sub/run", "far/run");
}

#[cfg(unix)]
#[test]
fn a_folder_that_is_swapped_for_a_link_never_gets_foreign_bytes_in() {
    swapped("x/way", "x/way/run", "x/sub", "far");
}

/// Each file that takes the place of another is whole.
#[test]
fn a_file_that_is_replaced_is_staged_as_one_of_both() {
    let place = Place::new();
    let text = |round: u64| if round.is_multiple_of(2) { "a".repeat(100_000) } else { "b".repeat(90_000) };
    make_old(&place.program("x/run", text(0)));
    let replace = |round: u64| {
        make_old(&place.program("draft", text(round)));
        fs::rename(place.at("draft"), place.at("x/run")).expect("in its place");
    };
    let spec = place.spec(Mechanism::Exec, "x/run");
    let mut seen = [0, 0];
    race(replace, |number| {
        match place.stage(&spec, number) {
            Ok(candidate) => {
                let which = usize::from(candidate.bytes[0] == b'b');
                assert!(*candidate.bytes == *text(which as u64).as_bytes(), "half of each");
                place.staging.remove(&candidate.file);
                seen[which] += 1;
            }
            Err(reason) => assert!(reason.found.contains("changes while"), "{reason}"),
        }
        seen[0] < 20 || seen[1] < 20
    });
}

/// A write that begins while the file is read is always seen. One that had begun before, and then stood still for so long
/// that the file seemed settled (as a busy system may have it), is not: only then may there be half of each.
#[test]
fn a_file_that_is_rewritten_is_read_whole_or_said_to_change() {
    const LENGTH: usize = 8192;
    let place = Place::new();
    let artifact = place.program("x/run", vec![b'a'; LENGTH]);
    // Odd while the file is rewritten.
    let writes = AtomicU64::new(0);
    let rests = AtomicBool::new(false);
    let rewrite = |round: u64| {
        if rests.load(Ordering::SeqCst) {
            return std::thread::yield_now();
        }
        let file = File::options().write(true).open(&artifact).expect("a file");
        writes.fetch_add(1, Ordering::SeqCst);
        for _ in 0..2 {
            std::io::Write::write_all(&mut &file, &[b'a' + (round % 26) as u8; LENGTH / 2]).expect("written");
        }
        writes.fetch_add(1, Ordering::SeqCst);
    };
    let spec = place.spec(Mechanism::Exec, "x/run");
    let asked = Asked { spec: &spec, artifact: &artifact, policy: Policy::RefuseWorldWritable };
    let (mut whole_ones, mut refused) = (0, 0);
    race(rewrite, |number| {
        // Every second time the writer rests.
        rests.store(number.is_multiple_of(2), Ordering::SeqCst);
        let mut was_writing = false;
        let result = read(&asked, |file, length| {
            was_writing = !writes.load(Ordering::SeqCst).is_multiple_of(2);
            whole(file, length)
        });
        match result {
            Ok(bytes) => {
                assert!(bytes == vec![bytes[0]; LENGTH] || was_writing, "half of each");
                whole_ones += 1;
            }
            Err(reason) => {
                let expected = "DIR/x/run (complete): expected a file that is complete, found it changes while it is being \
                                staged; write it under another name and move it into place once it is complete";
                assert_eq!(place.told::<()>(Err(reason)), expected);
                refused += 1;
            }
        }
        whole_ones < 5 || refused < 2
    });
}

#[test]
fn each_kind_of_change_while_it_is_read_is_seen() {
    let place = Place::new();
    let spec = place.spec(Mechanism::Exec, "x/run");
    let artifact = place.at("x/run");
    let asked = Asked { spec: &spec, artifact: &artifact, policy: Policy::RefuseWorldWritable };
    let open = || File::options().write(true).open(&artifact).expect("a file");
    let changes: [(&str, &dyn Fn()); 5] = [
        ("longer", &|| open().set_len(10).expect("longer")),
        ("shorter", &|| open().set_len(1).expect("shorter")),
        ("written", &|| std::io::Write::write_all(&mut open(), b"xyz").expect("written")),
        ("replaced", &|| {
            place.program("draft", "new");
            fs::rename(place.at("draft"), &artifact).expect("in its place");
        }),
        ("removed", &|| fs::remove_file(&artifact).expect("removed")),
    ];
    for (what, change) in changes {
        place.program("x/run", "old");
        make_old(&artifact);
        let undisturbed = attempt(&asked, whole).expect("good");
        assert_eq!(undisturbed, Attempt::Read(b"old".to_vec()));
        let before = attempt(&asked, |file, length| {
            change();
            whole(file, length)
        });
        assert!(matches!(before, Ok(Attempt::Again(_))), "{what} before: {before:?}");
        place.program("x/run", "old");
        make_old(&artifact);
        let after = attempt(&asked, |file, length| {
            let bytes = whole(file, length);
            change();
            bytes
        });
        assert!(matches!(after, Ok(Attempt::Again(_))), "{what} after: {after:?}");
    }
}

#[test]
fn a_file_that_was_just_written_is_waited_for() {
    let place = Place::new();
    let artifact = place.program("x/run", "1");
    let spec = place.spec(Mechanism::Exec, "x/run");
    let asked = Asked { spec: &spec, artifact: &artifact, policy: Policy::RefuseWorldWritable };
    let set =
        |time| File::options().write(true).open(&artifact).and_then(|file| file.set_modified(time)).expect("a time");
    set(SystemTime::now());
    assert!(matches!(attempt(&asked, whole), Ok(Attempt::Again(pause)) if pause < Duration::from_millis(12)));
    // As after a download, or where a clock is wrong: nobody waits until then.
    set(SystemTime::now() + Duration::from_secs(3600));
    assert_eq!(attempt(&asked, whole), Ok(Attempt::Read(b"1".to_vec())));
}
