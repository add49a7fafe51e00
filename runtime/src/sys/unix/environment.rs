//! A whole environment in the place of another.

#![allow(unsafe_code)]

use std::ptr;

unsafe extern "C" {
    /// As POSIX has it: a program may let it point to another array.
    static mut environ: *const *const libc::c_char;
}

/// Replaces the environment of this process, which has one thread. Each variable is `NAME=value` and a zero byte.
///
/// Not one by one, as std can: that takes an allocation and a search for each, in every child.
pub(in crate::sys) fn set_environment(mut variables: Vec<u8>) {
    variables.push(0);
    // Both belong to the environment from now on.
    let variables: &'static [u8] = variables.leak();
    let strings = variables.split_inclusive(|&byte| byte == 0).filter(|string| string.len() > 1);
    let mut pointers: Vec<*const libc::c_char> = Vec::with_capacity(strings.clone().count() + 1);
    pointers.extend(strings.map(|string| string.as_ptr().cast()));
    pointers.push(ptr::null());
    let pointers: &'static [_] = pointers.leak();
    // SAFETY: no other thread runs that could read the old array or write here. The new one ends in a null pointer, its strings
    // are C strings, and neither is ever freed or changed: whoever changes the environment makes a new array.
    unsafe { environ = pointers.as_ptr() };
}
