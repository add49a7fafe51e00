//! procspawn: `init` first in `main`, functions by address, a pool of its own.

use std::collections::VecDeque;

use procspawn::Pool;
use spawnsafe_peers::{Contestant, Started, WORKERS, serve, work};

struct Procspawn {
    pool: Option<Pool>,
}

impl Procspawn {
    fn pool(&mut self) -> &Pool {
        self.pool.get_or_insert_with(|| Pool::new(WORKERS).expect("there is a pool"))
    }
}

impl Contestant for Procspawn {
    fn start(&mut self, number: u64) -> Option<Started> {
        let handle = procspawn::spawn(number, |number| number + 1);
        Some(Box::new(move || handle.join().expect("it answers")))
    }

    fn pool(&mut self, micros: u64, count: u64) -> Option<()> {
        // It has no `map`, and each call that waits holds descriptors: 50,000 at once are more than a process may have.
        const WAITING: usize = 200;
        let (pool, mut handles) = (self.pool(), VecDeque::new());
        for _ in 0..count {
            if handles.len() == WAITING {
                let first: Option<procspawn::JoinHandle<u64>> = handles.pop_front();
                first.map(|handle| handle.join().expect("it answers"));
            }
            handles.push_back(pool.spawn(micros, work));
        }
        for handle in handles {
            assert_eq!(handle.join().expect("it answers"), micros);
        }
        Some(())
    }

    fn trip(&mut self, number: u64) -> Option<u64> {
        Some(self.pool().spawn(number, |number| number + 1).join().expect("it answers"))
    }

    fn bytes(&mut self, data: Vec<u8>) -> Option<Vec<u8>> {
        Some(self.pool().spawn(data, |data| data).join().expect("it answers"))
    }

    fn floats(&mut self, data: Vec<f64>) -> Option<Vec<f64>> {
        Some(self.pool().spawn(data, |data| data).join().expect("it answers"))
    }
}

fn main() {
    procspawn::init();
    serve(Procspawn { pool: None });
}
