//! Files that are refused before any of their code runs, and the words for it.

use super::*;

fn other(content: &[u8]) -> String {
    let refused = Plugin::of_bytes(content.to_vec()).refused();
    refused.strip_prefix("a component or a core module of WebAssembly: found ").expect("the same each time").to_owned()
}

#[test]
fn a_file_of_another_kind_is_named_with_what_to_do() {
    let build = "build it for WebAssembly, e.g. with `--target wasm32-wasip2`, and name that file as `artifact`";
    assert_eq!(other(b""), "empty; build it once more; the build may have been interrupted");
    assert_eq!(other(b"\x7fELF\x02\x01\x01"), format!("a program or library for Linux (ELF); {build}"));
    assert_eq!(other(b"MZ\x90\0"), format!("a program or library for Windows (PE); {build}"));
    assert_eq!(other(b"\x1f\x8b\x08\0"), "compressed by gzip; unpack it with `gunzip`");
    assert_eq!(other(b"\0asm"), "cut short; build it once more; the build may have been interrupted");
    assert!(other(b"\0asm\x02\0\0\0").starts_with("WebAssembly of another version of the format than 1;"));
    assert!(other(b"\0asm\x0a\0\x01\0").starts_with("a component of another version of the format than 13;"));
    assert_eq!(other(b"#!/bin/sh\n"), "a script; for a program that is executed, write `mechanism = \"exec\"`");
    assert!(other(b"hello").starts_with("no WebAssembly: it does not begin with `\\0asm`;"));
    for text in ["(module)", " \n;; mine\n( module $m)", "(component)", "(; mine ;) (module)"] {
        let told = "WebAssembly as text (.wat); compile it first, with `wat2wasm` or `wasm-tools parse`, and name what \
                    comes out as `artifact`";
        assert_eq!(other(text.as_bytes()), told, "{text}");
    }
}

#[test]
fn a_guest_that_is_cut_short_is_refused_unless_only_names_are_missing() {
    for content in [module("", ECHO), component("", "", "", "(i32.const 16)")] {
        let whole = Plugin::new(content).bytes;
        for length in 0..whole.len() {
            let cut = Plugin::of_bytes(whole[..length].to_vec());
            if cut.proven().is_ok() {
                assert!(whole[length..].windows(4).any(|bytes| bytes == b"name"), "{length} of {} bytes", whole.len());
                assert_eq!(cut.open().process(b"all the same"), Ok(b"all the same".to_vec()));
            }
        }
    }
}

#[test]
fn a_module_without_the_functions_that_are_called_is_refused() {
    let refused = Plugin::new("(module (func (export \"_start\")))").refused();
    let told =
        "a module whose functions can be called: found a program that runs once from its `_start`; build a reactor";
    assert!(refused.starts_with(told), "{refused}");
    let reasons = Plugin::new("(module (func (export \"add\")))").proven().expect_err("it has none");
    let told: Vec<String> = reasons.iter().map(|reason| format!("{}: {}", reason.expected, reason.found)).collect();
    assert_eq!(
        told,
        [
            "an export `memory`: memory: the exports `add`",
            "an export `pitstop_alloc`: (i32) -> i32: the exports `add`",
            "an export `pitstop_process`: (i32, i32) -> i64: the exports `add`",
        ]
    );
    let other = module("", ECHO)
        .replace("(param i32) (result i32) (i32.const 1024)", "(param i64) (result i32) (i32.const 1024)");
    let refused = Plugin::new(other).refused();
    assert!(
        refused.starts_with("an export `pitstop_alloc`: (i32) -> i32: found `pitstop_alloc`: (i64) -> i32;"),
        "{refused}"
    );
}

#[test]
fn a_component_without_the_interface_is_refused() {
    let refused = Plugin::new("(component)").refused();
    assert!(
        refused.starts_with("a component that exports `pitstop:plugin/guest@0.1.0`: found no exports;"),
        "{refused}"
    );
    let other = component("", "", "", "(i32.const 16)").replace("guest@0.1.0", "guest@0.2.0");
    let refused = Plugin::new(other).refused();
    assert!(
        refused.contains("found an export `pitstop:plugin/guest@0.2.0`; build it against the wit/pitstop.wit"),
        "{refused}"
    );
}

#[test]
fn an_import_that_is_not_granted_is_named_with_the_line_that_grants_it() {
    let clock = "(import \"pitstop\" \"clock_now\" (func (result i64)))";
    let told = "a plugin that does without the clock, which is not granted to it: found that it imports \
                `pitstop.clock_now`; if it may know the time, write `wasm = { clock = true }` in its configuration";
    assert_eq!(Plugin::new(module(clock, ECHO)).refused(), told);
    Plugin::new(module(clock, ECHO)).with(|spec| spec.wasm.clock = true).open();
    let values =
        "(import \"pitstop:plugin/key-value@0.1.0\" (instance (export \"delete\" (func (param \"key\" string)))))";
    let refused = Plugin::new(component(values, "", "", "(i32.const 16)")).refused();
    let told = "found that it imports `pitstop:plugin/key-value@0.1.0`; if it may keep some, write `wasm = { key-value = true }`";
    assert!(refused.contains(told), "{refused}");
    Plugin::new(component(values, "", "", "(i32.const 16)")).with(|spec| spec.wasm.key_value = Some(10)).open();
}

#[test]
fn an_import_that_nobody_lends_is_named_with_what_to_do() {
    let of = |import: &str| Plugin::new(module(import, ECHO)).refused();
    let refused = of("(import \"env\" \"system\" (func (param i32) (result i32)))");
    assert!(refused.contains("found that it imports `env.system`; define it: the linker took it"), "{refused}");
    let refused = of("(import \"__wbindgen_placeholder__\" \"__wbindgen_throw\" (func (param i32 i32)))");
    assert!(refused.contains("build it without `wasm-bindgen`"), "{refused}");
    let refused = of("(import \"pitstop\" \"exec\" (func))");
    assert!(refused.contains("of `pitstop` these are `log`,"), "{refused}");
    let http = "(import \"wasi:http/types@0.2.0\" (instance))";
    let refused = Plugin::new(component(http, "", "", "(i32.const 16)")).refused();
    assert!(refused.contains("do without `wasi:http/types`: of WASI there are cli, clocks,"), "{refused}");
}

#[test]
fn an_import_of_another_type_is_told_when_it_is_opened() {
    let log = "(import \"pitstop\" \"log\" (func (param i64)))";
    let error = Plugin::new(module(log, ECHO)).try_open().map(drop).expect_err("it is of another type").to_string();
    assert!(error.contains("incompatible import type for `pitstop::log`"), "{error}");
}
