//! The tables as text, and as plots that can be read without colour.

use std::fmt::Write as _;

use crate::contestants::Kind;
use crate::measure::Table;

/// A table in Markdown. The best of those that start a program anew is set in bold.
pub(crate) fn markdown(table: &Table, higher_is_better: bool) -> String {
    let mut text = format!("### {}\n{}.\n\n| |", table.title, table.unit);
    table.columns.iter().for_each(|column| _ = write!(text, " {column} |"));
    text += "\n|---|";
    table.columns.iter().for_each(|_| text += "---:|");
    for row in &table.rows {
        _ = write!(text, "\n| {} |", label(row.contestant.name, row.contestant.kind));
        for (column, value) in row.values.iter().enumerate() {
            _ = match value {
                None => write!(text, " – |"),
                Some(value) if is_best(table, column, *value, row.contestant.kind, higher_is_better) => {
                    write!(text, " **{}** |", number(*value))
                }
                Some(value) => write!(text, " {} |", number(*value)),
            };
        }
    }
    text + "\n"
}

fn is_best(table: &Table, column: usize, value: f64, kind: Kind, higher_is_better: bool) -> bool {
    let starts_anew = |kind| matches!(kind, Kind::Own | Kind::Anew);
    let others = table.rows.iter().filter(|row| starts_anew(row.contestant.kind)).filter_map(|row| row.values[column]);
    starts_anew(kind) && others.into_iter().all(|other| if higher_is_better { other <= value } else { other >= value })
}

fn label(name: &str, kind: Kind) -> String {
    match kind {
        Kind::Own | Kind::Anew => name.to_owned(),
        Kind::Copy => format!("{name} (copies memory)"),
        Kind::Thread => format!("{name} (threads)"),
    }
}

/// Three figures, which is more than a noisy machine gives.
fn number(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

const WIDTH: f64 = 760.0;
const LEFT: f64 = 240.0;
const RIGHT: f64 = 70.0;
const BAR: f64 = 16.0;
const LINE: f64 = 22.0;
const TOP: f64 = 56.0;

/// One column of a table as bars on a logarithmic scale. Who they belong to is told by words, and what it is by hatching.
pub(crate) fn plot(table: &Table, column: usize) -> String {
    let bars: Vec<_> = table.rows.iter().filter_map(|row| Some((&row.contestant, row.values[column]?))).collect();
    let (low, high) = bars.iter().fold((f64::MAX, f64::MIN), |(low, high), (_, value)| {
        (low.min(value.log10().floor()), high.max(value.log10()))
    });
    let scale = |value: f64| (value.log10() - low) / (high - low).max(1.0) * (WIDTH - LEFT - RIGHT);
    let height = TOP + LINE * bars.len() as f64 + 24.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{PATTERNS}\
         <text x=\"8\" y=\"20\" font-size=\"15\">{}: {}</text>\n<text x=\"8\" y=\"38\">{}, logarithmic scale</text>\n",
        table.title, table.columns[column], table.unit
    );
    for tick in low as i32..=high.ceil() as i32 {
        let x = LEFT + scale(10_f64.powi(tick));
        if x < WIDTH - 10.0 {
            _ = writeln!(
                svg,
                "<line x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{:.1}\" stroke=\"#bbb\"/>\
                 <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#555\">{}</text>",
                height - 20.0,
                height - 6.0,
                10_f64.powi(tick)
            );
        }
    }
    for (index, (contestant, value)) in bars.iter().enumerate() {
        let (y, width) = (TOP + LINE * index as f64, scale(*value).max(2.0));
        let (fill, weight) = match contestant.kind {
            Kind::Own => ("black", "bold"),
            Kind::Anew => ("#999", "normal"),
            Kind::Copy => ("url(#hatched)", "normal"),
            Kind::Thread => ("white", "normal"),
        };
        _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" font-weight=\"{weight}\">{}</text>\
             <rect x=\"{LEFT}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR}\" fill=\"{fill}\" stroke=\"black\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            LEFT - 8.0,
            y + 12.5,
            label(contestant.name, contestant.kind),
            LEFT + width + 6.0,
            y + 12.5,
            number(*value)
        );
    }
    svg + "</svg>\n"
}

const PATTERNS: &str = "<defs><pattern id=\"hatched\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" \
                        patternTransform=\"rotate(45)\"><rect width=\"6\" height=\"6\" fill=\"white\"/>\
                        <line x1=\"0\" y1=\"0\" x2=\"0\" y2=\"6\" stroke=\"black\" stroke-width=\"2\"/></pattern></defs>\n";
