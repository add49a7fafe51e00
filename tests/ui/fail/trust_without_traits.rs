// The user's word does not stand in for serde's traits, nor for `Send`.

use std::rc::Rc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use spawnsafe::{SpawnSafe, child_entry};

struct Foreign;

struct Tied(Rc<u8>);

impl Serialize for Tied {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Tied {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u8::deserialize(deserializer).map(Rc::new).map(Self)
    }
}

#[derive(Serialize, Deserialize, SpawnSafe)]
struct Job {
    #[trust]
    tied: Tied,
    //~ Rc<u8>` cannot be sent between threads safely
}

#[child_entry]
fn work(
    #[trust] foreign: Foreign,
    //~ `Foreign` cannot be passed to a child process, not even with `#[trust]`
    #[trust] lent: &Foreign,
    //~ `Foreign` cannot be passed to a child process, not even with `#[trust]`
    #[trust] slice: &[Foreign],
    //~ `Foreign` cannot be passed to a child process, not even with `#[trust]`
    #[trust] tied: Tied,
    //~ `Tied` cannot be passed to a child process, not even with `#[trust]`
    #[trust] pointer: *const u8,
    //~ `*const u8` cannot be passed to a child process, not even with `#[trust]`
    job: Job,
) {
    let (_, _, _, _, _, _) = (foreign, lent, slice, tied, pointer, job);
}

fn main() {}
