//! Small file systems, for disks that are full or cannot be written.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system in memory over a folder; gone when dropped. Needs root, as `tests/run` has.
#[derive(Debug)]
pub struct Mount(PathBuf);

impl Mount {
    /// Mounts one with these options.
    ///
    /// # Panics
    /// When the system does not allow it: a test that cannot run has not passed.
    #[must_use]
    pub fn tmpfs(folder: &Path, options: &str) -> Self {
        std::fs::create_dir_all(folder).expect("a folder to mount over");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "pitstop-test"]).arg(folder).status();
        assert!(mounted.is_ok_and(|status| status.success()), "cannot mount: these tests need root");
        Self(folder.to_owned())
    }

    /// Leaves no byte free.
    pub fn fill(&self) {
        use std::io::Write;
        let mut file = std::fs::File::create(self.0.join("filler")).expect("a filler");
        for size in [1 << 20, 1 << 12, 1] {
            let block = vec![0_u8; size];
            while file.write_all(&block).is_ok() {}
        }
    }

    /// Undoes [`Mount::fill`].
    pub fn make_room(&self) {
        std::fs::remove_file(self.0.join("filler")).expect("the filler");
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
