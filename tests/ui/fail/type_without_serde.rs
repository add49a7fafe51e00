// Saying so by hand needs serde's traits as well.

use spawnsafe::SpawnSafe;

struct Job;

impl SpawnSafe for Job {}
//~ `Job: serde::Deserialize<'de>` is not satisfied
//~ `Job: serde::Serialize` is not satisfied

fn main() {}
