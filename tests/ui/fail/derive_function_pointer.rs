// A function pointer is an address, also where rustc would not find its way to that reason.

use spawnsafe::SpawnSafe;

#[derive(SpawnSafe)]
struct Job {
    run: Option<fn(&u8, &str, &mut [u8]) -> u8>,
    //~ a function pointer is an address in this process
    cell: std::cell::Cell<u8>,
    //~ Cell<u8>` refers to memory of this process
}

impl serde::Serialize for Job {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        todo!()
    }
}

impl<'de> serde::Deserialize<'de> for Job {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        todo!()
    }
}

fn main() {}
