//! Plugins opened, listed, switched, added and taken out while the program runs.

use super::garage::{Ear, Garage, Mechanism, until, version};
use pitstop_host::{Plugin, PluginError, PluginState, PluginsError, Rule};

fn shell(name: &str) -> String {
    format!("name = \"{name}\"\nmechanism = \"exec\"\nartifact = \"echo.sh\"\nenvironment = [\"PATH\"]\n")
}

#[test]
fn plugins_of_all_mechanisms_have_one_interface() {
    for mechanism in Mechanism::ALL {
        let garage = Garage::with_echo(mechanism, mechanism.more());
        let plugins = garage.open();
        let echo = plugins.get("echo").expect("a plugin");
        assert_eq!(echo.name(), "echo");
        let (said, metadata) = (echo.process_text("hello"), echo.metadata());
        assert_eq!(said, Ok(format!("{0} hello {0}", version(1))), "{mechanism:?}");
        assert_eq!((metadata.version, metadata.mechanism.as_str()), (version(1), mechanism.name()));
        if mechanism != Mechanism::Serve {
            assert_eq!(metadata.capabilities[0], "echo");
        }
        let shared: Box<dyn Plugin> = Box::new(echo);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| shared.process(b"hello").expect("an echo"));
            }
        });
        let info = &plugins.versions("echo").expect("versions")[0];
        assert_eq!((info.calls, info.errors, info.weight), (5, 0, 1));
        assert!(info.median.is_some() && info.p99 >= info.median, "{info:?}");
    }
}

#[test]
fn a_new_file_is_live_at_the_safe_point_and_the_old_version_ends() {
    for mechanism in Mechanism::ALL {
        let garage = Garage::with_echo(mechanism, mechanism.more());
        let plugins = garage.open();
        let echo = plugins.get("echo").expect("a plugin");
        let mut ear = Ear::of(&plugins);
        echo.process(b"once").expect("an echo");
        garage.put(mechanism, 2);
        let live = ear.live("echo");
        assert_eq!(echo.process_text("hello"), Ok(format!("{0} hello {0}", version(2))), "{mechanism:?}");
        let (retired, calls, errors) = ear.retired("echo");
        assert!(retired < live);
        assert_eq!((calls, errors), (1, 0));
    }
}

#[test]
fn a_bad_new_file_never_takes_the_place_of_a_good_one() {
    for mechanism in Mechanism::ALL {
        let garage = Garage::with_echo(mechanism, mechanism.more());
        let plugins = garage.open();
        let echo = plugins.get("echo").expect("a plugin");
        let mut ear = Ear::of(&plugins);
        garage.write(mechanism.file(), "neither a library nor a program");
        let reasons = ear.rejected("echo");
        assert!(!reasons.is_empty());
        assert_eq!(echo.process_text("hello"), Ok(format!("{0} hello {0}", version(1))), "{mechanism:?}");
        assert!(plugins.list()[0].problem.is_some());
        garage.put(mechanism, 3);
        ear.live("echo");
        assert_eq!(echo.process_text("hello"), Ok(format!("{0} hello {0}", version(3))));
        assert_eq!(plugins.list()[0].problem, None);
    }
}

#[test]
fn a_plugin_that_is_added_appears_and_one_that_is_removed_goes() {
    let garage = Garage::new();
    garage.write("pitstop.toml", "[plugins]\ndirectories = [\"plugins\"]\n");
    garage.put_as(Mechanism::Once, 1, "plugins/one/echo.sh");
    garage.write("plugins/one/plugin.toml", &shell("one"));
    let plugins = garage.open();
    let mut ear = Ear::of(&plugins);
    assert_eq!(plugins.list().len(), 1);
    garage.put_as(Mechanism::Once, 2, "plugins/two/echo.sh");
    garage.write("plugins/two/plugin.toml", &shell("two"));
    ear.live("two");
    let two = plugins.get("two").expect("a plugin");
    assert_eq!(two.process_text("hello"), Ok(format!("{0} hello {0}", version(2))));
    std::fs::remove_dir_all(garage.path("plugins/two")).expect("removed");
    let (_, calls, _) = ear.retired("two");
    assert_eq!(calls, 1);
    assert!(matches!(two.process(b"hello"), Err(PluginError::Unavailable { .. })));
    assert!(matches!(plugins.get("two"), Err(PluginsError::Unknown { .. })));
    assert!(plugins.get("one").is_ok());
    garage.put_as(Mechanism::Once, 3, "plugins/two/echo.sh");
    garage.write("plugins/two/plugin.toml", &shell("two"));
    ear.live("two");
    assert_eq!(two.process_text("hello"), Ok(format!("{0} hello {0}", version(3))), "a handle from before");
}

#[test]
fn a_folder_that_is_moved_into_place_is_a_plugin() {
    let garage = Garage::new();
    garage.write("pitstop.toml", "[plugins]\ndirectories = [\"plugins\"]\n");
    std::fs::create_dir(garage.path("plugins")).expect("a folder");
    let plugins = garage.open();
    let mut ear = Ear::of(&plugins);
    garage.put_as(Mechanism::Once, 7, "elsewhere/echo.sh");
    garage.write("elsewhere/plugin.toml", &shell("moved"));
    std::fs::rename(garage.path("elsewhere"), garage.path("plugins/moved")).expect("moved");
    ear.live("moved");
    assert!(plugins.get("moved").expect("a plugin").process_text("x").is_ok());
}

