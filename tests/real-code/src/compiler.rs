//! `cargo check`, and what it says.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::Result;

/// What has come of all crates.
#[derive(Default)]
pub(crate) struct Output {
    /// The names of those that compile.
    pub(crate) compiled: BTreeSet<String>,
    messages: Vec<(String, Message)>,
}

/// An error or a warning.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) is_error: bool,
    /// `E0080`, or the name of a lint.
    pub(crate) code: String,
    pub(crate) text: String,
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
    pub(crate) column: usize,
    /// What stands in the source at the place.
    pub(crate) token: String,
    /// All that rustc says.
    pub(crate) rendered: String,
}

impl Output {
    pub(crate) fn of(&self, name: &str) -> impl Iterator<Item = &Message> {
        self.messages.iter().filter(move |(package, _)| package == name).map(|(_, message)| message)
    }

    /// Whether something is said of this line already.
    pub(crate) fn has(&self, message: &Message) -> bool {
        let is_same =
            |other: &Message| (&other.code, &other.file, other.line) == (&message.code, &message.file, message.line);
        self.messages.iter().any(|(_, other)| is_same(other))
    }
}

/// Compiles all that is in the workspace. Lints that are errors somewhere are warnings: here, they count all the same.
pub(crate) fn check(place: &Path) -> Result<Output> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(place).args([
        "check",
        "--workspace",
        "--lib",
        "--keep-going",
        "--message-format=json",
        "--quiet",
    ]);
    cargo.env("CARGO_TARGET_DIR", place.join("target")).env("CARGO_PROFILE_DEV_DEBUG", "0");
    cargo.env("RUSTFLAGS", "--cap-lints=warn").env_remove("CARGO_ENCODED_RUSTFLAGS");
    let output = cargo.stderr(Stdio::piped()).output()?;
    let mut found = Output::default();
    let mut any = false;
    for line in output.stdout.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"{")) {
        any = true;
        let value: Value = serde_json::from_slice(line)?;
        let manifest = value["manifest_path"].as_str().map(Path::new);
        let Some(package) = manifest.and_then(|path| path.strip_prefix(place.join("crates")).ok()) else { continue };
        let name = package.parent().and_then(Path::to_str).unwrap_or_default().to_owned();
        match value["reason"].as_str() {
            Some("compiler-artifact") if value["target"]["kind"][0] != "custom-build" => {
                found.compiled.insert(name);
            }
            Some("compiler-message") => {
                if let Some(message) = message(&value["message"], place) {
                    found.messages.push((name, message));
                }
            }
            _ => {}
        }
    }
    match any {
        true => Ok(found),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned().into()),
    }
}

fn message(value: &Value, place: &Path) -> Option<Message> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let spans = value["spans"].as_array()?;
    let span = spans.iter().find(|span| span["is_primary"] == true)?;
    let number = |value: &Value| value.as_u64().unwrap_or_default() as usize;
    let (start, end) = (number(&span["column_start"]), number(&span["column_end"]));
    let line = text(&span["text"][0]["text"]);
    Some(Message {
        is_error: value["level"] == "error",
        code: text(&value["code"]["code"]),
        text: text(&value["message"]),
        file: place.join(text(&span["file_name"])),
        line: number(&span["line_start"]),
        column: start,
        token: line.chars().skip(start.saturating_sub(1)).take(end.saturating_sub(start)).collect(),
        rendered: text(&value["rendered"]),
    })
}

/// The files that have been compiled, by what rustc says of itself.
pub(crate) fn files(place: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(place.join("target/debug/deps"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "d") {
            let names = fs::read_to_string(path)?;
            let names = names.split_whitespace().filter(|name| name.ends_with(".rs")).map(|name| place.join(name));
            files.extend(names.filter(|name| name.starts_with(place.join("crates"))));
        }
    }
    Ok(files)
}
