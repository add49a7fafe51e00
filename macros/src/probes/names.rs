//! Which paths may name a static, by their look.

use std::collections::BTreeSet;

use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::{Path, PathArguments, QSelf};

/// How the last name of a path is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// As statics and constants are: `SCREAMING_CASE`.
    Screaming,
    /// As functions and variables are, in `snake_case` or `camelCase`; rarely, a static.
    Lower,
}

const PRIMITIVES: [&str; 17] = [
    "bool", "char", "str", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize",
    "f32", "f64",
];

/// How a path is written that may name a static; `None` if it cannot be one.
pub(super) fn style(path: &Path, qself: Option<&QSelf>, bound: &BTreeSet<String>) -> Option<Style> {
    if qself.is_some() || path.segments.iter().any(|segment| !matches!(segment.arguments, PathArguments::None)) {
        return None;
    }
    let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.unraw().to_string()).collect();
    let (last, before) = names.split_last()?;
    match before.last() {
        None if bound.contains(last) => return None,
        // An associated constant, or a variant: a static is never inside a type, and types begin with a capital.
        Some(parent) if parent.starts_with(char::is_uppercase) => return None,
        Some(parent) if before.len() == 1 && PRIMITIVES.contains(&parent.as_str()) => return None,
        _ => {}
    }
    style_of(last)
}

/// The same of a single name.
pub(super) fn style_of(name: &str) -> Option<Style> {
    match (name.chars().any(char::is_uppercase), name.chars().any(char::is_lowercase)) {
        (true, false) => Some(Style::Screaming),
        (false, true) if !["self", "super", "crate"].contains(&name) => Some(Style::Lower),
        // Not `CamelCase`: that is a type, a variant or a constructor.
        (true, true) if name.trim_start_matches('_').starts_with(char::is_lowercase) => Some(Style::Lower),
        _ => None,
    }
}

/// Whether a name is written as statics are.
pub(super) fn is_screaming(name: &str) -> bool {
    style_of(name) == Some(Style::Screaming)
}

/// Whether the user has allowed this static: one of the two paths may say more of the way to it than the other.
pub(super) fn is_allowed(path: &Path, allowed: &[Path]) -> bool {
    let names = |path: &Path| path.segments.iter().map(|segment| segment.ident.unraw()).collect::<Vec<_>>();
    let used = names(path);
    allowed.iter().map(names).any(|allowed| used.ends_with(&allowed) || allowed.ends_with(&used))
}

/// What two uses of the same path have in common.
pub(super) fn key(path: &Path) -> String {
    path.to_token_stream().to_string()
}