#[test]
fn a_fault_in_a_drop_in_is_told_with_its_place_and_heals_when_it_is_mended() {
    let garage = Garage::new();
    garage.write("pitstop.toml", "[plugins]\ndirectories = [\"plugins\"]\n");
    garage.put_as(Mechanism::Once, 1, "plugins/one/echo.sh");
    garage.write("plugins/one/plugin.toml", &shell("one"));
    let plugins = garage.open();
    let mut ear = Ear::of(&plugins);
    garage.write("plugins/one/plugin.toml", &shell("one").replace("artifact", "artefact"));
    let reasons = ear.rejected("one");
    assert_eq!(reasons[0].rule, Rule::Manifest);
    assert!(reasons[0].subject.contains("plugin.toml:3:1"), "{reasons:?}");
    assert!(plugins.get("one").expect("still there").process(b"x").is_ok(), "what is loaded stays");
    garage.write("plugins/one/plugin.toml", &(shell("one") + "arguments = [\"more\"]\n"));
    ear.live("one");
    assert!(plugins.get("one").expect("a plugin").process(b"x").is_ok());
}

#[test]
fn two_plugins_of_one_name_are_told_and_the_first_one_stays() {
    let garage = Garage::new();
    garage.write("pitstop.toml", "[plugins]\ndirectories = [\"plugins\"]\n");
    garage.put_as(Mechanism::Once, 1, "plugins/a/echo.sh");
    garage.write("plugins/a/plugin.toml", &shell("echo"));
    let plugins = garage.open();
    let mut ear = Ear::of(&plugins);
    garage.put_as(Mechanism::Once, 2, "plugins/b/echo.sh");
    garage.write("plugins/b/plugin.toml", &shell("echo"));
    let reasons = ear.rejected("b");
    assert!(reasons[0].found.contains("plugins/a/plugin.toml:1"), "{reasons:?}");
    let said = plugins.get("echo").expect("a plugin").process_text("x").expect("an echo");
    assert!(said.starts_with(&version(1)));
}

#[test]
fn plugins_are_switched_off_and_on_and_loaded_and_unloaded() {
    let garage = Garage::with_echo(Mechanism::Once, Mechanism::Once.more());
    let plugins = garage.open();
    let mut ear = Ear::of(&plugins);
    let echo = plugins.get("echo").expect("a plugin");
    plugins.disable("echo").expect("known");
    until("it is off", || plugins.list()[0].state == PluginState::Disabled);
    let error = echo.process(b"x").expect_err("it is off");
    assert_eq!(error.to_string(), "no plugin `echo`: it is disabled");
    plugins.enable("echo").expect("known");
    until("it is on", || plugins.list()[0].state == PluginState::Live);
    assert!(echo.process(b"x").is_ok());
    garage.put_as(Mechanism::Once, 5, "by-hand/echo.sh");
    garage.write("by-hand/plugin.toml", &shell("hand"));
    let hand = plugins.load(garage.path("by-hand/plugin.toml")).expect("loaded");
    assert_eq!(hand.process_text("x"), Ok(format!("{0} x {0}", version(5))));
    let again = plugins.load(garage.path("by-hand/plugin.toml")).expect_err("it is there");
    assert!(matches!(again, PluginsError::Known { .. }), "{again}");
    plugins.unload("hand").expect("known");
    ear.retired("hand");
    assert!(hand.process(b"x").is_err());
    let unknown = plugins.disable("nobody").expect_err("unknown");
    assert_eq!(unknown.to_string(), "no plugin `nobody`: there are echo");
}

#[test]
fn a_plugin_that_is_configured_off_is_loaded_when_it_is_switched_on() {
    let garage = Garage::with_echo(Mechanism::C, "enabled = false\n");
    let plugins = garage.open();
    let mut ear = Ear::of(&plugins);
    assert_eq!(plugins.list()[0].state, PluginState::Disabled);
    plugins.enable("echo").expect("known");
    ear.live("echo");
    assert!(plugins.get("echo").expect("a plugin").process(b"x").is_ok());
}

#[test]
fn a_configuration_that_is_edited_is_read_again() {
    let garage = Garage::with_echo(Mechanism::C, "");
    let plugins = garage.open();
    let mut ear = Ear::of(&plugins);
    let echo = plugins.get("echo").expect("a plugin");
    assert_eq!(echo.process(b"much").expect("two megabytes").len(), 2 << 20);
    let text = std::fs::read_to_string(garage.path("pitstop.toml")).expect("a file");
    garage.write("pitstop.toml", &(text.clone() + "limits = { output_bytes = 1000 }\n"));
    ear.live("echo");
    assert_eq!(echo.process(b"much"), Err(PluginError::TooMuchOutput { limit: 1000 }));
    garage.write("pitstop.toml", &(text.clone() + "limits = 5\n"));
    assert!(ear.hears("a fault", |event| match event {
        pitstop_host::Event::Rejected { reasons, .. } => Some(reasons[0].subject.contains("pitstop.toml:5:10")),
        _ => None,
    }));
    garage.write("pitstop.toml", "[plugins]\n");
    ear.retired("echo");
    assert!(plugins.list().is_empty());
}

#[test]
fn what_is_closed_leaves_no_file_and_no_process_behind() {
    let garage = Garage::with_echo(Mechanism::Serve, Mechanism::Serve.more());
    garage.write(
        "pitstop.toml",
        &(std::fs::read_to_string(garage.path("pitstop.toml")).expect("a file")
            + "\n[plugins]\nstaging = \"copies\"\n"),
    );
    let plugins = garage.open();
    let echo = plugins.get("echo").expect("a plugin");
    echo.process(b"x").expect("an echo");
    let copies = || std::fs::read_dir(garage.path("copies")).expect("a folder").count();
    assert_eq!(copies(), 1);
    drop(plugins);
    assert_eq!(copies(), 0);
    assert!(matches!(echo.process(b"x"), Err(PluginError::Unavailable { .. })));
}
