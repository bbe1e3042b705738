//! Compiled guests are kept for the next start of the program; what is no longer as it was written is compiled anew.

use super::{clang, fixture};
use crate::plugin::garage::Garage;
use pitstop_tests::built;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::SystemTime;

/// A program with one guest, started again and again.
struct Starts {
    garage: Garage,
}

impl Starts {
    fn new() -> Self {
        let garage = Garage::new();
        clang(&fixture("plugins/c/greeter.c"), &garage.path("greeter.wasm"));
        super::configure(&garage, "greeter", "");
        Self { garage }
    }

    /// Greets once.
    fn start(&self) {
        let mut program = Command::new(built("greeter"));
        program.args(["--frames", "1", "--plugins"]).arg(self.garage.path("pitstop.toml"));
        program.env("XDG_CACHE_HOME", self.garage.path("cache")).env_remove("PITSTOP_SESSION");
        let output = program.output().expect("the program starts");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("Hello, pit crew, from C"), "{said} {}", String::from_utf8_lossy(&output.stderr));
    }

    /// The one entry.
    fn entry(&self) -> PathBuf {
        let folder = self.garage.path("cache/pitstop/wasm");
        let entries: Vec<PathBuf> =
            std::fs::read_dir(folder).expect("a cache").flatten().map(|entry| entry.path()).collect();
        assert_eq!(entries.len(), 1, "{entries:?}");
        entries[0].clone()
    }

    /// Says of the entry that it was not used for long.
    fn grows_old(&self) {
        let file = std::fs::File::options().write(true).open(self.entry()).expect("an entry");
        file.set_modified(SystemTime::UNIX_EPOCH).expect("a time");
    }

    fn was_used(&self) -> bool {
        self.entry().metadata().and_then(|entry| entry.modified()).expect("a time") != SystemTime::UNIX_EPOCH
    }

    fn inode(&self) -> u64 {
        self.entry().metadata().expect("an entry").ino()
    }
}

#[test]
fn the_second_start_compiles_nothing() {
    let starts = Starts::new();
    starts.start();
    let (inode, content) = (starts.inode(), std::fs::read(starts.entry()).expect("an entry"));
    starts.grows_old();
    starts.start();
    assert!(starts.was_used());
    assert_eq!(starts.inode(), inode, "it was not written again");
    assert_eq!(std::fs::read(starts.entry()).expect("an entry"), content);
}

#[test]
fn an_entry_that_is_not_as_it_was_written_is_compiled_anew() {
    let starts = Starts::new();
    starts.start();
    let good = std::fs::read(starts.entry()).expect("an entry");
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 0x40;
    for bad in [flipped, good[..good.len() / 2].to_vec(), Vec::new(), b"something else".to_vec()] {
        // In place, so that the inode tells whether it was written again.
        std::fs::write(starts.entry(), &bad).expect("an entry");
        let inode = starts.inode();
        starts.start();
        assert_ne!(starts.inode(), inode, "another file is in its place");
        assert_eq!(std::fs::read(starts.entry()).expect("an entry").len(), good.len());
    }
    // And what is there now is used.
    starts.grows_old();
    let inode = starts.inode();
    starts.start();
    assert!(starts.was_used() && starts.inode() == inode);
}
