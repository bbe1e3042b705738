//! Guests that take more than they may: each is ended, and says why; the next call, and all others, go on.

use super::*;
use std::time::Duration;

/// Echoes nothing, and does this with anything else.
fn module_that(more: &str, abuse: &str) -> String {
    module(more, &format!("(if (i32.gt_u (local.get $length) (i32.const 0)) (then {abuse})) {ECHO}"))
}

/// The result of the abuse. A fresh instance answers afterwards, and so does another plugin.
fn abused(plugin: &Plugin) -> PluginError {
    let other = Plugin::new(module("", ECHO)).open();
    let guest = plugin.open();
    assert_eq!(guest.process(b""), Ok(Vec::new()));
    let error = guest.process(b"now").expect_err("it is ended");
    assert_eq!(guest.process(b""), Ok(Vec::new()), "after {error}");
    assert_eq!(other.process(b"on"), Ok(b"on".to_vec()), "after {error}");
    error
}

fn panicked(message: &str) -> PluginError {
    PluginError::Panicked { message: message.to_owned() }
}

const SHORT: Duration = Duration::from_millis(100);

#[test]
fn an_endless_loop_is_ended_when_its_time_is_up() {
    let module = module_that("", "(loop $again (br $again))");
    let plugin = Plugin::new(module).with(|spec| spec.limits.time = SHORT);
    assert_eq!(abused(&plugin), PluginError::TimedOut { limit: SHORT });
    let endless =
        "(if (i32.eqz (local.get $length)) (then (return (i32.const 16)))) (loop $again (br $again)) (unreachable)";
    let plugin = Plugin::new(component("", "", "", endless)).with(|spec| spec.limits.time = SHORT);
    assert_eq!(abused(&plugin), PluginError::TimedOut { limit: SHORT });
}

#[test]
fn a_guest_without_checks_runs_all_the_same() {
    let plugin = Plugin::new(module("", ECHO)).with(|spec| spec.wasm.interrupt = false);
    assert_eq!(plugin.open().process(b"on"), Ok(b"on".to_vec()));
}

#[test]
fn a_guest_that_takes_all_memory_is_refused_more_and_says_so_when_it_gives_up() {
    let bomb = "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (unreachable)";
    let plugin = Plugin::new(module_that("", bomb)).with(|spec| spec.limits.memory = Some(1 << 20));
    let message = "wasm `unreachable` instruction executed, in `process`; it was refused more memory than 1048576 bytes, and \
                   `limits.memory_bytes` says how much it may have";
    assert_eq!(abused(&plugin), panicked(message));
}

#[test]
fn a_guest_whose_first_memory_is_too_large_is_not_opened() {
    let module = module("", ECHO).replace("(export \"memory\") 1", "(export \"memory\") 100");
    let plugin = Plugin::new(module).with(|spec| spec.limits.memory = Some(1 << 20));
    let error = plugin.try_open().map(drop).expect_err("it is too large").to_string();
    assert!(error.contains("refused more memory than 1048576 bytes"), "{error}");
}

#[test]
fn a_guest_that_leaks_gets_a_fresh_instance_before_it_has_no_memory_left() {
    let leak = format!("(if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then (unreachable))) {ECHO}");
    let guest = Plugin::new(module("", &leak)).with(|spec| spec.limits.memory = Some(10 << 16)).open();
    for _ in 0..100 {
        assert_eq!(guest.process(b"drip"), Ok(b"drip".to_vec()));
    }
}

#[test]
fn a_guest_that_grows_its_table_is_refused_more_elements() {
    let bomb = "(loop $again (br_if $again (i32.ne (table.grow $table (ref.null func) (i32.const 5000)) (i32.const -1)))) \
                (unreachable)";
    let message =
        "wasm `unreachable` instruction executed, in `process`; it was refused a table of more than 100000 elements";
    assert_eq!(abused(&Plugin::new(module_that("(table $table 1 funcref)", bomb))), panicked(message));
}

#[test]
fn a_guest_that_calls_itself_without_end_runs_out_of_stack() {
    let deep = "(func $deep (param i32) (result i32) (i32.add (call $deep (local.get 0)) (i32.const 1)))";
    let module = module_that(deep, "(drop (call $deep (i32.const 0)))");
    let PluginError::Panicked { message } = abused(&Plugin::new(&module)) else { panic!("it has panicked") };
    let start = "call stack exhausted, in `deep`, called by `deep`, called by `deep`";
    assert!(message.starts_with(start) && message.ends_with(" more"), "{message}");
    // It is as deep as is configured.
    let plugin = Plugin::new(&module).with(|spec| spec.wasm.stack = Some(32 << 10));
    assert!(abused(&plugin).to_string().contains("call stack exhausted"));
}

