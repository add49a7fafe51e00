// A type that borrows cannot be rebuilt in another process.

use serde::{Deserialize, Serialize};
use spawnsafe::SpawnSafe;

#[derive(Serialize, Deserialize, SpawnSafe)]
struct Words<'a> {
//~ `Words` borrows
    first: &'a str,
}

fn main() {}
