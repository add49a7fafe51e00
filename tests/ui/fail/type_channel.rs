// The ends of a channel inside one process.

#![allow(unused)]

use std::sync::mpsc::{Receiver, Sender, SyncSender};

use spawnsafe::child_entry;

#[child_entry]
fn send(a: Sender<u32>, b: SyncSender<u32>, c: Receiver<u32>) {}
//~ is an end of a channel

fn main() {}
