//! Compiled guests that are kept, and those that are not as they were kept.

use super::super::cache::Cache;
use super::super::code::Compiled;
use super::super::engine::{Way, engine};
use super::super::kind::{Kind, kind};
use super::*;
use std::fs;
use std::path::PathBuf;
use wasmtime::{Engine, Module};

struct Kept {
    folder: TempDir,
    cache: Cache,
    engine: Engine,
    plugin: Plugin,
    entry: PathBuf,
}

impl Kept {
    fn new(content: String) -> Self {
        let folder = TempDir::new().expect("a folder");
        let cache = Cache::at(folder.path().join("wasm"), 1 << 20).expect("a cache");
        let plugin = Plugin::new(content);
        let engine = engine(Way::of(&plugin.spec)).expect("an engine");
        let entry = cache.path(&engine, kind(&plugin.bytes), &plugin.bytes);
        let kept = Self { folder, cache, engine, plugin, entry };
        assert!(kept.find().is_none());
        kept.open();
        assert!(kept.find().is_some());
        kept
    }

    fn find(&self) -> Option<Compiled> {
        self.cache.find(&self.engine, kind(&self.plugin.bytes), &self.plugin.bytes)
    }

    /// By the cache; it answers in any case.
    fn open(&self) {
        let proven = self.plugin.proven().expect("a guest");
        let guest = pool::open(proven.candidate(), Some(&self.cache)).expect("it opens");
        assert_eq!(guest.process(b"kept"), Ok(b"kept".to_vec()));
    }
}

#[test]
fn a_guest_is_compiled_once() {
    for content in [module("", ECHO), component("", "", "", "(i32.const 16)")] {
        let kept = Kept::new(content);
        let before = fs::metadata(&kept.entry).expect("an entry");
        kept.open();
        use std::os::unix::fs::MetadataExt;
        assert_eq!(fs::metadata(&kept.entry).expect("an entry").ino(), before.ino(), "it was written anew");
        assert_eq!(fs::read_dir(kept.folder.path().join("wasm")).expect("a folder").count(), 1);
    }
}

#[test]
fn what_is_damaged_in_the_cache_is_compiled_anew_and_replaced() {
    let kept = Kept::new(module("", ECHO));
    let good = fs::read(&kept.entry).expect("an entry");
    let mut damaged = vec![Vec::new(), b"\x7fELF".to_vec(), good[..good.len() - 1].to_vec(), good[..100].to_vec()];
    for at in [0, good.len() / 2, good.len() - 21, good.len() - 1] {
        let mut flipped = good.clone();
        flipped[at] ^= 1;
        damaged.push(flipped);
    }
    for bytes in damaged {
        fs::write(&kept.entry, &bytes).expect("an entry");
        assert!(kept.find().is_none(), "{} bytes", bytes.len());
        kept.open();
        assert!(kept.find().is_some());
    }
}

#[test]
fn what_another_version_has_kept_is_compiled_anew() {
    let kept = Kept::new(module("", ECHO));
    // Whole, and of another engine: as after an update that forgot to change the name.
    let other = Engine::new(
        wasmtime::Config::new().module_version(wasmtime::ModuleVersionStrategy::Custom("0".into())).expect("a version"),
    )
    .expect("an engine");
    let compiled = Compiled::Module(Module::new(&other, &kept.plugin.bytes).expect("a module"));
    kept.cache.keep(&other, Kind::Module, &kept.plugin.bytes, &compiled);
    fs::copy(kept.cache.path(&other, Kind::Module, &kept.plugin.bytes), &kept.entry).expect("a copy");
    assert!(kept.find().is_none());
    kept.open();
}

#[test]
fn each_way_of_compiling_has_an_entry_of_its_own() {
    let kept = Kept::new(module("", ECHO));
    let other = engine(Way { interrupt: false, ..Way::of(&kept.plugin.spec) }).expect("an engine");
    assert_ne!(kept.cache.path(&other, Kind::Module, &kept.plugin.bytes), kept.entry);
}

#[test]
fn a_cache_stays_as_small_as_it_is_to_be() {
    let kept = Kept::new(module("", ECHO));
    let one = fs::metadata(&kept.entry).expect("an entry").len();
    let cache = Cache::at(kept.folder.path().join("wasm"), one * 2 + one / 2).expect("the same folder");
    for number in 0..4 {
        let plugin = Plugin::new(module(&format!("(func (export \"f{number}\"))"), ECHO));
        pool::open(plugin.proven().expect("a guest").candidate(), Some(&cache)).expect("it opens");
        assert!(cache.find(&kept.engine, Kind::Module, &plugin.bytes).is_some(), "the new one is there");
    }
    assert!(fs::read_dir(kept.folder.path().join("wasm")).expect("a folder").count() <= 2);
}

#[test]
#[cfg(unix)]
fn what_others_could_have_written_is_not_used() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let mode =
        |path: &std::path::Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
    let kept = Kept::new(module("", ECHO));
    mode(&kept.entry, 0o620);
    assert!(kept.find().is_none(), "its group may write it");
    mode(&kept.entry, 0o600);
    assert!(kept.find().is_some());
    let elsewhere = kept.folder.path().join("elsewhere");
    fs::rename(&kept.entry, &elsewhere).expect("a move");
    symlink(&elsewhere, &kept.entry).expect("a link");
    assert!(kept.find().is_none(), "it is a link");
    mode(&kept.folder.path().join("wasm"), 0o770);
    assert!(Cache::at(kept.folder.path().join("wasm"), 1).is_err(), "the folder's group may write to it");
}
