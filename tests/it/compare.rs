//! The mechanisms side by side, as the command measures them on this machine.
//!
//! Two of them in every run; `PITSTOP_COMPARE=all` asks for all five, of which wasmtime takes minutes to build.
#![cfg(target_os = "linux")]

use pitstop_tests::{Project, repository};
use serde_json::Value;
use std::process::{Command, Output};

/// In the repository, whose target directory keeps what was built.
fn compare(project: &Project, arguments: &[&str]) -> Command {
    let mut compare = project.pitstop(&["compare"]);
    compare.args(arguments).current_dir(repository());
    compare
}

/// What comes of a crash, an endless loop, a bad version and a read of a file that is not the plugin's.
const BEHAVIOURS: [(&str, [&str; 4]); 5] = [
    ("dylib", ["takes-the-program", "hangs", "refused", "done"]),
    ("c", ["takes-the-program", "hangs", "refused", "done"]),
    ("rpc", ["error", "limit", "refused", "done"]),
    ("wasm", ["error", "limit", "refused", "denied"]),
    ("exec", ["error", "limit", "error", "done"]),
];

#[test]
fn each_mechanism_is_measured_and_misbehaves_as_it_is_known_to() {
    let is_all = std::env::var("PITSTOP_COMPARE").is_ok_and(|which| which == "all");
    let wanted: &[&str] = if is_all { &["dylib", "c", "rpc", "wasm", "exec"] } else { &["c", "exec"] };
    let project = Project::new("basic");
    let (svg, html) = (project.path("compare.svg"), project.path("compare.html"));
    let files = ["--svg", &svg.display().to_string(), "--html", &html.display().to_string()].map(str::to_owned);
    let mut command = compare(&project, &["--quick", "--json", "--only", &wanted.join(",")]);
    let Output { status, stdout, stderr } = command.args(files).output().expect("an end");
    let (printed, said) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert_eq!(status.code(), Some(0), "{printed}\n{said}");
    println!("{printed}");
    let rows: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).expect("a JSON object")).collect();
    let names: Vec<&str> = rows.iter().filter_map(|row| row["mechanism"].as_str()).collect();
    assert_eq!(names, wanted);
    rows.iter().for_each(is_complete);
    // Whoever is executed for each call waits longer than who calls a function.
    let call = |name: &str| {
        rows.iter().find(|row| row["mechanism"] == name).and_then(|row| row["calls"][0]["call_ns"].as_f64())
    };
    assert!(call("c") < call("exec"), "{printed}");
    let [svg, html] = [svg, html].map(|file| std::fs::read_to_string(file).expect("a file"));
    for name in wanted {
        assert!(svg.contains(&format!(">{name}</text>")) && html.contains(&format!("<td class=\"\">{name}</td>")));
    }
    assert!(html.contains(&svg), "the page has the picture in it");
}

/// Whether all is there, and no number is nonsense.
fn is_complete(row: &Value) {
    assert_eq!(row["problems"].as_array().map(Vec::len), Some(0), "{row}");
    for name in ["start_ns", "compute_ns", "native_ns", "compute_times_native", "reload_ns"] {
        assert!(row[name].as_f64().is_some_and(|number| number > 0.0), "{name}: {row}");
    }
    assert!(row["memory_bytes"].is_u64(), "{row}");
    let calls = row["calls"].as_array().expect("calls");
    let payloads: Vec<u64> = calls.iter().filter_map(|call| call["payload_bytes"].as_u64()).collect();
    assert_eq!(payloads, [16, 1 << 10, 64 << 10, 1 << 20, 16 << 20]);
    assert!(calls.iter().all(|call| call["call_ns"].as_f64().is_some_and(|number| number > 0.0)), "{row}");
    let (_, expected) = BEHAVIOURS.iter().find(|(name, _)| row["mechanism"] == *name).expect("a mechanism");
    let found = ["crash", "endless_loop", "bad_version", "read_file"].map(|what| row[what]["outcome"].as_str());
    assert_eq!(found, expected.map(Some), "{row}");
}

#[test]
fn what_cannot_be_compared_is_told_before_anything_is_built() {
    let project = Project::new("basic");
    let nowhere = project.path("nowhere/compare.svg").display().to_string();
    for (arguments, said) in [
        (["--only", "docker"], "possible values: dylib, c, rpc, wasm, exec"),
        (["--svg", nowhere.as_str()], "name a file in a folder that is there"),
    ] {
        let output = compare(&project, &arguments).output().expect("an end");
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(words.contains(said), "{words}");
    }
}
