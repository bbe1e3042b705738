//! The folder for copies comes and goes.

use super::*;

/// A folder for copies, by which what is left beside it has gone.
fn swept(base: &Path) -> Staging {
    let staging = Staging::new(Some(base), Policy::default()).expect("a folder");
    staging.sweep();
    staging
}

/// Of a process that is gone, if `locked` is not held.
fn left(base: &Path, name: &str) -> PathBuf {
    let folder = base.join(format!("pitstop-plugins-{name}"));
    fs::create_dir_all(folder.join("x-1")).expect("a folder");
    fs::write(folder.join("lock"), "").expect("a file");
    fs::write(folder.join("x-1/run"), "1").expect("a file");
    permit(&folder.join("x-1/run"), 0o400);
    folder
}

#[test]
fn what_processes_that_are_gone_left_is_swept_and_nothing_else() {
    let base = tempfile::tempdir().expect("a folder");
    let gone = left(base.path(), "1-a");
    let held = left(base.path(), "2-b");
    let lock = File::open(held.join("lock")).expect("a file");
    lock.lock().expect("locked");
    let other = base.path().join("mine");
    fs::create_dir(&other).expect("a folder");
    let beginning = base.path().join("pitstop-plugins-3-c");
    fs::create_dir(&beginning).expect("a folder");
    let without_lock = left(base.path(), "4-d");
    fs::remove_file(without_lock.join("lock")).expect("removed");
    let file = base.path().join("pitstop-plugins-5-e");
    fs::write(&file, "").expect("a file");
    let first = swept(base.path());
    let second = swept(base.path());
    assert!(!gone.exists() && !beginning.exists());
    assert!(held.join("x-1/run").exists() && other.exists() && without_lock.exists() && file.exists());
    let folders = || fs::read_dir(base.path()).expect("a folder").count();
    assert_eq!(folders(), 6, "four are left, and two are new");
    drop(lock);
    drop((first, second));
    assert_eq!(folders(), 4);
    drop(swept(base.path()));
    assert!(!held.exists());
}

#[cfg(unix)]
#[test]
fn a_link_is_not_followed_by_the_sweeper() {
    let base = tempfile::tempdir().expect("a folder");
    let elsewhere = tempfile::tempdir().expect("a folder");
    let target = left(elsewhere.path(), "1-a");
    std::os::unix::fs::symlink(&target, base.path().join("pitstop-plugins-1-a")).expect("a link");
    let inner = left(base.path(), "2-b");
    std::os::unix::fs::symlink(&target, inner.join("link")).expect("a link");
    drop(swept(base.path()));
    assert!(target.join("x-1/run").exists() && !inner.exists());
}

/// Another user's folders are left alone; only root can try.
#[cfg(unix)]
#[test]
fn what_another_user_left_is_not_swept() {
    let base = tempfile::tempdir().expect("a folder");
    let theirs = left(base.path(), "1-a");
    if std::os::unix::fs::chown(&theirs, Some(4321), None).is_err() {
        return;
    }
    drop(swept(base.path()));
    assert!(theirs.exists());
}

#[test]
fn folders_that_are_made_at_the_same_time_do_not_sweep_each_other() {
    let place = Place::new();
    place.program("x/run", "1");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for number in 0..50 {
                    let staging = swept(&place.at("copies"));
                    let spec = Arc::new(place.spec(Mechanism::Exec, "x/run"));
                    let staged = stage(&spec, &place.at("x/run"), &staging, Generation(number)).expect("staged");
                    assert_eq!(fs::read(staged.file).expect("a copy"), b"1");
                }
            });
        }
    });
    assert_eq!(fs::read_dir(place.at("copies")).expect("a folder").count(), 1, "that of the place itself");
}

#[cfg(unix)]
#[test]
fn a_folder_that_others_could_change_copies_in_is_refused() {
    let base = tempfile::tempdir().expect("a folder");
    let told = |policy| Staging::new(Some(base.path()), policy).err().map(|reason| reason.to_string());
    permit(base.path(), 0o777);
    let path = base.path().display();
    let expected = format!(
        "{path} (file): expected a folder that nobody else can change, found that it may be written by everybody (mode \
         0777); make room there, or name another folder as `staging` below `[plugins]` in pitstop.toml"
    );
    assert_eq!(told(Policy::RefuseWorldWritable), Some(expected));
    assert_eq!(told(Policy::AllowWorldWritable), None);
    // As the system's temporary folder is.
    permit(base.path(), 0o1777);
    assert_eq!(told(Policy::RefuseWorldWritable), None);
}

#[test]
fn what_is_no_folder_for_copies_is_refused() {
    let base = tempfile::tempdir().expect("a folder");
    fs::write(base.path().join("file"), "").expect("a file");
    let reason = Staging::new(Some(&base.path().join("file/below")), Policy::default()).expect_err("no folder");
    assert_eq!(reason.expected, "a folder for copies of plugins");
    let staging = Staging::new(None, Policy::default()).expect("the system's folder");
    drop(staging);
}
