// What has no body that could be checked.

#[spawnsafe::spawn_safe]
//~ `#[spawn_safe]` goes on a function with a body, an impl block, or an inline module
static TOTAL: u32 = 0;

#[spawnsafe::spawn_safe]
//~ `#[spawn_safe]` goes on a function with a body, an impl block, or an inline module
pub struct Job;

#[spawnsafe::spawn_safe(name = "x")]
//~ `#[spawn_safe]` has no option `name`
pub fn option() -> u32 {
    TOTAL
}

#[spawnsafe::spawn_safe]
//~ `#[child_entry]` checks the statics of its function already
#[spawnsafe::child_entry]
fn entry() {}

fn main() {}