#[test]
fn a_guest_that_has_used_up_its_fuel_is_ended() {
    let plugin = Plugin::new(module_that("", "(loop $again (br $again))")).with(|spec| {
        spec.wasm.fuel = Some(10_000);
        spec.wasm.interrupt = false;
    });
    let told = "the plugin has used up its fuel of 10000; `fuel` in the table `wasm` says how much it has";
    assert_eq!(abused(&plugin), PluginError::failed(told));
}

#[test]
fn an_output_that_is_too_long_is_not_copied() {
    let limit = 1000;
    let told = PluginError::TooMuchOutput { limit };
    let long = "(return (i64.const 1001))";
    assert_eq!(abused(&Plugin::new(module_that("", long)).with(|spec| spec.limits.output = limit)), told);
    let huge = "(return (i64.const 0xffffffff))";
    assert_eq!(abused(&Plugin::new(module_that("", huge)).with(|spec| spec.limits.output = limit)), told);
    let long = "(if (i32.eqz (local.get $length)) (then (return (i32.const 16))))
                (i32.store (i32.const 24) (i32.const 2000)) (i32.const 16)";
    assert_eq!(abused(&Plugin::new(component("", "", "", long)).with(|spec| spec.limits.output = limit)), told);
    // So long that it is not even copied to be looked at.
    let huge = long.replace("(i32.const 2000)", "(i32.const 3000000)");
    let huge = component("", "", "", &huge).replace("(export \"memory\") 1", "(export \"memory\") 64");
    assert_eq!(abused(&Plugin::new(huge).with(|spec| spec.limits.output = limit)), told);
}

#[test]
fn an_answer_outside_of_its_memory_is_told() {
    let outside = "(return (i64.const 0xffff000000000a))";
    let told = "it answered with 10 bytes at 16776960, which are not all in its memory";
    assert_eq!(abused(&Plugin::new(module_that("", outside))), panicked(told));
    let module = module("", ECHO).replace("(result i32) (i32.const 1024)", "(result i32) (i32.const 65535)");
    let told = "`pitstop_alloc` gave 2 bytes at 65535, which are not all in its memory";
    assert_eq!(Plugin::new(&module).open().process(b"no"), Err(panicked(told)));
    let module = module.replace("65535", "0");
    assert_eq!(Plugin::new(module).open().process(b"no"), Err(panicked("it has no room for its input of 2 bytes")));
}

#[test]
fn a_trap_is_named_with_the_functions_that_led_there() {
    let divide = "(func $divide (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
                  (func $share (result i32) (call $divide (i32.const 0)))";
    let told = "integer divide by zero, in `divide`, called by `share`, called by `process`";
    assert_eq!(abused(&Plugin::new(module_that(divide, "(drop (call $share))"))), panicked(told));
    let told = "wasm `unreachable` instruction executed, in `process`";
    assert_eq!(abused(&Plugin::new(module_that("", "(unreachable)"))), panicked(told));
    let told = "out of bounds memory access, in `process`";
    assert_eq!(abused(&Plugin::new(module_that("", "(i32.store (i32.const -4) (i32.const 1))"))), panicked(told));
    let trap = "(if (i32.eqz (local.get $length)) (then (return (i32.const 16)))) (unreachable)";
    let told = "wasm `unreachable` instruction executed, in `process`";
    assert_eq!(abused(&Plugin::new(component("", "", "", trap))), panicked(told));
}

#[test]
fn a_guest_that_does_not_come_to_the_end_of_its_start_is_not_opened() {
    let start = "(func $start (loop $again (br $again))) (start $start)";
    let plugin = Plugin::new(module(start, ECHO)).with(|spec| spec.limits.time = SHORT);
    assert_eq!(plugin.try_open().map(drop), Err(PluginError::TimedOut { limit: SHORT }));
    let reactor = "(func (export \"_initialize\") (unreachable))";
    let error = Plugin::new(module(reactor, ECHO)).try_open().map(drop).expect_err("it ends");
    assert!(error.to_string().contains("`unreachable` instruction executed"), "{error}");
}
