//! The portable form of any error: its text, and the texts of its causes.

use std::error::Error as StdError;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Any error in the form in which it can leave a process: its message and those of its causes.
///
/// An entry that fails with errors of other crates returns `Result<T, RemoteError>` and uses `?`, as it would with
/// `anyhow`. As there, the type is not itself a [`std::error::Error`] (the conversion from every error type
/// excludes that); it converts into `Box<dyn Error>`, so that `?` works on the parent's side as well.
///
/// ```
/// use spawnsafe::{child_entry, RemoteError};
///
/// #[child_entry]
/// fn parse(text: &str) -> Result<u16, RemoteError> {
///     Ok(text.trim().parse::<u16>()?)
/// }
///
/// #[spawnsafe::process_main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     assert_eq!(parse::run("17")??, 17);
///     let error = parse::run("seventeen")?.unwrap_err();
///     assert_eq!(error.to_string(), "invalid digit found in string");
///     Ok(())
/// }
/// ```
///
/// # With `anyhow`
/// Neither of `anyhow::Error` and `RemoteError` is a [`std::error::Error`], so between the two `?` is not enough:
///
/// ```text
/// #[child_entry]
/// fn load(path: &str) -> Result<Config, RemoteError> {
///     load_with_anyhow(path).map_err(|error| RemoteError::new(&*error))
/// }
///
/// fn main() -> anyhow::Result<()> {
///     let config = load::run("config.toml")?.map_err(|error| anyhow::Error::from_boxed(error.into()))?;
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteError {
    message: String,
    causes: Vec<String>,
}

impl RemoteError {
    /// Takes the texts of `error` and of its chain of sources.
    ///
    /// For error types that do not implement [`std::error::Error`] but lend one, such as `anyhow::Error`
    /// (`RemoteError::new(&*error)`); all others convert with `?` or `RemoteError::from`.
    #[must_use]
    pub fn new(error: &(dyn StdError + 'static)) -> Self {
        let causes = std::iter::successors(error.source(), |&cause| cause.source());
        Self { message: error.to_string(), causes: causes.map(ToString::to_string).collect() }
    }

    /// An error that consists of a message only.
    #[must_use]
    pub fn msg(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), causes: Vec::new() }
    }

    /// The message and then those of the causes, outermost first.
    pub fn chain(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.message.as_str()).chain(self.causes.iter().map(String::as_str))
    }
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.causes.iter().try_for_each(|cause| write!(f, "\n  caused by: {cause}"))
    }
}

impl<E: StdError + 'static> From<E> for RemoteError {
    fn from(error: E) -> Self {
        Self::new(&error)
    }
}

impl From<RemoteError> for Box<dyn StdError + Send + Sync> {
    fn from(error: RemoteError) -> Self {
        Box::new(Link::of(error.message, error.causes.into_iter()))
    }
}

impl From<RemoteError> for Box<dyn StdError> {
    fn from(error: RemoteError) -> Self {
        Box::<dyn StdError + Send + Sync>::from(error)
    }
}

/// One link of a chain that is made of texts.
#[derive(Debug)]
struct Link {
    message: String,
    source: Option<Box<Link>>,
}

impl Link {
    fn of(message: String, mut causes: std::vec::IntoIter<String>) -> Self {
        // Built from the inside out: a chain from another process may be long, and must not recurse.
        let mut source = None;
        while let Some(cause) = causes.next_back() {
            source = Some(Box::new(Link { message: cause, source }));
        }
        Link { message, source }
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Link {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|link| link as _)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let mut next = self.source.take();
        while let Some(mut link) = next {
            next = link.source.take();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_chain() {
        let inner = std::io::Error::new(std::io::ErrorKind::NotFound, "no such file");
        let outer = crate::Error::new(crate::ErrorKind::Spawn, "cannot start").with_source(inner);
        let remote = RemoteError::from(outer);
        assert_eq!(remote.chain().collect::<Vec<_>>(), ["cannot start", "no such file"]);
        let local: Box<dyn StdError> = remote.into();
        assert_eq!(local.source().unwrap().to_string(), "no such file");
        assert!(local.source().unwrap().source().is_none());
    }

    #[test]
    fn a_long_chain_neither_recurses_when_built_nor_when_dropped() {
        let remote = RemoteError { message: "top".into(), causes: vec!["cause".into(); 1_000_000] };
        drop(Box::<dyn StdError>::from(remote));
    }
}
