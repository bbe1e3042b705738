//! The table `rpc`: what is read from it, and what is said of faults in it.

use super::*;

fn text(rpc: &str) -> String {
    format!("[[plugin]]\nname = \"kv\"\nmechanism = \"rpc\"\nartifact = \"tool\"\n{rpc}\n")
}

#[test]
fn what_is_wrong_in_the_table_is_told_with_its_place() {
    let place = Place::new();
    for (line, expected) in FAULTS {
        assert_eq!(place.wrong(&text(line)), format!("DIR/pitstop.toml:{expected}"), "of\n{line}");
    }
}

const FAULTS: &[(&str, &str)] = &[
    ("rpc = 1", "5:7: `rpc` is a table, not a whole number; write `rpc = { versions = [1] }`"),
    (
        "rpc = { color = 1 }",
        "5:9: unknown key `color`; `rpc` has `cookie`, `versions`, `tls`, `ports`, `reattach`, `kill_after_ms` and `crashes`",
    ),
    ("rpc = { version = [1] }", "5:9: unknown key `version`; did you mean `versions`?"),
    (
        "rpc = { versions = 1 }",
        "5:20: `versions` is a list of whole numbers, not a whole number; write `versions = [1]`",
    ),
    (
        "rpc = { versions = [] }",
        "5:20: `versions` is empty, so that no plugin could be spoken to; remove it, or write `versions = [1]`",
    ),
    ("rpc = { versions = [1, 1] }", "5:24: `versions` has 1, which is there twice"),
    ("rpc = { versions = [70000] }", "5:21: `versions` has 70000, and no version is above 65536"),
    ("rpc = { tls = \"mtls\" }", "5:15: `tls` is `auto` or `none`, not `mtls`"),
    ("rpc = { ports = [1] }", "5:17: `ports` is the first and the last port; write `ports = [10000, 25000]`"),
    ("rpc = { ports = [9, 8] }", "5:17: `ports` is the first and the last port; write `ports = [10000, 25000]`"),
    ("rpc = { ports = [9, 70000] }", "5:21: 70000 is no port: a port is at most 65535"),
    ("rpc = { cookie = { key = \"A\" } }", "5:18: `value` is missing; write `value = \"hello\"`"),
    (
        "rpc = { cookie = { key = \"A=B\", value = \"c\" } }",
        "5:26: `key` is `A=B`, but the name of a variable has at least one letter, and no `=`",
    ),
    ("rpc = { cookie = { key = \"A\", value = \"\" } }", "5:39: `value` is empty; write `value = \"hello\"`"),
    ("rpc = { crashes = 0 }", "5:19: `crashes` is from 1 to 9223372036854775807, not 0; write `crashes = 5`"),
    ("rpc = { reattach = { pid = 1 } }", "5:20: `address` is missing; write `address = \"unix:/tmp/plugin123\"`"),
    ("rpc = { reattach = { address = \"unix:/a\" } }", "5:20: `pid` is missing; write `pid = 123`"),
    (
        "rpc = { reattach = { address = \"/a\", pid = 1 } }",
        "5:32: `address` is `/a`, which begins neither with `unix:` nor with `tcp:`; write `address = \"unix:/tmp/plugin123\"`",
    ),
    (
        "rpc = { reattach = { address = \"unix:a\", pid = 1 } }",
        "5:32: `address` is `unix:a`, which is no absolute path; write `address = \"unix:/tmp/plugin123\"`",
    ),
    (
        "rpc = { reattach = { address = \"tcp:here:1\", pid = 1 } }",
        "5:32: `address` is `tcp:here:1`, which is no IP address with a port; write `address = \"unix:/tmp/plugin123\"`",
    ),
    (
        "rpc = { reattach = { address = \"unix:/a\", pid = 1, version = 2 } }",
        "5:62: `version` is 2, which is not among `versions` (1)",
    ),
    (
        "rpc = { tls = \"auto\", reattach = { address = \"unix:/a\", pid = 1 } }",
        "5:15: `tls = \"auto\"` cannot be with `reattach`: the certificates are made for a process when it is started, and only who started it has them; remove one of them",
    ),
    (
        "mode = \"serve\"",
        "5:1: `mode` has no use here: it is for programs that are executed, and this plugin is a program that speaks go-plugin's protocol; remove it, or write `mechanism = \"exec\"`",
    ),
];

#[cfg(all(unix, feature = "rpc"))]
#[test]
fn the_table_is_read_and_without_it_go_plugins_usual_values_hold() {
    use crate::plugin::spec::{Reattach, ReattachAddress, Rpc};
    let place = Place::new();
    place.write("pitstop.toml", text(""));
    assert_eq!(read(&place.at("pitstop.toml")).expect("good").plugins[0].rpc, Rpc::default());
    let all = "rpc = { cookie = { key = \"KV\", value = \"hello\" }, versions = [3, 1], tls = \"none\", ports = [1, 65535], \
               reattach = { address = \"tcp:127.0.0.1:1234\", pid = 7, version = 3 }, kill_after_ms = 5, crashes = 1 }";
    place.write("pitstop.toml", text(all));
    let address = ReattachAddress::Tcp("127.0.0.1:1234".parse().expect("an address"));
    let expected = Rpc {
        cookie: crate::plugin::spec::Cookie { key: "KV".to_owned(), value: "hello".to_owned() },
        versions: vec![1, 3],
        tls: crate::plugin::spec::Tls::None,
        ports: (1, 65535),
        reattach: Some(Reattach { address, pid: 7, version: 3 }),
        kill_after: Duration::from_millis(5),
        crashes: 1,
    };
    assert_eq!(read(&place.at("pitstop.toml")).expect("good").plugins[0].rpc, expected);
}

#[cfg(all(unix, feature = "rpc"))]
#[test]
fn variables_of_the_protocol_cannot_be_set_by_hand() {
    let place = Place::new();
    assert_eq!(
        place.wrong(&text("set = { PLUGIN_CLIENT_CERT = \"x\" }")),
        "DIR/pitstop.toml:5:1: `set` cannot be kept: `PLUGIN_CLIENT_CERT` is a part of go-plugin's protocol, and set by \
         Pitstop; leave it out"
    );
}
