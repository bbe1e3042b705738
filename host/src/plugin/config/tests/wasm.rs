//! What is granted to a plugin in WebAssembly, and what cannot be.

use super::*;
use crate::plugin::spec::{Access, Address, Folder, Host, Wasm};

const START: &str = "[[plugin]]\nname = \"a\"\nmechanism = \"wasm\"\nartifact = \"tool\"\n";

#[test]
fn what_is_granted_is_read() {
    let place = Place::new();
    let table = "[plugin.wasm]
files = [{ path = \"data\", access = \"read\" }, { path = \"open\", access = \"read-write\", at = \"/open\" }]
network = [\"127.0.0.1:8080\", \"[::1]:80\", \"Example.org:443\"]
clock = true
key-value = true
key-value-bytes = 1000
fuel = 7
interrupt = false
stack_bytes = 0x8000
";
    place.write("pitstop.toml", format!("{START}{table}"));
    let read = read(&place.at("pitstop.toml")).expect("good").plugins.remove(0).wasm;
    let folder = |path: &str, access, at: &str| Folder { path: place.at(path), access, at: at.to_owned() };
    let ip = |ip: &str, port| Address { host: Host::Ip(ip.parse().expect("an address")), port };
    let expected = Wasm {
        files: vec![folder("data", Access::Read, "data"), folder("open", Access::ReadWrite, "/open")],
        network: vec![
            ip("127.0.0.1", 8080),
            ip("::1", 80),
            Address { host: Host::Name("example.org".to_owned()), port: 443 },
        ],
        clock: true,
        key_value: Some(1000),
        fuel: Some(7),
        interrupt: false,
        stack: Some(0x8000),
    };
    assert_eq!(read, expected);
    let addresses: Vec<String> = expected.network.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["127.0.0.1:8080", "[::1]:80", "example.org:443"]);
}

#[test]
fn nothing_is_granted_that_is_not_said() {
    let place = Place::new();
    place.write("pitstop.toml", format!("{START}wasm = {{}}\n"));
    let read = read(&place.at("pitstop.toml")).expect("good").plugins.remove(0).wasm;
    assert_eq!(read, Wasm::default());
    assert!(
        read.files.is_empty() && read.network.is_empty() && !read.clock && read.key_value.is_none() && read.interrupt
    );
}

#[test]
fn what_cannot_be_granted_is_told_with_its_place() {
    let place = Place::new();
    for (inner, expected) in GRANTS {
        let told = place.wrong(&format!("{START}wasm = {{ {inner} }}\n"));
        assert_eq!(told, format!("DIR/pitstop.toml:{expected}"), "of {inner}");
    }
}

const GRANTS: &[(&str, &str)] = &[
    ("clocks = true", "5:10: unknown key `clocks`; did you mean `clock`?"),
    ("files = [{ access = \"read\" }]", "5:19: `path` is missing; write `path = \"data\"`"),
    ("files = [{ path = \"data\" }]", "5:19: `access` is missing; write `access = \"read\"`"),
    ("files = [{ path = \"data\", access = \"write\" }]", "5:45: `access` is `read` or `read-write`, not `write`"),
    (
        "files = [{ path = \"tool\", access = \"read\" }]",
        "5:28: `path` names no folder to grant: DIR/tool is a file, not a folder",
    ),
    ("files = [{ path = \"no\", access = \"read\" }]", "5:28: `path` is not there: DIR/no; make the folder"),
    (
        "files = [{ path = \"data\", access = \"read\", at = \"/\" }, { path = \"open\", access = \"read\", at = \"/\" }]",
        "5:104: `at` is `/` twice, and only one folder can be there; change one",
    ),
    (
        "network = [\"localhost\"]",
        "5:21: `network` has `localhost`, which has no port; write an address and a port, such as `127.0.0.1:8080` or \
         `example.org:443`",
    ),
    (
        "network = [\"::1:80\"]",
        "5:21: `network` has `::1:80`, whose IPv6 address has to stand in brackets; write an address and a port, such as \
         `127.0.0.1:8080` or `example.org:443`",
    ),
    (
        "network = [\"*:80\"]",
        "5:21: `network` has `*:80`, which names no machine; write an address and a port, such as `127.0.0.1:8080` or \
         `example.org:443`",
    ),
    (
        "network = [\"a:0\"]",
        "5:21: `network` has `a:0`, whose port is not from 1 to 65535; write an address and a port, such as \
         `127.0.0.1:8080` or `example.org:443`",
    ),
    (
        "key-value-bytes = 5",
        "5:10: `key-value-bytes` has no use without `key-value`; write `key-value = true`, or remove it",
    ),
    ("stack_bytes = 100", "5:24: `stack_bytes` is from 16384 to 1048576, which threads are sure to have, not 100"),
];

#[test]
fn a_drop_in_grants_itself_only_folders_of_its_own() {
    let place = Place::new();
    let drop_in = |path: &str| {
        place.drop_in_wrong(&format!(
            "mechanism = \"wasm\"\nartifact = \"run\"\nwasm = {{ files = [{{ path = \"{path}\", access = \"read\" }}] }}"
        ))
    };
    assert!(drop_in("sub").starts_with("no error"), "{}", drop_in("sub"));
    for path in ["../..", "/etc"] {
        assert!(drop_in(path).contains(&format!("`path` is `{path}`, which leads out;")), "{}", drop_in(path));
    }
}
