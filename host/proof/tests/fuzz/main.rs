//! Hostile bytes: whatever a file holds, the proof answers, soon, within bounds, and without a panic.
//!
//! A few seconds of this are part of every test run. For longer, with all checks of arithmetic on:
//!
//! ```text
//! CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS=true PITSTOP_FUZZ_SECONDS=1800 \
//!     cargo test --release -p pitstop-proof --features compression --test fuzz -- --nocapture
//! ```
//!
//! An input is made from nothing but its number, so that `PITSTOP_FUZZ_FROM=<number>` makes it again.
#![cfg(target_os = "linux")]

#[path = "../dice/mod.rs"]
mod dice;

mod corpus;
mod damage;

use corpus::Corpus;
use damage::damage;
use dice::Dice;
use pitstop_contract::descriptor::Descriptor;
use pitstop_proof::layout::{Kind, Layouts, TypeId, borrowed, compare, read, tree};
use pitstop_proof::{Built, Image, complete, descriptor, exports, prove, signature};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Inputs of an ordinary test run.
const INPUTS: u64 = 20_000;
/// How much of the processor's time one input may take. An ordinary one takes less than a millisecond.
const LONGEST: Duration = Duration::from_secs(2);
/// How much memory the process may have taken at any time, in bytes.
const LARGEST: u64 = 1 << 30;
/// How often the memory is looked at, in inputs.
const LOOK: u64 = 1024;

#[derive(Clone, Copy)]
enum Until {
    Inputs(u64),
    Time(Instant),
}

