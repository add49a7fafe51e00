// `main` with parameters, as in C.

#![allow(unused)]

use spawnsafe::process_main;

#[process_main]
fn main(args: Vec<String>) {}
//~ `main` takes no parameters
