//! Programs that are executed for each call.

use super::row::{Bad, Done, Expected, Row};
use crate::plugin::garage::Mechanism;
use pitstop_host::Rule;

const SHORT: &str = "limits = { time_ms = 300 }\n";
const SMALL: &str = "limits = { output_bytes = 1000000 }\n";

const fn fails(name: &'static str, body: &'static str, kind: &'static str, text: &'static str) -> Row {
    Row { name, bad: Bad::Script(body), more: "", done: Done::Called(b"x"), expected: Expected::Error(kind, text) }
}

/// What looks wrong, and is as good as any other.
const fn passes(name: &'static str, body: &'static str, output: &'static str) -> Row {
    Row { name, bad: Bad::Script(body), more: "", done: Done::Called(b"x"), expected: Expected::Output(output) }
}

const fn refused(name: &'static str, bytes: fn() -> Vec<u8>, rule: Rule, text: &'static str) -> Row {
    let bad = Bad::Bytes(Mechanism::Once, bytes);
    Row { name, bad, more: SHORT, done: Done::Enabled, expected: Expected::Refused(rule, text) }
}

pub(super) const ROWS: &[Row] = &[
    passes("prints nothing", "exit 0", ""),
    Row {
        more: SMALL,
        ..fails(
            "prints 1 GiB",
            "head -c 1073741824 /dev/zero",
            "too-much-output",
            "longer than 1000000 bytes; `limits.output_bytes`",
        )
    },
    Row { more: SMALL, ..fails("prints without end", "yes", "too-much-output", "longer than 1000000 bytes") },
    fails("complains for 64 MiB", "head -c 67108864 /dev/zero >&2; echo full >&2; exit 3", "exited", "exit code 3: "),
    Row {
        more: SHORT,
        ..fails("never ends", "exec tail -f /dev/null", "timed-out", "longer than 300ms; `limits.time_ms`")
    },
    Row { more: SHORT, ..fails("works without end", "while :; do :; done", "timed-out", "longer than 300ms") },
    Row {
        more: SHORT,
        ..fails(
            "ignores SIGTERM",
            "trap '' TERM; tail -f /dev/null & exec tail -f /dev/null",
            "timed-out",
            "longer than 300ms",
        )
    },
    passes("forks and exits", "tail -f /dev/null & printf done", "done"),
    fails("forks and exits with an error", "tail -f /dev/null & echo gone >&2; exit 9", "exited", "exit code 9: gone"),
    passes("closes stdout early", "printf begun; exec 1>&-; exit 0", "begun"),
    Row {
        more: SHORT,
        ..fails(
            "closes stdout early and goes on",
            "exec 1>&-; exec tail -f /dev/null >/dev/null",
            "timed-out",
            "longer than 300ms",
        )
    },
    Row { done: Done::Called(&[b'x'; 200_000]), ..passes("does not read its input", "exec 0<&-; printf done", "done") },
    Row {
        done: Done::CalledForText("x"),
        ..fails("writes invalid UTF-8", "printf 'ab\\377'", "not-text", "no UTF-8 after its first 2 of 3 bytes")
    },
    fails("exits by SIGKILL", "kill -9 $$", "signalled", "signal 9 ended the plugin"),
    fails("exits by SIGSEGV", "echo oh >&2; kill -SEGV $$", "signalled", "signal 11 ended the plugin: oh"),
    fails("exits with a code", "echo one >&2; echo two >&2; exit 3", "exited", "exit code 3: two"),
    fails("exits with a code alone", "exit 255", "exited", "the plugin ended with exit code 255"),
    fails("does not know how to process", "exit 64", "unsupported", "the plugin does not know `process`"),
    fails("paints the terminal", "printf '\\033[31mred\\n' >&2; exit 1", "exited", "exit code 1: \\u{1b}[31mred"),
    fails("runs what is not there", "exec /no/such/program", "exited", "exit code 127"),
    Row {
        more: "limits = { memory_bytes = 50000000 }\n",
        ..fails(
            "takes more memory than it may",
            "exec python3 -c 'b\"x\" * 100000000'",
            "exited",
            "exit code 1: MemoryError",
        )
    },
    refused(
        "says of itself what is no description",
        || b"#!/bin/sh\necho '{\"version\": 2}'\n".to_vec(),
        Rule::Signature,
        "expected a description with `name` and `version` as texts",
    ),
    refused(
        "fails when it is asked for a description",
        || b"#!/bin/sh\necho no licence >&2; exit 2\n".to_vec(),
        Rule::Load,
        "exit code 2: no licence (when asked to `describe`: what cannot, exits with 64)",
    ),
    refused("dies when it is asked for a description", || b"#!/bin/sh\nkill -9 $$\n".to_vec(), Rule::Load, "signal 9"),
    refused(
        "never answers what it is",
        || b"#!/bin/sh\nexec tail -f /dev/null\n".to_vec(),
        Rule::Load,
        "longer than 300ms",
    ),
    refused("describes itself without end", || b"#!/bin/sh\nexec yes\n".to_vec(), Rule::Load, "`limits.output_bytes`"),
];
