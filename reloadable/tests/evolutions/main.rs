//! A carried value whose type has changed is what serde makes of it: random types, random edits of them, random values.
//!
//! All evolutions of a run are compiled into one program, in the live form, which goes by what the attribute has registered
//! there, as the host does. Each value is restored by Pitstop, by serde alone of the same bytes, and, where JSON can say
//! what it is, by way of JSON, which has nothing to do with Pitstop; and back, from the new type to the old one.
//!
//! `PITSTOP_EVOLUTIONS=240` asks for more, and `PITSTOP_EVOLUTIONS_SEED` for others.
#![cfg(target_os = "linux")]

#[path = "../../../host/proof/tests/dice/mod.rs"]
mod dice;

mod build;
mod edits;
mod generate;
mod model;

use dice::Dice;
use edits::EDITS;
use model::Model;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Instant;

/// Evolutions in an ordinary test run: every other edit, and with them some of the rest.
const EVOLUTIONS: usize = EDITS.len() / 2;
/// From here on each edit has been tried often enough for some of its values to have been restored.
const MANY: usize = 6 * EDITS.len();
/// How many are compiled at once.
const AT_ONCE: usize = 60;

struct Evolution {
    before: Model,
    after: Model,
    edits: Vec<&'static str>,
}

impl Evolution {
    /// Of an edit, and sometimes others.
    fn new(seed: u64, first: usize) -> Self {
        let dice = &mut Dice::new(seed);
        loop {
            let before = generate::generate(dice);
            let mut after = before.clone();
            let mut edits = Vec::new();
            for at in 0..dice.pick(&[1, 1, 1, 2, 3]) {
                let (name, edit) = if at == 0 { EDITS[first] } else { dice.pick(&EDITS) };
                let mut edited = after.clone();
                if edit(&mut edited, dice).is_some() {
                    after = edited;
                    edits.push(name);
                } else if at == 0 {
                    break;
                }
            }
            if !edits.is_empty() {
                return Self { before, after, edits };
            }
        }
    }

    fn source(&self) -> String {
        format!("pub mod before {{\n{}}}\npub mod after {{\n{}}}\n", self.before.source(), self.after.source())
    }

    /// For a person: what differs between the two types, line by line.
    fn report(&self) -> String {
        let (before, after) = (self.before.source(), self.after.source());
        let mut text = format!("  edits: {}\n", self.edits.join("; "));
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
}

#[test]
fn a_restored_value_is_what_serde_alone_makes_of_it() {
    let number = |name| std::env::var(name).ok().and_then(|value| value.parse::<usize>().ok());
    let wanted = number("PITSTOP_EVOLUTIONS").unwrap_or(EVOLUTIONS);
    let seed = number("PITSTOP_EVOLUTIONS_SEED").unwrap_or(1);
    let begun = Instant::now();
    let first = |number: usize| (number * 2 + number / EVOLUTIONS) % EDITS.len();
    let make = |number: usize| Evolution::new((seed * 1_000_000 + number) as u64, first(number));
    let evolutions: Vec<Evolution> = (0..wanted).map(make).collect();
    let mut wrong = Vec::new();
    let mut done = 0;
    // Restored, refused, seen by JSON too, and not to be said in JSON; from the old type to the new one, and back.
    let mut total = [0_usize; 8];
    let mut edits: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for (chunk, part) in evolutions.chunks(AT_ONCE).enumerate() {
        for line in build::run(&source(chunk * AT_ONCE, part, seed)) {
            let mut words = line.split(' ');
            let (kind, number) =
                (words.next().unwrap_or_default(), words.next().and_then(|word| word.parse::<usize>().ok()));
            let evolution: &Evolution = &evolutions[number.unwrap_or_else(|| panic!("a strange line: {line}"))];
            if kind == "wrong" {
                wrong.push(format!("seed {seed}: {line}\n{}", evolution.report()));
                continue;
            }
            done += 1;
            let counts: Vec<usize> = words.map(|word| word.parse().expect("a count")).collect();
            total.iter_mut().zip(&counts).for_each(|(total, count)| *total += count);
            for edit in &evolution.edits {
                let outcomes = edits.entry(edit).or_default();
                outcomes.iter_mut().zip(&counts).for_each(|(sum, count)| *sum += count);
            }
        }
    }
    let [restored, refused, witnessed, unsaid, back, back_refused, back_witnessed, back_unsaid] = total;
    let mut text = format!(
        "{done} evolutions in {:.0} s (seed {seed}): {restored} values restored, {refused} refused as serde does, {witnessed} \
         of them seen by JSON too and {unsaid} not to be said in it; back, {back}, {back_refused}, {back_witnessed} and \
         {back_unsaid}; {} wrong\n",
        begun.elapsed().as_secs_f64(),
        wrong.len()
    );
    for (name, _) in EDITS {
        let [restored, refused] = edits.get(name).copied().unwrap_or_default();
        let _ = writeln!(text, "    {name}: {restored} restored, {refused} refused");
    }
    println!("{text}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(done, wanted, "{text}");
    let restores = |name: &str| edits.get(name).is_some_and(|counts| counts[0] > 0);
    assert!(wanted < MANY || EDITS.iter().all(|(name, _)| restores(name)), "{text}");
    assert!(restored > refused && back > 0 && witnessed > (restored + refused) / 4, "{text}");
}

/// The module of some evolutions, from this number on.
fn source(first: usize, evolutions: &[Evolution], seed: usize) -> String {
    let (mut text, mut calls) = (String::new(), String::new());
    for (number, evolution) in (first..).zip(evolutions) {
        let _ = write!(text, "pub mod e{number} {{\n{}}}\n", evolution.source());
        let _ = writeln!(
            calls,
            "    crate::judge::<e{number}::before::World, e{number}::after::World>({number}, {});",
            seed * 1_000_000 + number
        );
    }
    let _ = write!(text, "pub fn judge_all() {{\n{calls}}}\n");
    text
}
