// `#[child_entry]` on types.

use spawnsafe::child_entry;

#[child_entry]
//~ `#[child_entry]` goes on a free function, not on a type
struct Job {
    id: u32,
}

#[child_entry]
//~ `#[child_entry]` goes on a free function, not on a type
enum Shape {
    Round,
}

fn main() {}
