//! Plugins that are C libraries and not written in C: Go with its own runtime. C++ is in `c_host`.

use super::garage::{Ear, Garage, Mechanism, go_echo, patched, version};
use pitstop_host::{Plugin, PluginError};

#[test]
fn a_plugin_in_go_is_reloaded_with_a_runtime_for_each_version() {
    let garage = Garage::with_echo(Mechanism::C, "");
    garage.write_bytes(Mechanism::C.file(), go_echo());
    let plugins = garage.open();
    let mut ear = Ear::of(&plugins);
    let echo = plugins.get("echo").expect("a plugin");
    for number in 1..6 {
        garage.write_bytes(Mechanism::C.file(), &patched(go_echo(), &version(number)));
        ear.live("echo");
        let all = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| echo.process_text("hello"))).collect();
            threads.into_iter().map(|thread| thread.join().expect("a reply")).collect::<Vec<_>>()
        });
        assert!(all.iter().all(|said| *said == Ok(format!("{0} hello {0}", version(number)))), "{all:?}");
        assert_eq!(echo.process(b"panic"), Err(PluginError::Panicked { message: "on purpose".to_owned() }));
        assert_eq!(echo.metadata().version, version(number));
    }
}
