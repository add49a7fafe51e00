//! The report.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::alarms::Alarm;
use crate::sources::Function;
use crate::{Result, Tried};

const FROM: &str = "<!-- written by the program, from here -->\n";
const TO: &str = "<!-- to here -->\n";

pub(crate) fn of(tried: &[Tried]) -> String {
    let mut table =
        "| crate | functions | probes | true alarms | false alarms |\n|---|---:|---:|---:|---:|\n".to_owned();
    let mut sum = [0; 4];
    let mut details = String::new();
    let counted: Vec<&Tried> = tried.iter().filter(|one| one.compiles).collect();
    for one in &counted {
        let row = one.row();
        let end = if one.finished { "" } else { " (does not compile with them)" };
        line(&mut table, &format!("{} {}{end}", one.package.name, one.package.version), row);
        sum.iter_mut().zip(row).for_each(|(sum, one)| *sum += one);
        details += &one.details();
    }
    line(&mut table, &format!("**{} crates**", counted.len()), sum);
    format!("{table}\n{details}")
}

fn line(table: &mut String, name: &str, row: [usize; 4]) {
    let [functions, probes, true_alarms, false_alarms] = row;
    let _ = writeln!(table, "| {name} | {functions} | {probes} | {true_alarms} | {false_alarms} |");
}

impl Tried {
    fn functions(&self) -> impl Iterator<Item = &Function> {
        self.sources.iter().flat_map(|source| &source.functions)
    }

    fn row(&self) -> [usize; 4] {
        let probes = self.functions().map(|function| function.probes).sum();
        let true_alarms = self.alarms.iter().filter(|alarm| alarm.is_true).count();
        [self.functions().map(|function| function.count).sum(), probes, true_alarms, self.alarms.len() - true_alarms]
    }

    /// The statics that true alarms name, and all false alarms.
    fn details(&self) -> String {
        let mut statics: BTreeMap<&str, usize> = BTreeMap::new();
        for alarm in self.alarms.iter().filter(|alarm| alarm.is_true) {
            *statics.entry(&alarm.name).or_default() += 1;
        }
        let mut text = String::new();
        if !statics.is_empty() {
            let statics: Vec<String> = statics.iter().map(|(name, count)| format!("`{name}` {count}")).collect();
            let _ = writeln!(text, "- {}: {}", self.package.name, statics.join(", "));
        }
        for alarm in self.alarms.iter().filter(|alarm| !alarm.is_true) {
            let Alarm { code, text: message, name, file, line, column, rendered, is_error, .. } = alarm;
            let kind = if *is_error { "error" } else { "warning" };
            let file = file.display();
            let _ = writeln!(
                text,
                "- {}: **false**, {kind} {code} at {file}:{line}:{column}: `{name}`: {message}",
                self.package.name
            );
            eprintln!("{rendered}");
        }
        text
    }
}

/// Puts the table where the last one is.
pub(crate) fn write(path: &Path, table: &str) -> Result<()> {
    let text = fs::read_to_string(path)?;
    let (before, rest) = text.split_once(FROM).ok_or("there is no place for the table")?;
    let (_, after) = rest.split_once(TO).ok_or("there is no end of the table")?;
    Ok(fs::write(path, format!("{before}{FROM}{table}{TO}{after}"))?)
}
