//! Programs that are executed once for each call.

use super::{LONG, Plugin};
use crate::plugin::backend::{Description, Instance, backend};
use crate::plugin::spec::Mechanism;
use pitstop_reloadable::PluginError;
use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Signal, kill_process};
use std::time::{Duration, Instant};

const MIB: usize = 1 << 20;

/// More than enough for the end of a program, and less than `sleep` takes here.
fn in_time<T>(run: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let done = run();
    assert!(started.elapsed() < Duration::from_secs(LONG.tv_sec.cast_unsigned()));
    done
}

fn exited(code: i32, message: &str) -> Result<Vec<u8>, PluginError> {
    Err(PluginError::Exited { code, message: message.to_owned() })
}

#[test]
fn the_input_comes_in_and_the_output_out_verbatim() {
    let plugin = Plugin::script("cat");
    let bytes: Vec<u8> = (0..=255).collect();
    assert_eq!(plugin.process(&bytes), Ok(bytes));
    assert_eq!(plugin.process(b""), Ok(Vec::new()));
    plugin.assert_none_is_left();
}

#[test]
fn arguments_come_after_the_verb_and_no_shell_sees_them() {
    let mut plugin = Plugin::script("for a in \"$@\"; do echo \"<$a>\"; done");
    plugin.spec.arguments = ["$HOME", "a b", "", "*;`id`"].map(str::to_owned).into();
    assert_eq!(plugin.process(b""), Ok(b"<process>\n<$HOME>\n<a b>\n<>\n<*;`id`>\n".to_vec()));
}

#[test]
fn a_program_that_prints_nothing_has_an_empty_output() {
    let plugin = Plugin::script("cat >/dev/null");
    assert_eq!(plugin.process(b"input"), Ok(Vec::new()));
    plugin.assert_none_is_left();
}

#[test]
fn a_program_that_prints_a_gibibyte_is_ended() {
    let plugin = Plugin::script("head -c 1073741824 /dev/zero").with_output(MIB as u64);
    assert_eq!(plugin.process(b""), Err(PluginError::TooMuchOutput { limit: MIB as u64 }));
    plugin.assert_none_is_left();
}

#[test]
fn a_program_that_prints_endlessly_is_ended() {
    let plugin = Plugin::script("trap '' TERM; while :; do echo yes; done").with_output(1000);
    assert_eq!(plugin.process(b""), Err(PluginError::TooMuchOutput { limit: 1000 }));
    plugin.assert_none_is_left();
}

#[test]
fn an_output_of_just_the_limit_is_fine() {
    let plugin = Plugin::script("cat").with_output(1000);
    assert_eq!(plugin.process(&[b'x'; 1000]).map(|output| output.len()), Ok(1000));
    assert_eq!(plugin.process(&[b'x'; 1001]), Err(PluginError::TooMuchOutput { limit: 1000 }));
}

#[test]
fn endless_complaints_are_no_output() {
    let plugin = Plugin::script("head -c 100000000 /dev/zero >&2; echo >&2; echo last >&2; exit 1").with_output(1000);
    assert_eq!(plugin.process(b""), exited(1, "last"));
}

#[test]
fn a_program_that_never_ends_is_asked_to() {
    let plugin = Plugin::script("trap 'echo asked >asked; exit' TERM; sleep 1000 & echo $! >children; wait");
    let plugin = plugin.with_time(500);
    let limit = Duration::from_millis(500);
    assert_eq!(in_time(|| plugin.process(b"")), Err(PluginError::TimedOut { limit }));
    assert!(plugin.path("asked").exists());
    plugin.assert_none_is_left();
}

#[test]
fn a_program_that_ignores_sigterm_is_killed() {
    let plugin = Plugin::script("trap '' TERM; sleep 1000 & echo $! >children; while :; do wait; done").with_time(500);
    let started = Instant::now();
    assert_eq!(in_time(|| plugin.process(b"")).map_err(|error| error.kind()), Err("timed-out"));
    assert!(started.elapsed() >= Duration::from_millis(2500), "not before it had its time");
    plugin.assert_none_is_left();
}

