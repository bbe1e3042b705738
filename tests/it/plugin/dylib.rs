//! Plugins in Rust: proven as images are, panics contained, records to the program's logger.

use super::garage::{Garage, Mechanism, rust_build};
use pitstop_host::{Event, Plugin, PluginError};
use std::sync::Mutex;

#[test]
fn a_panic_stays_in_the_plugin_and_the_next_call_goes_on() {
    let garage = Garage::with_echo(Mechanism::Dylib, "");
    let plugins = garage.open();
    let echo = plugins.get("echo").expect("a plugin");
    assert_eq!(echo.process(b"panic"), Err(PluginError::Panicked { message: "on purpose".to_owned() }));
    let message = "a panic whose payload is not text".to_owned();
    assert_eq!(echo.process(b"payload"), Err(PluginError::Panicked { message }));
    assert_eq!(echo.process(b"fail"), Err(PluginError::failed("as asked")));
    assert_eq!(echo.process(b"verb"), Err(PluginError::Unsupported { verb: "verb".to_owned() }));
    assert_eq!(echo.process(b"none"), Ok(Vec::new()));
    assert!(echo.process(b"x").is_ok());
    assert_eq!(plugins.versions("echo").expect("versions")[0].errors, 4);
}

#[test]
fn the_types_that_cross_are_compared() {
    let garage = Garage::with_echo(Mechanism::Dylib, "enabled = false\n");
    let plugins = garage.open();
    let mut ear = super::garage::Ear::of(&plugins);
    plugins.enable("echo").expect("known");
    let (types, gaps) = ear.hears("verified", |event| match event {
        Event::Verified { crate_name, types, gaps, .. } if crate_name == "plugin:echo" => Some((*types, gaps.clone())),
        _ => None,
    });
    assert!(types > 10, "{types} types");
    assert_eq!(gaps, Vec::<String>::new());
}

#[test]
fn a_plugin_whose_panics_abort_is_refused() {
    let garage = Garage::with_echo(Mechanism::Dylib, "");
    garage.write_bytes(Mechanism::Dylib.file(), &rust_build(&[("CARGO_PROFILE_DEV_PANIC", "abort")]));
    let plugins = garage.open();
    let problem = plugins.list()[0].problem.clone().expect("a refusal");
    assert!(problem.contains("panic") && problem.contains("`unwind`"), "{problem}");
}

#[test]
fn a_release_build_is_taken_with_what_could_not_be_compared() {
    let garage = Garage::with_echo(Mechanism::Dylib, "enabled = false\n");
    garage.write_bytes(Mechanism::Dylib.file(), &rust_build(&[("CARGO_PROFILE_DEV_DEBUG", "0")]));
    let plugins = garage.open();
    let mut ear = super::garage::Ear::of(&plugins);
    plugins.enable("echo").expect("known");
    let gaps = ear.hears("verified", |event| match event {
        Event::Verified { crate_name, gaps, .. } if crate_name == "plugin:echo" => Some(gaps.clone()),
        _ => None,
    });
    assert!(gaps.iter().any(|gap| gap.contains("debug info")), "{gaps:?}");
    assert!(plugins.get("echo").expect("a plugin").process(b"x").is_ok());
}

#[test]
fn a_library_in_c_is_no_plugin_in_rust_and_one_in_rust_is_one_in_c_too() {
    let garage = Garage::with_echo(Mechanism::C, "");
    let as_rust = garage.path("pitstop.toml");
    let text = std::fs::read_to_string(&as_rust).expect("a file");
    garage.write("pitstop.toml", &text.replace("mechanism = \"c\"", "mechanism = \"dylib\""));
    let problem = garage.open().list()[0].problem.clone().expect("a refusal");
    assert!(problem.contains("__pitstop_plugin_enter"), "{problem}");
    garage.write_bytes(Mechanism::C.file(), super::garage::rust_echo());
    garage.write("pitstop.toml", &text);
    let plugins = garage.open();
    assert!(plugins.get("echo").expect("a plugin").process(b"x").is_ok(), "{:?}", plugins.list());
}

static HEARD: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

struct Logger;

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = (format!("{} {}", record.level(), record.target()), record.args().to_string());
        HEARD.lock().expect("lines").push(line);
    }

    fn flush(&self) {}
}

#[test]
fn what_plugins_log_goes_to_the_programs_logger() {
    static LOGGER: Logger = Logger;
    log::set_logger(&LOGGER).expect("the only logger of this program");
    log::set_max_level(log::LevelFilter::Trace);
    let heard =
        |target: &str, text: &str| HEARD.lock().expect("lines").iter().any(|line| line.0 == target && line.1 == text);
    let garage = Garage::with_echo(Mechanism::Dylib, "");
    garage.open().get("echo").expect("a plugin").process(b"log").expect("nothing");
    assert!(heard("WARN echo", "heard 7"), "{:?}", HEARD.lock());
    let garage = Garage::with_echo(Mechanism::C, "");
    garage.open().get("echo").expect("a plugin").process(b"log").expect("nothing");
    assert!(heard("WARN pitstop::plugin", "echo: heard 7"), "{:?}", HEARD.lock());
    assert!(heard("TRACE pitstop::plugin", "echo: "));
    assert!(heard("ERROR pitstop::plugin", "echo: \u{fffd}"));
}
