//! Plugins that run: called, crashed, restarted, ended, and never left behind.

use super::{Plugin, assert_ends, assert_says, awaited};
use crate::plugin::backend::{Description, Instance};
use crate::plugin::config::Policy;
use crate::plugin::spec::{Reattach, ReattachAddress, Rpc, Tls};
use crate::plugin::stage::Staging;
use pitstop_reloadable::PluginError;
use rustix::process::{Pid, Signal, kill_process};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const GRACE: Duration = Duration::from_secs(30);

fn pid_of(instance: &dyn Instance) -> Pid {
    let told = instance.process(b"pid").expect("a plugin that answers");
    Pid::from_raw(String::from_utf8(told).expect("a text").parse().expect("a number")).expect("above zero")
}

/// Awaits the folder's removal, and the process's end.
fn retired(plugin: &Plugin, instance: Box<dyn Instance>) {
    instance.retire(GRACE);
    plugin.assert_none_is_left();
}

#[test]
fn a_plugin_is_asked_what_it_is_and_called_until_it_is_retired() {
    let plugin = Plugin::of_kind("echo");
    let instance = plugin.open();
    let capabilities = vec!["echo".to_owned()];
    let expected = Description { name: "tried".to_owned(), version: "1.2.3".to_owned(), capabilities };
    assert_eq!(instance.description(), &expected);
    assert_eq!(instance.process(b"abc"), Ok(b"cba".to_vec()));
    assert_eq!(instance.process(b""), Ok(Vec::new()));
    assert_eq!(instance.process(b"fail"), Err(PluginError::failed("too cold")));
    let threads = std::thread::scope(|scope| {
        let call = |thread: u8| {
            let instance = &instance;
            move || (0..50_u8).all(|call| instance.process(&[thread, call, 0xff]) == Ok(vec![0xff, call, thread]))
        };
        let threads: Vec<_> = (0..8).map(|thread| scope.spawn(call(thread))).collect();
        threads.into_iter().all(|thread| thread.join().expect("no panic"))
    });
    assert!(threads);
    retired(&plugin, instance);
}

#[test]
fn both_ends_show_each_other_certificates_if_nothing_else_is_said() {
    let plugin = Plugin::of_kind("echo").with(|spec| spec.rpc = Rpc::default());
    assert_eq!(plugin.spec.rpc.tls, Tls::Auto);
    let instance = plugin.open();
    assert_eq!(instance.process(b"abc"), Ok(b"cba".to_vec()));
    retired(&plugin, instance);
}

#[test]
fn a_plugin_may_listen_on_a_port() {
    let plugin = Plugin::of_kind("tcp");
    let instance = plugin.open();
    assert_eq!(instance.process(b"abc"), Ok(b"cba".to_vec()));
    retired(&plugin, instance);
}

#[test]
fn a_plugin_without_the_service_of_pitstop_says_so_when_it_is_called() {
    let plugin = Plugin::of_kind("typed");
    let instance = plugin.open();
    let error = instance.process(b"abc").expect_err("no such service");
    assert_says(&error.to_string(), &["does not know `pitstop.v1.Plugin/Process`"]);
    retired(&plugin, instance);
}

#[test]
fn a_plugin_that_is_not_well_is_refused() {
    assert_says(&Plugin::of_kind("not-serving").refused(), &["`plugin` is healthy", "NOT_SERVING"]);
    assert_says(&Plugin::of_kind("dies-at-health").refused(), &["exit code 5", "`no more`"]);
    let why = Plugin::of_kind("hangs-at-health").with_time(2000).refused();
    assert_says(&why, &["answers", "within 2s"]);
    let plugin = Plugin::of_kind("no-health");
    retired(&plugin, plugin.open());
}

#[test]
fn limits_of_a_call_are_kept() {
    let plugin = Plugin::of_kind("echo").with_time(2000).with(|spec| spec.limits.output = 1000);
    let instance = plugin.open();
    assert_eq!(instance.process(b"huge"), Err(PluginError::TooMuchOutput { limit: 1000 }));
    assert_eq!(instance.process(&[b'x'; 1000]), Ok(vec![b'x'; 1000]));
    assert_eq!(instance.process(&[b'x'; 1001]), Err(PluginError::TooMuchOutput { limit: 1000 }));
    assert_eq!(instance.process(b"hang"), Err(PluginError::TimedOut { limit: Duration::from_secs(2) }));
    assert_eq!(instance.process(b"abc"), Ok(b"cba".to_vec()), "other calls go on");
    retired(&plugin, instance);
}