#[test]
fn what_a_program_leaves_behind_dies_with_the_call() {
    let plugin = Plugin::script("sleep 1000 & echo $! >>children; echo done");
    assert_eq!(in_time(|| plugin.process(b"")), Ok(b"done\n".to_vec()), "though the child holds the output open");
    let plugin_silent = Plugin::script("sleep 1000 </dev/null >/dev/null 2>&1 & echo $! >>children; echo done");
    assert_eq!(in_time(|| plugin_silent.process(b"")), Ok(b"done\n".to_vec()));
    for plugin in [plugin, plugin_silent] {
        assert_eq!(plugin.pids("children").len(), 1);
        plugin.assert_none_is_left();
    }
}

#[test]
fn a_child_that_has_left_the_group_is_not_waited_for() {
    let plugin = Plugin::script(
        "setsid sh -c 'echo $$ >escaped; exec sleep 1000' & while ! [ -s escaped ]; do :; done; echo done",
    );
    assert_eq!(in_time(|| plugin.process(b"")), Ok(b"done\n".to_vec()));
    plugin.assert_none_is_left();
    let escaped = plugin.pids("escaped");
    assert_eq!(escaped.len(), 1);
    kill_process(escaped[0], Signal::KILL).expect("it is still there");
    super::assert_ends(escaped[0]);
}

#[test]
fn a_child_that_writes_endlessly_does_not_hold_up_the_end() {
    let plugin = Plugin::script("yes & echo $! >children; exec 1>&-");
    let output = in_time(|| plugin.process(b"")).expect("what was there");
    assert!(output.chunks(2).all(|line| line == b"y\n" || line == b"y"));
    plugin.assert_none_is_left();
}

#[test]
fn a_program_that_closes_its_output_early_is_awaited() {
    let plugin = Plugin::script("echo first; exec >&- 2>&-; cat >/dev/null; exit 0");
    assert_eq!(plugin.process(&vec![b'x'; MIB]), Ok(b"first\n".to_vec()));
    let plugin = Plugin::script("exec >&-; cat >/dev/null; echo late >&2; exit 4");
    assert_eq!(plugin.process(&vec![b'x'; MIB]), exited(4, "late"));
    plugin.assert_none_is_left();
}

#[test]
fn a_program_need_not_read_its_input() {
    let input = vec![b'x'; 10 * MIB];
    let plugin = Plugin::script("echo done");
    assert_eq!(in_time(|| plugin.process(&input)), Ok(b"done\n".to_vec()));
    let plugin = Plugin::script("exec <&-; echo done; sleep 0.1");
    assert_eq!(in_time(|| plugin.process(&input)), Ok(b"done\n".to_vec()));
    plugin.assert_none_is_left();
}

#[test]
fn ten_mebibytes_go_in_and_out_at_the_same_time() {
    let input: Vec<u8> = (0..10 * MIB).map(|index| (index % 251) as u8).collect();
    let plugin = Plugin::script("cat");
    assert!(in_time(|| plugin.process(&input)) == Ok(input));
    plugin.assert_none_is_left();
}

#[test]
fn invalid_utf8_is_no_text() {
    struct Called(Box<dyn Instance>);
    impl pitstop_reloadable::Plugin for Called {
        fn name(&self) -> &str {
            "called"
        }
        fn process(&self, input: &[u8]) -> Result<Vec<u8>, PluginError> {
            self.0.process(input)
        }
    }
    let plugin = Plugin::script("printf 'ab\\377'");
    let called = Called(plugin.open());
    let text = pitstop_reloadable::Plugin::process_text(&called, "");
    assert_eq!(text, Err(PluginError::NotText { valid_up_to: 2, length: 3 }));
}

#[test]
fn an_exit_code_comes_with_the_last_complaint() {
    let plugin = Plugin::script("echo first >&2; printf 'the \\033[31mlast\\n\\n' >&2; echo output; exit 3");
    assert_eq!(plugin.process(b""), exited(3, "the \\u{1b}[31mlast"));
    plugin.assert_none_is_left();
}

#[test]
fn exit_code_64_is_an_unknown_verb() {
    let plugin = Plugin::script("exit 64");
    assert_eq!(plugin.process(b""), Err(PluginError::Unsupported { verb: "process".to_owned() }));
}

#[test]
fn a_signal_is_told_by_its_number() {
    let plugin = Plugin::script("echo why >&2; kill -SEGV $$");
    assert_eq!(plugin.process(b""), Err(PluginError::Signalled { signal: 11, message: "why".to_owned() }));
    plugin.assert_none_is_left();
}

