//! The greeter in WebAssembly, a component that keeps to `host/wit/pitstop.wit`: it has the program's log, and nothing else.

wit_bindgen::generate!({ path: "../../../../host/wit", world: "plugin" });

use exports::pitstop::plugin::guest::{Description, Guest};
use pitstop::plugin::log::{Level, log};

struct Greeter;

impl Guest for Greeter {
    fn describe() -> Description {
        Description {
            name: "greeter".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            capabilities: vec!["greet".to_owned()],
        }
    }

    fn process(input: Vec<u8>) -> Result<Vec<u8>, String> {
        let name = std::str::from_utf8(&input).map_err(|_| "the name is no text")?;
        log(Level::Debug, &format!("greets {name}"));
        Ok(format!("Hello, {name}, from WebAssembly").into_bytes())
    }
}

export!(Greeter);
