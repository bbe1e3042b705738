//! What is wrong in a configuration's text, and what is said of it, word for word.

use super::*;

#[test]
fn what_is_wrong_in_the_tables_is_told_with_its_place() {
    let place = Place::new();
    for (text, expected) in TABLES {
        assert_eq!(place.wrong(text), format!("DIR/pitstop.toml:{expected}"), "of\n{text}");
    }
}

const TABLES: &[(&str, &str)] = &[
    ("[[plugin]\n", "1:10: this is no TOML: unclosed array table, expected `]`"),
    ("[[plugin]]\nname = greeter", "2:8: this is no TOML: string values must be quoted, expected literal string"),
    ("[[plugin]]\nname = \"a\"\nname = \"b\"", "3:1: this is no TOML: duplicate key"),
    ("\"ä\" = on", "1:7: this is no TOML: string values must be quoted, expected literal string"),
    ("\"ärger\" = 1", "1:1: unknown key `ärger`; pitstop.toml has `plugins` and `plugin`"),
    ("x.y.z = 1", "1:1: unknown key `x`; pitstop.toml has `plugins` and `plugin`"),
    ("[plugs]", "1:2: unknown key `plugs`; did you mean `plugins`?"),
    ("name = \"a\"", "1:1: unknown key `name`; the keys of a plugin stand below `[[plugin]]`"),
    ("[plugin]\nname = \"a\"", "1:1: `plugin` is a list of tables, not a table; write `[[plugin]]`"),
    ("plugin = [1]", "1:11: `plugin` is a list of tables, not a whole number; write `[[plugin]]`"),
    ("[[plugins]]", "1:1: `plugins` is a table, not a list; write `[plugins]`"),
    ("plugins = 1979-05-27", "1:11: `plugins` is a table, not a date; write `[plugins]`"),
    (
        "[plugins]\nfolders = []",
        "2:1: unknown key `folders`; `[plugins]` has `directories`, `world-writable` and `staging`",
    ),
    ("[plugins]\nworld_writable = \"allow\"", "2:1: unknown key `world_writable`; did you mean `world-writable`?"),
    (
        "[plugins]\nworld-writable = \"alow\"",
        "2:18: `world-writable` is `refuse` or `allow`, not `alow`; did you mean `allow`?",
    ),
    (
        "[plugins]\nworld-writable = true",
        "2:18: `world-writable` is a text, not true or false; write `world-writable = \"refuse\"`",
    ),
    (
        "[plugins]\ndirectories = \"plugins\"",
        "2:15: `directories` is a list of texts, not a text; write `directories = [\"plugins\"]`",
    ),
    (
        "[plugins]\ndirectories = [\"plugins\", 2]",
        "2:27: `directories` is a list of texts, not a whole number; write `directories = [\"plugins\"]`",
    ),
    ("[plugins]\ndirectories = [\"\"]", "2:16: `directories` is empty; write a path, from the file's folder"),
    ("[plugins]\ndirectories = [\"none\"]", "2:16: `directories` names a folder that is not there: DIR/none; make it"),
    ("[plugins]\ndirectories = [\"tool\"]", "2:16: `directories` names no folder: DIR/tool is a file, not a folder"),
    ("[plugins]\ndirectories = [\"open\", \"./open\"]", "2:24: `directories` has DIR/open twice; remove one"),
    ("[plugins]\nstaging = \"tool\"", "2:11: `staging` is no folder: DIR/tool is a file, not a folder"),
    ("[plugins]\nstaging = [1.5]", "2:11: `staging` is a text, not a list; write `staging = \"target/plugins\"`"),
    ("\n\n[[plugin]]\nname = \"a\"", "3:1: `mechanism` is missing; write `mechanism = \"exec\"`"),
    ("[[plugin]]\nmechanism = \"c\"", "1:1: `name` is missing; write `name = \"greeter\"`"),
    (
        "[[plugin]]\nname = \"a\"\nmechanism = \"exec\"\nartifact = \"tool\"\n[[plugin]]\nname = \"b\"\nmechanism = \"c\"\ncrate = \"b\"\n\
         [[plugin]]\nmechanism = \"exec\"\nname = \"a\"\nartifact = \"tool\"",
        "11:8: `name` is `a`, which the plugin at DIR/pitstop.toml:2:8 has; change one of them",
    ),
];

