//! What rustc says, judged.

use std::path::PathBuf;

use crate::compiler::Message;
use crate::packages::Package;
use crate::sources::Statics;

/// An error or a warning that the probes have caused.
pub(crate) struct Alarm {
    /// Whether it names a static that can change, of which each process has its own.
    pub(crate) is_true: bool,
    pub(crate) is_error: bool,
    pub(crate) code: String,
    pub(crate) text: String,
    /// What it names.
    pub(crate) name: String,
    /// In the package.
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) rendered: String,
}

impl Alarm {
    /// Whether both are about the same use.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let place = |alarm: &Self| (alarm.code.clone(), alarm.file.clone(), alarm.line, alarm.column);
        place(self) == place(other)
    }

    pub(crate) fn new(message: &Message, package: &Package, statics: &Statics) -> Self {
        let name = message.token.trim_start_matches("r#").to_owned();
        let is_mutable = match &*message.code {
            // By its type.
            "E0277" => message.text.contains("belongs to the process that set it"),
            // By its memory, as rustc sees it.
            "E0080" => {
                ["accesses mutable global memory", "cannot access extern static", "is made anew by each process"]
                    .iter()
                    .any(|text| message.text.contains(text))
            }
            _ => false,
        };
        let is_static = statics.get(&package.name).is_some_and(|names| names.contains(&name));
        Self {
            is_true: message.is_error && is_mutable && is_static,
            is_error: message.is_error,
            code: message.code.clone(),
            text: message.text.clone(),
            name,
            file: message.file.strip_prefix(&package.place).unwrap_or(&message.file).to_owned(),
            line: message.line,
            column: message.column,
            rendered: message.rendered.clone(),
        }
    }
}
