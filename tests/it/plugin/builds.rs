//! The watcher's side of plugins: what is asked for is built, staged under a versioned name, and published.

use pitstop_contract::event::{Event, Recipe};
use pitstop_contract::manifest::{Image, Kind, Manifest};
use pitstop_contract::session::{MANIFEST, host_events};
use pitstop_tests::{Project, Session};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A session with a host that is only a file: what a test lets it say.
struct Watched {
    session: Session,
    directory: PathBuf,
}

impl Watched {
    fn start(project: &Project) -> Self {
        Self::of(Session::start(project.pitstop(&["watch", "--json"])))
    }

    fn of(mut session: Session) -> Self {
        let directory = session.event("session", |event| match event {
            Event::Session { directory, .. } => Some(PathBuf::from(directory)),
            _ => None,
        });
        Self { session, directory }
    }

    fn host_says(&self, event: &Event) {
        let path = self.directory.join(host_events(std::process::id()));
        let mut log = std::fs::OpenOptions::new().create(true).append(true).open(path).expect("a log");
        let line = serde_json::to_string(event).expect("JSON");
        log.write_all(format!("{line}\n").as_bytes()).expect("a line");
    }

    /// Waits until a plugin is built, and returns its image.
    fn built(&mut self, name: &str) -> Image {
        let image = format!("plugin:{name}");
        let generation = self.session.event(&format!("`{image}` built"), |event| match event {
            Event::Built { generation, crates, .. } if crates.contains(&image) => Some(*generation),
            Event::BuildFailed { rendered, .. } => panic!("not built: {rendered}"),
            _ => None,
        });
        let published = self.image(name).expect("a published image");
        assert!(published.generation >= generation);
        published
    }

    fn image(&self, name: &str) -> Option<Image> {
        let text = std::fs::read(self.directory.join(MANIFEST)).expect("a manifest");
        let manifest: Manifest = serde_json::from_slice(&text).expect("JSON");
        let image = manifest.images.into_iter().find(|image| image.crate_name == format!("plugin:{name}"))?;
        assert_eq!(image.kind, Kind::Plugin);
        let bytes = std::fs::read(self.directory.join(&image.file)).expect("its file");
        assert_eq!((image.bytes, image.crc32), (bytes.len() as u64, crc32fast::hash(&bytes)));
        Some(image)
    }

    fn text(&self, image: &Image) -> String {
        std::fs::read_to_string(self.directory.join(&image.file)).expect("an image")
    }

    /// How often a plugin's build was begun.
    fn builds(&self, name: &str) -> usize {
        let image = format!("plugin:{name}");
        self.session.count(|event| matches!(event, Event::BuildStarted { crates, .. } if crates.contains(&image)))
    }

    /// Waits until no build of `greeter` runs, and none follows.
    fn comes_to_rest(&mut self, project: &Project) {
        let ended = |event: &Event| match event {
            Event::Built { crates, .. } => crates.contains(&"plugin:greeter".to_owned()),
            Event::BuildFailed { .. } | Event::BuildCancelled { .. } => true,
            _ => false,
        };
        loop {
            let builds = self.builds("greeter");
            (0..3).for_each(|_| self.catch_up(project));
            if self.builds("greeter") == builds && self.session.count(ended) == builds {
                return;
            }
        }
    }

    /// Waits until all that was done to files before has been taken in.
    fn catch_up(&mut self, project: &Project) {
        let file = "marks/mark";
        let mark = format!("{}x", if project.path(file).exists() { project.read(file) } else { String::new() });
        let is_new = mark == "x";
        project.write(file, &mark);
        if is_new {
            self.host_says(&from_file("mark", &project.path(file)));
        }
        self.built("mark");
    }
}

fn from_file(name: &str, path: &Path) -> Event {
    let directory = path.parent().expect("a folder").display().to_string();
    let artifact = Some(path.display().to_string());
    Event::PluginWanted { name: name.to_owned(), artifact, crate_name: None, build: None, directory }
}

/// A plugin `greeter` that a shell script builds from all that is in its folder.
fn from_script(project: &Project, script: &str) -> Event {
    from_command(project, &["sh", "-c", script, "{out}"])
}

