//! What WebAssembly costs: compute beside the same source compiled for this machine, calls, swaps, memory; and the targets.
//!
//! `cargo bench -p pitstop-tests --bench wasm`

use pitstop_host::{Event, Events, Pitstop, Plugin, PluginHandle, Plugins};
use pitstop_tests::repository;
use rustix::time::{ClockId, clock_gettime};
use std::fmt::Write as _;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Sizes that take about 20 ms each.
const COMPUTE: [&str; 5] = ["mandelbrot 448", "primes 5000000", "fnv 16384", "matrix 320", "fib 36"];
/// Each is measured so often, in turn with the others.
const ROUNDS: usize = 15;
const SIXTEEN: &[u8] = b"sixteen letters.";
/// Plugins of one file, to see what one more takes up.
const MANY: usize = 50;

/// Where the machine code is kept between starts: a variable of this process's, for an empty one.
const CACHE: &str = "XDG_CACHE_HOME";
const INSIDE: &str = "PITSTOP_BENCH_FOLDER";

fn main() {
    if let Some(folder) = std::env::var_os(INSIDE) {
        return measure(&PathBuf::from(folder));
    }
    let folder = tempfile::tempdir().expect("a folder");
    guests(folder.path());
    configure(folder.path());
    // Anew, with a cache that nobody has used.
    let this = std::env::current_exe().expect("this program");
    let cache = folder.path().join("cache");
    run(Command::new(this).env(INSIDE, folder.path()).env(CACHE, cache));
}

/// Compiles all that is measured.
fn guests(folder: &Path) {
    let (fixtures, headers) = (repository().join("tests/fixtures/guests"), repository().join("host/c/include"));
    let native = ["-std=c11", "-O2", "-shared", "-fPIC", "-I"];
    let out = |file: &str| folder.join(file);
    run(Command::new("cc")
        .args(native)
        .arg(headers)
        .arg("-o")
        .arg(out("native.so"))
        .arg(fixtures.join("plugins/c/native.c")));
    for source in ["kernel", "greeter"] {
        let source_file = fixtures.join(format!("plugins/c/{source}.c"));
        let target = ["--target=wasm32-wasi", "-mexec-model=reactor", "-std=c11", "-O2", "-o"];
        run(Command::new("clang").args(target).arg(out(&format!("{source}.wasm"))).arg(source_file));
    }
    let plugin = repository().join("examples/greeter/plugins/wasm");
    let cargo = ["build", "--release", "--quiet", "--target-dir"];
    run(Command::new("cargo").args(cargo).arg(out("target")).current_dir(plugin));
    std::fs::copy(out("target/wasm32-unknown-unknown/release/greeter_wasm.wasm"), out("component.wasm"))
        .expect("a guest");
}

fn configure(folder: &Path) {
    let plugins = [
        ("native", "c", "native.so", ""),
        ("kernel", "wasm", "kernel.wasm", ""),
        ("unlimited", "wasm", "kernel.wasm", "wasm = { interrupt = false }\n"),
        ("core", "wasm", "greeter.wasm", ""),
        ("component", "wasm", "component.wasm", ""),
    ];
    let mut text = String::new();
    for (name, mechanism, file, more) in plugins {
        let _ =
            write!(text, "[[plugin]]\nname = \"{name}\"\nmechanism = \"{mechanism}\"\nartifact = \"{file}\"\n{more}\n");
    }
    std::fs::write(folder.join("pitstop.toml"), text).expect("a configuration");
}

fn measure(folder: &Path) {
    let plugins = Plugins::open(folder.join("pitstop.toml")).expect("plugins");
    for plugin in plugins.list() {
        assert!(plugin.problem.is_none(), "{plugin:?}");
    }
    compute(&plugins);
    calls(&plugins);
    swaps(&plugins, folder);
    memory(folder);
}

/// The same source, by each way of running it.
fn compute(plugins: &Plugins) {
    println!("compute, times the time of `cc -O2`         native      default    interrupt = false");
    let ways = ["native", "kernel", "unlimited"].map(|name| plugins.get(name).expect("a plugin"));
    let mut ratios = [Vec::new(), Vec::new()];
    for work in COMPUTE {
        let answers = ways.each_ref().map(|way| way.process(work.as_bytes()).expect("a number"));
        assert!(answers.iter().all(|answer| *answer == answers[0] && *answer != [0; 8]), "{work}: {answers:?}");
        let mut times = [const { Vec::new() }; 3];
        for _ in 0..ROUNDS {
            for (way, times) in ways.iter().zip(&mut times) {
                let begun = on_processor();
                drop(black_box(way.process(work.as_bytes())));
                times.push((on_processor() - begun).as_secs_f64());
            }
        }
        let [native, kernel, unlimited] = times.map(median);
        println!("  {work:38} {:7.2} ms {:9.2} x {:13.2} x", native * 1e3, kernel / native, unlimited / native);
        ratios[0].push(kernel / native);
        ratios[1].push(unlimited / native);
    }
    let [kernel, unlimited] = ratios.map(median);
    row("median with the default settings", kernel, "x", 1.7);
    row("median with `interrupt = false`", unlimited, "x", 1.7);
}