#[test]
fn what_is_wrong_in_a_plugin_is_told_with_its_place() {
    let place = Place::new();
    for (mechanism, line, expected) in KEYS {
        let text = format!("[[plugin]]\nname = \"a\"\nmechanism = \"{mechanism}\"\n{line}\n");
        assert_eq!(place.wrong(&text), format!("DIR/pitstop.toml:{expected}"), "of\n{text}");
    }
}

/// A mechanism, what stands in the plugin's fourth line, and what is said of it.
const KEYS: &[(&str, &str, &str)] = &[
    ("wat", "", "3:13: `mechanism` is `dylib`, `c`, `exec`, `rpc` or `wasm`, not `wat`"),
    ("exe", "", "3:13: `mechanism` is `dylib`, `c`, `exec`, `rpc` or `wasm`, not `exe`; did you mean `exec`?"),
    ("\\u001b[31m", "", "3:13: `mechanism` is `dylib`, `c`, `exec`, `rpc` or `wasm`, not `\\u{1b}[31m`"),
    ("c", "artefact = \"tool\"", "4:1: unknown key `artefact`; did you mean `artifact`?"),
    (
        "c",
        "colour = \"tool\"",
        "4:1: unknown key `colour`; a plugin has `name`, `mechanism`, `artifact`, `crate`, `build`, `watch`, `mode`, \
         `arguments`, `rpc`, `wasm`, `environment`, `set`, `directory`, `sha256`, `enabled` and `limits`",
    ),
    ("exec", "", "1:1: `artifact` is missing; write `artifact = \"greeter.sh\"`"),
    ("exec", "crate = \"a\"", "4:1: `crate` is for libraries; a plugin by `exec` has the program as its `artifact`"),
    (
        "dylib",
        "",
        "1:1: `artifact` or `crate` is missing; write `artifact = \"libgreeter.so\"` or `crate = \"greeter-plugin\"`",
    ),
    (
        "c",
        "artifact = \"tool\"\ncrate = \"a\"",
        "5:1: `artifact` and `crate` are both there, and a plugin is loaded from one of them; remove the other",
    ),
    ("c", "artifact = 1", "4:12: `artifact` is a text, not a whole number; write `artifact = \"libgreeter.so\"`"),
    ("c", "artifact = \"\"", "4:12: `artifact` is empty; write a path, from the file's folder"),
    (
        "c",
        "artifact = \"no.so\"",
        "4:12: `artifact` is not there: DIR/no.so, and nothing builds it; write the path of a file, or add `build`",
    ),
    ("c", "artifact = \"open\"", "4:12: `artifact` is no file to load: DIR/open is a folder, not a file"),
    ("c", "artifact = \"to\\u0000ol\"", "4:12: a NUL character is in `artifact`; leave out the \\u0000"),
    ("c", "crate = \"../a\"", "4:9: `crate` is `../a`, and no crate is called so; write `crate = \"greeter-plugin\"`"),
    ("c", "crate = \"\"", "4:9: `crate` is ``, and no crate is called so; write `crate = \"greeter-plugin\"`"),
    (
        "c",
        "crate = \"a\"\nbuild = \"make\"",
        "5:1: `build` has no use with `crate`, which cargo builds and whose source files are known; remove it",
    ),
    (
        "c",
        "crate = \"a\"\nwatch = [\"open\"]",
        "5:1: `watch` has no use with `crate`, which cargo builds and whose source files are known; remove it",
    ),
    (
        "c",
        "artifact = \"tool\"\nwatch = [\"open\"]",
        "5:1: `watch` has no use without `build`: what changes there would have nothing built; remove it, or add \
         `build = \"cc -shared -fPIC -o {out} greeter.c\"`",
    ),
    (
        "c",
        "artifact = \"tool\"\nbuild = \"cc 'x\"",
        "5:9: `build` has a quote without its partner, or a backslash at its end; close the quote, or write a list of words",
    ),
    (
        "c",
        "artifact = \"tool\"\nbuild = \"cc x # as it was\"",
        "5:9: `build` has a `#` at the start of a word, where a shell would see a comment; quote it",
    ),
    (
        "c",
        "artifact = \"tool\"\nbuild = \"make && strip {out}\"",
        "5:9: `build` has `&&` in it, but there is no shell that would know what it means; write \
         `build = [\"sh\", \"-c\", \"...\"]`, or a script",
    ),
    (
        "c",
        "artifact = \"tool\"\nbuild = \"  \"",
        "5:9: `build` names no program; write `build = \"cc -shared -fPIC -o {out} greeter.c\"`",
    ),
    (
        "c",
        "artifact = \"tool\"\nbuild = []",
        "5:9: `build` names no program; write `build = \"cc -shared -fPIC -o {out} greeter.c\"`",
    ),
    (
        "c",
        "artifact = \"tool\"\nbuild = { a = 1 }",
        "5:9: `build` is a text or a list of texts, not a table; write `build = \"cc -shared -fPIC -o {out} greeter.c\"`",
    ),
    (
        "c",
        "artifact = \"tool\"\nbuild = \"make\"\nwatch = []",
        "6:9: `watch` is empty, so that nothing would be built; remove it to watch the whole folder, or write \
         `watch = [\"greeter.c\"]`",
    ),
    (
        "c",
        "artifact = \"tool\"\nbuild = \"make\"\nwatch = [\n  \"greeter.c\",\n  \"hello.c\"]",
        "8:3: `watch` is not there: DIR/hello.c; write a file or folder that is",
    ),
    (
        "c",
        "artifact = \"tool\"\nenvironment = []\nmode = \"once\"",
        "5:1: `environment` has no use here: it is for programs that are executed, and this plugin is a library in the \
         program's own process; remove it, or write `mechanism = \"exec\"`",
    ),
    (
        "exec",
        "artifact = \"tool\"\nmode = \"server\"",
        "5:8: `mode` is `once` or `serve`, not `server`; did you mean `serve`?",
    ),
    (
        "exec",
        "artifact = \"tool\"\narguments = \"-x\"",
        "5:13: `arguments` is a list of texts, not a text; write `arguments = [\"--fast\"]`",
    ),
    (
        "exec",
        "artifact = \"tool\"\nenvironment = [\"A=1\"]",
        "5:16: `A=1` is in `environment`, but a name has no `=` in it; variables with values stand in \
         `set = { NAME = \"value\" }`",
    ),
    (
        "exec",
        "artifact = \"tool\"\nenvironment = [\"\"]",
        "5:16: an empty name is in `environment`; write a variable's name, such as `PATH`",
    ),
    ("exec", "artifact = \"tool\"\nenvironment = [\"A\", \"A\"]", "5:21: `environment` has `A` twice; remove one"),
    (
        "exec",
        "artifact = \"tool\"\nenvironment = [\"A\"]\nset = { A = \"1\" }",
        "5:16: `A` is in `environment` and in `set`; remove it from one of them",
    ),
    (
        "exec",
        "artifact = \"tool\"\nset = { A = 1 }",
        "5:13: `set` is a table of texts, not a whole number; write `set = { GREETING = \"Hello\" }`",
    ),
    (
        "exec",
        "artifact = \"tool\"\nset.\"\" = \"1\"",
        "5:5: an empty name is in `set`; write a variable's name, such as `PATH`",
    ),
    (
        "exec",
        "artifact = \"tool\"\ndirectory = \"tool\"",
        "5:13: `directory` is no folder to run in: DIR/tool is a file, not a folder",
    ),
    (
        "exec",
        "artifact = \"tool\"\ndirectory = \"none\"",
        "5:13: `directory` is not there: DIR/none; write a folder that is",
    ),
    (
        "c",
        "artifact = \"tool\"\nsha256 = \"abc\"",
        "5:10: `sha256` is 64 hex digits, not 3; `sha256sum FILE` prints them",
    ),
    (
        "c",
        "artifact = \"tool\"\nsha256 = \"abgd\"",
        "5:10: `sha256` is 64 hex digits, but its character 3 is `g`; `sha256sum FILE` prints them",
    ),
    (
        "c",
        "artifact = \"tool\"\nenabled = \"yes\"",
        "5:11: `enabled` is true or false, not a text; write `enabled = false`",
    ),
    (
        "c",
        "artifact = \"tool\"\nlimits = 5",
        "5:10: `limits` is a table, not a whole number; write `limits = { time_ms = 30000 }`",
    ),
    ("exec", "artifact = \"tool\"\nlimits = { time = 5 }", "5:12: unknown key `time`; did you mean `time_ms`?"),
    (
        "exec",
        "artifact = \"tool\"\nlimits = { cpu_percentage = 5 }",
        "5:12: unknown key `cpu_percentage`; `limits` has `time_ms`, `memory_bytes`, `output_bytes` and `drain_ms`",
    ),
    (
        "exec",
        "artifact = \"tool\"\nlimits = { time_ms = 0 }",
        "5:22: `time_ms` is from 1 to 9223372036854775807, not 0; write `time_ms = 30000`",
    ),
    (
        "exec",
        "artifact = \"tool\"\nlimits = { output_bytes = -1 }",
        "5:27: `output_bytes` is from 1 to 9223372036854775807, not -1; write `output_bytes = 67108864`",
    ),
    (
        "exec",
        "artifact = \"tool\"\n[plugin.limits]\nmemory_bytes = 99999999999999999999",
        "6:16: `memory_bytes` is from 1 to 9223372036854775807, not 99999999999999999999; write \
         `memory_bytes = 1073741824`",
    ),
    (
        "exec",
        "artifact = \"tool\"\nlimits = { drain_ms = 1.5 }",
        "5:23: `drain_ms` is a whole number, not a number with a point; write `drain_ms = 30000`",
    ),
    (
        "c",
        "artifact = \"tool\"\nlimits = { time_ms = 30000 }",
        "5:12: `limits.time_ms` cannot be kept: it runs in the program's own process, where nothing can end a call or \
         count its memory",
    ),
    (
        "dylib",
        "crate = \"a\"\n[plugin.limits]\nmemory_bytes = 1",
        "6:1: `limits.memory_bytes` cannot be kept: it runs in the program's own process, where nothing can end a call or \
         count its memory",
    ),
    (
        "exec",
        "artifact = \"tool\"\nlimits = { memory_bytes = 1 }",
        "5:12: `limits.memory_bytes` cannot be kept: no program starts in 1 bytes of address space; give at least 1048576",
    ),
];