fn from_command(project: &Project, command: &[&str]) -> Event {
    let directory = project.path("greeter").display().to_string();
    let command = command.iter().map(ToString::to_string).collect();
    let build = Some(Recipe { command, watch: vec![directory.clone()] });
    Event::PluginWanted { name: "greeter".to_owned(), artifact: None, crate_name: None, build, directory }
}

fn build_failed(session: &mut Session) -> String {
    session.event("build-failed", |event| match event {
        Event::BuildFailed { crate_name, errors, rendered, .. } => {
            assert_eq!((crate_name.as_str(), errors), ("plugin:greeter", &1));
            Some(rendered.clone())
        }
        _ => None,
    })
}

#[cfg(unix)]
#[test]
fn a_script_is_published_whenever_it_is_another_and_stays_executable() {
    use std::os::unix::fs::PermissionsExt;
    let project = Project::new("basic");
    let mut watched = Watched::start(&project);
    let path = project.path("plugins/greeter/greeter.sh");
    // Neither it nor its folder is there yet.
    watched.host_says(&from_file("greeter", &path));
    watched.catch_up(&project);
    assert_eq!(watched.image("greeter"), None);
    let mode = |path: &Path| std::fs::metadata(path).expect("a file").permissions().mode();
    // Made elsewhere and renamed, so that it is executable from the beginning.
    project.write("made", "#!/bin/sh\necho one\n");
    std::fs::set_permissions(project.path("made"), std::fs::Permissions::from_mode(0o755)).expect("chmod");
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::rename(project.path("made"), &path).expect("a move");
    let first = watched.built("greeter");
    assert_eq!(watched.text(&first), "#!/bin/sh\necho one\n");
    assert_eq!(mode(&watched.directory.join(&first.file)) & 0o111, 0o111);
    // The same once more is nothing new.
    project.write("plugins/greeter/greeter.sh", "#!/bin/sh\necho one\n");
    watched.catch_up(&project);
    assert_eq!(watched.image("greeter").as_ref(), Some(&first));
    project.write("plugins/greeter/greeter.sh", "#!/bin/sh\necho two\n");
    let second = watched.built("greeter");
    assert!(second.generation > first.generation && second.file != first.file);
    assert_eq!(watched.text(&second), "#!/bin/sh\necho two\n");
    assert_eq!(watched.text(&first), "#!/bin/sh\necho one\n", "somebody may run it");
    assert_eq!(watched.builds("greeter"), 0, "there is nothing to build");
}

