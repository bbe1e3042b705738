//! The files below watched paths: which of them count, and whether what they hold is another than when they were last read.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Folders that no source is in: what tools make and fetch.
const NO_SOURCES: [&str; 3] = ["target", "node_modules", "__pycache__"];
/// A file that was written this shortly before it was read may have been written again since, with the same time.
const CLOCK: Duration = Duration::from_secs(2);
/// How much of a file tells whether it is text.
const HEAD: usize = 8 << 10;

/// Files and folders, and what all files in them held when they were last read.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    roots: Vec<PathBuf>,
    /// Paths that do not count, with all below them.
    except: Vec<PathBuf>,
    files: BTreeMap<PathBuf, Held>,
}

/// What a file held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    bytes: u64,
    sum: u32,
    is_text: bool,
    modified: Option<SystemTime>,
}

/// A file that holds something else than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) path: PathBuf,
    pub(crate) how: How,
    /// And not what a compiler or an archiver writes.
    pub(crate) is_text: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Appeared,
    Altered,
    Vanished,
}

impl Tree {
    /// Nothing of it is read before somebody looks: what is not watched yet may change unseen.
    pub(crate) fn new(roots: Vec<PathBuf>, except: Vec<PathBuf>) -> Self {
        Self { roots, except, files: BTreeMap::new() }
    }

    /// Reads all files that count.
    pub(crate) fn look_at_all(&mut self) {
        for root in self.roots.clone() {
            self.look(&root);
        }
    }

    /// What is watched.
    pub(crate) fn roots(&self) -> &[PathBuf] {
        &self.roots
    }

    /// Whether a change of this path matters: hidden files and folders, editors' own files and what tools make do not,
    /// unless they are named.
    pub(crate) fn counts(&self, path: &Path) -> bool {
        if self.except.iter().any(|except| path.starts_with(except)) {
            return false;
        }
        self.roots.iter().any(|root| path.strip_prefix(root).is_ok_and(|below| below.iter().all(is_of_interest)))
    }

    /// The folders that are to be watched for what is below a path, the path itself among them.
    pub(crate) fn folders(&self, path: &Path) -> Vec<PathBuf> {
        let mut folders = Vec::new();
        self.walk(path, &mut |folder| folders.push(folder.to_owned()), &mut |_| {});
        folders
    }

    /// Reads a path again, and all that was and is below it. Returns what is another than before.
    pub(crate) fn look(&mut self, path: &Path) -> Vec<Changed> {
        self.reread(path, |_, _| false)
    }

    /// Reads again whatever may have been written since then.
    pub(crate) fn look_since(&mut self, since: SystemTime) -> Vec<Changed> {
        let unsure = since.checked_sub(CLOCK);
        let is_same = |held: &Held, now: &Metadata| {
            let modified = now.modified().ok();
            modified.is_some() && modified < unsure && modified == held.modified && now.len() == held.bytes
        };
        self.roots.clone().iter().flat_map(|root| self.reread(root, is_same)).collect()
    }

    /// Whether a file is of a kind that was there before: a source beside other sources.
    pub(crate) fn has_kind_of(&self, path: &Path) -> bool {
        let kind = path.extension();
        kind.is_some() && self.files.keys().any(|other| other != path && other.extension() == kind)
    }

    fn reread(&mut self, path: &Path, is_same: impl Fn(&Held, &Metadata) -> bool) -> Vec<Changed> {
        let mut found = Vec::new();
        self.walk(path, &mut |_| {}, &mut |file| found.push(file.to_owned()));
        let mut before = self.below(path);
        let mut changed = Vec::new();
        for file in found {
            let held = before.remove(&file);
            let Ok(metadata) = std::fs::metadata(&file) else { continue };
            if held.is_some_and(|held| is_same(&held, &metadata)) {
                continue;
            }
            let Some(now) = read(&file, &metadata) else { continue };
            self.files.insert(file.clone(), now);
            let is_same = |held: &Held| (held.bytes, held.sum) == (now.bytes, now.sum);
            if !held.as_ref().is_some_and(is_same) {
                let how = if held.is_some() { How::Altered } else { How::Appeared };
                changed.push(Changed { path: file, how, is_text: now.is_text });
            }
        }
        for (file, held) in before {
            // Else it cannot be read just now.
            if !file.exists() {
                self.files.remove(&file);
                changed.push(Changed { path: file, how: How::Vanished, is_text: held.is_text });
            }
        }
        changed
    }

    /// What was known of a path, and of all below it.
    fn below(&self, path: &Path) -> BTreeMap<PathBuf, Held> {
        let from = self.files.range::<Path, _>((Bound::Included(path), Bound::Unbounded));
        let below = from.take_while(|(file, _)| file.starts_with(path));
        below.map(|(file, held)| (file.clone(), *held)).collect()
    }

