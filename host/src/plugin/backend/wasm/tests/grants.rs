//! What is granted is there, and nothing else.

use super::*;

/// Makes the output from what a function of WASI writes: the errno, as one byte.
fn wasi(import: &str, call: &str) -> String {
    let answer = "(i64.const 0x0000010000000001)";
    module(import, &format!("(i32.store8 (i32.const 256) {call}) {answer}"))
}

fn errno(plugin: &Plugin) -> u8 {
    plugin.open().process(b"").expect("an answer")[0]
}

#[test]
fn a_granted_folder_is_read_and_nothing_beside_it() {
    const SUCCESS: u8 = 0;
    const BAD_DESCRIPTOR: u8 = 8;
    const NOT_PERMITTED: u8 = 63;
    let open = |path: &str, create: bool| {
        let import = format!(
            "(import \"wasi_snapshot_preview1\" \"path_open\"
               (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
             (data (i32.const 0) \"{path}\")"
        );
        let (flags, rights) = if create { (1, 64) } else { (0, 2) };
        let call = format!(
            "(call $open (i32.const 3) (i32.const 1) (i32.const 0) (i32.const {}) (i32.const {flags})
               (i64.const {rights}) (i64.const {rights}) (i32.const 0) (i32.const 64))",
            path.len()
        );
        let plugin = Plugin::new(wasi(&import, &call));
        let data = plugin.folder.path().join("data");
        std::fs::create_dir(&data).expect("a folder");
        std::fs::write(data.join("in"), "in").expect("a file");
        std::fs::write(plugin.folder.path().join("out"), "out").expect("a file");
        #[cfg(unix)]
        std::os::unix::fs::symlink("../out", data.join("link")).expect("a link");
        plugin
    };
    let granted = |plugin: Plugin, access: Access| {
        let path = plugin.folder.path().join("data");
        plugin.with(|spec| spec.wasm.files = vec![Folder { path, access, at: "/data".to_owned() }])
    };
    assert_eq!(errno(&open("in", false)), BAD_DESCRIPTOR, "nothing is granted");
    assert_eq!(errno(&granted(open("in", false), Access::Read)), SUCCESS);
    for beside in ["../out", "link", "/etc/passwd", "../../../../../../etc/passwd"] {
        assert_eq!(errno(&granted(open(beside, false), Access::Read)), NOT_PERMITTED, "{beside}");
    }
    assert_ne!(errno(&granted(open("new", true), Access::Read)), SUCCESS, "it is granted for reading only");
    let plugin = granted(open("new", true), Access::ReadWrite);
    assert_eq!(errno(&plugin), SUCCESS);
    assert!(plugin.folder.path().join("data/new").exists());
}

#[test]
fn the_clock_stands_still_unless_it_is_granted() {
    let import = "(import \"wasi_snapshot_preview1\" \"clock_time_get\" (func $now (param i32 i64 i32) (result i32)))";
    let now = "(drop (call $now (i32.const 0) (i64.const 1) (i32.const 128))) (i64.const 0x0000008000000008)";
    let time = |clock: bool| {
        let guest = Plugin::new(module(import, now)).with(|spec| spec.wasm.clock = clock).open();
        u64::from_le_bytes(guest.process(b"").expect("a time").try_into().expect("eight bytes"))
    };
    assert_eq!(time(false), 0);
    assert!(time(true) > 1_700_000_000_000_000_000);
}

#[test]
fn variables_and_arguments_are_those_of_the_configuration_alone() {
    let import =
        "(import \"wasi_snapshot_preview1\" \"environ_sizes_get\" (func $environ (param i32 i32) (result i32)))
                  (import \"wasi_snapshot_preview1\" \"args_sizes_get\" (func $args (param i32 i32) (result i32)))";
    let counts =
        "(drop (call $environ (i32.const 128) (i32.const 160))) (drop (call $args (i32.const 132) (i32.const 160)))
                  (i64.const 0x0000008000000008)";
    let counted = |plugin: Plugin| plugin.open().process(b"").expect("counts");
    assert_eq!(counted(Plugin::new(module(import, counts))), [0, 0, 0, 0, 1, 0, 0, 0], "its name alone");
    let plugin = Plugin::new(module(import, counts)).with(|spec| {
        spec.environment = vec!["PATH".to_owned(), "NOT_SET_ANYWHERE".to_owned()];
        spec.set = [("GREETING".to_owned(), "Hello".to_owned())].into();
        spec.arguments = vec!["--fast".to_owned()];
    });
    assert_eq!(counted(plugin), [2, 0, 0, 0, 2, 0, 0, 0]);
}

/// Keeps its input under `k` and answers with what was there, or with `none`.
fn keeper() -> String {
    let imports = "(import \"pitstop\" \"kv_get\" (func $get (param i32 i32 i32 i32) (result i64)))
                   (import \"pitstop\" \"kv_set\" (func $set (param i32 i32 i32 i32) (result i32)))
                   (data (i32.const 0) \"knonefull\")";
    let body = "(local $found i64)
                (local.set $found (call $get (i32.const 0) (i32.const 1) (i32.const 512) (i32.const 100)))
                (if (call $set (i32.const 0) (i32.const 1) (local.get $at) (local.get $length))
                  (then (return (i64.const 0x0000000580000004))))
                (if (i64.lt_s (local.get $found) (i64.const 0)) (then (return (i64.const 0x0000000100000004))))
                (i64.or (i64.const 0x0000020000000000) (local.get $found))";
    module(imports, body)
}

#[test]
fn values_outlive_a_version_and_keep_to_their_share() {
    let plugin = Plugin::new(keeper()).with(|spec| spec.wasm.key_value = Some(100));
    let first = plugin.open();
    assert_eq!(first.process(b"one"), Ok(b"none".to_vec()));
    assert_eq!(first.process(b"two"), Ok(b"one".to_vec()));
    // As in a reload: the next version is there before the one before it goes.
    let second = plugin.open();
    drop(first);
    assert_eq!(second.process(b"three"), Ok(b"two".to_vec()));
    assert_eq!(second.process(&[7; 50]), Err(PluginError::failed("full")));
    assert_eq!(second.process(b"four"), Ok(b"three".to_vec()));
    let other = Plugin::new(keeper()).with(|spec| spec.wasm.key_value = Some(100)).open();
    assert_eq!(other.process(b"mine"), Ok(b"none".to_vec()), "each plugin has its own");
}

#[test]
fn a_component_keeps_values_and_knows_the_time() {
    let imports = "(import \"pitstop:plugin/key-value@0.1.0\" (instance $values (export \"delete\" (func (param \"key\" string)))))
                   (import \"pitstop:plugin/clock@0.1.0\" (instance $clock (export \"now\" (func (result u64)))))
                   (import \"pitstop:plugin/log@0.1.0\" (instance $log
                     (type $kind (enum \"error\" \"warn\" \"info\" \"debug\" \"trace\")) (export \"level\" (type $level (eq $kind)))
                     (export \"log\" (func (param \"level\" $level) (param \"message\" string)))))
                   (core func $now (canon lower (func $clock \"now\")))
                   (core instance $lent (export \"now\" (func $now)))";
    let own = "(import \"lent\" \"now\" (func $now (result i64)))";
    let body = "(i64.store (i32.const 128) (call $now)) (i32.store (i32.const 20) (i32.const 128))
                (i32.store (i32.const 24) (i32.const 8)) (i32.const 16)";
    let plugin = Plugin::new(component(imports, "(with \"lent\" (instance $lent))", own, body)).with(|spec| {
        spec.wasm.clock = true;
        spec.wasm.key_value = Some(1000);
    });
    let time = plugin.open().process(b"").expect("a time");
    assert!(u64::from_le_bytes(time.try_into().expect("eight bytes")) > 1_700_000_000_000_000_000);
}

#[test]
fn an_exit_is_told_with_its_code_and_what_was_said_last() {
    let import = "(import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32)))
                  (import \"wasi_snapshot_preview1\" \"fd_write\" (func $write (param i32 i32 i32 i32) (result i32)))
                  (data (i32.const 64) \"at first\\nno such table\\n\")";
    let body = "(i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 23))
                (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
                (call $exit (i32.const 3)) (unreachable)";
    let guest = Plugin::new(module(import, body)).open();
    let message = "no such table".to_owned();
    assert_eq!(guest.process(b""), Err(PluginError::Exited { code: 3, message }));
}

#[test]
fn the_abort_of_assembly_script_is_told_in_its_words() {
    let import = "(import \"env\" \"abort\" (func $abort (param i32 i32 i32 i32)))
                  (data (i32.const 60) \"\\04\\00\\00\\00n\\00o\\00\") (data (i32.const 80) \"\\08\\00\\00\\00a\\00.\\00t\\00s\\00\")";
    let body = "(call $abort (i32.const 64) (i32.const 84) (i32.const 7) (i32.const 2)) (unreachable)";
    let error = Plugin::new(module(import, body)).open().process(b"").expect_err("it aborts");
    assert_eq!(error, PluginError::Panicked { message: "no (a.ts:7:2), in `process`".to_owned() });
}
