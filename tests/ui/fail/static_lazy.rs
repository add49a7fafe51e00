// A static without memory of its own, as `lazy_static!` makes them.

use std::ops::Deref;

struct Hits;

impl Deref for Hits {
    type Target = String;

    fn deref(&self) -> &String {
        static VALUE: std::sync::OnceLock<String> = std::sync::OnceLock::new();
        VALUE.get_or_init(String::new)
    }
}

static HITS: Hits = Hits;

#[spawnsafe::child_entry]
fn entry() -> usize {
    HITS.len()
    //~ this static is made anew by each process that uses it
}

fn main() {}
