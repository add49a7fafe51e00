// What stands in the place of a type parameter must be able to travel.

use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use spawnsafe::{SpawnSafe, child_entry};

#[derive(Serialize, Deserialize, SpawnSafe)]
struct Pair<T> {
    one: T,
    more: Vec<T>,
}

#[child_entry]
fn good(_: Pair<u8>) {}

#[child_entry]
fn bad(_: Pair<Mutex<u8>>) {}
//~ Mutex<u8>` refers to memory of this process

fn main() {}
