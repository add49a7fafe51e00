// Calls are checked as those of the function are, at the argument.

use spawnsafe::child_entry;

#[child_entry]
fn count(text: &str, min: usize) -> usize {
    text.len().max(min)
}

fn main() {
    let _ = count::run("a", "b");
    //~ E0308
    let _ = count::run("a");
    //~ E0061
    let _: Result<String, _> = count::run("a", 1);
    //~ E0308
}
