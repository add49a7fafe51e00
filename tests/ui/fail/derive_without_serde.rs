// serde's derives are needed as well; whoever uses the type is not at fault.

use serde::Serialize;
use spawnsafe::{SpawnSafe, child_entry};

#[derive(SpawnSafe)]
struct Neither {
//~ E0277
//~ E0277
    id: u32,
}

#[derive(Serialize, SpawnSafe)]
struct Half<T> {
//~ E0277
    id: T,
}

#[child_entry]
fn work(neither: Neither, half: &Half<u8>) -> Vec<Neither> {
    let (_, _) = (neither.id, half.id);
    vec![]
}

fn main() {}
