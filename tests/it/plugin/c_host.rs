//! The host as a C library: programs in C and C++ against its headers, alone and under valgrind.

mod compile;
mod example;
mod headers;
mod published;

use compile::{Link, ends_well, game, library, memcheck, program, shared, target};
use pitstop_contract::Generation;
use pitstop_contract::event::Event;
use pitstop_tests::{Project, Session, repository};
use published::Published;
use std::process::Command;

const PHYS: &str = "phys.c";

/// Runs a program around a library that is published to it as the watcher would.
fn start(mut program: Command, project: &Project, published: &Published) -> Session {
    program.arg(project.path("libphys.so")).env("PITSTOP_SESSION", published.directory());
    Session::start(program)
}

/// Compiles the library as it is now, and publishes it.
fn publish(project: &Project, published: &mut Published) {
    library(project, "libphys.so", "-g");
    published.publish(&project.path("libphys.so"));
}

fn edit(project: &Project, published: &mut Published, from: &str, to: &str) {
    project.edit(PHYS, from, to);
    publish(project, published);
}

/// Waits for lines that contain these, in any order: events come from another thread.
fn prints(session: &mut Session, texts: &[&str]) {
    let mut texts = texts.to_vec();
    while !texts.is_empty() {
        let line = session.prints("");
        texts.retain(|text| !line.contains(text));
    }
}

