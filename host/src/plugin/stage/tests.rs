//! Copies are whole, of the file that was checked, and each refusal is told word for word.

use super::*;
use crate::plugin::access::Policy;
use crate::plugin::spec::{Limits, Mechanism, Mode, Origin, Source};
use std::fs::{self, File};
use std::path::PathBuf;

mod races;
#[cfg(unix)]
mod refusals;
mod sweep;

/// A folder with a drop-in `x`, the file that it names, and a folder for copies.
struct Place {
    folder: tempfile::TempDir,
    staging: Staging,
}

impl Place {
    fn new() -> Self {
        Self::with(Policy::RefuseWorldWritable)
    }

    fn with(policy: Policy) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let staging = Staging::new(Some(&folder.path().join("copies")), policy).expect("a folder for copies");
        let place = Self { folder, staging };
        fs::create_dir(place.at("x")).expect("a folder");
        place
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// A program.
    fn program(&self, path: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.at(path);
        fs::write(&path, text).expect("a file");
        permit(&path, 0o755);
        path
    }

    /// A plugin in the drop-in `x`, of the file that it names.
    fn spec(&self, mechanism: Mechanism, file: &str) -> Spec {
        Spec {
            name: "x".to_owned(),
            mechanism,
            source: Source::File(self.at(file)),
            mode: Mode::Once,
            arguments: Vec::new(),
            rpc: crate::plugin::spec::Rpc::default(),
            wasm: crate::plugin::spec::Wasm::default(),
            build: None,
            limits: Limits::default(),
            environment: Vec::new(),
            set: Default::default(),
            directory: self.at("x"),
            sha256: None,
            enabled: true,
            origin: Origin { file: self.at("x/plugin.toml"), line: 1, drop_in: true },
        }
    }

    fn stage(&self, spec: &Spec, number: u32) -> Result<Candidate, Reason> {
        let Source::File(file) = &spec.source else { panic!("no file: {:?}", spec.source) };
        stage(&Arc::new(spec.clone()), file, &self.staging, Generation(number))
    }

    /// Why a program is not staged, with `DIR` for the folder.
    fn refused(&self, file: &str) -> String {
        self.told(self.stage(&self.spec(Mechanism::Exec, file), 1))
    }

    fn told<T: std::fmt::Debug>(&self, result: Result<T, Reason>) -> String {
        let told = result.map_or_else(|reason| reason.to_string(), |value| format!("no error, but {value:?}"));
        told.replace(self.folder.path().to_str().expect("UTF-8"), "DIR")
    }
}

#[cfg(unix)]
fn permit(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions");
}

#[cfg(not(unix))]
fn permit(_: &Path, _: u32) {}

#[cfg(unix)]
#[test]
fn a_copy_is_private_and_can_be_executed_at_once() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    place.program("x/run.sh", "#!/bin/sh\necho hello\n");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o7777;
    for number in 1..=50 {
        let candidate = place.stage(&place.spec(Mechanism::Exec, "x/run.sh"), number).expect("staged");
        assert!(candidate.file.ends_with(format!("x-{number}/run.sh")), "{}", candidate.file.display());
        assert_eq!(*candidate.bytes, fs::read(&candidate.file).expect("a copy"));
        let output = std::process::Command::new(&candidate.file).output();
        // Other tests of this process start programs too, which have the copy open between fork and exec.
        match output {
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {}
            output => assert_eq!(output.expect("it runs").stdout, b"hello\n"),
        }
        let folder = candidate.file.parent().expect("a folder");
        assert_eq!((mode(&candidate.file), mode(folder)), (0o500, 0o700));
        assert_eq!(mode(folder.parent().expect("a folder")), 0o700);
    }
}

#[test]
fn a_library_has_its_version_in_its_name_and_cannot_be_executed() {
    let place = Place::new();
    fs::write(place.at("x/any.name"), "library").expect("a file");
    for mechanism in [Mechanism::C, Mechanism::Dylib] {
        let number = if mechanism == Mechanism::C { 7 } else { 8 };
        let candidate = place.stage(&place.spec(mechanism, "x/any.name"), number).expect("staged");
        let name = format!("x-{number}/libx-{number}.{}", std::env::consts::DLL_EXTENSION);
        assert!(candidate.file.ends_with(&name), "{}", candidate.file.display());
        assert_eq!(*candidate.bytes, *b"library");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&candidate.file).expect("there").permissions().mode() & 0o7777, 0o400);
        }
    }
}

#[test]
fn a_path_is_used_once_even_when_its_version_has_gone() {
    let place = Place::new();
    place.program("x/run", "1");
    let spec = place.spec(Mechanism::Exec, "x/run");
    let candidate = place.stage(&spec, 3).expect("staged");
    assert!(
        place.told(place.stage(&spec, 3)).contains("expected a path that is new, found that this version was staged")
    );
    place.staging.remove(&candidate.file);
    assert!(!candidate.file.exists() && !candidate.file.parent().expect("a folder").exists());
    place.staging.remove(&candidate.file);
    place.stage(&spec, 3).expect_err("it was used");
    place.stage(&spec, 4).expect("another is staged");
}

#[test]
fn only_copies_are_removed() {
    let place = Place::new();
    let file = place.program("x/run", "1");
    let candidate = place.stage(&place.spec(Mechanism::Exec, "x/run"), 1).expect("staged");
    let version = candidate.file.parent().expect("a folder");
    let staging = version.parent().expect("a folder");
    let never = staging.join("y-1");
    fs::create_dir(&never).expect("a folder");
    let others = [version.join(".."), staging.join("../x"), staging.join("lock"), never.join("run"), PathBuf::new()];
    for other in [&file, version, staging, Path::new("/")].into_iter().chain(others.iter().map(PathBuf::as_path)) {
        place.staging.remove(other);
    }
    assert!(file.exists() && candidate.file.exists() && never.exists());
}

#[test]
fn what_a_session_built_need_not_be_in_the_drop_ins_folder() {
    let place = Place::new();
    let built = place.program("built", "built");
    let spec = Arc::new(place.spec(Mechanism::Exec, "x/run"));
    let candidate = stage(&spec, &built, &place.staging, Generation(1)).expect("staged");
    assert_eq!(*candidate.bytes, *b"built");
}

#[test]
fn a_pin_is_compared_with_what_was_read() {
    let place = Place::new();
    place.program("x/run", "abc");
    let mut spec = place.spec(Mechanism::Exec, "x/run");
    let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let bytes = (0..32).map(|index| u8::from_str_radix(&digest[2 * index..2 * index + 2], 16).expect("hex"));
    spec.sha256 = Some(bytes.collect::<Vec<_>>().try_into().expect("32 bytes"));
    place.stage(&spec, 1).expect("staged");
    spec.sha256 = Some([0xab; 32]);
    let told = place.told(place.stage(&spec, 2));
    let expected = format!(
        "DIR/x/run (checksum): expected SHA-256 {}, found {digest}; if this is the file that is meant, write its digest as \
         `sha256` at DIR/x/plugin.toml:1",
        "ab".repeat(32)
    );
    assert_eq!(told, expected);
}