#[test]
fn a_description_is_read() {
    let plugin = Plugin::file(
        b"#!/bin/sh\n[ $1 = describe ] && echo '{\"name\":\"g\",\"version\":\"1.2\",\"capabilities\":[\"a\"],\"more\":1}'\n",
        0o755,
    );
    let (name, version) = ("g".to_owned(), "1.2".to_owned());
    let described = Description { name, version, capabilities: vec!["a".to_owned()] };
    assert_eq!(plugin.open().description(), &described);
}

#[test]
fn a_description_is_optional() {
    for body in ["exit 64", "echo hello", "exit 0", "echo 7"] {
        let plugin = Plugin::file(format!("#!/bin/sh\n{body}\n").as_bytes(), 0o755);
        assert_eq!(plugin.open().description(), &Description::default(), "{body}");
    }
}

#[test]
fn what_fails_when_asked_for_a_description_is_not_opened() {
    let failure = |body: &str| {
        let plugin = Plugin::file(format!("#!/bin/sh\n{body}\n").as_bytes(), 0o755).with_time(500);
        in_time(|| plugin.try_open()).err().expect("an error")
    };
    assert!(failure("echo broken >&2; exit 1").to_string().contains("exit code 1: broken (when asked to `describe`"));
    assert_eq!(failure("kill -9 $$").kind(), "signalled");
    assert_eq!(failure("sleep 1000").kind(), "timed-out");
    assert_eq!(failure("echo '{\"name\": 7}'").kind(), "protocol");
}

#[test]
fn the_environment_is_what_is_allowed_and_nothing_else() {
    let mut plugin = Plugin::script("tr '\\0' '\\n' </proc/$$/environ");
    plugin.spec.environment = vec!["PATH".to_owned(), "NOT_THERE_AT_ALL".to_owned()];
    plugin.spec.set = [("ADDED".to_owned(), "x y".to_owned())].into();
    let found = String::from_utf8(plugin.process(b"").expect("a list")).expect("text");
    let folder = plugin.folder.path().display();
    let path = std::env::var("PATH").expect("a path");
    let expected = format!("ADDED=x y\nPATH={path}\nPITSTOP_PLUGIN=tried\nPITSTOP_PLUGIN_FOLDER={folder}\n");
    assert_eq!(found, expected);
}

#[test]
fn no_descriptor_is_inherited() {
    let kept = open("/etc/passwd", OFlags::RDONLY, Mode::empty()).expect("a file that exec does not close");
    // The fourth is the directory that `ls` reads.
    let plugin = Plugin::script("ls /proc/self/fd");
    assert_eq!(plugin.process(b""), Ok(b"0\n1\n2\n3\n".to_vec()));
    let plugin = plugin.with_memory(1 << 30);
    assert_eq!(plugin.process(b""), Ok(b"0\n1\n2\n3\n".to_vec()), "also when forked");
    drop(kept);
}

#[test]
fn signals_and_the_process_group_are_as_if_started_anew() {
    // The test itself ignores SIGPIPE, as each program in Rust.
    let plugin = Plugin::script(
        "grep -E 'SigBlk|SigIgn' /proc/$$/status | cut -f2; [ $(cut -d' ' -f5 /proc/$$/stat) = $$ ] && echo leader",
    );
    let assert_anew = |plugin: &Plugin| {
        let told = String::from_utf8(plugin.process(b"").expect("lines")).expect("text");
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines.len(), 3, "{told}");
        assert_eq!(u64::from_str_radix(lines[0], 16), Ok(0), "blocked");
        // Of those after the first 31, two are glibc's own, which it keeps to itself.
        assert_eq!(u64::from_str_radix(lines[1], 16).map(|ignored| ignored & 0x7fff_ffff), Ok(0), "ignored");
    };
    assert_anew(&plugin);
    assert_anew(&plugin.with_memory(1 << 30));
}

#[test]
fn it_runs_in_its_working_directory() {
    let mut plugin = Plugin::script("pwd -P");
    plugin.spec.directory = "/usr/lib".into();
    assert_eq!(plugin.process(b""), Ok(b"/usr/lib\n".to_vec()));
    assert_eq!(plugin.with_memory(1 << 30).process(b""), Ok(b"/usr/lib\n".to_vec()), "also when forked");
}

#[test]
fn the_limit_of_memory_is_kept() {
    let plugin = Plugin::script("ulimit -v; dd if=/dev/zero of=/dev/null bs=500M count=1 2>/dev/null || exit 7");
    assert_eq!(plugin.with_memory(200 << 20).process(b""), exited(7, ""));
    let plugin = Plugin::script("ulimit -v").with_memory(200 << 20);
    assert_eq!(plugin.process(b""), Ok(b"204800\n".to_vec()));
    plugin.assert_none_is_left();
}

