//! Which types may cross to another process, how their values are packed, and why other types may not.
//!
//! [`SpawnSafe`] is a marker with reasons: a type that cannot travel implements it under a bound that never holds, and
//! the trait of that bound carries the message (`reasons`). rustc then reports the innermost type that is at fault.
//! The traits with hidden names around it exist so that each argument has exactly one place with an obligation.

mod codec;
mod crates;
mod impls;
mod lend;
mod reasons;
#[cfg(test)]
mod tests;
mod trust;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use codec::{ArgumentCodec, LentCodec, argument, borrowing, field, lent, pack_result, result, unpack, unpack_lent};
pub use codec::{Lendable, Passable, Value};
pub use lend::LendSafe;
pub use trust::{Trusted, Unknown, Vacant, plain_data, trusted, trusted_field, trusted_lent, trusted_slice};

use crate::wire::{CodecError, Packer, Unpacker};

/// Values that mean the same thing in another process.
///
/// Every argument and every result of a child entry is of such a type. std's plain types and containers are; a type
/// of your own is when you say so, next to serde's traits:
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use spawnsafe::{child_entry, SpawnSafe};
///
/// #[derive(Serialize, Deserialize, SpawnSafe)]
/// struct Job {
///     id: u32,
///     words: Vec<String>,
/// }
///
/// #[child_entry]
/// fn run_job(job: Job) -> usize {
///     job.words.len()
/// }
/// # #[spawnsafe::process_main]
/// # fn main() {
/// assert_eq!(run_job::run(Job { id: 1, words: vec!["a".into()] }).unwrap(), 1);
/// # }
/// ```
///
/// Types whose values refer to something in this process are not, although serde may well copy their content:
/// `Arc`, `Rc`, `Cell`, `Mutex`, atomics (a child would get a separate copy), files and sockets, thread handles,
/// references inside other types, pointers, `Instant`, and errors without a portable form such as `io::Error`.
/// Passing one is a compile-time error that names it and says what to do instead:
///
/// ```compile_fail,E0277
/// use std::sync::{Arc, Mutex};
///
/// #[spawnsafe::child_entry]
/// fn count(total: Vec<Arc<Mutex<u32>>>) {}
/// # fn main() {}
/// ```
///
/// # Types of other crates
/// Features of the crates' names let their plain types travel: `bytes`, `chrono`, `indexmap`, `rust_decimal`, `semver`,
/// `serde_json`, `smallvec`, `time`, `url` and `uuid`. Plain data of any other crate travels by your word for it,
/// `#[trust]`, on a [field](macro@crate::SpawnSafe) or on an entry's [parameter](macro@crate::child_entry).
///
/// # What the compiler cannot see
/// A number may be a file descriptor, an address or an index into a table of this process; a path may name a file
/// that is deleted before the child reads it. Such values arrive as they are, and mean nothing there.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be passed between a process and its child",
    label = "`{Self}` is not known to mean the same in another process",
    note = "for a type of your own: put `#[derive(serde::Serialize, serde::Deserialize, spawnsafe::SpawnSafe)]` on it",
    note = "for plain data of another crate: write `#[trust]` before the parameter or the field; for a result, return a type of your own with such a field",
    note = "for types of some crates (`bytes`, `chrono`, `uuid` and others) spawnsafe has a feature of the crate's name",
    note = "for an error: return `Result<T, spawnsafe::RemoteError>`, which `?` makes of any error (`RemoteError::new(&*error)` of `anyhow::Error`)",
    note = "for an array of more than 32 elements: use a `Vec`",
    note = "for a `dyn` type: name the concrete type, or use an enum of the types that it can be"
)]
pub trait SpawnSafe: Serialize + DeserializeOwned + 'static {
    /// Where the derive puts its checks: here `Self` and the type's parameters mean what they mean in its fields. Never
    /// called.
    #[doc(hidden)]
    fn __fields()
    where
        Self: Sized,
    {
    }

    /// Packs a value that is given up. Types that own long buffers hand them over without a copy.
    #[doc(hidden)]
    fn __pack(self, packer: &mut Packer) -> Result<(), CodecError>
    where
        Self: Sized,
    {
        self.__pack_ref(packer)
    }

    /// Packs a value that the caller keeps.
    #[doc(hidden)]
    fn __pack_ref(&self, packer: &mut Packer) -> Result<(), CodecError> {
        packer.value(self)
    }

    /// Unpacks what one of the two above has packed.
    #[doc(hidden)]
    fn __unpack(unpacker: &mut Unpacker<'_>) -> Result<Self, CodecError>
    where
        Self: Sized,
    {
        unpacker.value()
    }

    /// Packs many values of this type that lie side by side, so that bytes can travel as bytes.
    #[doc(hidden)]
    fn __pack_run(run: &[Self], packer: &mut Packer) -> Result<(), CodecError>
    where
        Self: Sized,
    {
        packer.value(run)
    }

    /// As `__pack_run`, for values that are given up.
    #[doc(hidden)]
    fn __pack_owned_run(run: Vec<Self>, packer: &mut Packer) -> Result<(), CodecError>
    where
        Self: Sized,
    {
        Self::__pack_run(&run, packer)
    }

    /// Unpacks what one of the two above has packed.
    #[doc(hidden)]
    fn __unpack_run(unpacker: &mut Unpacker<'_>) -> Result<Vec<Self>, CodecError>
    where
        Self: Sized,
    {
        unpacker.value()
    }
}
