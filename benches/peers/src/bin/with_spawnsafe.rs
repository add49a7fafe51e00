//! spawnsafe, with each of its start methods: `exec`, `zygote`, `prewarmed`.

use spawnsafe::{Call, Pool, StartMethod, child_entry, process_main};
use spawnsafe_peers::{Contestant, Started, WORKERS, serve};

#[child_entry]
fn add_one(number: u64) -> u64 {
    number + 1
}

#[child_entry]
fn work(micros: u64) -> u64 {
    spawnsafe_peers::work(micros)
}

#[child_entry]
fn bytes(data: Vec<u8>) -> Vec<u8> {
    data
}

#[child_entry]
fn floats(data: Vec<f64>) -> Vec<f64> {
    data
}

struct Spawnsafe {
    method: StartMethod,
    pool: Option<Pool>,
}

impl Spawnsafe {
    fn call(&self, number: u64) -> Call<u64> {
        add_one::call(number).start_method(self.method)
    }

    fn pool(&mut self) -> &Pool {
        self.pool.get_or_insert_with(|| Pool::builder().workers(WORKERS).build().expect("there is a pool"))
    }
}

impl Contestant for Spawnsafe {
    fn start(&mut self, number: u64) -> Option<Started> {
        let child = self.call(number).spawn().expect("it starts");
        Some(Box::new(move || child.join().expect("it answers")))
    }

    fn run(&mut self, number: u64) -> Option<u64> {
        Some(self.call(number).run().expect("it answers"))
    }

    fn pool(&mut self, micros: u64, count: u64) -> Option<()> {
        self.pool()
            .map(work::call, (0..count).map(|_| micros))
            .for_each(|done| assert_eq!(done.expect("it answers"), micros));
        Some(())
    }

    fn trip(&mut self, number: u64) -> Option<u64> {
        Some(self.pool().submit(add_one::call(number)).and_then(|task| task.join()).expect("it answers"))
    }

    fn bytes(&mut self, data: Vec<u8>) -> Option<Vec<u8>> {
        Some(self.pool().submit(bytes::call(data)).and_then(|task| task.join()).expect("it answers"))
    }

    fn floats(&mut self, data: Vec<f64>) -> Option<Vec<f64>> {
        Some(self.pool().submit(floats::call(data)).and_then(|task| task.join()).expect("it answers"))
    }
}

#[process_main]
fn main() {
    let method = match std::env::args().nth(1).as_deref() {
        Some("zygote") => StartMethod::Zygote,
        Some("prewarmed") => {
            // What a program does that has bursts of calls: as many as are in flight.
            spawnsafe::prewarm(8).expect("they start");
            StartMethod::Exec
        }
        _ => StartMethod::Exec,
    };
    serve(Spawnsafe { method, pool: None });
}
