//! process-fun: `fork` and a pipe for each call.

use std::time::Duration;

use process_fun::process;
use spawnsafe_peers::{Contestant, Started, serve};

#[process]
pub fn add_one(number: u64) -> u64 {
    number + 1
}

#[process]
pub fn bytes(data: Vec<u8>) -> Vec<u8> {
    data
}

#[process]
pub fn floats(data: Vec<f64>) -> Vec<f64> {
    data
}

const LIMIT: Duration = Duration::from_secs(600);

struct ProcessFun;

impl Contestant for ProcessFun {
    fn start(&mut self, number: u64) -> Option<Started> {
        let mut process = add_one_process(number).expect("it starts");
        Some(Box::new(move || process.wait().expect("it answers")))
    }

    fn bytes(&mut self, data: Vec<u8>) -> Option<Vec<u8>> {
        Some(bytes_process(data).and_then(|mut process| process.timeout(LIMIT)).expect("it answers"))
    }

    fn floats(&mut self, data: Vec<f64>) -> Option<Vec<f64>> {
        Some(floats_process(data).and_then(|mut process| process.timeout(LIMIT)).expect("it answers"))
    }
}

fn main() {
    serve(ProcessFun);
}
