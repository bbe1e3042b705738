//! Plugins in a session, by the example `greeter`: all four mechanisms built, edited, broken and mended while it runs.

use pitstop_contract::event::Event;
use pitstop_tests::{Project, Session, repository, signal};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const C: &str = "greeter/plugins/c/greeter.c";
const PYTHON: &str = "greeter/plugins/python/greeter.py";
const RUST: &str = "greeter/plugins/rust/src/lib.rs";
const SHELL: &str = "greeter/plugins/shell/greeter.sh";
const ALL: [&str; 4] = ["c", "python", "rust", "shell"];

/// The example, in a workspace of its own.
fn greeter() -> Project {
    let project = Project::new("greeter");
    copy(&repository().join("examples/greeter"), &project.path("greeter"));
    // The host of this session is built without the feature `rpc`, whose crates take minutes.
    std::fs::remove_dir_all(project.path("greeter/plugins/rpc")).expect("the plugin of mechanism `rpc`");
    let include = format!("{}/host/c/include", repository().display());
    project.edit("greeter/plugins/c/plugin.toml", "../../../../host/c/include", &include);
    // Nor with wasmtime: `wasm::reload` has that plugin in a session.
    project.edit("greeter/Cargo.toml", "default = [\"rpc\", \"wasm\"]", "default = []");
    std::fs::remove_dir_all(project.path("greeter/plugins/wasm")).expect("the plugin of mechanism `wasm`");
    project
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder for the copy");
    for entry in std::fs::read_dir(from).expect("the example").flatten() {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy(&source, &target);
        } else {
            std::fs::copy(&source, &target).expect("a copied file");
        }
    }
}

/// A session in which all plugins are live.
fn live(project: &Project) -> Session {
    let mut session = project.live(&["greeter"]);
    all_live(&mut session, &ALL);
    session
}

/// Waits until each of these plugins is live, and returns their numbers.
fn all_live(session: &mut Session, plugins: &[&str]) -> BTreeMap<String, u32> {
    let mut numbers = BTreeMap::new();
    while numbers.len() < plugins.len() {
        let (name, number) = session.event("plugins live", |event| match event {
            Event::Live { crate_name, generation, .. } => Some((crate_name.clone(), generation.0)),
            Event::BuildFailed { rendered, .. } => panic!("the build failed: {rendered}"),
            Event::Rejected { reasons, .. } => panic!("refused: {reasons:?}"),
            _ => None,
        });
        let name = name.strip_prefix("plugin:").unwrap_or(&name).to_owned();
        if plugins.contains(&name.as_str()) {
            numbers.insert(name, number);
        }
    }
    numbers
}

/// Waits for the end of a version of a plugin.
fn retired(session: &mut Session, plugin: &str) {
    let image = format!("plugin:{plugin}");
    session.event(&format!("`{image}` retired"), |event| {
        matches!(event, Event::Retired { crate_name, .. } if *crate_name == image).then_some(())
    });
}

/// Puts a file in the place of another, as many editors do.
fn replace(project: &Project, file: &str, from: &str, to: &str) {
    let draft = project.path(&format!("{file}.new"));
    std::fs::copy(project.path(file), &draft).expect("a draft");
    std::fs::write(&draft, project.replaced(file, from, to)).expect("a draft");
    std::fs::rename(draft, project.path(file)).expect("a file in place");
}

#[test]
fn four_mechanisms_are_built_and_live_at_the_start_and_an_edit_of_each_is_live() {
    let project = greeter();
    let mut session = live(&project);
    for language in ["C", "Python", "Rust", "the shell"] {
        session.prints(&format!("Hello, pit crew, from {language}"));
    }
    for (plugin, file, language) in
        [("c", C, "C"), ("python", PYTHON, "Python"), ("rust", RUST, "Rust"), ("shell", SHELL, "the shell")]
    {
        project.edit(file, "Hello, ", "Welcome, ");
        session.goes_live(&format!("plugin:{plugin}"));
        retired(&mut session, plugin);
        replace(&project, file, "Welcome, ", "Good day, ");
        session.goes_live(&format!("plugin:{plugin}"));
        retired(&mut session, plugin);
        session.prints(&format!("Welcome, pit crew, from {language}"));
        session.prints(&format!("Good day, pit crew, from {language}"));
    }
    let last: Vec<&str> = session.printed().filter(|line| line.contains("pit crew")).collect();
    assert!(last[last.len() - 4..].iter().all(|line| line.contains("Good day, ")), "{last:?}");
    session.interrupt();
    session.ends();
}

