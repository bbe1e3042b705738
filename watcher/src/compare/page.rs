//! The comparison as a page that needs nothing from outside: the picture, what comes of misbehaviour, the advice.

use super::advice::Advice;
use super::picture::{draw, escaped};
use super::row::{PAYLOADS, Row};
use super::{table, units};

const STYLE: &str = "
:root{color-scheme:light dark;--ink:#1f2328;--ground:#fff;--line:#d8dee4;--bad:#be123c;--good:#047857}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--ground:#0d1117;--line:#2b3138;--bad:#fb7185;--good:#34d399}}
body{margin:2rem auto;max-width:62rem;padding:0 1rem;font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground)}
svg{width:100%;height:auto}
div{overflow-x:auto}
table{border-collapse:collapse;width:100%;margin:.5rem 0 2rem}
th,td{border-bottom:1px solid var(--line);padding:.35rem .6rem;text-align:left;vertical-align:top}
.number{text-align:right;white-space:nowrap}
.bad{color:var(--bad)}.good{color:var(--good)}
";

/// Writes the page. `machine`: what was measured on.
pub(super) fn page(rows: &[Row], advice: &[Advice], machine: &str) -> String {
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width\"/>\n<title>Plugin mechanisms compared</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<h1>Plugin mechanisms compared</h1>\n"
    );
    html.push_str(&draw(rows, machine));
    html.push_str("<h2>Figures</h2>\n");
    html.push_str(&figures(rows));
    html.push_str("<h2>What no plugin should do, and what comes of it</h2>\n");
    html.push_str(&behaviours(rows));
    html.push_str("<h2>What to take</h2>\n");
    html.push_str(&advised(advice));
    let problems = table::problems(rows);
    if !problems.is_empty() {
        let items: String = problems.iter().map(|problem| format!("<li>{}</li>\n", escaped(problem))).collect();
        html.push_str(&format!("<h2>What could not be measured</h2>\n<ul>\n{items}</ul>\n"));
    }
    html.push_str("</body>\n</html>\n");
    html
}

fn figures(rows: &[Row]) -> String {
    let mut heads = vec!["mechanism", "built by", "first answer"];
    let calls: Vec<String> = PAYLOADS.iter().map(|(_, name)| format!("call, {name}")).collect();
    heads.extend(calls.iter().map(String::as_str));
    heads.extend(["compute ÷ native", "reload", "memory"]);
    let time = |ns: Option<f64>| number(&ns.map_or_else(|| "–".to_owned(), units::time));
    let body = rows.iter().map(|row| {
        let mut cells = vec![cell("", row.mechanism.name()), cell("", &row.built_by), time(row.figures.start_ns)];
        cells.extend(PAYLOADS.iter().map(|(payload, _)| time(row.figures.call(*payload))));
        cells.push(number(&row.compute_times_native.map_or_else(|| "–".to_owned(), units::times)));
        cells.push(time(row.reload_ns));
        cells.push(number(&row.figures.memory_bytes.map_or_else(|| "–".to_owned(), units::megabytes)));
        cells
    });
    let notes: String = table::notes(rows).iter().map(|note| format!("<p>{}</p>\n", escaped(note))).collect();
    table_of(&heads, body) + &notes
}

fn behaviours(rows: &[Row]) -> String {
    let mut heads = vec!["mechanism"];
    heads.extend(rows.first().into_iter().flat_map(|row| row.behaviours().map(|(what, _)| what)));
    let body = rows.iter().map(|row| {
        let mut cells = vec![cell("", row.mechanism.name())];
        cells.extend(row.behaviours().iter().map(|(_, found)| match found {
            Some(found) => cell(if found.is_harm() { "bad" } else { "good" }, &found.words),
            None => cell("", "–"),
        }));
        cells
    });
    table_of(&heads, body)
}

fn advised(advice: &[Advice]) -> String {
    let body = advice.iter().map(|advice| {
        let name = advice.mechanism.map_or("none", |mechanism| mechanism.name());
        vec![cell("", advice.need), cell("", name), cell("", &advice.reason)]
    });
    table_of(&["for what", "take", "because"], body)
}

fn table_of(heads: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let heads: String = heads.iter().map(|head| format!("<th>{}</th>", escaped(head))).collect();
    let rows: String = rows.map(|cells| format!("<tr>{}</tr>\n", cells.concat())).collect();
    format!("<div><table>\n<tr>{heads}</tr>\n{rows}</table></div>\n")
}

fn cell(class: &str, words: &str) -> String {
    format!("<td class=\"{class}\">{}</td>", escaped(words))
}

fn number(words: &str) -> String {
    cell("number", words)
}

#[cfg(test)]
mod tests {
    use super::super::advice::advise;
    use super::super::{examples, markup};
    use super::*;

    #[test]
    fn the_page_is_well_formed_and_has_picture_figures_behaviour_and_advice() {
        let rows = examples::rows();
        let html = page(&rows, &advise(&rows), "linux");
        markup::check(&html);
        for words in [
            "<svg ",
            "<td class=\"number\">140 µs</td>",
            "<td class=\"bad\">takes the program along (SIGSEGV)</td>",
            "<td class=\"good\">denied</td>",
            "<td class=\"\">code that is not trusted</td><td class=\"\">wasm</td>",
            "c: 16777216 bytes: no memory &lt;here&gt; &amp; now",
        ] {
            assert!(html.contains(words), "{words}");
        }
    }

    #[test]
    fn the_page_asks_for_nothing_from_outside() {
        let rows = examples::rows();
        let html = page(&rows, &advise(&rows), "linux").replace("http://www.w3.org/2000/svg", "");
        for outside in ["http", "src=", "href", "url(", "@import", "<script"] {
            assert!(!html.contains(outside), "{outside}");
        }
    }
}
