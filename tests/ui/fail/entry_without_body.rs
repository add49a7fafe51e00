// `#[child_entry]` on a function that somebody else defines.

use spawnsafe::child_entry;

trait Run {
    #[child_entry]
    //~ `#[child_entry]` goes on a free function with a body
    fn run(x: u32);
}

unsafe extern "C" {
    #[child_entry]
    //~ `#[child_entry]` goes on a free function with a body
    fn abs(x: i32) -> i32;
}

fn main() {}