#[cfg(unix)]
#[test]
fn a_link_is_followed_to_what_it_leads_to() {
    let project = Project::new("basic");
    let mut watched = Watched::start(&project);
    let path = project.path("plugins/greeter");
    std::fs::create_dir_all(project.path("plugins")).expect("a folder");
    // To nothing, at first.
    std::os::unix::fs::symlink("../source/greeter.sh", &path).expect("a link");
    watched.host_says(&from_file("greeter", &path));
    watched.catch_up(&project);
    assert_eq!(watched.image("greeter"), None);
    std::fs::create_dir_all(project.path("source")).expect("a folder");
    // Moved there, and so whole from the beginning.
    project.write("draft", "one");
    std::fs::rename(project.path("draft"), project.path("source/greeter.sh")).expect("a move");
    let image = watched.built("greeter");
    assert_eq!(watched.text(&image), "one");
    project.write("source/greeter.sh", "two");
    let image = watched.built("greeter");
    assert_eq!(watched.text(&image), "two");
    project.write("source/other.sh", "three");
    std::os::unix::fs::symlink("../source/other.sh", project.path("link")).expect("a link");
    std::fs::rename(project.path("link"), &path).expect("a move");
    let image = watched.built("greeter");
    assert_eq!(watched.text(&image), "three");
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_passed_over() {
    let project = Project::new("basic");
    let mut watched = Watched::start(&project);
    project.write("pipes/x", "");
    let made = std::process::Command::new("mkfifo").arg(project.path("pipes/pipe")).status();
    assert!(made.is_ok_and(|status| status.success()));
    for (name, file) in [("pipe", "pipes/pipe"), ("folder", "pipes"), ("nothing", "no/such/file")] {
        watched.host_says(&from_file(name, &project.path(file)));
    }
    watched.host_says(&from_file("endless", Path::new("/dev/zero")));
    watched.catch_up(&project);
    for name in ["pipe", "folder", "nothing", "endless"] {
        assert_eq!(watched.image(name), None, "{name}");
    }
    let Event::PluginWanted { name, directory, .. } = from_command(&project, &[]) else { unreachable!("made above") };
    let (artifact, crate_name, build) = (None, None, None);
    watched.host_says(&Event::PluginWanted { name, artifact, crate_name, build, directory });
    assert!(build_failed(&mut watched.session).contains("neither an artifact, nor a crate"));
}

#[test]
fn a_plugin_in_c_is_built_at_once_and_whenever_its_source_changes() {
    let project = Project::new("basic");
    project.write("greeter/greeter.c", "int answer(void) { return 1; }\n");
    let mut watched = Watched::start(&project);
    let words = ["cc", "-shared", "-fPIC", "-Wl,-soname,greeter.so", "-o", "{out}", "greeter.c"];
    watched.host_says(&from_command(&project, &words));
    let first = watched.built("greeter");
    for answer in 2..5 {
        project.write("greeter/greeter.c", &format!("int answer(void) {{ return {answer}; }}\n"));
        let files = watched.session.event("change", |event| match event {
            Event::Change { files, crates } if *crates == ["plugin:greeter"] => Some(files.clone()),
            _ => None,
        });
        assert_eq!(files, ["greeter/greeter.c"]);
        let next = watched.built("greeter");
        assert!(next.generation > first.generation && next.file != first.file && next.crc32 != first.crc32);
        assert!(next.build_ms > 0.0);
    }
    assert_eq!(watched.builds("greeter"), 4);
}

#[test]
fn what_does_not_compile_is_told_and_the_last_one_stays_until_it_is_mended() {
    let project = Project::new("basic");
    project.write("greeter/words", "hello");
    let mut watched = Watched::start(&project);
    let script = "if grep bad words; then echo no good >&2; exit 7; fi; cat words > \"$0\"";
    watched.host_says(&from_script(&project, script));
    let first = watched.built("greeter");
    project.write("greeter/words", "a bad word");
    let rendered = build_failed(&mut watched.session);
    assert!(
        rendered.starts_with("a bad word\nno good\n") && rendered.ends_with("ended with exit code 7"),
        "{rendered}"
    );
    assert_eq!(watched.image("greeter"), Some(first));
    project.write("greeter/words", "welcome");
    let mended = watched.built("greeter");
    assert_eq!(watched.text(&mended), "welcome");
}

#[test]
fn a_build_that_cannot_be_started_is_told_and_tried_again() {
    let project = Project::new("basic");
    project.write("greeter/words", "hello");
    let mut watched = Watched::start(&project);
    let wanted = from_command(&project, &["./make-greeter", "{out}"]);
    watched.host_says(&wanted);
    let rendered = build_failed(&mut watched.session);
    assert!(rendered.contains("cannot start `./make-greeter {out}`"), "{rendered}");
    // The program is started again, and asks again.
    watched.host_says(&wanted);
    build_failed(&mut watched.session);
    watched.host_says(&from_command(&project, &["cp", "words", "{out}"]));
    let image = watched.built("greeter");
    assert_eq!(watched.text(&image), "hello");
    watched.host_says(&from_command(&project, &[]));
    assert!(build_failed(&mut watched.session).contains("is empty"));
    assert_eq!(watched.image("greeter"), Some(image), "the last good one stays");
}

#[test]
fn an_edit_during_a_build_starts_it_again() {
    let project = Project::new("basic");
    project.write("greeter/words", "slow");
    let mut watched = Watched::start(&project);
    // Waits for a word that nobody says.
    let script =
        "cp words \"$0\"; if grep -q slow words; then mkfifo \"$0.never\"; echo waits > started; cat \"$0.never\"; fi";
    watched.host_says(&from_script(&project, script));
    watched.session.event("build-started", |event| {
        matches!(event, Event::BuildStarted { crates, .. } if *crates == ["plugin:greeter"]).then_some(())
    });
    while !project.path("greeter/started").exists() {
        watched.catch_up(&project);
    }
    project.write("greeter/words", "quick");
    watched.session.event("build-cancelled", |event| matches!(event, Event::BuildCancelled { .. }).then_some(()));
    let image = watched.built("greeter");
    assert_eq!(watched.text(&image), "quick");
    watched.catch_up(&project);
    assert_eq!(watched.builds("greeter"), 2);
}

#[test]
fn a_build_that_writes_among_its_sources_ends() {
    let project = Project::new("basic");
    project.write("greeter/a.c", "int a;\n");
    project.write("greeter/other.h", "\n");
    project.write("greeter/old.h", "was there before\n");
    let mut watched = Watched::start(&project);
    // Each time another content: a header, one that was there, a list, and something that is no text.
    let script = "date +%s%N > gen.h; date +%s%N > old.h; date +%s%N > list.d; printf '\\0%s' $$ > a.o; \
                  mkdir -p target .cache; date > target/x; date > .cache/x; cat a.c > \"$0\"";
    watched.host_says(&from_script(&project, script));
    let first = watched.built("greeter");
    assert_eq!(watched.text(&first), "int a;\n");
    watched.comes_to_rest(&project);
    let learnt = watched.builds("greeter");
    assert!(learnt <= 6, "{learnt} builds");
    assert_eq!(watched.image("greeter"), Some(first));
    // By now all is known.
    for edit in 1..4 {
        project.write("greeter/a.c", &format!("int a{edit};\n"));
        let image = watched.built("greeter");
        assert_eq!(watched.text(&image), format!("int a{edit};\n"));
        watched.comes_to_rest(&project);
        assert_eq!(watched.builds("greeter"), learnt + edit);
    }
}

#[test]
fn what_is_the_same_is_not_published_again() {
    let project = Project::new("basic");
    project.write("greeter/words", "hello\n");
    let mut watched = Watched::start(&project);
    watched.host_says(&from_script(&project, "grep -v '#' words > \"$0\""));
    let first = watched.built("greeter");
    project.write("greeter/words", "# a remark\nhello\n");
    // Whoever waits for the build is told that it is done.
    assert_eq!(watched.built("greeter"), first);
    watched.session.event("notice", |event| match event {
        Event::Notice { message } => message.contains("plugin greeter was built, and is the same").then_some(()),
        _ => None,
    });
}

#[test]
fn what_editors_leave_and_the_artifact_itself_ask_for_no_build() {
    let project = Project::new("basic");
    project.write("greeter/words", "hello");
    let mut watched = Watched::start(&project);
    let Event::PluginWanted { name, crate_name, build, directory, .. } =
        from_command(&project, &["cp", "words", "greeter.bin"])
    else {
        unreachable!("made above")
    };
    let artifact = Some(project.path("greeter/greeter.bin").display().to_string());
    watched.host_says(&Event::PluginWanted { name, artifact, crate_name, build, directory });
    let first = watched.built("greeter");
    assert_eq!(watched.text(&first), "hello");
    for file in [".words.swp", "words~", "4913", ".git/index", "target/debug/x", "greeter.bin"] {
        project.write(&format!("greeter/{file}"), "x");
    }
    project.write("greeter/words", "hello");
    watched.catch_up(&project);
    assert_eq!(watched.builds("greeter"), 1);
    // A folder that is made during the session is watched as any other.
    project.write("greeter/more/deep/words", "x");
    watched.built("greeter");
    project.write("greeter/more/deep/words", "y");
    watched.built("greeter");
    assert_eq!(watched.builds("greeter"), 3);
}

#[test]
fn an_unloaded_plugin_is_neither_watched_nor_published() {
    let project = Project::new("basic");
    project.write("greeter/words", "hello");
    let mut watched = Watched::start(&project);
    let wanted = from_command(&project, &["cp", "words", "{out}"]);
    watched.host_says(&wanted);
    let first = watched.built("greeter");
    watched.host_says(&Event::PluginForgotten { name: "greeter".to_owned() });
    watched.host_says(&Event::PluginForgotten { name: "unknown".to_owned() });
    // Words of a host and edits come by different ways: the words first.
    watched.catch_up(&project);
    project.write("greeter/words", "welcome");
    watched.catch_up(&project);
    assert_eq!((watched.image("greeter"), watched.builds("greeter")), (None, 1));
    assert_eq!(watched.text(&first), "hello", "calls may go on in it");
    watched.host_says(&wanted);
    let second = watched.built("greeter");
    assert!(second.generation > first.generation);
    assert_eq!(watched.text(&second), "welcome");
}

#[test]
fn an_image_is_named_by_the_number_that_it_is_published_under() {
    let project = Project::new("basic");
    project.write("greeter/words", "hello");
    let mut watched = Watched::start(&project);
    // Takes the number that the image of the program's crate is being built for.
    watched.host_says(&from_command(&project, &["cp", "words", "{out}"]));
    let mut numbers = std::collections::BTreeMap::new();
    while numbers.len() < 2 {
        watched.session.event("built", |event| match event {
            Event::Built { generation, crates, .. } => {
                numbers.insert(crates[0].clone(), *generation).or(Some(*generation))
            }
            _ => None,
        });
    }
    assert_ne!(numbers["logic"], numbers["plugin:greeter"]);
    let text = std::fs::read(watched.directory.join(MANIFEST)).expect("a manifest");
    let manifest: Manifest = serde_json::from_slice(&text).expect("JSON");
    for image in manifest.images {
        assert_eq!(image.generation, numbers[&image.crate_name]);
        let stem = image.file.split('.').next().unwrap_or_default();
        assert!(stem.ends_with(&format!("-{}", image.generation)), "{image:?}");
        assert!(watched.directory.join(&image.file).is_file(), "{image:?}");
    }
}

#[test]
fn a_crate_of_the_workspace_is_published_as_a_plugin() {
    let project = Project::new("classic");
    let mut watched = Watched::start(&project);
    let directory = project.path("logic").display().to_string();
    let wanted = |name: &str, crate_name: &str| Event::PluginWanted {
        name: name.to_owned(),
        artifact: None,
        crate_name: Some(crate_name.to_owned()),
        build: None,
        directory: directory.clone(),
    };
    watched.host_says(&wanted("ticker", "logic"));
    let first = watched.built("ticker");
    project.edit("logic/src/lib.rs", "FACTOR: u64 = 1", "FACTOR: u64 = 2");
    let second = watched.built("ticker");
    assert!(second.generation > first.generation && second.file != first.file);
    project.edit("steps/src/lib.rs", "    1\n", "    5\n");
    let third = watched.built("ticker");
    assert!(third.generation > second.generation);
    project.edit("steps/src/lib.rs", "    5\n", "    five\n");
    watched.session.build_failed();
    project.edit("steps/src/lib.rs", "    five\n", "    6\n");
    watched.built("ticker");
    watched.host_says(&Event::PluginForgotten { name: "ticker".to_owned() });
    watched.catch_up(&project);
    let builds = watched.builds("ticker");
    project.edit("logic/src/lib.rs", "FACTOR: u64 = 2", "FACTOR: u64 = 3");
    watched.catch_up(&project);
    assert_eq!((watched.image("ticker"), watched.builds("ticker")), (None, builds));
    watched.host_says(&wanted("greeter", "nothing"));
    let rendered = build_failed(&mut watched.session);
    assert!(rendered.contains("no crate of the workspace has this name"), "{rendered}");
}

#[test]
fn a_program_that_is_started_anew_gets_its_plugins_without_a_build() {
    let project = Project::new("basic");
    project.write("greeter/words", "hello");
    project.write("plain/plain.sh", "echo\n");
    let mut watched = Watched::of(project.run(&[]));
    watched.session.attached();
    let wanted = from_command(&project, &["cp", "words", "{out}"]);
    let plain = from_file("plain", &project.path("plain/plain.sh"));
    watched.host_says(&wanted);
    let first = watched.built("greeter");
    watched.host_says(&plain);
    watched.built("plain");
    watched.session.asks(r#"{"request":"restart"}"#);
    watched.session.event("restarted", |event| matches!(event, Event::Restarted { .. }).then_some(()));
    assert_eq!(watched.image("greeter"), None, "nobody has asked yet");
    watched.host_says(&wanted);
    let again = watched.built("greeter");
    assert!(again.generation > first.generation);
    assert_eq!(watched.text(&again), "hello");
    watched.host_says(&plain);
    watched.built("plain");
    assert_eq!(watched.builds("greeter"), 1);
    project.write("greeter/words", "welcome");
    let image = watched.built("greeter");
    assert_eq!(watched.text(&image), "welcome");
}