/// What `open` says of a program that was proven, and is something else by the time that it starts.
fn not_started(plugin: &Plugin, change: impl FnOnce(&Plugin)) -> String {
    let proven = plugin.prove().expect("a program");
    change(plugin);
    match backend(Mechanism::Exec).open(&proven).err() {
        Some(PluginError::NotStarted { file, why }) if file == plugin.file.display().to_string() => why,
        other => panic!("{other:?}"),
    }
}

fn rewritten(bytes: &'static [u8]) -> impl FnOnce(&Plugin) {
    move |plugin| std::fs::write(&plugin.file, bytes).expect("a file")
}

#[test]
fn why_a_program_cannot_be_started_is_told_apart() {
    let script = || Plugin::file(b"#!/bin/sh\nexit 64\n", 0o755);
    let why = |change: fn(&Plugin)| not_started(&script(), change);
    assert!(why(|plugin| std::fs::remove_file(&plugin.file).expect("gone")).contains("it is not there (ENOENT)"));
    let mode = |plugin: &Plugin| {
        let none = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        std::fs::set_permissions(&plugin.file, none).expect("a mode");
    };
    assert!(why(mode).contains("not executable: its mode is 644 (EACCES)"));
    let missing = not_started(&script(), rewritten(b"#!/no/such\n"));
    assert!(missing.contains("its interpreter `/no/such` is not there (ENOENT)"), "{missing}");
    let denied = not_started(&script(), rewritten(b"#!/etc/passwd\n"));
    assert!(denied.contains("its interpreter `/etc/passwd` is not executable"), "{denied}");
    for memory in [None, Some(1 << 30)] {
        let mut plugin = script();
        plugin.spec.limits.memory = memory;
        let text = not_started(&plugin, rewritten(b"echo hello\n"));
        assert!(text.contains("(ENOEXEC)"), "no shell is asked: {text}");
    }
}

#[test]
fn other_reasons_against_a_start_are_told_apart() {
    let mut plugin = Plugin::script("");
    plugin.spec.directory = "/no/such".into();
    assert!(not_started(&plugin, |_| {}).contains("its working directory /no/such"));
    let mut plugin = Plugin::script("");
    plugin.spec.set = [("LONG".to_owned(), "x".repeat(4 * MIB))].into();
    assert!(not_started(&plugin, |_| {}).contains("(E2BIG)"));
    let mut plugin = Plugin::script("");
    plugin.spec.set = [("BAD".to_owned(), "\0".to_owned())].into();
    assert!(not_started(&plugin, |_| {}).contains("NUL"));
    let plugin = Plugin::script("");
    let beneath = |plugin: &Plugin| {
        std::fs::remove_file(&plugin.file).expect("gone");
        std::fs::create_dir(&plugin.file).expect("a directory");
    };
    assert!(not_started(&plugin, beneath).contains("it is a directory (EACCES)"));
}

#[test]
fn a_file_that_is_open_for_writing_is_tried_again() {
    let plugin = Plugin::script("echo done");
    let instance = plugin.open();
    let writing = std::fs::OpenOptions::new().append(true).open(&plugin.file).expect("a file");
    let text = instance.process(b"").expect_err("it is open all the time").to_string();
    assert!(text.contains("(ETXTBSY)"), "{text}");
    let (begun, on_begun) = crossbeam_channel::bounded(0);
    std::thread::scope(|scope| {
        let called = scope.spawn(|| {
            begun.send(()).expect("a listener");
            instance.process(b"")
        });
        on_begun.recv().expect("a call");
        drop(writing);
        assert_eq!(called.join().expect("no panic"), Ok(b"done\n".to_vec()));
    });
    plugin.assert_none_is_left();
}

#[test]
fn calls_of_many_threads_do_not_mix() {
    let plugin = Plugin::script("cat");
    let instance = plugin.open();
    std::thread::scope(|scope| {
        for thread in 0..8_u8 {
            let instance = &instance;
            scope.spawn(move || {
                for call in 0..20_u8 {
                    let input = vec![thread * 20 + call; 100_000];
                    assert!(instance.process(&input) == Ok(input));
                }
            });
        }
    });
    instance.retire(Duration::ZERO);
    plugin.assert_none_is_left();
}
