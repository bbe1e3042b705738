//! The command line.

use crate::cargo::Selection;
use crate::compare::{self, Effort, Mechanism, Network};
use crate::demo;
use crate::doctor;
use crate::inspect::{self, Shown};
use crate::output::Output;
use crate::request;
use crate::run::{self, Options};
use clap::{Args, Parser, Subcommand, ValueEnum};
use pitstop_contract::request::Request;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo-pitstop", bin_name = "cargo pitstop", version, about)]
#[command(about = "New code in a running Rust program, proven to match, a moment after the edit")]
struct Cli {
    #[command(subcommand)]
    command: Cmd,
}

#[derive(Subcommand)]
enum Cmd {
    /// Build a program and run it live: edits of its reloadable crates take effect while it runs
    Run {
        #[command(flatten)]
        build: Build,
        /// What to do when a change cannot be swapped into the running program, or the program crashes
        #[arg(long, value_enum, default_value = "ask")]
        restart: RestartChoice,
        /// Arguments for the program
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Build a program and publish its images, for a program that is started by hand: in a debugger, on its own
    Watch {
        #[command(flatten)]
        build: Build,
    },
    /// Make the generation before the live one live again, in the program that runs
    Undo(To),
    /// Make the generation live that was live before the last `undo`
    Redo(To),
    /// Build the running program anew, and start it with its state
    Restart(To),
    /// Look for whatever prevents reloading, makes it slow or leaves types unproven, and say what mends it
    Doctor {
        #[command(flatten)]
        build: Build,
    },
    /// Show what is known of a library or executable; of two, what differs and whether the second would be loaded
    ///
    /// The files are read, and never run. Ends with 0, with 1 if the second would be refused, and with 5 if a file cannot
    /// be read.
    Inspect {
        /// A library or an executable; of two, what the program was built with or has loaded
        image: PathBuf,
        /// The image that is to be loaded
        #[arg(value_name = "IMAGE")]
        other: Option<PathBuf>,
        /// Show all types: those of the standard library, tuples and closures too
        #[arg(long)]
        all_types: bool,
        /// Show types whose name contains this
        #[arg(long = "type", value_name = "NAME", conflicts_with = "all_types")]
        types: Option<String>,
        /// Show all facts of the build, with every dependency
        #[arg(short, long)]
        verbose: bool,
        /// Print all of it, one JSON object per line: each file, and the verdict if there are two
        #[arg(long)]
        json: bool,
    },
    /// Run the same plugin in all five mechanisms, on this machine: what each costs, what it survives, and which to take
    ///
    /// The first run builds the measuring program, with wasmtime in it: minutes. Ends with 0, and with 7 if something of a
    /// mechanism could not be built or measured.
    Compare {
        /// Only these mechanisms
        #[arg(long, value_enum, value_name = "MECHANISM", value_delimiter = ',')]
        only: Vec<Mechanism>,
        /// Fewer repetitions
        #[arg(long)]
        quick: bool,
        /// Draw the figures into this file
        #[arg(long, value_name = "FILE")]
        svg: Option<PathBuf>,
        /// Write a page with the picture, the tables and the advice into this file
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
        /// Do not touch the network
        #[arg(long)]
        offline: bool,
        /// Print a JSON object per mechanism, on standard output
        #[arg(long)]
        json: bool,
    },
    /// Show, with an example of the repository, what Pitstop guards against; alone: list what there is to show
    Demo {
        /// Which; `version-match`: one plugin in all mismatching ways, proven, and loaded without a proof
        name: Option<String>,
        /// List the cases
        #[arg(long)]
        list: bool,
        /// Only this case, with all that is found; may be given more than once
        #[arg(long = "case", value_name = "NAME")]
        cases: Vec<String>,
        /// Print a JSON object per case, on standard output
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
struct Build {
    /// The package, example or binary to run, by name
    name: Option<String>,
    /// The package that the program is in
    #[arg(short, long, value_name = "PACKAGE")]
    package: Option<String>,
    /// The binary
    #[arg(long, value_name = "NAME", conflicts_with = "example")]
    bin: Option<String>,
    /// The example
    #[arg(long, value_name = "NAME")]
    example: Option<String>,
    /// Build with the release profile
    #[arg(short, long)]
    release: bool,
    /// Build with this profile
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    /// Features to enable, as for cargo
    #[arg(short = 'F', long, value_name = "FEATURES")]
    features: Vec<String>,
    /// Enable all features
    #[arg(long)]
    all_features: bool,
    /// Do not enable the default features
    #[arg(long)]
    no_default_features: bool,
    /// Build for this target
    #[arg(long, value_name = "TRIPLE")]
    target: Option<String>,
    /// The workspace's or the package's Cargo.toml
    #[arg(long, value_name = "PATH")]
    manifest_path: Option<PathBuf>,
    /// Where cargo and Pitstop build
    #[arg(long, value_name = "FOLDER")]
    target_dir: Option<PathBuf>,
    /// Do not touch the network
    #[arg(long)]
    offline: bool,
    /// Require that Cargo.lock is up to date
    #[arg(long)]
    locked: bool,
    /// How program and images come by their dependencies
    #[arg(long, value_enum, default_value = "auto")]
    linkage: LinkageChoice,
    /// Print events or findings, one JSON object per line, on standard output; the program's own output goes to standard error
    #[arg(long)]
    json: bool,
}

/// Which session is meant: the newest of a workspace.
#[derive(Args)]
struct To {
    /// The workspace's or the package's Cargo.toml
    #[arg(long, value_name = "PATH")]
    manifest_path: Option<PathBuf>,
    /// Where cargo and Pitstop build
    #[arg(long, value_name = "FOLDER")]
    target_dir: Option<PathBuf>,
    /// Print the program's answer as an event, one JSON object per line, on standard output
    #[arg(long)]
    json: bool,
}

/// What to do when only a new process can show a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RestartChoice {
    /// Say so, and start it anew when `cargo pitstop restart` asks for it; after a crash, ask
    Ask,
    /// Build it while the old one runs, then start it with the state of the old one
    Auto,
    /// Nothing, unless `cargo pitstop restart` asks for it: the program goes on as it is, and ends when it crashes
    Never,
}

/// How program and images come by their dependencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LinkageChoice {
    /// Shared where the program allows it
    Auto,
    /// From one dynamic library; an error where the program does not allow it
    Shared,
    /// Each from its own copy
    SelfContained,
}

pub(crate) fn main() -> ExitCode {
    // Cargo passes the subcommand's own name first.
    let arguments = std::env::args_os().enumerate();
    let arguments = arguments.filter(|(index, word)| !(*index == 1 && word == "pitstop")).map(|(_, word)| word);
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let (build, restart, arguments, starts_program) = match cli.command {
        Cmd::Run { build, restart, arguments } => (build, restart, arguments, true),
        Cmd::Watch { build } => (build, RestartChoice::Never, Vec::new(), false),
        Cmd::Undo(to) => return to.ask(Request::Undo),
        Cmd::Redo(to) => return to.ask(Request::Redo),
        Cmd::Restart(to) => return to.ask(Request::Restart),
        Cmd::Inspect { image, other, all_types, types, verbose, json } => {
            let shown = Shown { all_types, types, facts: verbose };
            return inspect::run(&image, other.as_deref(), &shown, Output::new(json));
        }
        Cmd::Demo { name, list, cases, json } => {
            return demo::run(name.as_deref(), &demo::Request { list, cases }, Output::new(json));
        }
        Cmd::Compare { only, quick, svg, html, offline, json } => {
            let effort = if quick { Effort::Quick } else { Effort::Usual };
            let network = if offline { Network::Offline } else { Network::Free };
            return compare::run(&compare::Request { only, effort, network, svg, html }, Output::new(json));
        }
        Cmd::Doctor { build } => return doctor::run(build.linkage, Output::new(build.json), &build.selection()),
    };
    let output = Output::new(build.json);
    let linkage = build.linkage;
    let options = Options { linkage, restart, arguments, starts_program, selection: build.selection() };
    run::run(options, output)
}

impl To {
    fn ask(self, request: Request) -> ExitCode {
        let Self { manifest_path, target_dir, json } = self;
        let selection = Selection { manifest_path, target_dir, ..Selection::default() };
        request::run(&selection, &request, Output::new(json))
    }
}

impl Build {
    fn selection(self) -> Selection {
        let mut both = Vec::new();
        for (flag, set) in [
            ("--all-features", self.all_features),
            ("--no-default-features", self.no_default_features),
            ("--offline", self.offline),
            ("--locked", self.locked),
        ] {
            both.extend(set.then(|| flag.to_owned()));
        }
        for features in self.features {
            both.extend(["--features".to_owned(), features]);
        }
        let mut build_flags = both.clone();
        build_flags.extend(self.release.then(|| "--release".to_owned()));
        for (flag, value) in [("--profile", self.profile), ("--target", self.target)] {
            build_flags.extend(value.into_iter().flat_map(|value| [flag.to_owned(), value]));
        }
        Selection {
            name: self.name,
            package: self.package,
            bin: self.bin,
            example: self.example,
            manifest_path: self.manifest_path,
            target_dir: self.target_dir,
            build_flags,
            metadata_flags: both,
            rustc: None,
        }
    }
}
