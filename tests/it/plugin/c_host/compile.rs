//! Compiles programs of the fixture `c-host` against the headers and the built library.

use pitstop_tests::{Project, repository};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// What a program links.
#[derive(Clone, Copy)]
pub(super) enum Link {
    Shared,
    Static,
}

/// What host/c/README.md says that the static library needs.
const NATIVE: [&str; 6] = ["-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl"];

/// The folder of libpitstop.so and libpitstop.a, built once.
pub(super) fn built() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut cargo = Command::new(cargo);
        ends_well(cargo.args(["build", "--quiet", "--package", "pitstop-host-c"]).current_dir(repository()));
        target().join("debug")
    });
    built.clone()
}

pub(super) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from)
}

/// gcc for C11, or g++ for C++17, in the project and with all warnings.
pub(super) fn compiler(project: &Project, source: &str) -> Command {
    let is_cpp = source.ends_with(".cpp");
    let mut compiler = Command::new(if is_cpp { "g++" } else { "gcc" });
    compiler.arg(if is_cpp { "-std=c++17" } else { "-std=c11" });
    compiler.args(["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g", "-O1", "-D_POSIX_C_SOURCE=200809L", "-I"]);
    compiler.arg(repository().join("host/c/include")).arg(source).current_dir(project.directory());
    compiler
}

/// Compiles a program.
pub(super) fn program(project: &Project, source: &str, link: Link) -> Command {
    let folder = built();
    let output = project.path(source.split('.').next().unwrap_or(source));
    let mut compiler = compiler(project, source);
    compiler.arg("-pthread").arg("-o").arg(&output);
    match link {
        Link::Shared => {
            compiler.arg("-L").arg(&folder).arg("-lpitstop").arg(format!("-Wl,-rpath,{}", folder.display()))
        }
        Link::Static => compiler.arg(folder.join("libpitstop.a")).args(NATIVE),
    };
    ends_well(&mut compiler);
    Command::new(output)
}

/// The program with the frame loop.
pub(super) fn game(project: &Project, link: Link) -> Command {
    program(project, "game.c", link)
}

/// Compiles `phys.c`, and puts it in place as a whole: half a library is refused, of which events tell.
pub(super) fn library(project: &Project, output: &str, debug_info: &str) {
    ends_well(compiler(project, "phys.c").args(["-shared", "-fPIC", debug_info, "-o", "draft"]));
    std::fs::rename(project.path("draft"), project.path(output)).expect("a library");
}

/// Compiles a plugin, of which only what it exports by the header's attribute is visible.
pub(super) fn shared(project: &Project, source: &str, output: &str) {
    ends_well(compiler(project, source).args(["-shared", "-fPIC", "-fvisibility=hidden", "-o", output]));
}

/// The same program under valgrind: any finding ends it with an exit code of its own.
pub(super) fn memcheck(program: Command) -> Command {
    let mut valgrind = Command::new("valgrind");
    // Without "possibly lost": pointers into the middle of a block, as Rust's threads keep them.
    valgrind.args(["--quiet", "--error-exitcode=99", "--leak-check=full"]);
    valgrind.args(["--show-leak-kinds=definite", "--errors-for-leak-kinds=definite"]);
    valgrind.arg(program.get_program()).args(program.get_args());
    valgrind
}

/// Runs a command to its good end.
pub(super) fn ends_well(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}
