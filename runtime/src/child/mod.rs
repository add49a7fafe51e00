//! Being a child: taking over from `main`, running one entry, and telling the parent how it ended.

mod boot;
mod invoke;
mod panic;
mod reply;

pub(crate) use boot::enter_main;
