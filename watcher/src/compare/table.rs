//! The tables that a person sees: figures, behaviour, advice. They fit on 100 columns.

use super::advice::Advice;
use super::row::{Figures, Mechanism, PAYLOADS, Row};
use super::units;

const WIDTH: usize = 100;
const NAME: usize = 11;
const NUMBER: usize = 9;
/// Of the four things that no plugin should do.
const WORDS: usize = 21;
const NEED: usize = 30;
const TAKEN: usize = 7;

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
            text.push_str(&line("exec, kept", serve, None));
        }
    }
    for note in notes(rows) {
        text.push_str(&format!("\n{note}"));
    }
    text
}

/// What the figures do not say.
pub(super) fn notes(rows: &[Row]) -> Vec<String> {
    let mut notes = Vec::new();
    for row in rows {
        if let Some(first) = row.figures.first_start_ns.filter(|_| row.mechanism == Mechanism::Wasm) {
            let time = units::time(first);
            notes.push(format!(
                "wasm: {time} for the first answer of code that is not in its cache, as reloads are measured with"
            ));
        }
        if row.serve.is_some() {
            notes.push("exec, kept: the same program with `mode = \"serve\"`, one process for all calls".to_owned());
        }
    }
    notes
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
            let last = cells.iter().rposition(|cell| cell.len() > at).unwrap_or_default();
            for (column, (cell, colour)) in cells.iter().zip(colours).enumerate().take(last + 1) {
                let words = cell.get(at).map_or("", String::as_str);
                let width = if column == last { 0 } else { WORDS + 1 };
                line.push_str(&format!("{colour}{words:width$}{END}"));
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
        for (at, words) in wrap(reason, WIDTH - NEED - TAKEN).iter().enumerate() {
            let (need, name) = if at == 0 { (*need, name) } else { ("", "") };
            text.push_str(&format!("\n{need:NEED$}{colour}{name:TAKEN$}{END}{words}"));
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
        insta::assert_snapshot!(plain(&figures(&examples::rows())), @r#"
                       first a call, by the size of what goes there and comes back  compute
        mechanism     answer     16 B     1 KB    64 KB     1 MB    16 MB ÷ native   reload   memory
        dylib        1.20 ms  29.2 ns   231 ns  13.1 µs   210 µs  3.36 ms    1.00×  1.40 ms   0.2 MB
        c             300 µs  28.2 ns   230 ns  13.1 µs   210 µs        –    1.02×   900 µs   0.1 MB
        rpc          4.10 ms   140 µs   140 µs   153 µs   350 µs  3.50 ms    1.01×  5.20 ms   9.0 MB
        wasm          500 µs   703 ns   905 ns  13.8 µs   210 µs  3.36 ms    1.18×  31.0 ms   3.0 MB
        exec         2.20 ms  1.10 ms  1.10 ms  1.11 ms  1.31 ms  4.46 ms    1.04×  2.40 ms     0 MB
        exec, kept   2.10 ms  14.0 µs  14.2 µs  27.1 µs   224 µs  3.37 ms                     2.0 MB
        wasm: 1.00 ms for the first answer of code that is not in its cache, as reloads are measured with
        exec, kept: the same program with `mode = "serve"`, one process for all calls
        "#);
    }

    #[test]
    fn what_comes_of_misbehaviour_is_told_in_words() {
        insta::assert_snapshot!(plain(&behaviours(&examples::rows())), @r"
                   a crash               an endless loop       a bad version         a read of /etc/passwd
        dylib      takes the program     hangs the caller      refused before it     reads the file
                   along (SIGSEGV)                             runs
        c          takes the program     hangs the caller      refused before it     reads the file
                   along (SIGSEGV)                             runs
        rpc        an error for the      ends at the limit of  refused before it     reads the file
                   call, answers again   1.00 s, answers again runs
                   after 12.0 ms         after 3.10 ms
        wasm       an error for the      ends at the limit of  refused before it     denied
                   call, answers again   1.00 s, answers again runs
                   after 12.0 ms         after 3.10 ms
        exec       an error for the      ends at the limit of  refused before it     reads the file
                   call, answers again   1.00 s, answers again runs
                   after 12.0 ms         after 3.10 ms
        ");
    }

    #[test]
    fn the_advice_gives_the_reason_that_was_measured() {
        insta::assert_snapshot!(plain(&advice(&advice::advise(&examples::rows()))), @r"
        for what                      take
        a quick experiment            exec   a script is a plugin; a new one answers after 2.40 ms, a call
                                             takes 1.10 ms
        users' plugins, any platform  wasm   one file for all platforms, in any language; 1.18× native time
                                             to compute, 905 ns for a call with 1 KB
        tight integration             dylib  29.2 ns for a call, 1.00× native time to compute; what does not
                                             match is refused before it runs
        code that is not trusted      wasm   a crash is an error, an endless loop ends at its limit, and
                                             files are denied
        running another command       exec   whatever can be executed; first answer after 2.20 ms, then 1.10
                                             ms a call, or 14.0 µs if it is kept running
        a host in C                   c      a table of C functions, whatever compiles it; 28.2 ns for a
                                             call, first answer after 300 µs
        ");
    }

    #[test]
    fn a_word_is_never_cut() {
        assert_eq!(wrap("takes the program along (SIGSEGV)", 17), ["takes the program", "along (SIGSEGV)"]);
        assert_eq!(wrap("unbreakable", 3), ["unbreakable"]);
        assert_eq!(wrap("", 3), [""]);
    }
}
