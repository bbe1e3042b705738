//! What is no WebAssembly, or such as does not keep to the interface, is named and never takes the place of a good version.

use super::{fixture, with_guest};
use crate::plugin::garage::{Ear, c_echo};
use pitstop_host::Plugin;

#[test]
fn a_file_of_another_kind_is_named_and_the_version_before_it_stays() {
    let garage = with_guest("greeter", "");
    let plugins = garage.open();
    let mut ear = Ear::of(&plugins);
    let greeter = plugins.get("greeter").expect("a plugin");
    let metadata = greeter.metadata();
    assert_eq!((metadata.version.as_str(), metadata.mechanism.as_str()), ("1.0.0", "wasm"));
    assert_eq!(metadata.capabilities, ["greet"]);
    let good = std::fs::read(garage.path("greeter.wasm")).expect("a module");
    let text = std::fs::read(fixture("plugins/text/greeter.wat")).expect("a text");
    // A module that has none of the functions.
    let empty = b"\0asm\x01\0\0\0".to_vec();
    let cases: [(&[u8], &str); 6] = [
        (c_echo(), "ELF"),
        (&text, "text (.wat)"),
        (b"#!/bin/sh\necho hello\n", "a script"),
        (b"", "empty"),
        (&good[..good.len() / 2], "unexpected end"),
        (&empty, "pitstop_process"),
    ];
    for (bytes, says) in cases {
        garage.write_bytes("greeter.wasm", bytes);
        let reasons = ear.rejected("greeter");
        let told = reasons.iter().map(|reason| format!("{reason} {}", reason.advice)).collect::<String>();
        assert!(told.contains(says), "no `{says}` in {reasons:#?}");
        assert!(!reasons[0].advice.is_empty(), "{reasons:#?}");
        assert_eq!(greeter.process_text("pit crew"), Ok("Hello, pit crew, from C".to_owned()));
    }
    garage.write_bytes("greeter.wasm", &good);
    ear.live("greeter");
    assert_eq!(greeter.process_text("driver"), Ok("Hello, driver, from C".to_owned()));
}
