// Everything that is wrong with a signature, in one compile.

#![allow(unused)]

use spawnsafe::child_entry;

#[child_entry]
async fn mixed<T>(a: &mut u32, b: &'static str, c: impl Copy, d: &dyn std::fmt::Debug) -> &'static str {
//~ an `async` child entry runs on tokio, which is not switched on
//~ a generic child entry stands for many functions, and the child process must find each by its name
//~ a child process changes only its own copy, so `&mut` would have no effect here
//~ a child process cannot borrow from its parent's memory
//~ `impl Trait` is a hidden type parameter, and a child entry must be one function
//~ a child process cannot rebuild a `dyn` value: only this process knows which type is behind it
//~ a child process cannot lend its memory to its parent
    todo!()
}

fn main() {}
