//! Private folders for the sockets of plugins: nobody else can connect, and what a plugin leaves behind goes with its folder.

use crate::lock::lock;
use crate::plugin::access;
use crate::plugin::stage;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};

/// The longest path of a socket that the system takes, which has a NUL after it.
const LONGEST_PATH: usize = if cfg!(target_os = "linux") { 107 } else { 103 };
/// The longest name that a plugin may give a socket: go-plugin's are `plugin` and up to ten digits.
const LONGEST_NAME: usize = 24;

/// A folder that one process of a plugin has for its sockets.
#[derive(Debug)]
pub(super) struct Sockets {
    folder: PathBuf,
    _base: Arc<Base>,
}

impl Sockets {
    /// Makes one, in the system's temporary folder.
    ///
    /// # Errors
    /// Why it cannot be, and what helps.
    pub(super) fn new() -> Result<Self, String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let base = Base::shared(&std::env::temp_dir())?;
        let folder = base.folder.join(NEXT.fetch_add(1, Ordering::Relaxed).to_string());
        let told = |error| format!("its folder for sockets, {}, cannot be made: {error}", folder.display());
        access::make_folder(&folder).map_err(told)?;
        Ok(Self { folder, _base: base })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            log::debug!("pitstop: {} stays until the program ends: {error}", self.folder.display());
        }
    }
}

/// The folder that all of them are in. It goes with the last; after a crash, the next program that makes one removes it.
#[derive(Debug)]
struct Base {
    folder: PathBuf,
    below: PathBuf,
    /// A process that is forked from this one leaves it alone.
    process: u32,
    _lock: File,
}

impl Base {
    fn shared(below: &Path) -> Result<Arc<Self>, String> {
        static SHARED: Mutex<Weak<Base>> = Mutex::new(Weak::new());
        let mut shared = lock(&SHARED);
        match shared.upgrade() {
            Some(base) if base.below == below => Ok(base),
            _ => {
                let base = Arc::new(Self::new(below)?);
                *shared = Arc::downgrade(&base);
                Ok(base)
            }
        }
    }

    fn new(below: &Path) -> Result<Self, String> {
        let told = |error: std::io::Error| {
            format!("no folder for sockets can be made in {}: {error}; set `TMPDIR` to another", below.display())
        };
        let real = below.canonicalize().map_err(told)?;
        // Before anything is made. The process's number and the time make the longest name.
        fits(&real.join(format!("pitstop-plugins-{}-{:x}-0", u32::MAX, u64::MAX)))?;
        let (folder, held) = stage::private(&real).map_err(told)?;
        Ok(Self { folder, below: below.to_owned(), process: std::process::id(), _lock: held })
    }
}

impl Drop for Base {
    fn drop(&mut self) {
        if self.process == std::process::id()
            && let Err(error) = std::fs::remove_dir_all(&self.folder)
        {
            log::debug!("pitstop: {} stays until another program makes one: {error}", self.folder.display());
        }
    }
}

/// Whether the paths of sockets in it are short enough for the system.
fn fits(base: &Path) -> Result<(), String> {
    let longest = base.as_os_str().len() + "/12345/".len() + LONGEST_NAME;
    if longest <= LONGEST_PATH {
        return Ok(());
    }
    Err(format!(
        "a socket in {} could have a path of {longest} bytes, and the system takes {LONGEST_PATH} at most; set `TMPDIR` of the \
         program to a folder with a shorter path, such as /tmp",
        base.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_folder_for_sockets_is_private_and_goes_with_all_that_is_left_in_it() {
        let sockets = Sockets::new().expect("a folder");
        let mode = sockets.folder().metadata().expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let left = sockets.folder().join("plugin123");
        std::os::unix::net::UnixListener::bind(&left).expect("a socket");
        let folder = sockets.folder().to_owned();
        drop(sockets);
        assert!(!folder.exists());
    }

    #[test]
    fn a_path_that_would_be_too_long_for_a_socket_is_refused_before_anything_is_made() {
        let place = tempfile::TempDir::new().expect("a folder");
        let deep = place.path().join("x".repeat(60));
        std::fs::create_dir(&deep).expect("a folder");
        let why = Base::new(&deep).expect_err("refused");
        assert!(why.contains("the system takes 107 at most") || cfg!(not(target_os = "linux")), "{why}");
        assert!(why.contains("set `TMPDIR`"), "{why}");
        assert_eq!(std::fs::read_dir(&deep).expect("readable").count(), 0);
        Base::new(place.path()).expect("short enough");
    }
}