#[test]
fn a_call_that_breaks_off_leaves_the_others_and_the_process_alone() {
    let plugin = Plugin::of_kind("echo");
    let instance = plugin.open();
    let pid = pid_of(&*instance);
    instance.process(b"panic").expect_err("broken off");
    assert_eq!(pid_of(&*instance), pid);
    retired(&plugin, instance);
    assert_eq!(plugin.pids().len(), 1);
}

#[test]
fn a_large_input_and_its_output_go_through() {
    let plugin = Plugin::of_kind("echo");
    let instance = plugin.open();
    let input: Vec<u8> = (0..20 << 20).map(|index: u32| index as u8).collect();
    let expected: Vec<u8> = input.iter().rev().copied().collect();
    assert!(instance.process(&input) == Ok(expected));
    retired(&plugin, instance);
}

#[test]
fn a_call_in_which_the_plugin_ends_is_told_how_and_the_next_one_waits_for_the_new_process() {
    let plugin = Plugin::of_kind("echo");
    let instance = plugin.open();
    let first = pid_of(&*instance);
    let error = instance.process(b"exit").expect_err("it has ended");
    assert_eq!(error, PluginError::Exited { code: 3, message: "giving up".to_owned() });
    assert_ne!(pid_of(&*instance), first);
    let error = instance.process(b"crash").expect_err("it has ended");
    assert_eq!(error, PluginError::Signalled { signal: 9, message: "panic: boom".to_owned() });
    assert_eq!(instance.process(b"abc"), Ok(b"cba".to_vec()));
    retired(&plugin, instance);
    assert_eq!(plugin.pids().len(), 3);
}

#[test]
fn a_plugin_that_is_killed_between_calls_is_started_again() {
    let plugin = Plugin::of_kind("echo");
    let instance = plugin.open();
    let first = pid_of(&*instance);
    kill_process(first, Signal::KILL).expect("it runs");
    let second = awaited("started again", || {
        let told = instance.process(b"pid").ok()?;
        Some(String::from_utf8(told).expect("a text")).filter(|pid| *pid != first.as_raw_pid().to_string())
    });
    assert_ne!(second, first.as_raw_pid().to_string());
    retired(&plugin, instance);
}

#[test]
fn a_plugin_that_ends_again_and_again_is_not_started_any_more() {
    let plugin = Plugin::of_kind("echo").with(|spec| spec.rpc.crashes = 2);
    let instance = plugin.open();
    instance.process(b"exit").expect_err("it has ended");
    instance.process(b"exit").expect_err("it has ended");
    let error = awaited("given up", || instance.process(b"abc").err().filter(|error| error.kind() == "crash-loop"));
    assert_says(&error.to_string(), &["ended 2 times within 10s", "exit code 3: giving up"]);
    retired(&plugin, instance);
    assert_eq!(plugin.pids().len(), 2);
}

#[test]
fn a_plugin_is_told_before_it_is_ended_and_killed_if_it_does_not_go() {
    for (kind, kill_after) in [("echo", 30_000), ("ignores-shutdown", 300)] {
        let plugin = Plugin::of_kind(kind);
        let told = plugin.path("told").display().to_string();
        let plugin = plugin.with(|spec| {
            spec.rpc.kill_after = Duration::from_millis(kill_after);
            spec.set.insert("TOLD_FILE".to_owned(), told);
        });
        let instance = plugin.open();
        let begun = Instant::now();
        retired(&plugin, instance);
        assert!(plugin.path("told").exists(), "{kind} was not told");
        assert!(begun.elapsed() < Duration::from_secs(20), "{kind} was waited for");
    }
}

#[test]
fn an_instance_that_is_dropped_leaves_nothing() {
    let plugin = Plugin::of_kind("echo");
    drop(plugin.open());
    plugin.assert_none_is_left();
}

#[test]
fn what_one_version_keeps_another_takes_over() {
    let plugin = Plugin::of_kind("state");
    let (old, new) = (plugin.open(), plugin.open());
    assert_eq!(old.save(), Ok(None));
    assert_eq!(old.process(b"keep"), Ok(Vec::new()));
    let saved = old.save().expect("saved").expect("something");
    assert_eq!(saved, b"kept");
    new.restore(&saved).expect("taken over");
    assert_eq!(new.process(b"keep"), Ok(b"kept".to_vec()));
    assert_eq!(new.restore(b"bad state"), Err(PluginError::failed("a state of another kind")));
    let without = Plugin::of_kind("echo");
    assert_eq!(without.open().save(), Ok(None));
}

