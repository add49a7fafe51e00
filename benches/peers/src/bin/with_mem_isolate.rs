//! mem-isolate: `fork` for each call, which blocks until it is done.

use mem_isolate::execute_in_isolated_process;
use spawnsafe_peers::{Contestant, Started, serve};

struct MemIsolate;

impl Contestant for MemIsolate {
    fn start(&mut self, _: u64) -> Option<Started> {
        None
    }

    fn run(&mut self, number: u64) -> Option<u64> {
        Some(execute_in_isolated_process(|| number + 1).expect("it answers"))
    }

    fn bytes(&mut self, data: Vec<u8>) -> Option<Vec<u8>> {
        Some(execute_in_isolated_process(|| data.clone()).expect("it answers"))
    }

    fn floats(&mut self, data: Vec<f64>) -> Option<Vec<f64>> {
        Some(execute_in_isolated_process(|| data.clone()).expect("it answers"))
    }
}

fn main() {
    serve(MemIsolate);
}