/// A greeting of 16 bytes.
fn calls(plugins: &Plugins) {
    let ways = ["core", "component"].map(|name| plugins.get(name).expect("a plugin"));
    let mut times = [const { Vec::new() }; 2];
    for _ in 0..51 {
        for (way, times) in ways.iter().zip(&mut times) {
            times.push(time(5_000, || drop(black_box(way.process(black_box(SIXTEEN))))));
        }
    }
    let [core, component] = times.map(median);
    row("call of a core module, 16 bytes", core * 1e6, "us", 1.0);
    row("call of a component, 16 bytes", component * 1e6, "us", 3.0);
}

/// Two files in turn, which the cache knows from the second time on; and such as it never saw.
fn swaps(plugins: &Plugins, folder: &Path) {
    let pit = pitstop_host::attach();
    let mut events = plugins.events();
    for (name, file) in [("core", "greeter.wasm"), ("component", "component.wasm")] {
        let module = std::fs::read(folder.join(file)).expect("a guest");
        let mut swap = |number: u32| {
            put(folder, file, &numbered(&module, number));
            live(&pit, &mut events, name)
        };
        let (new, copied): (Vec<f64>, Vec<f64>) = (0..15).map(&mut swap).unzip();
        let (cached, copied_again): (Vec<f64>, Vec<f64>) = (0..15).map(&mut swap).unzip();
        let kilobytes = module.len() as f64 / 1024.0;
        row(&format!("swap of a new {name}, {kilobytes:.0} KB"), median(new), "ms", 60.0);
        row(&format!("swap of a {name} that is in the cache"), median(cached), "ms", 1.0);
        let copy = median([copied, copied_again].concat());
        println!("before that, until the file has been left alone, and its copy {copy:12.3} ms");
    }
}

/// What a version takes from its private copy to where calls can go to it, as the event tells, in ms: proof, opening, swap; not how
/// long the program took to come by its safe point. And the copy, which waits until nobody has written to the file for 11 ms.
fn live(pit: &Pitstop, events: &mut Events, name: &str) -> (f64, f64) {
    let wanted = format!("plugin:{name}");
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(60) {
        pit.safe_point();
        match events.next_within(Duration::from_millis(1)) {
            Some(Event::Live { crate_name, stages, .. }) if crate_name == wanted => {
                return (stages.verify + stages.load + stages.swap, stages.stage);
            }
            Some(Event::Rejected { reasons, .. }) => panic!("{reasons:?}"),
            _ => {}
        }
    }
    panic!("{name} is not live");
}

/// What one more plugin of the same file takes up, once it was called.
fn memory(folder: &Path) {
    for (name, file) in [("core module", "greeter.wasm"), ("component", "component.wasm")] {
        let mut text = String::new();
        for number in 0..MANY {
            let _ = write!(text, "[[plugin]]\nname = \"p{number}\"\nmechanism = \"wasm\"\nartifact = \"{file}\"\n\n");
        }
        std::fs::write(folder.join("many.toml"), text).expect("a configuration");
        let before = resident();
        let plugins = Plugins::open(folder.join("many.toml")).expect("plugins");
        let handles: Vec<PluginHandle> =
            (0..MANY).map(|number| plugins.get(&format!("p{number}")).expect("a plugin")).collect();
        handles.iter().for_each(|handle| drop(handle.process(SIXTEEN).expect("a greeting")));
        let after = resident();
        let (what, each) = (format!("one more plugin, a {name}"), (after - before) as f64 / MANY as f64 / 1024.0);
        println!("{what:50} {each:9.0} KB");
    }
}

/// A module with a section of its own at the end, which no one reads: another file, the same code.
fn numbered(module: &[u8], number: u32) -> Vec<u8> {
    let name = b"number";
    let mut section =
        vec![0, u8::try_from(1 + name.len() + 4).expect("short"), u8::try_from(name.len()).expect("short")];
    section.extend_from_slice(name);
    section.extend_from_slice(&number.to_le_bytes());
    [module, &section].concat()
}

/// As linkers do: at once.
fn put(folder: &Path, file: &str, bytes: &[u8]) {
    std::fs::write(folder.join("draft"), bytes).expect("a draft");
    std::fs::rename(folder.join("draft"), folder.join(file)).expect("a file in place");
}

/// The memory of this process, in bytes.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").expect("Linux");
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

fn row(what: &str, value: f64, unit: &str, target: f64) {
    let verdict = if value <= target { "within" } else { "OVER" };
    println!("{what:50} {value:9.3} {unit:2}   {verdict} {target} {unit}");
}

/// How long this thread has had a processor: what others do on this machine counts for less than by the clock.
fn on_processor() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("not before the beginning")
}

/// The seconds of a call.
fn time(calls: u32, mut work: impl FnMut()) -> f64 {
    let begun = Instant::now();
    (0..calls).for_each(|_| work());
    begun.elapsed().as_secs_f64() / f64::from(calls)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn run(command: &mut Command) {
    let status = command.status();
    assert!(status.is_ok_and(|status| status.success()), "{command:?}");
}