#[test]
fn what_does_not_compile_names_its_error_and_the_old_version_stays_until_it_is_mended() {
    let project = greeter();
    let mut session = live(&project);
    for (plugin, file, good, bad, says) in [
        (
            "c",
            C,
            "return PITSTOP_OK;\n}\n\nstatic void release",
            "return PITSTOP_FINE;\n}\n\nstatic void release",
            "PITSTOP_FINE",
        ),
        ("rust", RUST, "\"greeter\"\n", "greeter\n", "cannot find value `greeter`"),
    ] {
        project.edit(file, good, bad);
        let rendered = session.build_failed();
        assert!(rendered.contains(says), "{plugin}: {rendered}");
        // The others go on meanwhile, and it is what it was.
        let (before, after) = if plugin == "c" { ("Hello, %s", "Welcome, %s") } else { ("Welcome, %s", "Hello, %s") };
        project.edit(SHELL, before, after);
        session.goes_live("plugin:shell");
        session.prints(", from the shell");
        project.write(file, &project.replaced(file, bad, good).replace("Hello, ", "Mended, "));
        session.goes_live(&format!("plugin:{plugin}"));
        session.prints("Mended, pit crew, from");
    }
    session.interrupt();
    session.ends();
}

#[test]
fn a_syntax_error_of_a_script_is_refused_and_the_old_version_stays_until_it_is_mended() {
    let project = greeter();
    let mut session = live(&project);
    project.edit(PYTHON, "def answer(request):", "def answer(request:");
    let reasons = session.rejected();
    let reason = reasons[0].to_string();
    assert!(reason.contains("SyntaxError"), "{reason}");
    assert!(session.count(|event| matches!(event, Event::Rejected { .. })) == 1);
    project.edit(PYTHON, "def answer(request:", "def answer(request):\n    # Mended.");
    session.goes_live("plugin:python");
    project.edit(PYTHON, "Hello, ", "Mended, ");
    session.goes_live("plugin:python");
    session.prints("Mended, pit crew, from Python");
    session.interrupt();
    session.ends();
}

#[test]
fn a_plugin_that_is_added_appears_and_one_that_is_taken_out_goes_and_comes_back() {
    let project = greeter();
    let mut session = live(&project);
    project.write(
        "more/plugin.toml",
        "name = \"more\"\nmechanism = \"exec\"\nartifact = \"more.sh\"\nenvironment = [\"PATH\"]\n",
    );
    project.write("more/more.sh", "#!/bin/sh\n[ \"$1\" = process ] || exit 64\nprintf 'Oh, %s' \"$(cat)\"\n");
    std::fs::rename(project.path("more"), project.path("greeter/plugins/more")).expect("a move");
    let reasons = session.rejected();
    assert!(reasons[0].advice.contains("chmod +x"), "{reasons:?}");
    let executable = std::fs::metadata(project.path(SHELL)).expect("a script").permissions();
    std::fs::set_permissions(project.path("greeter/plugins/more/more.sh"), executable).expect("chmod");
    session.goes_live("plugin:more");
    session.prints("Oh, pit crew");
    std::fs::rename(project.path("greeter/plugins/c"), project.path("away")).expect("a move");
    // In either order.
    let mut ends = BTreeSet::new();
    while ends.len() < 2 {
        ends.insert(session.event("the plugin's end", |event| match event {
            Event::PluginForgotten { name } if name == "c" => Some("forgotten"),
            Event::Retired { crate_name, .. } if crate_name == "plugin:c" => Some("retired"),
            _ => None,
        }));
    }
    std::fs::rename(project.path("away"), project.path("greeter/plugins/c")).expect("a move");
    session.goes_live("plugin:c");
    project.edit(C, "Hello, ", "Back, ");
    session.goes_live("plugin:c");
    session.prints("Back, pit crew, from C");
    session.interrupt();
    session.ends();
}

#[test]
fn a_panic_in_one_plugin_and_a_crash_of_another_leave_the_others_alone() {
    let project = greeter();
    let mut session = live(&project);
    project.edit(
        RUST,
        "        let name =",
        "        if input.len() < 100 {\n            panic!(\"no voice\");\n        }\n        let name =",
    );
    session.goes_live("plugin:rust");
    session.prints("! ");
    assert!(session.has_seen("no voice"));
    project.edit(PYTHON, "    request = json.loads(line)", "    sys.exit(7)");
    // It cannot answer what it is, so that it is not taken; one that ends with a call is.
    let reasons = session.rejected();
    assert!(reasons[0].to_string().contains('7'), "{reasons:?}");
    project.edit(PYTHON, "    sys.exit(7)", "    request = json.loads(line)");
    project.edit(SHELL, "    process) printf", "    process) kill -9 $$; printf");
    session.goes_live("plugin:shell");
    session.prints("Hello, pit crew, from C");
    session.prints("Hello, pit crew, from Python");
    project.edit(RUST, "panic!", "println!");
    session.goes_live("plugin:rust");
    project.edit(SHELL, "kill -9 $$; ", "");
    session.goes_live("plugin:shell");
    session.prints("Hello, pit crew, from Rust");
    session.prints("Hello, pit crew, from the shell");
    session.interrupt();
    session.ends();
}

