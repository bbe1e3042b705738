//! Whole libraries that do not keep to the interface, or say that they cannot be used.

use super::row::{Bad, Done, Expected, Row};
use pitstop_host::Rule;

const fn c(name: &'static str, macros: &'static [&'static str], rule: Rule, text: &'static str) -> Row {
    Row { name, bad: Bad::C(macros), more: "", done: Done::Enabled, expected: Expected::Refused(rule, text) }
}

const fn rust(name: &'static str, instead: &'static str, text: &'static str) -> Row {
    let expected = Expected::Refused(Rule::Load, text);
    Row { name, bad: Bad::Rust(instead), more: "", done: Done::Enabled, expected }
}

pub(super) const ROWS: &[Row] = &[
    c(
        "exports no version",
        &["-DNO_ABI"],
        Rule::Missing,
        "expected an exported `pitstop_plugin_abi`, found no such symbol",
    ),
    c(
        "exports no table",
        &["-DNO_TABLE"],
        Rule::Missing,
        "expected an exported `pitstop_plugin`, found no such symbol",
    ),
    c(
        "is of a later version",
        &["-DABI=2"],
        Rule::Signature,
        "expected version 1 of the plugin table, found version 2",
    ),
    c("is of no version", &["-DABI=0"], Rule::Signature, "expected version 1 of the plugin table, found version 0"),
    c(
        "has a table of another version",
        &["-DTABLE_ABI=7"],
        Rule::Signature,
        "expected a table of version 1, found one of version 7",
    ),
    c(
        "has a table that is too small",
        &["-DSIZE=8"],
        Rule::Signature,
        "expected a table of at least 72 bytes, found one of 8 bytes",
    ),
    c("has a table without a size", &["-DSIZE=0"], Rule::Signature, "found one of 0 bytes"),
    c(
        "has no table",
        &["-DNULL_TABLE"],
        Rule::Signature,
        "expected a table from `pitstop_plugin`, found the address 0x0",
    ),
    c(
        "has a table at a crooked address",
        &["-DCROOKED_TABLE"],
        Rule::Signature,
        "expected a table from `pitstop_plugin`, found the address",
    ),
    c("has no create", &["-DCREATE=NULL"], Rule::Signature, "expected a function `create` in the table, found NULL"),
    c("has no process", &["-DPROCESS=NULL"], Rule::Signature, "expected a function `process` in the table, found NULL"),
    c("has no release", &["-DRELEASE=NULL"], Rule::Signature, "expected a function `release` in the table, found NULL"),
    c("has no destroy", &["-DDESTROY=NULL"], Rule::Signature, "expected a function `destroy` in the table, found NULL"),
    c(
        "has a name that is null",
        &["-DNAME=NULL"],
        Rule::Signature,
        "expected a `name` in the table, found NULL or nothing",
    ),
    c("has an empty name", &["-DNAME=\"\""], Rule::Signature, "expected a `name` in the table, found NULL or nothing"),
    c(
        "has a name that is no text",
        &["-DNAME=\"\\xff\""],
        Rule::Signature,
        "expected UTF-8 in `name` of the table, found invalid utf-8",
    ),
    c(
        "has a version that is no text",
        &["-DVERSION=\"\\xff\""],
        Rule::Signature,
        "expected UTF-8 in `version` of the table",
    ),
    c("cannot be created", &["-DCREATE_FAILS"], Rule::Load, "found no licence"),
    c(
        "cannot be created for a reason at null",
        &["-DCREATE_FAILS_WITH_NOTHING"],
        Rule::Signature,
        "found NULL with a length of 9",
    ),
    c(
        "is created with an unknown status",
        &["-DCREATE_RETURNS_NONSENSE"],
        Rule::Signature,
        "expected a status of 0 to 3, found 77",
    ),
    c(
        "is not well",
        &["-DUNHEALTHY"],
        Rule::Load,
        "expected a plugin that starts and says that it is well, found no database",
    ),
    c("needs a function that nothing has", &["-DUNDEFINED"], Rule::Load, "undefined symbol: nowhere"),
    rust("panics in Default", "panics-anew-", "found the plugin panicked: no licence"),
    rust("panics when it is asked for its version", "panics-tells", "found the plugin panicked: nothing to tell"),
];
