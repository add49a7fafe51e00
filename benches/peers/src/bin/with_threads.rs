//! Threads of this process: what processes cost beyond them.

use crossbeam_channel::{Receiver, Sender, unbounded};
use spawnsafe_peers::{Contestant, Started, WORKERS, serve, work};

struct Threads {
    pool: Option<(Sender<u64>, Receiver<u64>)>,
}

impl Threads {
    fn workers(&mut self) -> &(Sender<u64>, Receiver<u64>) {
        self.pool.get_or_insert_with(|| {
            let (to, tasks) = unbounded();
            let (answers, from) = unbounded();
            for _ in 0..WORKERS {
                let (tasks, answers): (Receiver<u64>, _) = (tasks.clone(), answers.clone());
                std::thread::spawn(move || tasks.iter().try_for_each(|micros| answers.send(work(micros))));
            }
            (to, from)
        })
    }
}

impl Contestant for Threads {
    fn start(&mut self, number: u64) -> Option<Started> {
        let thread = std::thread::spawn(move || number + 1);
        Some(Box::new(move || thread.join().expect("it does not panic")))
    }

    fn pool(&mut self, micros: u64, count: u64) -> Option<()> {
        let (to, from) = self.workers();
        (0..count).for_each(|_| to.send(micros).expect("the threads are there"));
        (0..count).for_each(|_| assert_eq!(from.recv().expect("the threads are there"), micros));
        Some(())
    }

    fn trip(&mut self, _: u64) -> Option<u64> {
        let (to, from) = self.workers();
        to.send(0).expect("the threads are there");
        from.recv().ok()
    }

    fn idle(&mut self) -> Option<()> {
        None
    }
}

fn main() {
    serve(Threads { pool: None });
}