/// Three versions, one that is refused, one that does not build, a step back, and the end.
fn reloads(program: Command, project: &Project) {
    let mut published = Published::new(project);
    publish(project, &mut published);
    let mut session = start(program, project, &published);
    session.prints("attached 1");
    session.prints("tick 21");
    edit(project, &mut published, "STEP 1", "STEP 2");
    prints(&mut session, &["event 1, libphys.so, version 2: version 2 of ", "tick 22"]);
    edit(project, &mut published, "tick(uint64_t n)", "tick(float n)");
    let refused = session.prints("event 2, libphys.so, version 3: ");
    assert!(refused.contains("extern \"C\" fn(u64) -> u64"), "{refused}");
    published.tell(&Event::BuildFailed {
        generation: Generation(4),
        crate_name: "/src/libphys.so".to_owned(),
        errors: 1,
        rendered: "phys.c:8: expected `;`".to_owned(),
    });
    session.prints("event 2, libphys.so, version 4: phys.c:8: expected `;`");
    published.tell(&Event::Notice { message: "a sentence".to_owned() });
    session.prints("event 4, none, version 0: a sentence");
    project.edit(PHYS, "tick(float n)", "tick(uint64_t n)");
    project.edit(PHYS, "NEXT 0", "NEXT 1");
    edit(project, &mut published, "STEP 2", "STEP 3");
    prints(
        &mut session,
        &["event 1, libphys.so, version 4: ", "tick 23", "event 3, libphys.so, version 2: ", "tick 22"],
    );
    edit(project, &mut published, "NEXT 1", "NEXT 2");
    session.prints("ended");
    let status = session.ends();
    assert!(status.success(), "{status}:\n{}", session.printed().collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_program_in_c_reloads_a_library_goes_back_and_hears_of_what_fails() {
    let project = Project::new("c-host");
    reloads(game(&project, Link::Shared), &project);
}

/// Anything may build the library: nobody else takes part.
fn reloads_without_a_session(mut program: Command, project: &Project) {
    library(project, "libphys.so", "-g");
    program.arg(project.path("libphys.so")).env_remove("PITSTOP_SESSION");
    let mut session = Session::start(program);
    session.prints("attached 0");
    session.prints("tick 21");
    for step in 2..5 {
        project.edit(PHYS, &format!("STEP {}", step - 1), &format!("STEP {step}"));
        library(project, "libphys.so", "-g");
        prints(&mut session, &["event 1, libphys.so, version ", &format!("tick {}", 20 + step)]);
    }
    project.edit(PHYS, "tick(uint64_t n)", "tick(float n)");
    library(project, "libphys.so", "-g");
    let refused = session.prints("event 2, libphys.so, version ");
    assert!(refused.contains("found extern \"C\" fn(f32) -> u64"), "{refused}");
    project.edit(PHYS, "tick(float n)", "tick(uint64_t n)");
    project.edit(PHYS, "NEXT 0", "NEXT 2");
    library(project, "libphys.so", "-g");
    session.prints("ended");
    let status = session.ends();
    assert!(status.success(), "{status}:\n{}", session.printed().collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_program_in_c_reloads_what_is_built_while_it_runs_without_a_session() {
    let project = Project::new("c-host");
    reloads_without_a_session(game(&project, Link::Shared), &project);
}

#[test]
fn valgrind_finds_nothing_in_a_program_that_reloads_without_a_session() {
    let project = Project::new("c-host");
    reloads_without_a_session(memcheck(game(&project, Link::Shared)), &project);
}

#[test]
fn a_program_in_c_that_links_the_static_library_reloads_too() {
    let project = Project::new("c-host");
    reloads(game(&project, Link::Static), &project);
}

#[test]
fn valgrind_finds_nothing_in_a_program_that_reloads() {
    let project = Project::new("c-host");
    let game = game(&project, Link::Shared);
    reloads(memcheck(game), &project);
}

#[test]
fn a_program_in_c_sees_one_version_in_each_unit_of_work_whatever_is_published() {
    let project = Project::new("c-host");
    let mut published = Published::new(&project);
    publish(&project, &mut published);
    let mut session = start(program(&project, "threads.c", Link::Shared), &project, &published);
    session.prints("tick 21");
    for step in 2..8 {
        edit(&project, &mut published, &format!("STEP {}", step - 1), &format!("STEP {step}"));
        session.prints(&format!("tick {}", 20 + step));
    }
    edit(&project, &mut published, "NEXT 0", "NEXT 2");
    session.prints("ended");
    assert!(session.ends().success());
    assert!(!session.has_seen("mixed"));
}

#[test]
fn a_program_in_cpp_reloads_through_the_wrapper() {
    let project = Project::new("c-host");
    let mut published = Published::new(&project);
    publish(&project, &mut published);
    let mut session = start(program(&project, "wrapper.cpp", Link::Shared), &project, &published);
    session.prints("tick 21");
    edit(&project, &mut published, "STEP 1", "STEP 2");
    prints(&mut session, &["event 1, version 2", "tick 22"]);
    edit(&project, &mut published, "NEXT 0", "NEXT 2");
    session.prints("ended");
    assert!(session.ends().success());
}

#[test]
fn null_and_bad_arguments_are_errors_and_valgrind_finds_nothing() {
    let project = Project::new("c-host");
    library(&project, "libphys.so", "-g");
    library(&project, "libbare.so", "-g0");
    let misuse = |program: Command| {
        let mut program = program;
        program.args(["./libphys.so", "./libbare.so"]).current_dir(project.directory());
        program.env("PITSTOP_SESSION", "/not/there");
        program
    };
    ends_well(&mut misuse(program(&project, "misuse.c", Link::Shared)));
    ends_well(&mut misuse(memcheck(program(&project, "misuse.c", Link::Shared))));
}

#[test]
fn a_program_in_c_calls_plugins_in_c_and_cpp_and_valgrind_finds_nothing() {
    let project = Project::new("c-host");
    shared(&project, "echo.c", "libecho.so");
    shared(&project, "parrot.cpp", "libparrot.so");
    let host = || {
        let mut host = program(&project, "plugins.c", Link::Shared);
        host.current_dir(project.directory());
        host
    };
    for printed in [ends_well(&mut host()), ends_well(memcheck(host()).current_dir(project.directory()))] {
        let mut rest = printed.as_str();
        for (name, version) in [("in-c", "1.0"), ("in-cpp", "2.0")] {
            // Versions are counted over all plugins.
            let (known, said) = rest.split_once('\n').unwrap_or((rest, ""));
            let is_known = known.starts_with(&format!("{name} c 1 ")) && known.ends_with(&format!(" {version}"));
            assert!(is_known, "{printed}");
            rest = said;
            let end = rest.find("three\n").map_or(rest.len(), |at| at + "three\n".len());
            let lines: Vec<&str> = rest[..end].lines().collect();
            let [one, nothing, failed, off, "three"] = lines[..] else { panic!("{printed}") };
            assert_eq!([one, nothing, failed], ["one", "", "error 10: as asked"], "{printed}");
            assert!(off.starts_with("error 11: ") && off.contains(name), "{printed}");
            rest = &rest[end..];
        }
        assert_eq!(rest, "error 2\n", "{printed}");
    }
    let mut wrapper = program(&project, "wrapper.cpp", Link::Shared);
    ends_well(wrapper.args(["-", "pitstop.toml"]).current_dir(project.directory()));
}

#[test]
fn what_is_installed_is_found_by_pkg_config() {
    let project = Project::new("c-host");
    let prefix = project.path("usr").display().to_string();
    let mut make = Command::new("make");
    make.args(["install", "PROFILE=dev"]).arg(format!("PREFIX={prefix}")).current_dir(repository().join("host/c"));
    ends_well(make.env("CARGO_TARGET_DIR", target()).env_remove("MAKEFLAGS"));
    let mut pkg_config = Command::new("pkg-config");
    pkg_config.args(["--cflags", "--libs", "pitstop"]).env("PKG_CONFIG_PATH", project.path("usr/lib/pkgconfig"));
    let flags = ends_well(&mut pkg_config);
    project.write("version.c", "#include <pitstop.h>\nint main(void) { return pitstop_abi() != PITSTOP_ABI; }\n");
    let mut gcc = Command::new("gcc");
    gcc.args(["version.c", "-o", "version"]).args(flags.split_whitespace()).current_dir(project.directory());
    ends_well(&mut gcc);
    ends_well(Command::new(project.path("version")).env("LD_LIBRARY_PATH", project.path("usr/lib")));
}
