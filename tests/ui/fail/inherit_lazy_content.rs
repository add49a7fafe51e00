// Faults of a `LazyLock` that is inherited, each once.

use std::sync::{Arc, LazyLock};

use spawnsafe::inherit;

#[inherit]
static SHARED: LazyLock<Vec<Arc<u32>>> = LazyLock::new(Vec::new);
//~ `Arc<u32>` refers to memory of this process

type Lazy = LazyLock<u32>;

#[inherit]
static ALIAS: Lazy = Lazy::new(|| 1);
//~ a child process cannot be given the value of a static `LazyLock<u32>`

#[inherit]
static MISTYPED: LazyLock<u32> = LazyLock::new(|| "text");
//~ mismatched types

fn main() {
    println!("{}", SHARED.len());
}