#[test]
fn what_is_wrong_in_a_drop_in_is_told_with_its_place() {
    let place = Place::new();
    for (text, expected) in DROP_INS {
        assert_eq!(place.drop_in_wrong(text), format!("DIR/plugins/x/plugin.toml:{expected}"), "of\n{text}");
    }
}

const DROP_INS: &[(&str, &str)] = &[
    ("", "1:1: `mechanism` is missing; write `mechanism = \"exec\"`"),
    (
        "[plugins]",
        "1:2: unknown key `plugins`; a plugin has `name`, `mechanism`, `artifact`, `crate`, `build`, `watch`, `mode`, \
      `arguments`, `rpc`, `wasm`, `environment`, `set`, `directory`, `sha256`, `enabled` and `limits`",
    ),
    (
        "\n[[plugin]]",
        "2:3: unknown key `plugin`; a plugin.toml is one plugin: leave out `[[plugin]]`, and write its keys first",
    ),
    (
        "mechanism = \"exec\"\nartifact = \"../../etc\"",
        "2:12: `artifact` is `../../etc`, which leads out; a drop-in's paths stay in its folder DIR/plugins/x",
    ),
    (
        "mechanism = \"exec\"\nartifact = \"sub/../../y/run\"",
        "2:12: `artifact` is `sub/../../y/run`, which leads out; a drop-in's paths stay in its folder DIR/plugins/x",
    ),
    (
        "mechanism = \"exec\"\nartifact = \"/bin/sh\"",
        "2:12: `artifact` is `/bin/sh`, which leads out; a drop-in's paths stay in its folder DIR/plugins/x",
    ),
    (
        "mechanism = \"exec\"\nartifact = \"run\"\ndirectory = \"..\"",
        "3:13: `directory` is `..`, which leads out; a drop-in's paths stay in its folder DIR/plugins/x",
    ),
    (
        "mechanism = \"exec\"\nartifact = \"run\"\nbuild = \"make\"\nwatch = [\".\", \"/usr\"]",
        "4:15: `watch` is `/usr`, which leads out; a drop-in's paths stay in its folder DIR/plugins/x",
    ),
];
