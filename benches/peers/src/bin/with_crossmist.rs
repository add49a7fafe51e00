//! crossmist: functions as objects, `fork` and `exec`, channels instead of a pool.

use crossmist::Duplex;
use spawnsafe_peers::{Contestant, Started, serve};

#[crossmist::func]
fn add_one(number: u64) -> u64 {
    number + 1
}

/// Its documentation shows a process that answers over a channel for tasks that follow each other.
#[crossmist::func]
fn worker(mut requests: Duplex<u64, u64>) {
    while let Some(number) = requests.recv().expect("the parent is there") {
        requests.send(&(number + 1)).expect("the parent is there");
    }
}

#[crossmist::func]
fn bytes(mut requests: Duplex<Vec<u8>, Vec<u8>>) {
    while let Some(data) = requests.recv().expect("the parent is there") {
        requests.send(&data).expect("the parent is there");
    }
}

#[crossmist::func]
fn floats(mut requests: Duplex<Vec<f64>, Vec<f64>>) {
    while let Some(data) = requests.recv().expect("the parent is there") {
        requests.send(&data).expect("the parent is there");
    }
}

#[derive(Default)]
struct Crossmist {
    worker: Option<Duplex<u64, u64>>,
    bytes: Option<Duplex<Vec<u8>, Vec<u8>>>,
    floats: Option<Duplex<Vec<f64>, Vec<f64>>>,
}

impl Contestant for Crossmist {
    fn start(&mut self, number: u64) -> Option<Started> {
        let child = add_one.spawn(number).expect("it starts");
        Some(Box::new(move || child.join().expect("it answers")))
    }

    fn trip(&mut self, number: u64) -> Option<u64> {
        let requests = self.worker.get_or_insert_with(|| {
            let (ours, theirs) = crossmist::duplex().expect("there is a channel");
            worker.spawn(theirs).expect("it starts");
            ours
        });
        Some(requests.request(&number).expect("it answers"))
    }

    fn bytes(&mut self, data: Vec<u8>) -> Option<Vec<u8>> {
        let requests = self.bytes.get_or_insert_with(|| {
            let (ours, theirs) = crossmist::duplex().expect("there is a channel");
            bytes.spawn(theirs).expect("it starts");
            ours
        });
        Some(requests.request(&data).expect("it answers"))
    }

    fn floats(&mut self, data: Vec<f64>) -> Option<Vec<f64>> {
        let requests = self.floats.get_or_insert_with(|| {
            let (ours, theirs) = crossmist::duplex().expect("there is a channel");
            floats.spawn(theirs).expect("it starts");
            ours
        });
        Some(requests.request(&data).expect("it answers"))
    }
}

#[crossmist::main]
fn main() {
    serve(Crossmist::default());
}
