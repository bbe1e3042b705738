//! Bad images, bad manifests, bad session directories: each is refused by rule, and the program goes on.

use pitstop_contract::Rule;
use pitstop_contract::event::Event;
use pitstop_contract::manifest::Manifest;
use pitstop_tests::{Project, Session};
use std::path::{Path, PathBuf};

/// A program with one live generation, whose session directory is then tampered with.
struct Tampered {
    session: Session,
    directory: PathBuf,
    project: Project,
    next: u32,
}

impl Tampered {
    fn new() -> Self {
        let project = Project::new("basic");
        let mut session = project.run(&[]);
        let directory = session.event("session", |event| match event {
            Event::Session { directory, .. } => Some(PathBuf::from(directory)),
            _ => None,
        });
        session.attached();
        project.edit("logic/src/lib.rs", "ANSWER: u32 = 42", "ANSWER: u32 = 43");
        session.goes_live("logic");
        session.prints("answer 43");
        Self { session, directory, project, next: 100 }
    }

    fn manifest(&self) -> Manifest {
        let text = std::fs::read(self.directory.join("manifest.json")).expect("a manifest");
        serde_json::from_slice(&text).expect("a manifest")
    }

    fn image(&self) -> Vec<u8> {
        let manifest = self.manifest();
        std::fs::read(self.directory.join(&manifest.images[0].file)).expect("the live image")
    }

    fn write_manifest(&self, text: &[u8]) {
        std::fs::write(self.directory.join("manifest.new"), text).expect("a file");
        std::fs::rename(self.directory.join("manifest.new"), self.directory.join("manifest.json")).expect("a rename");
    }

    /// Publishes a file as the next generation, its length and checksum right unless `lie` says otherwise.
    fn publish(&mut self, make: impl FnOnce(&Path), lie: impl FnOnce(&mut Manifest)) {
        self.next += 1;
        let file = format!("images/tampered-{}.so", self.next);
        let path = self.directory.join(&file);
        make(&path);
        let mut manifest = self.manifest();
        let image = &mut manifest.images[0];
        let is_plain = std::fs::metadata(&path).is_ok_and(|metadata| metadata.is_file());
        let bytes = if is_plain { std::fs::read(&path).unwrap_or_default() } else { Vec::new() };
        image.generation.0 = self.next;
        image.file = file;
        image.bytes = bytes.len() as u64;
        image.crc32 = crc32(&bytes);
        manifest.generation.0 = self.next;
        lie(&mut manifest);
        self.write_manifest(&serde_json::to_vec(&manifest).expect("JSON"));
    }

    fn refuses(&mut self, what: &str, rule: Rule, make: impl FnOnce(&Path)) {
        self.publish(make, |_| {});
        self.is_refused(what, rule);
    }

    fn is_refused(&mut self, what: &str, rule: Rule) {
        let reasons = self.session.rejected();
        assert_eq!(reasons[0].rule, rule, "{what}: {reasons:?}");
        assert!(!reasons[0].expected.is_empty() && !reasons[0].found.is_empty() && !reasons[0].advice.is_empty());
    }

    /// The program still runs, and still takes a good generation.
    fn goes_on(mut self) {
        self.publish(|_| {}, |_| {});
        self.session.rejected();
        // The command's own next generation is lower than the tampered ones: a good image of its number again.
        let image = self.image_of_project();
        self.publish(|path| std::fs::write(path, image).expect("a file"), |_| {});
        self.session.goes_live("logic");
    }

