// Only what is skipped both ways is exempt.

use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use spawnsafe::SpawnSafe;

#[derive(Serialize, Deserialize, SpawnSafe)]
struct Job {
    #[serde(skip)]
    fine: Mutex<u8>,
    #[serde(skip_serializing)]
    #[serde(default, skip_deserializing)]
    fine_too: Mutex<u8>,
    #[serde(skip_serializing)]
    read: Mutex<u8>,
    //~ refers to memory of this process
    #[serde(skip_deserializing)]
    written: Mutex<u8>,
    //~ refers to memory of this process
    #[serde(rename(serialize = "skip"), default)]
    renamed: Mutex<u8>,
    //~ refers to memory of this process
}

#[derive(Serialize, Deserialize, SpawnSafe)]
enum Shape {
    Point,
    #[serde(skip)]
    Fine(Mutex<u8>),
    #[serde(skip_serializing)]
    Read(Mutex<u8>),
    //~ refers to memory of this process
}

fn main() {}
