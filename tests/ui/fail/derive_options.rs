// The attributes of the derive, in places and forms that they do not have.

use serde::{Deserialize, Serialize};
use spawnsafe::SpawnSafe;

#[derive(Serialize, Deserialize, SpawnSafe)]
#[spawnsafe(path = spawnsafe)]
//~ `#[spawnsafe]` has no option `path`
#[spawnsafe]
//~ takes options of the form
#[trust]
//~ `#[trust]` goes on a field
struct Job {
    #[spawnsafe(crate = spawnsafe)]
    //~ `#[spawnsafe(…)]` goes on the type
    id: u32,
    #[trust(me)]
    //~ `#[trust]` takes no options
    plain: u32,
    #[trust]
    #[trust]
    //~ `#[trust]` is given twice
    more: u32,
}

#[derive(Serialize, Deserialize, SpawnSafe)]
enum Shape {
    #[trust]
    //~ `#[trust]` goes on a field
    Point(u8),
}

#[spawnsafe::child_entry]
fn work(_: Job, _: Shape) {}

fn main() {}