    fn image_of_project(&self) -> Vec<u8> {
        let images = std::fs::read_dir(self.directory.join("images")).expect("images");
        let good = images.flatten().map(|entry| entry.path()).find(|path| {
            path.to_string_lossy().contains("liblogic-") && path.extension().is_some_and(|end| end == "so")
        });
        let _ = &self.project;
        std::fs::read(good.expect("the first image")).expect("the first image")
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = !0_u32;
    for &byte in bytes {
        sum ^= u32::from(byte);
        for _ in 0..8 {
            sum = (sum >> 1) ^ (0xedb8_8320 & (0_u32.wrapping_sub(sum & 1)));
        }
    }
    !sum
}

fn put(bytes: Vec<u8>) -> impl FnOnce(&Path) {
    move |path| std::fs::write(path, bytes).expect("a file")
}

#[test]
fn files_that_are_no_image_are_refused_by_rule() {
    let mut tampered = Tampered::new();
    let image = tampered.image();
    tampered.refuses("empty", Rule::Complete, put(Vec::new()));
    tampered.refuses("a script", Rule::Complete, put(b"#!/bin/sh\necho no\n".to_vec()));
    tampered.refuses(
        "random bytes",
        Rule::Complete,
        put((0..4096_u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect()),
    );
    tampered.refuses("cut to 4 KB", Rule::Complete, put(image[..4096].to_vec()));
    tampered.refuses("cut in half", Rule::Complete, put(image[..image.len() / 2].to_vec()));
    tampered.refuses("cut by one byte", Rule::Complete, put(image[..image.len() - 1].to_vec()));
    let mut foreign = image.clone();
    foreign[18] = 0xb7;
    tampered.refuses("another processor", Rule::Target, put(foreign));
    let mut narrow = image.clone();
    narrow[4] = 1;
    tampered.refuses("32 bits", Rule::Target, put(narrow));
    let mut object = image.clone();
    object[16] = 1;
    tampered.refuses("an object file", Rule::Complete, put(object));
    tampered.refuses("a folder", Rule::File, |path| std::fs::create_dir(path).expect("a folder"));
    tampered.refuses("nothing", Rule::File, |_| {});
    tampered.refuses("a loop of links", Rule::File, |path| std::os::unix::fs::symlink(path, path).expect("a link"));
    tampered.refuses("a FIFO", Rule::File, |path| {
        let made = std::process::Command::new("mkfifo").arg(path).status();
        assert!(made.expect("mkfifo").success());
    });
    tampered.goes_on();
}

#[test]
fn a_library_without_a_descriptor_and_doctored_ones_are_refused() {
    let mut tampered = Tampered::new();
    let image = tampered.image();
    tampered.refuses("a library of somebody else's", Rule::Descriptor, |path| {
        let source = path.with_extension("c");
        std::fs::write(&source, "int tick(void) { return 1; }").expect("a source");
        let built = std::process::Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(path).arg(&source).status();
        assert!(built.expect("cc").success());
    });
    let doctored = |from: &[u8], to: &[u8]| {
        let mut bytes = image.clone();
        let places: Vec<usize> =
            bytes.windows(from.len()).enumerate().filter(|(_, window)| *window == from).map(|(at, _)| at).collect();
        assert!(!places.is_empty(), "{from:?} is not in the image");
        for at in places {
            bytes[at..at + to.len()].copy_from_slice(to);
        }
        bytes
    };
    tampered.refuses("another format", Rule::Descriptor, put(doctored(b"PIT\x1f\x01\x00", b"PIT\x1f\x02\x00")));
    tampered.refuses("another compiler", Rule::Compiler, put(doctored(b"rustc=1.", b"rustc=2.")));
    tampered.refuses("another panic strategy", Rule::Profile, put(doctored(b"panic=unwind", b"panic=abort ")));
    tampered.refuses("another optimisation", Rule::Profile, put(doctored(b"opt-level=0", b"opt-level=3")));
    tampered.refuses(
        "other debug assertions",
        Rule::Profile,
        put(doctored(b"debug-assertions=on", b"debug-assertions=of")),
    );
    tampered.refuses("another allocator", Rule::Allocator, put(doctored(b"allocator=shared", b"allocator=system")));
    tampered.refuses("a static std", Rule::Linkage, put(doctored(b"std=shared", b"std=static")));
    let commit = doctored(b"rustc-commit=", b"rustc-commit:");
    tampered.refuses("a fact without a value", Rule::Descriptor, put(commit));
    tampered.refuses("another target", Rule::Target, put(doctored(b"target=x86_64", b"target=y86_64")));
    tampered.refuses("a signature", Rule::Signature, put(doctored(b"fn(u32) -> u32", b"fn(u64) -> u64")));
    tampered.refuses("a function's name", Rule::Missing, put(doctored(b"is_over", b"is_0ver")));
    tampered.goes_on();
}

#[test]
fn a_file_that_is_not_what_the_manifest_says_is_refused() {
    let mut tampered = Tampered::new();
    let image = tampered.image();
    let mut flipped = image.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let sum = crc32(&image);
    tampered.publish(put(flipped), |manifest| manifest.images[0].crc32 = sum);
    tampered.is_refused("a flipped bit", Rule::Checksum);
    tampered.publish(put(image), |manifest| manifest.images[0].bytes += 1);
    tampered.is_refused("another length", Rule::Checksum);
    tampered.goes_on();
}

#[test]
fn a_manifest_of_any_bytes_is_refused_without_a_panic() {
    let mut tampered = Tampered::new();
    let good = std::fs::read(tampered.directory.join("manifest.json")).expect("a manifest");
    let text = String::from_utf8(good.clone()).expect("JSON");
    let mut bad: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"\xff\xfe\x00".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"{}".to_vec(),
        text.replace("\"format\":1", "\"format\":2").into_bytes(),
        text.replace("\"format\":1", "\"format\":\"1\"").into_bytes(),
        text.replace("\"images\":[", "\"images\":[7,").into_bytes(),
        text.replace("\"generation\":1", "\"generation\":-1").into_bytes(),
        text.replace("\"generation\":1", "\"generation\":99999999999").into_bytes(),
        "[".repeat(100_000).into_bytes(),
    ];
    bad.extend((1..good.len()).step_by(97).map(|cut| good[..cut].to_vec()));
    for bytes in bad {
        tampered.write_manifest(&bytes);
        let reasons = tampered.session.rejected();
        assert_eq!(reasons[0].rule, Rule::Manifest, "{reasons:?}");
    }
    tampered.write_manifest(&good);
    tampered.goes_on();
}

#[test]
fn paths_that_lead_out_of_the_session_are_refused() {
    let mut tampered = Tampered::new();
    for file in ["../../../../etc/passwd", "/etc/passwd", "images/../../x.so"] {
        tampered.publish(|_| {}, |manifest| file.clone_into(&mut manifest.images[0].file));
        let reasons = tampered.session.rejected();
        assert_eq!(reasons[0].rule, Rule::File, "{file}: {reasons:?}");
        assert!(reasons[0].expected.contains("inside"), "{file}: {reasons:?}");
    }
    tampered.goes_on();
}

#[test]
fn a_session_directory_that_vanishes_does_not_end_the_program() {
    let mut tampered = Tampered::new();
    std::fs::remove_dir_all(&tampered.directory).expect("a removal");
    tampered.project.edit("logic/src/lib.rs", "    1\n", "    2\n");
    tampered
        .session
        .event("a report", |event| matches!(event, Event::BuildFailed { .. } | Event::Notice { .. }).then_some(()));
    let host = tampered.session.host();
    assert!(Path::new(&format!("/proc/{host}")).exists(), "the program is alive");
}