#[test]
fn no_input_harms_the_proof() {
    let from = number("PITSTOP_FUZZ_FROM").unwrap_or(0);
    let until = match number("PITSTOP_FUZZ_SECONDS") {
        Some(seconds) => Until::Time(Instant::now() + Duration::from_secs(seconds)),
        None => Until::Inputs(from + INPUTS),
    };
    let corpus = Corpus::new();
    let at = Arc::new(AtomicU64::new(from));
    let (end, ended) = mpsc::channel();
    let shared = Arc::clone(&at);
    let worker = std::thread::spawn(move || {
        let tally = fuzz(&corpus, from, until, &shared);
        let _ = end.send(());
        tally
    });
    // What never comes back does not tell of itself.
    let mut before = u64::MAX;
    while let Err(mpsc::RecvTimeoutError::Timeout) = ended.recv_timeout(60 * LONGEST) {
        let now = at.load(Ordering::Relaxed);
        assert_ne!(before, now, "input {now} takes longer than {:?}", 60 * LONGEST);
        before = now;
    }
    let tally = worker.join().unwrap_or_else(|_| panic!("input {} panicked", at.load(Ordering::Relaxed)));
    println!("{}", tally.line());
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// What was done, and the worst of it.
struct Tally {
    begun: Instant,
    /// Damaged files, damaged descriptors, damaged graphs of types.
    inputs: [u64; 3],
    /// How many files were still read to the end, so that there were types to find.
    whole: u64,
    longest: (Duration, u64),
    memory: u64,
}

impl Tally {
    fn line(&self) -> String {
        let [files, descriptors, graphs] = self.inputs;
        format!(
            "{} inputs in {:.0} s: {files} files ({} of them with types), {descriptors} descriptors, {graphs} graphs; \
             longest {:.1} ms (input {}), at most {} MB of memory",
            files + descriptors + graphs,
            self.begun.elapsed().as_secs_f64(),
            self.whole,
            self.longest.0.as_secs_f64() * 1e3,
            self.longest.1,
            self.memory >> 20,
        )
    }
}

fn fuzz(corpus: &Corpus, from: u64, until: Until, at: &AtomicU64) -> Tally {
    let begun = Instant::now();
    let mut tally = Tally { begun, inputs: [0; 3], whole: 0, longest: (Duration::ZERO, 0), memory: 0 };
    let mut told = begun;
    let mut before = processor_time();
    for input in from.. {
        let over = match until {
            Until::Inputs(last) => input >= last,
            Until::Time(end) => Instant::now() >= end,
        };
        if over {
            break;
        }
        at.store(input, Ordering::Relaxed);
        one(corpus, input, &mut tally);
        let now = processor_time();
        let taken = now - std::mem::replace(&mut before, now);
        tally.longest = tally.longest.max((taken, input));
        assert!(taken < LONGEST, "input {input} took {taken:?}");
        if input % LOOK == 0 {
            tally.memory = peak();
            assert!(tally.memory < LARGEST, "{} bytes of memory at input {input}", tally.memory);
            if told.elapsed() > Duration::from_secs(60) {
                told = Instant::now();
                println!("{}", tally.line());
            }
        }
    }
    tally
}

/// How long this thread has run: what other programs take does not count.
fn processor_time() -> Duration {
    let figures = std::fs::read_to_string("/proc/thread-self/schedstat").expect("the state of this thread");
    let first = figures.split_whitespace().next().and_then(|figure| figure.parse().ok());
    Duration::from_nanos(first.expect("its time in nanoseconds"))
}

/// The most memory that this process has had, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("the state of this process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its peak of memory");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

fn one(corpus: &Corpus, input: u64, tally: &mut Tally) {
    let dice = &mut Dice::new(input);
    match dice.below(10) {
        0..6 => {
            tally.inputs[0] += 1;
            let sample = dice.one(&corpus.files);
            let bytes = damage(&sample.bytes, &sample.targets, dice);
            tally.whole += u64::from(file(&bytes));
        }
        6 => {
            tally.inputs[1] += 1;
            let whole = 0..corpus.descriptor.len();
            let _ = Descriptor::parse(&damage(&corpus.descriptor, std::slice::from_ref(&whole), dice));
        }
        _ => {
            tally.inputs[2] += 1;
            let sample = dice.one(&corpus.graphs);
            let damaged = if dice.chance(50) {
                let whole = 0..sample.json.len();
                serde_json::from_slice(&damage(&sample.json, std::slice::from_ref(&whole), dice)).ok()
            } else {
                Some(rewired(&sample.layouts, dice))
            };
            if let Some(damaged) = damaged {
                graphs(&sample.layouts, &damaged);
                graphs(&damaged, &sample.layouts);
                graphs(&damaged, &damaged);
            }
        }
    }
}

/// All that is done with a file's bytes. Whether types were found in it.
fn file(bytes: &[u8]) -> bool {
    let path = Path::new("image.so");
    let _ = complete(path, bytes);
    let _ = exports(path, bytes);
    let found = descriptor(path, bytes).unwrap_or_default();
    for symbol in ["update", "paint"] {
        if let Ok(Some(found)) = signature::find(bytes, symbol) {
            let _ = signature::compare("extern \"C\" fn(&mut logic::World, &[u8]) -> u64", &found);
        }
    }
    let layouts = read(bytes, &["logic"]);
    let whole = !layouts.roots.is_empty();
    let mut built = Built::default();
    built.add(found.clone());
    let image = Image { descriptor: found, layouts };
    let _ = prove("logic", bytes, &image, &built, &image.layouts);
    whole
}

fn graphs(expected: &Layouts, found: &Layouts) {
    let comparison = compare(expected, found, |_| true);
    let _ = tree(&comparison, &|_, _| None);
    let _ = borrowed(found, |_| true);
}

/// A graph in which some references lead elsewhere, or nowhere, and some numbers and names are others.
fn rewired(layouts: &Layouts, dice: &mut Dice) -> Layouts {
    let mut layouts = layouts.clone();
    let count = layouts.types.len();
    let names: Vec<String> = layouts.types.iter().map(|ty| ty.name.clone()).collect();
    for _ in 0..=dice.below(6) {
        let to = TypeId(match dice.below(8) {
            0 => u32::MAX,
            _ => u32::try_from(dice.below(count + 1)).unwrap_or(0),
        });
        let big = dice.pick(&[0, 1, 7, 8, u64::from(u32::MAX), u64::MAX / 2, u64::MAX]);
        let ty = dice.below(count);
        let ty = &mut layouts.types[ty];
        match dice.below(6) {
            0 => ty.name.clone_from(dice.one(&names)),
            1 => ty.size = dice.chance(80).then_some(big),
            2 => ty.align = dice.chance(80).then_some(big),
            3 => ty.generics.iter_mut().for_each(|generic| generic.ty = to),
            _ => match &mut ty.kind {
                Kind::Scalar | Kind::Opaque => ty.kind = Kind::Pointer { to },
                Kind::Struct { fields } | Kind::Union { fields } => {
                    if dice.chance(20) {
                        fields.extend(fields.clone());
                    }
                    fields.iter_mut().filter(|_| dice.chance(50)).for_each(|field| {
                        field.ty = to;
                        field.offset = big;
                    });
                }
                Kind::Enum { variants, .. } | Kind::Names { variants, .. } => {
                    variants.iter_mut().for_each(|variant| {
                        variant.value = dice.chance(70).then_some(i128::from(big) - 8);
                        variant.fields.iter_mut().for_each(|field| field.ty = to);
                    });
                }
                Kind::Pointer { to: old } => *old = to,
                Kind::Array { of, count } => (*of, *count) = (to, big),
                Kind::Function { parameters, result } => {
                    parameters.push(to);
                    *result = dice.chance(50).then_some(to);
                }
            },
        }
    }
    layouts
}
