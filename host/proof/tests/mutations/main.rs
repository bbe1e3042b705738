//! Harmless edits are accepted and edits that change a layout are refused, as rustc itself tells which is which.
//!
//! Crates of some two dozen types are made at random, compiled, edited in one place, and compiled again. A few edits of
//! each kind are part of every test run; `PITSTOP_MUTATIONS=200` asks for 200, and `PITSTOP_MUTATIONS_SEED` for others.
#![cfg(target_os = "linux")]

#[path = "../dice/mod.rs"]
mod dice;

mod build;
mod edits;
mod generate;
mod model;
mod truth;

use build::{CRATE, Compiler};
use dice::Dice;
use edits::{LOUD, QUIET};
use model::Crate;
use pitstop_contract::{Reason, Rule};
use pitstop_proof::{Proof, prove};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Instant;
use truth::{Change, Truth};

/// Edits of each kind in an ordinary test run.
const EDITS: usize = 30;
/// How many edits are made of one crate.
const PER_CRATE: usize = 12;

/// What came of all edits so far.
#[derive(Default)]
struct Tally {
    /// By the edit's name: how often it was harmless, changed the layout, and changed what only methods of trait objects
    /// take.
    edits: BTreeMap<&'static str, [usize; 3]>,
    /// Harmless, and changing the layout.
    counts: [usize; 2],
    /// Edits after which the compiler refuses the crate, or which could not be made.
    passed_over: usize,
    crates: usize,
    compared: usize,
    wrong: Vec<String>,
}

#[test]
fn harmless_edits_are_accepted_and_changes_of_layout_are_refused() {
    let number = |name| std::env::var(name).ok().and_then(|value| value.parse::<usize>().ok());
    let wanted = number("PITSTOP_MUTATIONS").unwrap_or(EDITS);
    let seed = number("PITSTOP_MUTATIONS_SEED").unwrap_or(1) as u64;
    let begun = Instant::now();
    let compiler = Compiler::new();
    // Two at a time: each starts a compiler of its own.
    let halves = std::thread::scope(|scope| {
        let halves = [0, 1].map(|half| {
            let compiler = &compiler;
            scope
                .spawn(move || try_edits(compiler, seed * 10_000 + half * 5_000, (wanted + usize::from(half == 0)) / 2))
        });
        halves.map(|half| half.join().expect("a half"))
    });
    let mut text = String::new();
    let [harmless, changing] = [0, 1].map(|kind| halves.iter().map(|half| half.counts[kind]).sum::<usize>());
    let total = |take: fn(&Tally) -> usize| halves.iter().map(take).sum::<usize>();
    let _ = writeln!(
        text,
        "{harmless} harmless edits and {changing} that change a layout, of {} crates, in {:.0} s; {} edits passed over; \
         {} pairs of types compared; {} wrong (seed {seed})",
        total(|half| half.crates),
        begun.elapsed().as_secs_f64(),
        total(|half| half.passed_over),
        total(|half| half.compared),
        total(|half| half.wrong.len()),
    );
    for (name, _) in QUIET.iter().chain(&LOUD) {
        let [quiet, loud, behind] = [0, 1, 2].map(|kind| {
            halves.iter().filter_map(|half| half.edits.get(name)).map(|counts| counts[kind]).sum::<usize>()
        });
        let _ = writeln!(text, "    {name}: {quiet} harmless, {loud} changing, {behind} behind trait objects");
    }
    println!("{text}");
    let wrong: Vec<&String> = halves.iter().flat_map(|half| &half.wrong).collect();
    assert!(wrong.is_empty(), "{}", wrong.iter().map(|text| text.as_str()).collect::<Vec<_>>().join("\n"));
    assert!(harmless >= wanted && changing >= wanted, "{text}");
}

fn try_edits(compiler: &Compiler, first_seed: u64, wanted: usize) -> Tally {
    let mut tally = Tally::default();
    for seed in first_seed.. {
        if tally.counts.iter().all(|count| *count >= wanted) {
            break;
        }
        let made = generate::generate(seed);
        let Some(truth) = Truth::of(&made, compiler) else {
            tally.passed_over += 1;
            assert!(tally.passed_over < 50, "no crate compiles: {}", made.source(""));
            continue;
        };
        tally.crates += 1;
        let before = compiler.image(&made.source(""));
        let mut built = pitstop_proof::Built::default();
        built.add(before.image.descriptor.clone());
        for number in 0..PER_CRATE as u64 {
            let dice = &mut Dice::new(seed << 16 | number);
            // Whatever there are too few of.
            let kind = usize::from(tally.counts[0] >= wanted || tally.counts[1] < wanted && dice.chance(50));
            let (name, edit) = if kind == 0 { dice.pick(&QUIET) } else { dice.pick(&LOUD) };
            let mut edited = made.clone();
            let Some(after_truth) = edit(&mut edited, dice).and_then(|()| Truth::of(&edited, compiler)) else {
                tally.passed_over += 1;
                continue;
            };
            let change = truth.change(&after_truth);
            let kind = match change {
                Change::None => 0,
                Change::Layout(_) => 1,
                Change::Behind => 2,
            };
            if tally.counts.get(kind).is_some_and(|count| *count >= wanted) {
                continue;
            }
            if let Some(count) = tally.counts.get_mut(kind) {
                *count += 1;
            }
            tally.edits.entry(name).or_default()[kind] += 1;
            let after = compiler.image(&edited.source(""));
            let verdict = prove(CRATE, &after.bytes, &after.image, &built, &before.image.layouts);
            tally.compared += verdict.as_ref().map_or(0, |proof| proof.compared);
            if let Some(wrong) = judge(&change, &verdict) {
                tally.wrong.push(report(&format!("{wrong}, seed {seed}, edit {number} ({name})"), &made, &edited));
            }
        }
    }
    tally
}

/// What is wrong with a verdict, if anything.
fn judge(change: &Change, verdict: &Result<Proof, Vec<Reason>>) -> Option<String> {
    match (change, verdict) {
        (Change::None, Err(reasons)) => Some(format!("FALSE REFUSAL for {}", reasons.first()?)),
        (Change::Layout(change), Err(reasons)) if reasons.iter().any(|reason| !is_of_types(reason.rule)) => {
            Some(format!("refused for another reason than {change}: {}", reasons.first()?))
        }
        (Change::Layout(change), Ok(proof)) => Some(format!("MISS of {change}; notes {:?}", proof.notes)),
        (Change::None, Ok(proof)) if !proof.gaps.is_empty() => Some(format!("UNPROVEN: {}", proof.gaps.join("; "))),
        _ => None,
    }
}

fn is_of_types(rule: Rule) -> bool {
    matches!(rule, Rule::Layout | Rule::Signature | Rule::Missing)
}

/// What differs between two sources, line by line.
fn report(title: &str, before: &Crate, after: &Crate) -> String {
    let (before, mut text) = (before.source(""), format!("{title}\n"));
    let mut after = after.clone();
    after.order = None;
    let after = after.source("");
    let lines = |source: &str| source.lines().map(str::to_owned).collect::<Vec<_>>();
    let (before, after) = (lines(&before), lines(&after));
    for line in before.iter().filter(|line| !after.contains(line)) {
        let _ = writeln!(text, "  - {line}");
    }
    for line in after.iter().filter(|line| !before.contains(line)) {
        let _ = writeln!(text, "  + {line}");
    }
    text
}
