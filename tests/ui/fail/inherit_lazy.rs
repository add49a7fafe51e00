// A `LazyLock` computes its value, and takes none.

use std::sync::LazyLock;

use spawnsafe::inherit;

#[inherit]
static NUMBER: LazyLock<u32> = LazyLock::new(std::process::id);
//~ a `LazyLock` cannot be given a value

fn main() {
    println!("{}", NUMBER.count_ones());
}