#[test]
fn a_plugin_that_runs_already_is_spoken_to_and_never_ended() {
    let started = Plugin::of_kind("echo");
    let starter = started.open();
    let pid = pid_of(&*starter);
    let socket = socket_of(pid);
    let attached = Plugin::of_kind("echo").with(|spec| spec.rpc.reattach = Some(reattach(&socket, pid)));
    let instance = attached.open();
    assert_eq!(pid_of(&*instance), pid);
    instance.retire(GRACE);
    assert_eq!(starter.process(b"abc"), Ok(b"cba".to_vec()), "it goes on");
    let instance = attached.open();
    kill_process(pid, Signal::KILL).expect("it runs");
    let error = awaited("gone", || instance.process(b"abc").err().filter(|error| error.kind() == "unavailable"));
    assert_says(&error.to_string(), &["attached to has ended", "correct `rpc.reattach`"]);
    assert!(attached.pids().is_empty(), "nothing was started");
    instance.retire(GRACE);
    retired(&started, starter);
}

#[test]
fn a_process_that_does_not_answer_there_is_not_attached_to() {
    let started = Plugin::of_kind("echo");
    let starter = started.open();
    let pid = pid_of(&*starter);
    let socket = socket_of(pid);
    let refused = |socket: &Path, pid: Pid| {
        let plugin = Plugin::of_kind("echo").with(|spec| spec.rpc.reattach = Some(reattach(socket, pid)));
        plugin.try_open().map(drop).expect_err("refused").to_string()
    };
    let own = rustix::process::getpid();
    assert_says(&refused(&socket, own), &[&format!("found process {pid}", pid = pid.as_raw_pid()), "correct `pid`"]);
    assert_says(&refused(&started.path("none"), pid), &["nobody at", "No such file"]);
    assert_says(&refused(&socket, Pid::from_raw(i32::MAX).expect("a number")), &["no process 2147483647"]);
    assert_eq!(starter.process(b"abc"), Ok(b"cba".to_vec()));
    retired(&started, starter);
}

fn reattach(socket: &Path, pid: Pid) -> Reattach {
    let address = ReattachAddress::Unix(socket.to_owned());
    Reattach { address, pid: pid.as_raw_pid().cast_unsigned(), version: 1 }
}

/// The socket that a plugin listens at, from its environment.
fn socket_of(pid: Pid) -> PathBuf {
    let environment = std::fs::read_to_string(format!("/proc/{}/environ", pid.as_raw_pid())).expect("ours");
    let folder = environment.split('\0').find_map(|variable| variable.strip_prefix("TMPDIR=")).expect("it is set");
    let mut entries = std::fs::read_dir(folder).expect("it is there").map(|entry| entry.expect("readable").path());
    entries
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("plugin")))
        .expect("a socket")
}

/// As the host in a process of its own: starts a plugin, tells of it, and waits to be killed.
pub(super) fn host_that_is_killed(scratch: &str) -> ! {
    let plugin = Plugin::of_kind("echo");
    // From a thread that ends, which must not matter.
    let instance = std::thread::scope(|scope| scope.spawn(|| plugin.open()).join().expect("no panic"));
    std::fs::write(format!("{scratch}.new"), pid_of(&*instance).as_raw_pid().to_string()).expect("written");
    std::fs::rename(format!("{scratch}.new"), scratch).expect("renamed");
    loop {
        std::thread::park();
    }
}

#[test]
fn a_host_that_is_killed_leaves_no_plugin_behind() {
    let host = Plugin::of_kind("echo");
    let scratch = host.path("pid");
    let own = std::env::current_exe().expect("a path");
    let mut process = std::process::Command::new(own)
        .args(["--exact", "plugin::backend::rpc::tests::plugin::runs_as_a_plugin_where_it_is_told_to", "--nocapture"])
        .env(super::plugin::KIND, format!("host:{}", scratch.display()))
        .stdout(std::process::Stdio::null())
        .stdin(std::process::Stdio::piped())
        .spawn()
        .expect("a host");
    let pid: i32 = awaited("started", || std::fs::read_to_string(&scratch).ok()).parse().expect("a number");
    let pid = Pid::from_raw(pid).expect("above zero");
    let socket = socket_of(pid);
    process.kill().expect("it runs");
    process.wait().expect("it is gone");
    assert_ends(pid);
    // Its sockets are left, until another program needs such a folder.
    Staging::new(None, Policy::default()).expect("a folder").sweep();
    assert!(!socket.exists(), "{} is left", socket.display());
}
