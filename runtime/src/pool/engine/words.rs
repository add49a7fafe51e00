//! A line that names an engine or a scheduler, and its words, as a shell splits them and as they must be written for one.

use std::ffi::OsString;
use std::str::FromStr;

use crate::error::Error;

/// What an environment variable says, as if it said nothing where there is none.
pub(crate) fn from_variable<T: FromStr<Err = Error>>(name: &str, refused: fn(&str) -> Error) -> Result<T, Error> {
    let text = std::env::var_os(name).unwrap_or_default();
    text.to_str().ok_or_else(|| refused("it is no text"))?.parse()
}

/// The name at the start of a line, and what is behind its colon.
pub(crate) fn named(line: &str) -> (&str, &str) {
    let line = line.trim();
    line.split_once(':').unwrap_or((line, ""))
}

/// The words of a line: separated by blanks, unless those are in single or double quotes or behind a backslash.
pub(crate) fn split(line: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some('\''), _) => word.get_or_insert_default().push(c),
            (_, '\\') => word.get_or_insert_default().push(chars.next().ok_or("it ends with a backslash")?),
            (Some(_), _) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, _) if c.is_whitespace() => words.extend(word.take()),
            (None, _) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err("a quote in it is not closed");
    }
    words.extend(word);
    Ok(words)
}

/// One word as a POSIX shell takes it for itself.
pub(super) fn quote(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-=./:,@%+{}".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The line of these words, and what is put behind it if there are any.
pub(crate) fn join(words: &[OsString], behind: &str) -> String {
    let words: Vec<_> = words.iter().map(|word| quote(&word.to_string_lossy())).collect();
    if words.is_empty() { String::new() } else { words.join(" ") + behind }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_a_shell() {
        let split = |line: &str| split(line).unwrap();
        assert_eq!(split("  a  b\tc "), ["a", "b", "c"]);
        assert_eq!(split(r#"'a b' "c 'd'" e\ f g"h i"j '' "#), ["a b", "c 'd'", "e f", "gh ij", ""]);
        assert_eq!(split(""), [""; 0]);
        for line in ["'a", "\"a", "a\\"] {
            assert!(super::split(line).is_err(), "{line}");
        }
        for word in ["", "a b", "it's", "\"", "$x", "`x`", "\\", "plain-1.0/x"] {
            assert_eq!(split(&quote(word)), [word]);
        }
    }
}
