//! Files that are no library for this machine, or none at all.

use super::row::{Bad, Done, Expected, Row};
use crate::plugin::garage::{Mechanism, c_echo, rust_echo};
use pitstop_host::Rule;

const fn c(name: &'static str, bytes: fn() -> Vec<u8>, rule: Rule, text: &'static str) -> Row {
    let bad = Bad::Bytes(Mechanism::C, bytes);
    Row { name, bad, more: "", done: Done::Enabled, expected: Expected::Refused(rule, text) }
}

const fn rust(name: &'static str, bytes: fn() -> Vec<u8>, rule: Rule, text: &'static str) -> Row {
    let bad = Bad::Bytes(Mechanism::Dylib, bytes);
    Row { name, bad, more: "", done: Done::Enabled, expected: Expected::Refused(rule, text) }
}

const fn program(name: &'static str, bytes: fn() -> Vec<u8>, rule: Rule, text: &'static str) -> Row {
    let bad = Bad::Bytes(Mechanism::Once, bytes);
    Row { name, bad, more: "", done: Done::Enabled, expected: Expected::Refused(rule, text) }
}

fn echo() -> Vec<u8> {
    c_echo().to_vec()
}

/// The echo with other bytes at a place.
fn with(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut echo = echo();
    echo[at..at + bytes.len()].copy_from_slice(bytes);
    echo
}

fn cut(length: usize) -> Vec<u8> {
    echo()[..length].to_vec()
}

fn shell() -> Vec<u8> {
    std::fs::read("/bin/sh").expect("a program")
}

pub(super) const ROWS: &[Row] = &[
    c("is an empty library", Vec::new, Rule::Complete, "expected a plugin, found an empty file"),
    c("is a text", || b"to be written\n".to_vec(), Rule::Complete, "found"),
    c("is a script in place of a library", || b"#!/bin/sh\nexit 0\n".to_vec(), Rule::Complete, "found"),
    c("is cut in its first word", || cut(3), Rule::Complete, "found"),
    c("is cut in its header", || cut(40), Rule::Complete, "found"),
    c("is cut behind its header", || cut(64), Rule::Complete, "found"),
    c("is cut in the middle", || cut(echo().len() / 2), Rule::Complete, "found"),
    c("lacks its last byte", || cut(echo().len() - 1), Rule::Complete, "found"),
    c("is a library of another machine", || with(18, &[183, 0]), Rule::Target, "found"),
    c("is a library of 32 bits", || with(4, &[1]), Rule::Target, "found"),
    c("is a library of the other byte order", || with(5, &[2]), Rule::Complete, "Invalid ELF"),
    c("is a program in place of a library", shell, Rule::Missing, "expected an exported `pitstop_plugin_abi`"),
    c("is all zeros", || vec![0; 10_000], Rule::Complete, "found"),
    rust(
        "is a library in C in place of one in Rust",
        echo,
        Rule::Missing,
        "expected an exported `__pitstop_plugin_enter`",
    ),
    rust("is a library in Rust that was cut", || rust_echo()[..100_000].to_vec(), Rule::Complete, "found"),
    program(
        "is a library in place of a program",
        echo,
        Rule::Complete,
        "found a library, which has no entry; name a program",
    ),
    program("is a program that was cut", || shell()[..1000].to_vec(), Rule::Complete, "found"),
    program(
        "is a program of another machine",
        || {
            let mut shell = shell();
            shell[18..20].copy_from_slice(&[183, 0]);
            shell
        },
        Rule::Target,
        "found one for ELF machine 183",
    ),
    program("is an empty program", Vec::new, Rule::Complete, "found an empty file"),
    program(
        "is text without an interpreter",
        || b"echo hello\n".to_vec(),
        Rule::Complete,
        "text without `#!`: `echo hello`",
    ),
    program("is noise", || vec![0xfe, 0xed, 1, 2, 3], Rule::Complete, "found a file that begins with fe ed 01 02"),
    program(
        "has an interpreter that is not there",
        || b"#!/no/such/sh\n".to_vec(),
        Rule::File,
        "found a script for `/no/such/sh`, which is not there",
    ),
    program("has an interpreter that is a folder", || b"#!/tmp\n".to_vec(), Rule::File, "`/tmp`, which is a directory"),
    program("has a first line of Windows", || b"#!/bin/sh\r\nexit 0\r\n".to_vec(), Rule::Complete, "ends in CR LF"),
    program(
        "has an interpreter without a path",
        || b"#!sh\n".to_vec(),
        Rule::Complete,
        "whose interpreter is no absolute path",
    ),
];
