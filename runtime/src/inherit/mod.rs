//! Statics whose values travel to every child, and statics that each process has for itself.
//!
//! An `#[inherit]` static registers with `inventory`, as entries do. At each start its value is packed into the call,
//! between head and arguments, and the child puts it in place before it unpacks the arguments: also what runs while
//! those are rebuilt finds it. A child is a parent to its own children in the same way.
//!
//! Every static of the program that is inherited travels to every child. To leave out those that an entry does not use,
//! somebody would have to know what it uses; the compiler does not say.

mod containers;
mod global;
mod lazy;
mod travel;
mod wrapper;

pub use containers::Inheritable;
pub use global::{Access, Accessed, Global, RegisteredGlobal, Snapshot, access};
pub use lazy::{Computed, access_lazy};
pub(crate) use travel::{Changes, Values, restore, restore_values, snapshot, split};
pub use wrapper::{Inherit, ProcessLocal};