    /// Visits what counts at and below a path. Links to folders are not followed, unless they are what is watched.
    fn walk(&self, path: &Path, folder: &mut impl FnMut(&Path), file: &mut impl FnMut(&Path)) {
        let mut queue = vec![path.to_owned()];
        while let Some(path) = queue.pop() {
            if !self.counts(&path) {
                continue;
            }
            let is_root = self.roots.contains(&path);
            let is_folder = match is_root {
                true => path.is_dir(),
                false => std::fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir()),
            };
            if is_folder {
                folder(&path);
                let entries = std::fs::read_dir(&path).into_iter().flatten().flatten();
                queue.extend(entries.map(|entry| entry.path()));
            // Of a pipe one would wait for the end.
            } else if path.is_file() {
                file(&path);
            }
        }
    }
}

fn is_of_interest(name: &std::ffi::OsStr) -> bool {
    let name = name.to_string_lossy();
    let is_editors = name.starts_with('#') && name.ends_with('#')
        || name.ends_with('~')
        || name.ends_with(".swp")
        || name.ends_with(".swx")
        || name.starts_with("___jb_")
        // With which vim tries whether it can write.
        || name == "4913";
    !name.starts_with('.') && !is_editors && !NO_SOURCES.contains(&&*name)
}

fn read(path: &Path, metadata: &Metadata) -> Option<Held> {
    let bytes = std::fs::read(path).ok()?;
    let is_text = !bytes[..bytes.len().min(HEAD)].contains(&0);
    let (sum, modified) = (crc32fast::hash(&bytes), metadata.modified().ok());
    Some(Held { bytes: bytes.len() as u64, sum, is_text, modified })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, file: &str, text: &str) -> PathBuf {
        let path = folder.join(file);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, text).expect("a file");
        path
    }

    fn tree(roots: Vec<PathBuf>, except: Vec<PathBuf>) -> Tree {
        let mut tree = Tree::new(roots, except);
        tree.look_at_all();
        tree
    }

    fn changed(path: &Path, how: How) -> Changed {
        Changed { path: path.to_owned(), how, is_text: true }
    }

    #[test]
    fn only_another_content_is_a_change() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = write(folder.path(), "src/a.c", "one");
        let mut tree = tree(vec![folder.path().to_owned()], Vec::new());
        assert_eq!(tree.look(&file), []);
        write(folder.path(), "src/a.c", "one");
        assert_eq!(tree.look(&file), []);
        write(folder.path(), "src/a.c", "two");
        assert_eq!(tree.look(&file), [changed(&file, How::Altered)]);
        assert_eq!(tree.look(&file), []);
        // A folder stands for all that is in it.
        let other = write(folder.path(), "src/deep/b.c", "three");
        assert_eq!(tree.look(&folder.path().join("src")), [changed(&other, How::Appeared)]);
        std::fs::remove_dir_all(folder.path().join("src")).expect("a removal");
        let gone = tree.look(&folder.path().join("src"));
        assert_eq!(gone, [changed(&file, How::Vanished), changed(&other, How::Vanished)]);
    }

    #[test]
    fn what_is_hidden_made_by_tools_or_excepted_does_not_count() {
        let folder = tempfile::tempdir().expect("a folder");
        // What lies above the watched folder says nothing.
        let root = folder.path().join(".hidden/target/greeter");
        for file in [".git/index", "target/debug/x", ".a.c.swp", "a.c~", "#a.c#", "node_modules/x/a.js", "out.so"] {
            write(&root, file, "x");
        }
        let source = write(&root, "lib/a.c", "x");
        let named = write(&root, ".config", "x");
        let mut tree = tree(vec![root.clone(), named.clone()], vec![root.join("out.so")]);
        assert_eq!(tree.files.keys().collect::<Vec<_>>(), [&named, &source]);
        assert_eq!(tree.folders(&root), [root.clone(), root.join("lib")]);
        write(&root, "target/debug/x", "y");
        write(&root, "out.so", "y");
        assert_eq!(tree.look(&root), []);
        write(&root, ".config", "y");
        assert_eq!(tree.look(&named), [changed(&named, How::Altered)]);
    }

    #[test]
    fn what_was_written_since_a_moment_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = write(folder.path(), "a.c", "one");
        let mut tree = tree(vec![folder.path().to_owned()], Vec::new());
        let begun = SystemTime::now();
        assert_eq!(tree.look_since(begun), []);
        write(folder.path(), "a.c", "two");
        let object = write(folder.path(), "a.o", "\0elf");
        let found = tree.look_since(begun);
        let object = Changed { path: object, how: How::Appeared, is_text: false };
        assert_eq!(found, [changed(&file, How::Altered), object]);
        assert_eq!(tree.look_since(begun), []);
    }

    #[cfg(unix)]
    #[test]
    fn pipes_and_circular_links_do_not_hold_it_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = write(folder.path(), "a.c", "one");
        std::os::unix::fs::symlink(folder.path(), folder.path().join("again")).expect("a link");
        std::os::unix::fs::symlink("nowhere", folder.path().join("dangling")).expect("a link");
        let pipe = std::process::Command::new("mkfifo").arg(folder.path().join("pipe")).status();
        assert!(pipe.is_ok_and(|status| status.success()));
        let tree = tree(vec![folder.path().to_owned()], Vec::new());
        assert_eq!(tree.files.keys().collect::<Vec<_>>(), [&file]);
    }
}
