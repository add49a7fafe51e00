// `#[child_entry]` on a module.

use spawnsafe::child_entry;

#[child_entry]
//~ `#[child_entry]` goes on a free function, not on a module
mod jobs {
    pub fn run() {}
}

fn main() {}
