// Saying so by hand needs serde's traits as well.

use spawnsafe::SpawnSafe;

struct Job;

impl SpawnSafe for Job {}
//~ E0277
//~ E0277

fn main() {}
