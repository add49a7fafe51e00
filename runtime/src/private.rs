//! All that generated code may name. Not part of the public interface: it changes without notice.

pub use crate as spawnsafe;
#[cfg(feature = "tokio")]
pub use crate::child::{Flavor, block_on};
pub use crate::handle::Arguments;
pub use crate::inherit::{Access, Accessed, Computed, Global, RegisteredGlobal, access, access_lazy};
#[cfg(feature = "engines")]
pub use crate::pool::engines;
pub use crate::portable::{
    ArgumentCodec, LentCodec, argument, borrowing, lent, pack_result, result, unpack, unpack_lent,
};
pub use crate::portable::{Lendable, Passable, Value};
pub use crate::portable::{
    Trusted, Unknown, Vacant, field, plain_data, trusted, trusted_field, trusted_lent, trusted_slice,
};
pub use crate::probe::{Anything, Declared, Missing, Place, Probe, read, read_raw};
pub use crate::registry::{Entry, Origin, Refused, Registered, Run, TestHarness};
pub use crate::wire::{Fault, Packed, Packer, Unpacker};
pub use ::core;
pub use ::core::result::Result::{Err, Ok};
pub use ::inventory;
pub use ::spawnsafe_macros::{beside, closure};
pub use ::std;

/// The first statement of `main`.
pub fn enter_main() {
    #[cfg(feature = "engines")]
    {
        crate::pool::enter_agent();
        crate::batch::enter_element();
    }
    crate::child::enter_main();
}

/// Has children started in this way where nothing else is said, for the tests of this library.
pub fn set_usual_start_method(method: crate::StartMethod) {
    method.make_usual();
}

/// All arguments are unpacked: nothing may be left over. Gives what the result is to be packed with.
#[inline]
pub fn arguments_done(unpacker: &mut Unpacker<'_>) -> Result<Packer, Fault> {
    unpacker.finish().map_err(|error| Fault::argument("(after the last)", error))?;
    crate::shared::arguments_end();
    Ok(crate::link::packer())
}

/// The value of `spawn!` and `call!`.
#[must_use = "the closure runs when it is called: `spawn!(…)(arguments)`"]
pub const fn not_called<F>(closure: F) -> F {
    closure
}
