// `impl Trait` as a result.

use spawnsafe::child_entry;

#[child_entry]
fn numbers() -> impl Iterator<Item = u32> {
//~ the parent process must know the type that it gets back
    0..3
}

fn main() {}
