// A `LazyLock` that is inherited is not computed in a child.

use std::sync::LazyLock;

use spawnsafe::inherit;

const fn made() -> LazyLock<u32> {
    LazyLock::new(|| 1)
}

#[inherit]
static NUMBER: LazyLock<u32> = made();
//~ what computes an inherited `LazyLock` must be seen here

fn main() {
    println!("{}", NUMBER.count_ones());
}
