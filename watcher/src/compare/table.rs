//! The tables that a person sees: figures, behaviour, advice. They fit on 100 columns.

use super::advice::Advice;
use super::row::{Figures, PAYLOADS, Row};
use super::units;

const WIDTH: usize = 100;
const NAME: usize = 11;
const NUMBER: usize = 9;
/// Of the four things that no plugin should do.
const WORDS: usize = 21;
const NEED: usize = 30;
const MECHANISM: usize = 7;

const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const END: &str = "\x1b[0m";

/// Times and memory.
pub(super) fn figures(rows: &[Row]) -> String {
    let calls = "a call, by the size of what goes there and comes back";
    let mut text = format!(
        "{BOLD}{:NAME$}{:>NUMBER$} {calls:>50}{:>NUMBER$}{:>NUMBER$}{:>NUMBER$}{END}\n",
        "", "first", "compute", "", ""
    );
    let sizes: String = PAYLOADS.iter().map(|(_, name)| format!("{name:>NUMBER$}")).collect();
    text.push_str(&format!(
        "{BOLD}{:NAME$}{:>NUMBER$}{sizes}{:>NUMBER$}{:>NUMBER$}{:>NUMBER$}{END}",
        "mechanism", "answer", "÷ native", "reload", "memory"
    ));
    for row in rows {
        text.push('\n');
        text.push_str(&line(row.mechanism.name(), &row.figures, Some(row)));
        if let Some(serve) = &row.serve {
            text.push('\n');
            text.push_str(&line("  kept", serve, None));
        }
    }
    text
}

fn line(name: &str, figures: &Figures, row: Option<&Row>) -> String {
    let time = |ns: Option<f64>| ns.map_or_else(|| "–".to_owned(), units::time);
    let mut cells = vec![time(figures.start_ns)];
    cells.extend(PAYLOADS.iter().map(|(payload, _)| time(figures.call(*payload))));
    cells.push(match row {
        Some(row) => row.compute_times_native.map_or_else(|| "–".to_owned(), units::times),
        None => String::new(),
    });
    cells.push(row.map(|row| time(row.reload_ns)).unwrap_or_default());
    cells.push(figures.memory_bytes.map_or_else(|| "–".to_owned(), units::megabytes));
    let cells: String = cells.iter().map(|cell| format!("{cell:>NUMBER$}")).collect();
    format!("{name:NAME$}{cells}").trim_end().to_owned()
}

/// What comes of what no plugin should do.
pub(super) fn behaviours(rows: &[Row]) -> String {
    let heads = rows.first().map(|row| row.behaviours().map(|(what, _)| what)).unwrap_or_default();
    let mut text =
        format!("{BOLD}{:NAME$}{}{END}", "", heads.map(|head| format!("{head:WORDS$} ")).concat().trim_end());
    for row in rows {
        let cells = row.behaviours().map(|(_, found)| found.map_or("–", |found| &found.words));
        let colours =
            row.behaviours().map(|(_, found)| found.map_or("", |found| if found.is_harm() { RED } else { GREEN }));
        let cells = cells.map(|words| wrap(words, WORDS));
        let height = cells.iter().map(Vec::len).max().unwrap_or_default();
        for at in 0..height {
            let name = if at == 0 { row.mechanism.name() } else { "" };
            let mut line = format!("\n{name:NAME$}");
            for (cell, colour) in cells.iter().zip(colours) {
                let words = cell.get(at).map_or("", String::as_str);
                line.push_str(&format!("{colour}{words:WORDS$}{END} "));
            }
            text.push_str(&line);
        }
    }
    text
}

/// What to take for what.
pub(super) fn advice(advice: &[Advice]) -> String {
    let mut text = format!("{BOLD}for what{:1$}take{END}", "", NEED - 8);
    for Advice { need, mechanism, reason } in advice {
        let name = mechanism.map_or("none", |mechanism| mechanism.name());
        let colour = if mechanism.is_some() { GREEN } else { RED };
        for (at, words) in wrap(reason, WIDTH - NEED - MECHANISM).iter().enumerate() {
            let (need, name) = if at == 0 { (*need, name) } else { ("", "") };
            text.push_str(&format!("\n{need:NEED$}{colour}{name:MECHANISM$}{END}{words}"));
        }
    }
    text
}

/// What could not be measured, and why.
pub(super) fn problems(rows: &[Row]) -> Vec<String> {
    let of_row = |row: &Row| -> Vec<String> {
        row.problems.iter().map(|problem| format!("{}: {problem}", row.mechanism.name())).collect()
    };
    rows.iter().flat_map(of_row).collect()
}

/// Words in lines that are at most so wide, if no word is wider.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let fits = |line: &String| line.is_empty() || line.chars().count() + 1 + word.chars().count() <= width;
        match lines.last_mut().filter(|line| fits(line)) {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::advice;
    use super::super::examples;
    use super::*;

    /// As without a terminal.
    fn plain(text: &str) -> String {
        let plain = [BOLD, RED, GREEN, END].iter().fold(text.to_owned(), |text, code| text.replace(code, ""));
        plain.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_tables_fit_on_a_hundred_columns() {
        let rows = examples::rows();
        let text = [figures(&rows), behaviours(&rows), advice(&advice::advise(&rows))].join("\n\n");
        for line in plain(&text).lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }

    #[test]
    fn the_figures_of_all_mechanisms_stand_below_each_other() {
        insta::assert_snapshot!(plain(&figures(&examples::rows())), @"");
    }

    #[test]
    fn what_comes_of_misbehaviour_is_told_in_words() {
        insta::assert_snapshot!(plain(&behaviours(&examples::rows())), @"");
    }

    #[test]
    fn the_advice_gives_the_reason_that_was_measured() {
        insta::assert_snapshot!(plain(&advice(&advice::advise(&examples::rows()))), @"");
    }

    #[test]
    fn a_word_is_never_cut() {
        assert_eq!(wrap("takes the program along (SIGSEGV)", 17), ["takes the program", "along (SIGSEGV)"]);
        assert_eq!(wrap("unbreakable", 3), ["unbreakable"]);
        assert_eq!(wrap("", 3), [""]);
    }
}
