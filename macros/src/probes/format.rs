//! The names in a format string: `"{NAME:>WIDTH$}"`.

/// All names that a format string captures or refers to.
pub(super) fn names(format: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = format;
    while let Some(open) = rest.find('{') {
        rest = &rest[open + 1..];
        if let Some(escaped) = rest.strip_prefix('{') {
            rest = escaped;
            continue;
        }
        let Some(close) = rest.find('}') else { break };
        let (argument, spec) = rest[..close].split_once(':').unwrap_or((&rest[..close], ""));
        names.push(argument.trim());
        // Width and precision: what stands before a `$`.
        let mut parts: Vec<_> = spec.split('$').collect();
        parts.pop();
        let word = |part: &&'_ str| part.rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |at| at + 1);
        names.extend(parts.iter().map(|part| &part[word(part)..]));
        rest = &rest[close + 1..];
    }
    names.retain(|name| name.starts_with(|c: char| c.is_alphabetic() || c == '_'));
    names.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn captured() {
        assert_eq!(
            names("a {ARGS} {{NOT}} {x:?} {0} {} {y:>WIDTH$.PRECISION$} {"),
            ["ARGS", "x", "y", "WIDTH", "PRECISION"]
        );
        assert_eq!(names("{:é>N$}"), ["N"]);
    }
}
