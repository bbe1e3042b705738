//! What is configured, and what the file is, before anything runs.

use super::Plugin;
use crate::plugin::backend::backend;
use crate::plugin::spec::{Mechanism, Source, Spec};
use pitstop_contract::{Reason, Rule};
use std::os::unix::fs::symlink;

fn refused(plugin: &Plugin) -> Reason {
    let mut reasons = plugin.prove().expect_err("a reason");
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    let reason = reasons.remove(0);
    assert_eq!(reason.subject, plugin.file.display().to_string());
    reason
}

fn found(plugin: &Plugin, rule: Rule, part: &str) {
    let reason = refused(plugin);
    assert_eq!(reason.rule, rule, "{reason:?}");
    assert!(reason.found.contains(part), "{:?} does not say {part:?}", reason.found);
}

/// This test's own executable: a real program of this machine.
fn program() -> Vec<u8> {
    std::fs::read(std::env::current_exe().expect("a path")).expect("the executable")
}

#[test]
fn a_script_and_a_program_are_proven() {
    assert!(Plugin::file(b"#!/bin/sh\n", 0o755).prove().is_ok());
    assert!(Plugin::file(&program(), 0o755).prove().is_ok());
}

#[test]
fn a_file_that_is_not_executable_is_refused() {
    found(&Plugin::file(b"#!/bin/sh\n", 0o644), Rule::File, "not executable: its mode is 644");
}

#[test]
fn a_directory_is_refused() {
    let plugin = Plugin::named("plugin-1");
    std::fs::create_dir(&plugin.file).expect("a directory");
    found(&plugin, Rule::File, "a directory");
}

#[test]
fn a_file_that_is_no_plain_one_is_refused() {
    let plugin = Plugin::named("plugin-1");
    let _socket = std::os::unix::net::UnixListener::bind(&plugin.file).expect("a socket");
    found(&plugin, Rule::File, "not a plain file");
}

#[test]
fn a_file_that_is_not_there_is_refused() {
    found(&Plugin::named("plugin-1"), Rule::File, "No such file");
}

#[test]
fn a_dangling_link_is_refused() {
    let plugin = Plugin::named("plugin-1");
    symlink("nowhere", &plugin.file).expect("a link");
    found(&plugin, Rule::File, "a dangling link to `nowhere`");
}

#[test]
fn an_empty_file_is_refused() {
    found(&Plugin::file(b"", 0o755), Rule::Complete, "an empty file");
}

#[test]
fn a_script_with_a_bad_first_line_is_refused() {
    found(&Plugin::file(b"#!\necho\n", 0o755), Rule::Complete, "`#!` without an interpreter");
    found(&Plugin::file(b"#!/bin/sh\r\necho\r\n", 0o755), Rule::Complete, "CR LF");
    found(&Plugin::file(b"#!sh\n", 0o755), Rule::Complete, "no absolute path");
}

#[test]
fn a_script_whose_interpreter_cannot_run_it_is_refused() {
    found(&Plugin::file(b"#!/no/such -x\n", 0o755), Rule::File, "a script for `/no/such`, which is not there");
    found(&Plugin::file(b"#!/etc/passwd\n", 0o755), Rule::File, "which is not executable");
    found(&Plugin::file(b"#!/usr\n", 0o755), Rule::File, "which is a directory");
}

#[test]
fn text_without_an_interpreter_is_refused() {
    found(&Plugin::file(b"echo hello\n", 0o755), Rule::Complete, "text without `#!`: `echo hello`");
}

#[test]
fn bytes_that_are_no_program_are_refused() {
    found(&Plugin::file(&[0, 1, 2, 3, 4, 5, 6, 7, 8], 0o755), Rule::Complete, "begins with 00 01 02 03");
    found(&Plugin::file(b"\x7fELF", 0o755), Rule::Complete, "");
}

#[test]
fn a_program_that_was_cut_short_is_refused() {
    let bytes = program();
    for part in 1..20 {
        found(&Plugin::file(&bytes[..bytes.len() * part / 20], 0o755), Rule::Complete, "");
    }
}

#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn a_program_for_another_machine_is_refused() {
    let mut bytes = program();
    bytes[18..20].copy_from_slice(&183_u16.to_le_bytes());
    found(&Plugin::file(&bytes, 0o755), Rule::Target, "ELF machine 183");
    let mut bytes = program();
    bytes[4] = 1;
    assert!(Plugin::file(&bytes, 0o755).prove().is_err(), "32 bits");
}

#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn a_library_is_refused() {
    let mut bytes = program();
    // The segment of the interpreter becomes one that says nothing, and the entry is gone.
    let (table, size, count) = (u64_at(&bytes, 32), u16_at(&bytes, 54), u16_at(&bytes, 56));
    for index in 0..count {
        let at = usize::try_from(table).expect("small") + usize::from(index * size);
        if bytes[at..at + 4] == 3_u32.to_le_bytes() {
            bytes[at..at + 4].fill(0);
        }
    }
    bytes[24..32].fill(0);
    found(&Plugin::file(&bytes, 0o755), Rule::Complete, "a library");
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"))
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().expect("2 bytes"))
}

#[test]
fn env_without_a_path_is_told() {
    let mut plugin = Plugin::file(b"#!/usr/bin/env python3\n", 0o755);
    let notes = plugin.prove().expect("a script").proof().notes.clone();
    assert!(notes.iter().any(|note| note.contains("`environment` does not have `PATH`")), "{notes:?}");
    plugin.spec.environment = vec!["PATH".to_owned()];
    assert!(plugin.prove().expect("a script").proof().notes.is_empty());
}

#[test]
fn what_cannot_be_kept_is_refused_by_its_key() {
    let refused = |change: &dyn Fn(&mut Spec)| {
        let mut spec = Plugin::named("plugin-1").spec;
        change(&mut spec);
        backend(Mechanism::Exec).accepts(&spec).expect_err("a refusal").0
    };
    assert_eq!(refused(&|spec| spec.source = Source::Crate("logic".to_owned())), "crate");
    assert_eq!(refused(&|spec| spec.arguments.push("a\0".to_owned())), "arguments");
    assert_eq!(refused(&|spec| spec.environment.push("A=B".to_owned())), "environment");
    assert_eq!(refused(&|spec| spec.environment.push(String::new())), "environment");
    assert_eq!(refused(&|spec| spec.environment.push("PITSTOP_PLUGIN".to_owned())), "environment");
    let set = |name: &str, value: &str| refused(&|spec| drop(spec.set.insert(name.to_owned(), value.to_owned())));
    assert_eq!(set("PITSTOP_PLUGIN_FOLDER", ""), "set");
    assert_eq!(set("A", "\0"), "set");
    assert_eq!(refused(&|spec| spec.limits.time = std::time::Duration::ZERO), "limits.time_ms");
    assert_eq!(refused(&|spec| spec.limits.memory = Some(0)), "limits.memory_bytes");
    assert!(backend(Mechanism::Exec).accepts(&Plugin::named("plugin-1").spec).is_ok());
}
