//! Programs that are kept running.

use super::row::{Bad, Done, Expected, Row};
use crate::plugin::garage::Mechanism;
use pitstop_host::Rule;

const SHORT: &str = "limits = { time_ms = 300, drain_ms = 300 }\n";
const SMALL: &str = "limits = { output_bytes = 1000 }\n";

const fn fails(name: &'static str, body: &'static str, kind: &'static str, text: &'static str) -> Row {
    Row { name, bad: Bad::Served(body), more: "", done: Done::Called(b"x"), expected: Expected::Error(kind, text) }
}

const fn refused(name: &'static str, bytes: fn() -> Vec<u8>, rule: Rule, text: &'static str) -> Row {
    let bad = Bad::Bytes(Mechanism::Serve, bytes);
    Row { name, bad, more: SHORT, done: Done::Enabled, expected: Expected::Refused(rule, text) }
}

pub(super) const ROWS: &[Row] = &[
    fails("serves a line of garbage", "echo hello", "protocol", "found `hello` ("),
    fails("serves an unknown number", "id=4711; answer '\"x\"'", "protocol", "and no call 4711 waits for one"),
    fails("serves a number as a text", "id=\\\"$id\\\"; answer '\"x\"'", "protocol", "invalid type: string"),
    fails("serves bytes that are no text", "printf '\\377\\376\\n'", "protocol", "found `\u{fffd}\u{fffd}`"),
    fails(
        "serves JSON-RPC 1.0",
        "echo '{\"jsonrpc\":\"1.0\",\"id\":2,\"result\":\"\"}'",
        "protocol",
        "`jsonrpc` is not \"2.0\"",
    ),
    fails(
        "serves neither result nor error",
        "echo '{\"jsonrpc\":\"2.0\",\"id\":2}'",
        "protocol",
        "neither `result` nor `error`",
    ),
    fails("serves a list", "answer '[1,2]'", "protocol", "a result of another type: `[1,2]`"),
    fails("serves nothing", "answer null", "protocol", "a result of another type: `null`"),
    fails("serves base64 that is none", "answer '{\"output_base64\":\"*\"}'", "protocol", "that is no base64"),
    Row {
        more: SMALL,
        ..fails("serves a line without end", "exec yes | tr -d '\\n'", "too-much-output", "longer than 1000 bytes")
    },
    Row {
        more: SMALL,
        ..fails(
            "serves more than it may",
            "answer \"\\\"$(printf %2000d 0)\\\"\"",
            "too-much-output",
            "longer than 1000 bytes",
        )
    },
    fails(
        "serves half a line and dies",
        "printf '{\"jsonrpc'; exit 5",
        "protocol",
        "half of one, `{\"jsonrpc`, and then: the plugin ended with exit code 5",
    ),
    fails("dies in a call", "echo oh >&2; exit 5", "exited", "exit code 5: oh"),
    fails("is killed in a call", "kill -9 $$", "signalled", "signal 9 ended the plugin"),
    fails("forks and dies in a call", "tail -f /dev/null & exit 0", "exited", "exit code 0"),
    fails(
        "complains for 8 MiB and dies",
        "yes | head -c 8388608 >&2; echo full >&2; exit 3",
        "exited",
        "exit code 3: full",
    ),
    Row {
        done: Done::CalledOften("crash-loop"),
        ..fails(
            "dies in every call",
            "exit 5",
            "crash-loop",
            "ended 5 times within 10s and is not started any more, until it changes",
        )
    },
    Row { more: SHORT, ..fails("never answers", ":", "timed-out", "longer than 300ms; `limits.time_ms`") },
    Row {
        more: SHORT,
        ..fails(
            "never answers and ignores SIGTERM",
            "trap '' TERM; exec tail -f /dev/null",
            "timed-out",
            "longer than 300ms",
        )
    },
    fails(
        "closes stdout and goes on",
        "exec 1>&-; exec tail -f /dev/null >/dev/null",
        "protocol",
        "found one that has closed it, and goes on",
    ),
    fails(
        "serves an error",
        "echo '{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-1,\"message\":\"too cold\"}}'",
        "failed",
        "too cold",
    ),
    fails(
        "serves an unknown method",
        "echo '{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-32601,\"message\":\"what?\"}}'",
        "unsupported",
        "the plugin does not know `process`",
    ),
    refused(
        "dies at its start",
        || b"#!/bin/sh\necho no licence >&2; exit 3\n".to_vec(),
        Rule::Load,
        "exit code 3: no licence",
    ),
    refused(
        "never answers at its start",
        || b"#!/bin/sh\nexec tail -f /dev/null\n".to_vec(),
        Rule::Load,
        "longer than 300ms",
    ),
    refused(
        "talks at its start",
        || b"#!/bin/sh\necho Welcome; exec cat\n".to_vec(),
        Rule::Signature,
        "found `Welcome`",
    ),
];
