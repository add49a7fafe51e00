// Saying so needs serde's traits.

use spawnsafe::SpawnSafe;

struct Job;

impl SpawnSafe for Job {}
//~ E0277

fn main() {}
