//! Guests that wait for something that does not come.

use super::*;
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(100);

/// Sleeps for an hour by WASI preview 1.
fn sleeper() -> String {
    let import = "(import \"wasi_snapshot_preview1\" \"poll_oneoff\"
                    (func $poll (param i32 i32 i32 i32) (result i32)))";
    // A subscription at 0: by the monotonic clock, for 3600 seconds from now.
    let sleep = "(i32.store (i32.const 16) (i32.const 1)) (i64.store (i32.const 24) (i64.const 3600000000000))
                 (drop (call $poll (i32.const 0) (i32.const 256) (i32.const 1) (i32.const 512)))";
    module(import, &format!("(if (local.get $length) (then {sleep})) {ECHO}"))
}

/// The same by WASI 0.2.
fn component_sleeper() -> String {
    let imports = "(import \"wasi:io/poll@0.2.0\" (instance $poll
                     (export \"pollable\" (type $pollable (sub resource)))
                     (export \"[method]pollable.block\" (func (param \"self\" (borrow $pollable))))))
                   (alias export $poll \"pollable\" (type $pollable))
                   (import \"wasi:clocks/monotonic-clock@0.2.0\" (instance $clock
                     (alias outer 1 $pollable (type $outer))
                     (export \"pollable\" (type $pollable (eq $outer)))
                     (export \"subscribe-duration\" (func (param \"when\" u64) (result (own $pollable))))))
                   (core func $block (canon lower (func $poll \"[method]pollable.block\")))
                   (core func $subscribe (canon lower (func $clock \"subscribe-duration\")))
                   (core instance $sleep (export \"block\" (func $block)) (export \"subscribe\" (func $subscribe)))";
    let own = "(import \"sleep\" \"block\" (func $block (param i32)))
               (import \"sleep\" \"subscribe\" (func $subscribe (param i64) (result i32)))";
    let body =
        "(if (local.get $length) (then (call $block (call $subscribe (i64.const 3600000000000))))) (i32.const 16)";
    component(imports, "(with \"sleep\" (instance $sleep))", own, body)
}

#[test]
fn a_sleep_of_an_hour_is_given_up_when_the_time_of_the_call_is_up() {
    for sleeper in [sleeper(), component_sleeper()] {
        let plugin = Plugin::new(sleeper).with(|spec| {
            spec.wasm.clock = true;
            spec.limits.time = SHORT;
        });
        let guest = plugin.open();
        assert_eq!(guest.process(b"sleep"), Err(PluginError::TimedOut { limit: SHORT }));
        assert_eq!(guest.process(b""), Ok(Vec::new()));
    }
}

#[test]
fn without_the_clock_a_guest_does_not_sleep_and_is_told_what_grants_it() {
    for sleeper in [sleeper(), component_sleeper()] {
        let guest = Plugin::new(sleeper).open();
        assert_eq!(guest.process(b""), Ok(Vec::new()));
        let error = guest.process(b"sleep").expect_err("it has no clock").to_string();
        let told = "it waits for time to pass, which is not granted to it; write `wasm = { clock = true }`";
        assert!(error.contains(told), "{error}");
        assert_eq!(guest.process(b""), Ok(Vec::new()));
    }
}

#[test]
#[cfg(unix)]
fn a_file_that_blocks_for_good_is_given_up_too() {
    let import = "(import \"wasi_snapshot_preview1\" \"path_open\"
                    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
                  (data (i32.const 0) \"pipe\")";
    let open = "(drop (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 0)
                        (i64.const 2) (i64.const 2) (i32.const 0) (i32.const 64)))";
    let module = module(import, &format!("(if (local.get $length) (then {open})) {ECHO}"));
    let plugin = Plugin::new(module);
    let folder = plugin.folder.path().to_owned();
    let pipe = folder.join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
    assert!(made.success());
    let plugin = plugin.with(|spec| {
        spec.wasm.files = vec![Folder { path: folder, access: Access::Read, at: "/".to_owned() }];
        spec.limits.time = SHORT;
    });
    let guest = plugin.open();
    let result = guest.process(b"open");
    assert_eq!(guest.process(b""), Ok(Vec::new()));
    // Whoever waits there is let go.
    drop(std::fs::OpenOptions::new().read(true).write(true).open(&pipe));
    assert!(matches!(result, Ok(_) | Err(PluginError::TimedOut { .. })), "{result:?}");
}

#[test]
fn a_guest_is_called_from_tasks_of_the_programs_own_runtime() {
    let write = "(import \"wasi_snapshot_preview1\" \"fd_write\"
                   (func $write (param i32 i32 i32 i32) (result i32)))";
    let write_one = "(i32.store (i32.const 0) (local.get $at)) (i32.store (i32.const 4) (local.get $length))
                     (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))";
    let writer = module(write, &format!("{write_one} {ECHO}"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    for (content, clock) in [(writer, false), (sleeper(), true)] {
        let guest = Arc::new(Plugin::new(content).with(|spec| spec.wasm.clock = clock).open());
        let called = {
            let guest = guest.clone();
            async move { guest.process(if clock { b"" } else { b"said\n" }) }
        };
        assert!(runtime.block_on(async { tokio::spawn(called).await }).expect("no panic").is_ok());
    }
}
