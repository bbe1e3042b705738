//! `cargo pitstop`: see [`pitstop_watcher::main`].

fn main() -> std::process::ExitCode {
    pitstop_watcher::main()
}
