//! The figures as a picture: one SVG, which needs nothing from outside and follows the viewer's light or dark colours.

use super::row::{Figures, PAYLOADS, Row};
use super::units;
use std::fmt::Write as _;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 640.0;
/// The frame of the curves.
const LEFT: f64 = 86.0;
const RIGHT: f64 = 830.0;
const TOP: f64 = 86.0;
const BOTTOM: f64 = 386.0;
/// Between two names at the ends of curves.
const APART: f64 = 16.0;
/// The bars: where they begin, how far apart, how wide a panel is and how much of it a bar can have.
const BARS: f64 = 484.0;
const BAR: f64 = 22.0;
const PANEL: f64 = 224.0;
const LONGEST: f64 = 96.0;
const NAMES: f64 = 48.0;

const STYLE: &str = "
.ground{fill:#ffffff}.text{fill:#1f2328}.faint{fill:#59636e}.grid{stroke:#d8dee4;stroke-width:1}
text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;font-size:13px}
.title{font-size:19px;font-weight:600}.head{font-weight:600}.end{text-anchor:end}.middle{text-anchor:middle}
.curve{fill:none;stroke-width:2.5;stroke-linejoin:round}.kept{stroke-dasharray:5 4}
.dylib{stroke:#0b61a4}.c{stroke:#b45309}.rpc{stroke:#6d28d9}.wasm{stroke:#047857}.exec{stroke:#be123c}
.f-dylib{fill:#0b61a4}.f-c{fill:#b45309}.f-rpc{fill:#6d28d9}.f-wasm{fill:#047857}.f-exec{fill:#be123c}
@media (prefers-color-scheme:dark){
.ground{fill:#0d1117}.text{fill:#e6edf3}.faint{fill:#9198a1}.grid{stroke:#2b3138}
.dylib{stroke:#60a5fa}.c{stroke:#fbbf24}.rpc{stroke:#c4b5fd}.wasm{stroke:#34d399}.exec{stroke:#fb7185}
.f-dylib{fill:#60a5fa}.f-c{fill:#fbbf24}.f-rpc{fill:#c4b5fd}.f-wasm{fill:#34d399}.f-exec{fill:#fb7185}
}
";

/// One line of figures: a mechanism, or a program that is kept running.
struct Series<'a> {
    /// The class of its colour.
    class: &'static str,
    name: String,
    figures: &'a Figures,
    row: Option<&'a Row>,
}

/// Draws it. `machine`: what was measured on.
pub(super) fn draw(rows: &[Row], machine: &str) -> String {
    let series = series(rows);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         role=\"img\" aria-label=\"Plugin mechanisms: call latency, first answer, reload, compute and memory\">\n\
         <style>{STYLE}</style>\n<rect class=\"ground\" width=\"{WIDTH}\" height=\"{HEIGHT}\"/>\n"
    );
    text(&mut svg, 24.0, 34.0, "text title", "The same plugin in each mechanism");
    text(&mut svg, 24.0, 54.0, "faint", machine);
    curves(&mut svg, &series);
    panels(&mut svg, &series);
    svg.push_str("</svg>\n");
    svg
}

fn series(rows: &[Row]) -> Vec<Series<'_>> {
    let mut series = Vec::new();
    for row in rows {
        let class = row.mechanism.name();
        series.push(Series { class, name: class.to_owned(), figures: &row.figures, row: Some(row) });
        if let Some(serve) = &row.serve {
            series.push(Series { class, name: "exec, kept".to_owned(), figures: serve, row: None });
        }
    }
    series
}

/// The time of a call over its payload, both as logarithms.
fn curves(svg: &mut String, series: &[Series<'_>]) {
    let times = series.iter().flat_map(|series| series.figures.calls.iter().filter_map(|call| call.call_ns));
    let (low, high) = times.fold((f64::MAX, f64::MIN), |(low, high), ns| (low.min(ns), high.max(ns)));
    text(svg, LEFT, TOP - 4.0, "text head", "time of a call (log scale)");
    if low > high {
        text(svg, LEFT + 20.0, (TOP + BOTTOM) / 2.0, "faint", "no call could be measured");
        return;
    }
    // Whole powers of ten.
    let (low, high) = (low.max(0.1).log10().floor(), high.log10().ceil().max(low.log10().floor() + 1.0));
    let y = |ns: f64| BOTTOM - (ns.max(0.1).log10() - low) / (high - low) * (BOTTOM - TOP - 10.0);
    let (first, last) = (PAYLOADS[0].0 as f64, PAYLOADS[PAYLOADS.len() - 1].0 as f64);
    let x =
        |payload: u64| LEFT + 24.0 + (payload as f64 / first).log2() / (last / first).log2() * (RIGHT - LEFT - 48.0);
    for power in low as i32..=high as i32 {
        let ns = 10_f64.powi(power);
        line(svg, "grid", [LEFT, y(ns), RIGHT, y(ns)]);
        text(svg, LEFT - 8.0, y(ns) + 4.0, "faint end", &whole(ns));
    }
    for (payload, name) in PAYLOADS {
        line(svg, "grid", [x(payload), BOTTOM, x(payload), BOTTOM + 5.0]);
        text(svg, x(payload), BOTTOM + 20.0, "faint middle", name);
    }
    let caption = "bytes that go to the plugin and come back (log scale)";
    text(svg, (LEFT + RIGHT) / 2.0, BOTTOM + 42.0, "text middle", caption);
    let mut ends = Vec::new();
    for series in series {
        let points = series.figures.calls.iter().filter_map(|call| Some((x(call.payload_bytes), y(call.call_ns?))));
        let points: Vec<(f64, f64)> = points.collect();
        let Some(&(_, end)) = points.last() else { continue };
        curve(svg, series, &points);
        ends.push((end, series));
    }
    ends.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut free = f64::MIN;
    // The lowest names may have to move below their curves, but not out of the frame.
    let count = ends.len();
    for (at, (end, series)) in ends.into_iter().enumerate() {
        let room = BOTTOM - APART * (count - 1 - at) as f64;
        let place = end.max(free).min(room);
        text(svg, RIGHT + 8.0, place + 4.0, &format!("head f-{}", series.class), &series.name);
        free = place + APART;
    }
}

fn curve(svg: &mut String, series: &Series<'_>, points: &[(f64, f64)]) {
    let list: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let kept = if series.row.is_some() { "" } else { " kept" };
    let _ = writeln!(svg, "<polyline class=\"curve {}{kept}\" points=\"{}\"/>", series.class, list.join(" "));
    for (x, y) in points {
        let _ = writeln!(svg, "<circle class=\"f-{}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\"/>", series.class);
    }
}

/// What has one number for each mechanism.
struct Panel {
    title: &'static str,
    scale: Scale,
    value: fn(&Series<'_>) -> Option<f64>,
    shown: fn(f64) -> String,
}

const PANELS: [Panel; 4] = [
    Panel {
        title: "first answer (log scale)",
        scale: Scale::Log,
        value: |series| series.figures.start_ns,
        shown: units::time,
    },
    Panel { title: "reload (log scale)", scale: Scale::Log, value: |series| series.row?.reload_ns, shown: units::time },
    Panel {
        title: "compute ÷ native",
        scale: Scale::Linear,
        value: |series| series.row?.compute_times_native,
        shown: units::times,
    },
    Panel {
        title: "memory added",
        scale: Scale::Linear,
        value: |series| series.figures.memory_bytes.map(|bytes| bytes as f64),
        shown: |bytes| units::megabytes(bytes as u64),
    },
];

fn panels(svg: &mut String, series: &[Series<'_>]) {
    for (at, panel) in PANELS.iter().enumerate() {
        let left = 24.0 + at as f64 * (PANEL + 8.0);
        text(svg, left, BARS - 14.0, "text head", panel.title);
        let bars = series.iter().map(|series| (series, (panel.value)(series)));
        // What is kept running is reloaded as what is not, and computes as fast.
        let bars: Vec<_> = bars.filter(|(series, value)| series.row.is_some() || value.is_some()).collect();
        let values = || bars.iter().filter_map(|(_, value)| *value);
        let (least, most) = (values().fold(f64::MAX, f64::min), values().fold(f64::MIN, f64::max));
        for (at, (series, value)) in bars.iter().enumerate() {
            let length = value.map_or(0.0, |value| panel.scale.length(value, least, most));
            let words = value.map_or_else(|| "–".to_owned(), panel.shown);
            bar(svg, series, [left, BARS + at as f64 * BAR, length], &words);
        }
    }
}

fn bar(svg: &mut String, series: &Series<'_>, [left, top, length]: [f64; 3], words: &str) {
    let name = if series.row.is_some() { &series.name } else { "kept" };
    text(svg, left + NAMES - 6.0, top + 13.0, "text end", name);
    if length > 0.0 {
        let (class, x, y) = (series.class, left + NAMES, top + 1.0);
        let place = format!("x=\"{x:.1}\" y=\"{y:.1}\" width=\"{length:.1}\" height=\"15\" rx=\"2\"");
        let _ = writeln!(svg, "<rect class=\"f-{class}\" {place}/>");
    }
    text(svg, left + NAMES + length + 6.0, top + 13.0, "text", words);
}

/// How long a bar is.
#[derive(Clone, Copy)]
enum Scale {
    Linear,
    /// From the power of ten below the least.
    Log,
}

impl Scale {
    fn length(self, value: f64, least: f64, most: f64) -> f64 {
        let share = match self {
            Self::Linear if most > 0.0 => value / most,
            Self::Linear => 0.0,
            Self::Log => {
                let from = least.log10().floor();
                (value.log10() - from) / (most.log10() - from).max(f64::MIN_POSITIVE)
            }
        };
        LONGEST * share.clamp(0.0, 1.0)
    }
}

/// A power of ten, in whichever unit is short.
fn whole(nanoseconds: f64) -> String {
    let (value, unit) = match nanoseconds {
        ns if ns < 999.0 => (ns, "ns"),
        ns if ns < 999e3 => (ns / 1e3, "µs"),
        ns if ns < 999e6 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    format!("{} {unit}", (value * 10.0).round() / 10.0)
}

fn text(svg: &mut String, x: f64, y: f64, class: &str, words: &str) {
    let _ = writeln!(svg, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escaped(words));
}

fn line(svg: &mut String, class: &str, [x1, y1, x2, y2]: [f64; 4]) {
    let _ = writeln!(svg, "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>");
}

/// Text that means itself in SVG and HTML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::examples;
    use super::super::markup;
    use super::*;

    #[test]
    fn the_picture_is_well_formed_and_has_every_number_in_it() {
        let rows = examples::rows();
        let svg = draw(&rows, "<machine> & more");
        markup::check(&svg);
        assert!(svg.contains("&lt;machine&gt; &amp; more"));
        for row in &rows {
            assert!(svg.contains(&format!(">{}</text>", row.mechanism.name())));
            let shown = [row.figures.start_ns.map(units::time), row.reload_ns.map(units::time)];
            let shown = shown.into_iter().chain([row.compute_times_native.map(units::times)]).flatten();
            shown.for_each(|shown| assert!(svg.contains(&format!(">{shown}</text>")), "{shown}"));
        }
        for (_, payload) in PAYLOADS {
            assert!(svg.contains(&format!(">{payload}</text>")));
        }
    }

    #[test]
    fn a_curve_stays_in_its_frame_and_rises_with_the_time() {
        let rows = examples::rows();
        let svg = draw(&rows, "");
        let curves = svg.lines().filter_map(|line| line.split("points=\"").nth(1)?.split('"').next());
        let mut count = 0;
        for points in curves {
            count += 1;
            let numbers: Vec<f64> = points.split([',', ' ']).map(|number| number.parse().expect("a number")).collect();
            let ys: Vec<f64> = numbers.chunks(2).map(|point| point[1]).collect();
            assert!(numbers.chunks(2).all(|point| (LEFT..=RIGHT).contains(&point[0])));
            assert!(ys.iter().all(|y| (TOP..=BOTTOM).contains(y)), "{points}");
            assert!(ys.is_sorted_by(|one, other| one >= other), "{points}");
        }
        assert_eq!(count, 6, "five mechanisms, one of them in two ways");
    }

    #[test]
    fn names_at_the_ends_of_curves_do_not_cover_each_other() {
        let svg = draw(&examples::rows(), "");
        let prefix = format!("x=\"{:.1}\" y=\"", RIGHT + 8.0);
        let mut places: Vec<f64> = svg
            .split(prefix.as_str())
            .skip(1)
            .map(|rest| rest.split('"').next().and_then(|number| number.parse().ok()).expect("a place"))
            .collect();
        assert_eq!(places.len(), 6);
        places.sort_by(f64::total_cmp);
        assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= APART - 0.2), "{places:?}");
    }

    #[test]
    fn a_picture_of_nothing_is_a_picture() {
        let mut rows = examples::rows();
        rows.truncate(1);
        rows[0] = Row::new(rows[0].mechanism);
        let svg = draw(&rows, "");
        markup::check(&svg);
        assert!(svg.contains("no call could be measured"));
    }
}
