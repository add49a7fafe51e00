//! What the checks of statics in the bodies of entries cost to compile.
//!
//! `cargo bench -p spawnsafe-benches --bench probe_cost [-- ROUNDS]`
//!
//! Libraries with functions of the same 40 lines are checked (`cargo check`) again and again, in turns:
//! - `calls`: each function as it is, and beside it an entry that does nothing but call it;
//! - `bodies`: each function's body in the entry. One in 14 entries has a probe, as in real code: in 64 well-known crates
//!   there is one in 580 lines of code (`tests/real-code/RESULTS.md`);
//! - `dense calls`, `dense allowed`, `dense bodies`: the same with two names in each body that may be statics (`LEVELS[1]`,
//!   `{UNIT}`): in a helper that the entry calls; in the entry, and listed in `allow_static`; in the entry.
//!
//! rustc has the same code to check in `bodies` as in `calls`, and the same entries; `calls` has one more signature and
//! one more call for each. What `bodies` costs more is that a macro reads a body, searches it and writes it again, and
//! the probes. `dense bodies` less `dense allowed` is the probes alone.

mod libraries;
mod measure;

use std::io;

use libraries::Libraries;
use measure::Times;

const ENTRIES: usize = 200;

/// What all bodies use.
const SHARED: &str = r#"
use std::collections::HashMap;

const LIMIT: usize = 1000;
const COMMENT: char = '#';
const FACTOR: f64 = 0.25;
const UNIT: &str = "words";
const LEVELS: [&str; 3] = ["never", "some", "many"];

fn scale(place: usize, factor: f64) -> f64 {
    1.0 + place as f64 * factor
}

fn describe(weights: &[f64], levels: usize) -> String {
    format!("{} weights, {levels} levels", weights.len())
}
"#;

const SIGNATURE: &str = "(text: &str, limit: usize, weights: Vec<f64>) -> Result<String, String>";

/// 40 lines, of which those with `{index}` differ from function to function.
const BODY: &str = r#"{
    let mut counts: HashMap<String, usize> = HashMap::with_capacity(limit.min({index}));
    let mut longest = 0;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(COMMENT) {
            continue;
        }
        for word in line.split([' ', ',', ';']) {
            let key = word.trim_matches('.').to_lowercase();
            longest = longest.max(key.len());
            let known = counts.len();
            match counts.get_mut(&key) {
                Some(count) => *count += 1,
                None if known < LIMIT => {
                    counts.insert(key, 1);
                }
                None => return Err(format!("line {number} of {limit}: too many {UNIT}")),
            }
        }
    }
    let mut pairs: Vec<(String, usize)> = counts.into_iter().collect();
    pairs.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let total: f64 = weights.iter().enumerate().map(|(place, weight)| weight * scale(place, FACTOR)).sum();
    let mut out = String::new();
    for (word, count) in pairs.iter().take({index}) {
        let share = *count as f64 / total.max(1.0);
        let level = match count {
            0 | 1 => "rare",
            2..=9 => LEVELS[1],
            _ => LEVELS[2],
        };
        out.push_str(&format!("{word:>longest$}: {count} ({share:.3}, {level})\n"));
    }
    if out.is_empty() {
        out = describe(&weights, longest + {index});
    }
    out.truncate(LIMIT + {index});
    Ok(out)
}
"#;

fn main() -> io::Result<()> {
    let rounds = measure::rounds(16);
    measure::print_machine();
    let library =
        |function: fn(usize) -> String| [SHARED.to_owned()].into_iter().chain((0..ENTRIES).map(function)).collect();
    let names = ["calls", "bodies", "dense_calls", "dense_allowed", "dense_bodies"];
    let functions: [fn(usize) -> String; 5] = [
        |index| call(index, &sparse(index)),
        |index| body(index, "", &sparse(index)),
        |index| call(index, &dense(index)),
        |index| body(index, "(allow_static(LEVELS, UNIT))", &dense(index)),
        |index| body(index, "", &dense(index)),
    ];
    let libraries = Libraries::new("check", std::array::from_fn::<_, 5, _>(|i| (names[i], library(functions[i]))))?;
    let costs = libraries.compile(rounds)?;
    println!("{ENTRIES} entries of 40 lines, {rounds} checks of each library in turns; medians:\n");
    println!("{:<14} {:>8} {:>26} {:>14} {:>26}", "", "wall ms", "ratio", "processor ms", "ratio");
    for (index, (library, cost)) in names.into_iter().zip(&costs).enumerate() {
        // Each to the calls of its own kind.
        let floor = &costs[if index < 2 { 0 } else { 2 }];
        let millis = |times: &Times| times.quantile(0.5).as_secs_f64() * 1e3;
        let (wall, cpu) = (cost.wall.ratio_to(&floor.wall).to_string(), cost.cpu.ratio_to(&floor.cpu).to_string());
        println!("{library:<14} {:>8.0} {wall:>26} {:>14.0} {cpu:>26}", millis(&cost.wall), millis(&cost.cpu));
    }
    measure::print_machine();
    Ok(())
}

fn call(index: usize, body: &str) -> String {
    format!(
        "#[spawnsafe::child_entry]\npub fn entry{index}{SIGNATURE} {{\n    function{index}(text, limit, weights)\n}}\n\n\
         fn function{index}{SIGNATURE} {body}"
    )
}

fn body(index: usize, options: &str, body: &str) -> String {
    format!("#[spawnsafe::child_entry{options}]\npub fn entry{index}{SIGNATURE} {body}")
}

fn dense(index: usize) -> String {
    BODY.replace("{index}", &index.to_string())
}

fn sparse(index: usize) -> String {
    let body = dense(index).replace("{UNIT}", "words").replace("LEVELS[2]", "\"many\"");
    if index % 14 == 0 { body } else { body.replace("LEVELS[1]", "\"some\"") }
}
