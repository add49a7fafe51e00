// Channels between processes, of messages that cannot leave this one.

#![allow(unused)]

use std::rc::Rc;
use std::sync::{Arc, Mutex};

use spawnsafe::{Duplex, Receiver, Sender, channel, child_entry};

#[child_entry]
fn receive(a: Receiver<Mutex<u32>>, b: Vec<Sender<Arc<u32>>>, c: Duplex<u32, std::time::Instant>) {}
//~ Mutex<u32>` refers to memory of this process
//~ `Arc<u32>` refers to memory of this process
//~ `Instant` is a point on a clock that only this process can read

fn main() {
    let ends = channel::<Rc<u32>>();
    //~ `Rc<u32>` refers to memory of this process
}
