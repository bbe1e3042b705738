//! A session whose watcher is the test: publishes a library as `cargo pitstop` does, and tells of events.

use pitstop_contract::Generation;
use pitstop_contract::event::Event;
use pitstop_contract::manifest::{FORMAT, Image, Kind, Manifest};
use pitstop_contract::session::{EVENTS, IMAGES, MANIFEST};
use pitstop_tests::Project;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

/// A session directory.
pub(super) struct Published {
    directory: PathBuf,
    generation: u32,
    /// The newest of each library.
    images: Vec<Image>,
}

impl Published {
    pub(super) fn new(project: &Project) -> Self {
        let directory = project.path("session");
        std::fs::create_dir_all(directory.join(IMAGES)).expect("a session directory");
        Self { directory, generation: 0, images: Vec::new() }
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Makes a copy of the library its newest image.
    pub(super) fn publish(&mut self, library: &Path) {
        self.generation += 1;
        let bytes = std::fs::read(library).expect("a library");
        let file = format!("{IMAGES}/{}.so", self.generation);
        std::fs::write(self.directory.join(&file), &bytes).expect("a staged image");
        let image = Image {
            crate_name: library.display().to_string(),
            kind: Kind::Library,
            generation: Generation(self.generation),
            file,
            bytes: bytes.len() as u64,
            crc32: crc32fast::hash(&bytes),
            layouts: None,
            edit_at_us: 0,
            published_at_us: 0,
            detect_ms: 0.0,
            build_ms: 0.0,
            stage_ms: 0.0,
        };
        self.images.retain(|other| other.crate_name != image.crate_name);
        self.images.push(image);
        let manifest = Manifest {
            format: FORMAT,
            session: "test".to_owned(),
            generation: Generation(self.generation),
            images: self.images.clone(),
        };
        let draft = self.directory.join("draft");
        std::fs::write(&draft, serde_json::to_vec(&manifest).expect("JSON")).expect("a manifest");
        std::fs::rename(draft, self.directory.join(MANIFEST)).expect("a published manifest");
    }

    /// Tells of an event, as the watcher.
    pub(super) fn tell(&self, event: &Event) {
        let line = serde_json::to_string(event).expect("JSON");
        let log = OpenOptions::new().create(true).append(true).open(self.directory.join(EVENTS));
        log.and_then(|mut log| log.write_all(format!("{line}\n").as_bytes())).expect("a written event");
    }
}
