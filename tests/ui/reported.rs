//! What rustc reports of each program of a package.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use super::package::Package;

/// The version that the texts were written down with. Every compiler must report the same faults at the same lines; the
/// words around ours are its own.
const PINNED: &str = "rustc 1.95.";

/// One error.
#[derive(Debug)]
pub(crate) struct Fault {
    /// As `E0277`; empty for an error of a macro.
    pub(crate) code: String,
    pub(crate) title: String,
    /// What rustc says besides: labels, and what follows as `note: …` and `help: …`.
    pub(crate) more: Vec<String>,
    /// The line of the program; several if rustc blames another file, and only mentions the program.
    #[allow(dead_code, reason = "not every test crate needs it")]
    pub(crate) lines: Vec<usize>,
}

impl Fault {
    /// Whether any of it says this.
    #[allow(dead_code, reason = "not every test crate needs it")]
    pub(crate) fn says(&self, text: &str) -> bool {
        [&self.code, &self.title].into_iter().chain(&self.more).any(|said| said.contains(text))
    }
}

/// Whether the compiler is the one whose words are known; else its version.
pub(crate) fn is_pinned() -> Result<(), String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = String::from_utf8(Command::new(rustc).arg("--version").output().unwrap().stdout).unwrap();
    if version.starts_with(PINNED) { Ok(()) } else { Err(format!("this is {}, not {PINNED}x", version.trim_end())) }
}

/// Builds all programs: the errors of each that does not compile.
pub(crate) fn faults(package: &Package) -> BTreeMap<String, Vec<Fault>> {
    let output = package.cargo(&["build", "--keep-going", "--message-format=json"]);
    let mut faults: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let (said, program) = (&line["message"], text(&line["target"]["name"]));
        // Without a place it is the count of the others.
        if said["level"] == "error" && !list(&said["spans"]).is_empty() {
            faults.entry(program.to_owned()).or_default().push(fault(said, &format!("{program}.rs")));
        }
    }
    assert!(!faults.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    faults
}

fn fault(said: &Value, program: &str) -> Fault {
    let (spans, notes) = (list(&said["spans"]), list(&said["children"]));
    let labels = spans.iter().map(|span| text(&span["label"]).to_owned());
    let rest = notes.iter().map(|note| format!("{}: {}", text(&note["level"]), text(&note["message"])));
    let line_of_spans = |spans: &[Value]| -> Vec<usize> {
        let primary = spans.iter().filter(|span| span["is_primary"] == true);
        primary.filter_map(|span| line_in(span, program)).collect()
    };
    let mut lines = line_of_spans(spans);
    if lines.is_empty() {
        lines = notes.iter().flat_map(|note| line_of_spans(list(&note["spans"]))).collect();
    }
    Fault {
        code: text(&said["code"]["code"]).to_owned(),
        title: text(&said["message"]).to_owned(),
        more: labels.chain(rest).filter(|said| !said.is_empty()).collect(),
        lines,
    }
}

/// The line of the program that this place is in, or that is expanded to it.
fn line_in(span: &Value, program: &str) -> Option<usize> {
    let mut place = Some(span);
    while let Some(span) = place {
        if text(&span["file_name"]).rsplit('/').next() == Some(program) {
            return span["line_start"].as_u64().and_then(|line| line.try_into().ok());
        }
        place = span["expansion"].get("span");
    }
    None
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
