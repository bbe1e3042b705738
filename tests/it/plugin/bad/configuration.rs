//! Faults in `pitstop.toml` and in the `plugin.toml` of a drop-in, each with its line and column.

use super::row::{Bad, Done, Expected, Row};
use crate::plugin::garage::Garage;

const fn main(name: &'static str, text: &'static str, fault: &'static str) -> Row {
    let bad = Bad::Absent(|_| ());
    Row { name, bad, more: "", done: Done::Configured(text), expected: Expected::Fault(fault) }
}

const fn drop_in(name: &'static str, text: &'static str, fault: &'static str) -> Row {
    let bad = Bad::Absent(a_program);
    Row { name, bad, more: "", done: Done::DroppedIn(text), expected: Expected::Fault(fault) }
}

fn a_program(garage: &Garage) {
    garage.script("plugins/bad/run", "#!/bin/sh\nexit 64\n");
}

fn linked(garage: &Garage, name: &str, target: &str) {
    a_program(garage);
    std::os::unix::fs::symlink(target, garage.path("plugins/bad").join(name)).expect("a link");
}

pub(super) const ROWS: &[Row] = &[
    main("no TOML", "[[plugin]\n", "1:10: this is no TOML: "),
    main("an unknown table", "[pluggins]\n", "1:2: unknown key `pluggins`; did you mean `plugins`?"),
    main("an unknown key of all plugins", "[plugins]\nfolders = []\n", "2:1: unknown key `folders`; `[plugins]` has"),
    main(
        "an unknown key of a plugin",
        "[[plugin]]\nname = \"a\"\nmechanism = \"c\"\nartefact = \"good\"\n",
        "4:1: unknown key `artefact`; did you mean `artifact`?",
    ),
    main(
        "an unknown limit",
        "[[plugin]]\nname = \"a\"\nmechanism = \"c\"\nartifact = \"good\"\nlimits = { memory = 1 }\n",
        "5:12: unknown key `memory`; ",
    ),
    main(
        "two plugins of one name",
        "[[plugin]]\nname = \"a\"\nmechanism = \"c\"\nartifact = \"good\"\n[[plugin]]\nname = \"a\"\nmechanism = \"c\"\nartifact = \"good\"\n",
        "6:8: `name` is `a`, which the plugin at DIR/pitstop.toml:2:8 has; change one of them",
    ),
    main(
        "an unknown mechanism",
        "[[plugin]]\nname = \"a\"\nmechanism = \"lua\"\nartifact = \"good\"\n",
        "3:13: `mechanism` is `dylib`, `c`, `exec`, `rpc` or `wasm`, not `lua`",
    ),
    main(
        "no name",
        "[[plugin]]\nmechanism = \"c\"\nartifact = \"good\"\n",
        "1:1: `name` is missing; write `name = \"greeter\"`",
    ),
    main(
        "a name that is a path",
        "[[plugin]]\nname = \"../a\"\nmechanism = \"c\"\nartifact = \"good\"\n",
        "2:8: `name` is `../a`; a name is 1 to 64 of",
    ),
    main(
        "a file that is not there",
        "[[plugin]]\nname = \"a\"\nmechanism = \"c\"\nartifact = \"none\"\n",
        "4:12: `artifact` is not there: DIR/none, and nothing builds it; ",
    ),
    main(
        "a folder as a file",
        "[[plugin]]\nname = \"a\"\nmechanism = \"exec\"\nartifact = \"plugins\"\n",
        "4:12: `artifact` is no file to load: DIR/plugins is a folder, not a file",
    ),
    main(
        "a device as a file",
        "[[plugin]]\nname = \"a\"\nmechanism = \"exec\"\nartifact = \"/dev/null\"\n",
        "4:12: `artifact` is no file to load: /dev/null is a device, not a file",
    ),
    main(
        "a NUL in a path",
        "[[plugin]]\nname = \"a\"\nmechanism = \"c\"\nartifact = \"go\\u0000od\"\n",
        "4:12: a NUL character is in `artifact`",
    ),
    main(
        "a number in place of a text",
        "[[plugin]]\nname = \"a\"\nmechanism = \"c\"\nartifact = 1\n",
        "4:12: `artifact` is a text, not a whole number; write `artifact = \"libgreeter.so\"`",
    ),
    main(
        "a time limit in the program's own process",
        "[[plugin]]\nname = \"a\"\nmechanism = \"c\"\nartifact = \"good\"\nlimits = { time_ms = 5 }\n",
        "5:12: `limits.time_ms` cannot be kept: it runs in the program's own process",
    ),
    main(
        "a memory limit in the program's own process",
        "[[plugin]]\nname = \"a\"\nmechanism = \"dylib\"\nartifact = \"good\"\nlimits = { memory_bytes = 5 }\n",
        "5:12: `limits.memory_bytes` cannot be kept: ",
    ),
    main(
        "a limit of zero",
        "[[plugin]]\nname = \"a\"\nmechanism = \"c\"\nartifact = \"good\"\nlimits = { output_bytes = 0 }\n",
        "5:27: `output_bytes` is from 1 to ",
    ),
    main(
        "a limit that is negative",
        "[[plugin]]\nname = \"a\"\nmechanism = \"c\"\nartifact = \"good\"\nlimits = { drain_ms = -1 }\n",
        "5:23: `drain_ms` is from 1 to ",
    ),
    main(
        "a mode of a library",
        "[[plugin]]\nname = \"a\"\nmechanism = \"c\"\nartifact = \"good\"\nmode = \"serve\"\n",
        "5:1: `mode` has no use here: ",
    ),
    main(
        "a digest that is none",
        "[[plugin]]\nname = \"a\"\nmechanism = \"c\"\nartifact = \"good\"\nsha256 = \"c0ffee\"\n",
        "5:10: `sha256` is 64 hex digits, not 6; ",
    ),
    main(
        "a directory that is not there",
        "[plugins]\ndirectories = [\"none\"]\n",
        "2:16: `directories` names a folder that is not there: DIR/none; make it",
    ),
    drop_in("no bytes at all", "", "1:1: `mechanism` is missing; "),
    drop_in(
        "a path that leads out",
        "mechanism = \"exec\"\nartifact = \"../../etc/passwd\"\n",
        "2:12: `artifact` is `../../etc/passwd`, which leads out; a drop-in's paths stay in its folder DIR",
    ),
    drop_in(
        "a path that leads out and in again",
        "mechanism = \"exec\"\nartifact = \"../bad/run\"\n",
        "2:12: `artifact` is `../bad/run`, which leads out; ",
    ),
    drop_in(
        "an absolute path",
        "mechanism = \"exec\"\nartifact = \"/bin/sh\"\n",
        "2:12: `artifact` is `/bin/sh`, which leads out; ",
    ),
    Row {
        bad: Bad::Absent(|garage| linked(garage, "link", "/bin/sh")),
        ..drop_in(
            "a link that leads out",
            "mechanism = \"exec\"\nartifact = \"link\"\n",
            "2:12: `artifact` is `link`, a link that leads out to ",
        )
    },
    Row {
        bad: Bad::Absent(|garage| linked(garage, "way", "/bin")),
        ..drop_in(
            "a folder on the way that leads out",
            "mechanism = \"exec\"\nartifact = \"way/sh\"\n",
            "2:12: `artifact` is `way/sh`, a link that leads out to ",
        )
    },
    Row {
        bad: Bad::Absent(|garage| linked(garage, "link", "none")),
        ..drop_in(
            "a dangling link",
            "mechanism = \"exec\"\nartifact = \"link\"\n",
            "2:12: `artifact` is `link`: a link that leads nowhere",
        )
    },
    drop_in(
        "a working directory that leads out",
        "mechanism = \"exec\"\nartifact = \"run\"\ndirectory = \"..\"\n",
        "3:13: `directory` is `..`, which leads out; ",
    ),
    drop_in(
        "a name that another plugin has",
        "name = \"good\"\nmechanism = \"exec\"\nartifact = \"run\"\n",
        "1:1: the name `good` is that of the plugin at ",
    ),
    drop_in(
        "the table of another file",
        "[[plugin]]\nname = \"a\"\n",
        "1:3: unknown key `plugin`; a plugin.toml is one plugin",
    ),
    drop_in(
        "a variable with a value",
        "mechanism = \"exec\"\nartifact = \"run\"\nenvironment = [\"A=1\"]\n",
        "3:16: `A=1` is in `environment`, but a name has no `=` in it",
    ),
    drop_in(
        "less memory than any program takes",
        "mechanism = \"exec\"\nartifact = \"run\"\nlimits = { memory_bytes = 10 }\n",
        "3:12: `limits.memory_bytes` cannot be kept: no program starts in 10 bytes",
    ),
    drop_in("a crate that is a program", "mechanism = \"exec\"\ncrate = \"run\"\n", "2:1: `crate` is for libraries; "),
];
