// A handle that is open in this process only.

#![allow(unused)]

use std::fs::File;
use std::net::TcpStream;

use spawnsafe::child_entry;

#[child_entry]
fn read(a: File, b: TcpStream, c: std::process::Child, d: std::io::Stdin) {}
//~ is a handle that is open in this process only

fn main() {}
