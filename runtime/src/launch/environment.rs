//! The environment of a child: the parent's, with changes.

use std::ffi::{OsStr, OsString};
use std::io;

use crate::sys::{self, AGENT_VARIABLE, BATCH_VARIABLE, CHILD_VARIABLE};

/// A variable and its value, none to remove it, as bytes that the same system reads elsewhere.
#[cfg(feature = "engines")]
pub(crate) type Change = (Vec<u8>, Option<Vec<u8>>);

/// Changes to the environment, to be applied when the child is started.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    cleared: bool,
    /// No name twice. `None` removes the variable.
    changes: Vec<(OsString, Option<OsString>)>,
}

impl Environment {
    pub(crate) fn set(&mut self, key: &OsStr, value: &OsStr) {
        self.change(key, Some(value.to_owned()));
    }

    pub(crate) fn remove(&mut self, key: &OsStr) {
        self.change(key, None);
    }

    pub(crate) fn clear(&mut self) {
        self.cleared = true;
        self.changes.clear();
    }

    /// Whether the system can express it.
    pub(super) fn check(&self) -> io::Result<()> {
        self.changes.iter().try_for_each(|(key, value)| check(key, value.as_deref()))
    }

    /// Whether it begins empty, and the changes; for a process that is to make them elsewhere.
    #[cfg(feature = "engines")]
    pub(crate) fn changes(&self) -> (bool, Vec<Change>) {
        let bytes = |text: &OsString| text.as_encoded_bytes().to_vec();
        (self.cleared, self.changes.iter().map(|(key, value)| (bytes(key), value.as_ref().map(bytes))).collect())
    }

    /// Whether it is the parent's without a change.
    pub(crate) fn is_the_parents(&self) -> bool {
        !self.cleared && self.changes.is_empty()
    }

    /// All variables of the child, without the library's own.
    pub(crate) fn variables(self) -> io::Result<Vec<(OsString, OsString)>> {
        self.check()?;
        let own = [CHILD_VARIABLE, AGENT_VARIABLE, BATCH_VARIABLE];
        let is_own = |key: &OsStr| own.iter().any(|own| sys::is_same_variable(key, own.as_ref()));
        let inherited = std::env::vars_os().filter(|(key, _)| !self.cleared && !is_own(key) && !self.has_changed(key));
        let mut variables: Vec<_> = inherited.collect();
        let set = self.changes.into_iter().filter_map(|(key, value)| Some((key, value?)));
        variables.extend(set.filter(|(key, _)| !is_own(key)));
        Ok(variables)
    }

    fn change(&mut self, key: &OsStr, value: Option<OsString>) {
        self.changes.retain(|(changed, _)| !sys::is_same_variable(changed, key));
        self.changes.push((key.to_owned(), value));
    }

    fn has_changed(&self, key: &OsStr) -> bool {
        self.changes.iter().any(|(changed, _)| sys::is_same_variable(changed, key))
    }
}

/// What no system can express would otherwise become another variable.
fn check(key: &OsStr, value: Option<&OsStr>) -> io::Result<()> {
    let bytes = key.as_encoded_bytes();
    let fault = if bytes.is_empty() {
        "is empty"
    } else if bytes[1..].contains(&b'=') || bytes == b"=" {
        "contains `=`"
    } else if bytes.contains(&0) || value.is_some_and(|value| value.as_encoded_bytes().contains(&0)) {
        "or its value contains a zero byte"
    } else {
        return Ok(());
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("the name of the environment variable {key:?} {fault}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(environment: Environment) -> Vec<OsString> {
        environment.variables().unwrap().into_iter().map(|(key, _)| key).collect()
    }

    #[test]
    fn changes_apply_in_order() {
        let mut environment = Environment::default();
        environment.set("A".as_ref(), "1".as_ref());
        environment.clear();
        environment.set("B".as_ref(), "2".as_ref());
        environment.set("C".as_ref(), "3".as_ref());
        environment.remove("C".as_ref());
        assert_eq!(names(environment), ["B"]);
        let mut environment = Environment::default();
        environment.remove("PATH".as_ref());
        assert!(!names(environment).contains(&"PATH".into()));
    }

    #[test]
    fn the_librarys_own_variable_cannot_be_set() {
        let mut environment = Environment::default();
        environment.set(CHILD_VARIABLE.as_ref(), "x".as_ref());
        assert!(!names(environment).contains(&CHILD_VARIABLE.into()));
    }

    #[test]
    fn impossible_names_are_errors() {
        for (key, value) in [("", "x"), ("A=B", "x"), ("=", "x"), ("A\0", "x"), ("A", "\0")] {
            let mut environment = Environment::default();
            environment.set(key.as_ref(), value.as_ref());
            assert_eq!(environment.variables().unwrap_err().kind(), io::ErrorKind::InvalidInput, "{key:?}");
        }
    }
}