#[test]
fn a_watcher_that_was_killed_is_followed_by_another_for_plugins_too() {
    let project = greeter();
    let mut session = live(&project);
    let host = session.host();
    session.kill_command();
    project.edit(SHELL, "Hello, ", "Meanwhile, ");
    let mut watcher = Session::start(project.pitstop(&["watch", "greeter", "--json"]));
    assert_eq!(watcher.attached(), host, "the running program joins the new session");
    watcher.goes_live("plugin:shell");
    session.prints("Meanwhile, pit crew, from the shell");
    for (plugin, file) in [("c", C), ("rust", RUST), ("python", PYTHON)] {
        let before = project.read(file);
        project.write(file, &before.replace("Hello, ", "Afterwards, "));
        watcher.goes_live(&format!("plugin:{plugin}"));
        session.prints("Afterwards, pit crew, from");
    }
    signal(host, "KILL");
}

#[test]
fn a_program_without_reloadable_code_that_is_started_by_hand_finds_the_watcher() {
    let project = greeter();
    let mut watcher = Session::start(project.pitstop(&["watch", "greeter", "--json"]));
    let host = watcher.event("session", |event| match event {
        Event::Session { host, .. } => host.clone(),
        _ => None,
    });
    let mut program = Session::start(std::process::Command::new(host));
    assert_eq!(watcher.attached(), program.pid());
    all_live(&mut watcher, &ALL);
    project.edit(C, "Hello, ", "By hand, ");
    watcher.goes_live("plugin:c");
    program.prints("By hand, pit crew, from C");
    program.kill_command();
}

#[test]
fn a_restart_loads_all_plugins_again_without_a_build_and_their_numbers_go_on() {
    let project = greeter();
    let mut session = project.live(&["greeter"]);
    let before = all_live(&mut session, &ALL);
    session.asks(r#"{"request":"restart"}"#);
    session.event("restarted", |event| matches!(event, Event::Restarted { .. }).then_some(()));
    let after = all_live(&mut session, &ALL);
    let newest = before.values().max().expect("numbers");
    assert!(after.values().all(|number| number > newest), "{before:?} {after:?}");
    assert_eq!(after.values().collect::<BTreeSet<_>>().len(), ALL.len());
    project.edit(C, "Hello, ", "Again, ");
    session.goes_live("plugin:c");
    session.prints("Again, pit crew, from C");
    session.interrupt();
    session.ends();
}

#[test]
fn reloadable_code_and_a_plugin_are_edited_in_one_session() {
    let project = greeter();
    project.edit("greeter/Cargo.toml", "[dependencies]\n", "[dependencies]\nnames = { path = \"../names\" }\n");
    project.edit("greeter/src/main.rs", "process_text(\"pit crew\")", "process_text(&names::guest())");
    let mut session = live(&project);
    session.prints("Hello, pit crew, from C");
    project.edit("names/src/lib.rs", "\"pit crew\"", "\"driver\"");
    project.edit(C, "Hello, ", "Welcome, ");
    let mut live = BTreeSet::new();
    while live.len() < 2 {
        live.insert(session.event("live", |event| match event {
            Event::Live { crate_name, .. } => Some(crate_name.clone()),
            Event::BuildFailed { rendered, .. } => panic!("the build failed: {rendered}"),
            Event::Rejected { reasons, .. } => panic!("refused: {reasons:?}"),
            _ => None,
        }));
    }
    assert_eq!(live.into_iter().collect::<Vec<_>>(), ["names", "plugin:c"]);
    session.prints("Welcome, driver, from C");
    // Both at the safe point: each frame is of one name throughout.
    project.edit("names/src/lib.rs", "\"driver\"", "\"pit crew\"");
    session.goes_live("names");
    session.prints("Welcome, pit crew, from C");
    session.prints("Hello, pit crew, from the shell");
    let frames = session.printed().collect::<Vec<_>>().join("\n");
    for frame in frames.split("frame ").skip(1) {
        assert!(!(frame.contains("driver") && frame.contains("pit crew")), "{frame}");
    }
    session.interrupt();
    session.ends();
}
