//! What a guest can do that was granted nothing, and what with a grant: by a C library's own functions.

use super::{configure, with_guest};
use crate::plugin::garage::{Ear, Garage};
use pitstop_host::{Plugin, PluginError, Plugins};
use std::time::Duration;

/// What the spy answers to an order; or, in words, why it cannot.
fn ask(plugins: &Plugins, order: &str) -> Result<String, String> {
    let spy = plugins.get("spy").expect("a plugin");
    spy.process_text(order).map_err(|error| match error {
        PluginError::Failed { message } => message,
        other => panic!("{order}: {other}"),
    })
}

/// A folder with a secret beside what is granted.
fn with_files(garage: &Garage) {
    garage.write("data/open", "for everybody");
    garage.write("data/deep/deeper", "for everybody, too");
    garage.write("secret", "for nobody");
    std::os::unix::fs::symlink("../secret", garage.path("data/link")).expect("a link");
}

#[test]
fn nothing_is_granted_that_the_configuration_does_not_name() {
    let garage = with_guest("spy", "");
    with_files(&garage);
    let plugins = garage.open();
    let own = garage.path("data/open").display().to_string();
    for path in ["/etc/passwd", "../../../../etc/passwd", "/", ".", "data/open", &own] {
        for order in ["read", "list", "write"] {
            let refused = ask(&plugins, &format!("{order} {path}")).expect_err("it is not granted");
            assert!(refused.starts_with(&format!("{path}: ")), "{refused}");
        }
    }
    assert_eq!(std::fs::read(own).expect("a file"), b"for everybody", "nothing was written");
    assert_eq!(ask(&plugins, "variables"), Ok(String::new()));
    assert_eq!(ask(&plugins, "now"), Ok("0".to_owned()), "a clock that stands still");
}

#[test]
fn a_folder_is_granted_and_nothing_beside_it() {
    let garage = with_guest("spy", "");
    with_files(&garage);
    configure(&garage, "spy", "wasm = { files = [{ path = \"data\", access = \"read\", at = \"/granted\" }] }\n");
    let plugins = garage.open();
    assert_eq!(ask(&plugins, "read /granted/open"), Ok("for everybody".to_owned()));
    assert_eq!(ask(&plugins, "read /granted/deep/deeper"), Ok("for everybody, too".to_owned()));
    let mut names: Vec<String> =
        ask(&plugins, "list /granted").expect("a folder").split_whitespace().map(str::to_owned).collect();
    names.sort();
    assert_eq!(names, ["deep", "link", "open"]);
    let secret = garage.path("secret").display().to_string();
    for path in ["/granted/../secret", "/granted/link", "/granted/deep/../../secret", "/etc/passwd", &secret] {
        let refused = ask(&plugins, &format!("read {path}")).expect_err("it is not granted");
        assert!(refused.starts_with(&format!("{path}: ")), "{refused}");
    }
    for path in ["/granted/open", "/granted/new"] {
        ask(&plugins, &format!("write {path}")).expect_err("only reading is granted");
    }
    assert_eq!(std::fs::read(garage.path("data/open")).expect("a file"), b"for everybody");
    assert!(!garage.path("data/new").exists());
    // What is granted is read again, as all of the configuration is.
    let mut ear = Ear::of(&plugins);
    configure(&garage, "spy", "wasm = { files = [{ path = \"data\", access = \"read-write\", at = \"/granted\" }] }\n");
    ear.live("spy");
    assert_eq!(ask(&plugins, "write /granted/new"), Ok("written".to_owned()));
    assert_eq!(std::fs::read(garage.path("data/new")).expect("a file"), b"written by a guest");
    ask(&plugins, "write /granted/../new").expect_err("beside it");
}

#[test]
fn variables_and_the_clock_are_granted_by_name() {
    let garage = with_guest("spy", "set = { WORD = \"pit\" }\nwasm = { clock = true }\n");
    let plugins = garage.open();
    assert_eq!(ask(&plugins, "variables"), Ok("WORD=pit ".to_owned()));
    let seconds: u64 = ask(&plugins, "now").expect("the time").parse().expect("a number");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time").as_secs();
    assert!(now.abs_diff(seconds) < 400, "{seconds} is not {now}");
}

#[test]
fn a_loop_without_end_is_ended_by_its_time_while_another_plugin_answers() {
    let garage = with_guest("spy", "limits = { time_ms = 300 }\n");
    super::clang(&super::fixture("plugins/c/greeter.c"), &garage.path("greeter.wasm"));
    let text = std::fs::read_to_string(garage.path("pitstop.toml")).expect("a file");
    let greeter = "\n[[plugin]]\nname = \"greeter\"\nmechanism = \"wasm\"\nartifact = \"greeter.wasm\"\n";
    garage.write("pitstop.toml", &(text + greeter));
    let plugins = garage.open();
    let (spy, greeter) = (plugins.get("spy").expect("a plugin"), plugins.get("greeter").expect("a plugin"));
    std::thread::scope(|scope| {
        let endless = scope.spawn(|| spy.process(b"forever"));
        let mut greetings = 0;
        while !endless.is_finished() {
            assert_eq!(greeter.process_text("pit crew"), Ok("Hello, pit crew, from C".to_owned()));
            greetings += 1;
        }
        let ended = endless.join().expect("an answer");
        assert_eq!(ended, Err(PluginError::TimedOut { limit: Duration::from_millis(300) }));
        assert!(greetings > 0, "{greetings} greetings meanwhile");
    });
    assert_eq!(ask(&plugins, "variables"), Ok(String::new()), "a new instance answers");
}

#[test]
fn a_trap_ends_one_call_and_the_next_one_is_answered() {
    let garage = with_guest("spy", "");
    let plugins = garage.open();
    let spy = plugins.get("spy").expect("a plugin");
    for _ in 0..3 {
        let error = spy.process(b"trap").expect_err("a trap");
        assert!(matches!(&error, PluginError::Panicked { message } if message.contains("unreachable")), "{error:?}");
        assert_eq!(ask(&plugins, "variables"), Ok(String::new()));
    }
}
