// Nobody knows what is in a union.

use spawnsafe::SpawnSafe;

#[derive(SpawnSafe)]
union Number {
//~ the union `Number` cannot be passed
    whole: u32,
    real: f32,
}

fn main() {}
