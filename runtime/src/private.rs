//! All that generated code may name. Not part of the public interface: it changes without notice.

pub use crate::handle::Arguments;
pub use crate::portable::{ArgumentCodec, LentCodec, argument, borrowing, lent, pack_result, result};
pub use crate::probe::{Anything, Declared, Missing, Place, Probe, of_any_type, read, read_raw, verdicts};
pub use crate::registry::{Entry, Origin, Registered, TestHarness};
pub use crate::wire::{Fault, Packed, Packer, Unpacker};
pub use ::core;
pub use ::inventory;
pub use ::std;

/// The first statement of `main`.
pub fn enter_main() {
    crate::child::enter_main();
}

/// All arguments are unpacked: nothing may be left over. Gives what the result is to be packed with.
pub fn arguments_done(unpacker: &Unpacker<'_>) -> Result<Packer, Fault> {
    unpacker.finish().map_err(|error| Fault::argument("(after the last)", error))?;
    Ok(crate::link::packer())
}
