//! What plugins write, as the program's logger gets it.

use super::{Plugin, awaited};
use log::Level;
use std::sync::{Mutex, Once};

static RECORDS: Mutex<Vec<(String, Level, String)>> = Mutex::new(Vec::new());

struct Collect;

impl log::Log for Collect {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let record = (record.target().to_owned(), record.level(), record.args().to_string());
        RECORDS.lock().expect("no panic").push(record);
    }

    fn flush(&self) {}
}

/// Collects what is logged from now on.
fn collect() {
    static COLLECT: Once = Once::new();
    COLLECT.call_once(|| {
        log::set_logger(&Collect).expect("no other logger in these tests");
        log::set_max_level(log::LevelFilter::Trace);
    });
}

/// Awaits a record of this plugin with this beginning.
fn record(target: &str, beginning: &str) -> (Level, String) {
    awaited(beginning, || {
        let records = RECORDS.lock().expect("no panic");
        let mut own = records.iter().filter(|(of, ..)| of == target);
        own.find(|(.., text)| text.starts_with(beginning)).map(|(_, level, text)| (*level, text.clone()))
    })
}

fn named(plugin: Plugin, name: &str) -> Plugin {
    collect();
    plugin.with(|spec| spec.name = name.to_owned())
}

#[test]
fn lines_of_hclog_become_records_of_the_plugins_name() {
    let line = r#"{"@level":"warn","@message":"low on space","@module":"kv","left":3}"#;
    let plugin = named(Plugin::script(&format!("echo '{line}' >&2\nprintf 'no end' >&2\nexit 1")), "structured");
    plugin.refused();
    assert_eq!(record("structured", "low"), (Level::Warn, "low on space module=kv left=3".to_owned()));
    assert_eq!(record("structured", "no end").0, Level::Debug);
}

#[test]
fn what_a_plugin_prints_after_its_handshake_is_logged() {
    let plugin = named(Plugin::of_kind("echo"), "chatty");
    let instance = plugin.open();
    assert_eq!(instance.process(b"chatter"), Ok(Vec::new()));
    assert_eq!(record("chatty", "on standard output"), (Level::Info, "on standard output: on the side".to_owned()));
}

#[test]
fn a_line_of_ten_megabytes_is_cut_and_holds_up_nothing() {
    let plugin = named(Plugin::of_kind("echo"), "long-winded");
    let instance = plugin.open();
    assert_eq!(instance.process(b"long-line"), Ok(Vec::new()));
    assert_eq!(instance.process(b"abc"), Ok(b"cba".to_vec()));
    let (_, text) = record("long-winded", "yyyy");
    let end = "… (cut here: the line has 9437184 bytes more)";
    assert_eq!((text.len(), text.ends_with(end)), ((1 << 20) + end.len(), true));
}
