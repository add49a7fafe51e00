// A where clause that is not true.

use spawnsafe::child_entry;

#[child_entry]
//~ E0277
fn len(text: String) -> usize
where
    String: Copy,
    //~ E0277
{
    text.len()
}

fn main() {}
