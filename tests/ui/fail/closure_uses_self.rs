// `self` is a variable around the closure like any other, and `Self` a type that a function does not know.

use spawnsafe::{call, spawn};

struct Job {
    n: u32,
}

impl Job {
    fn run(&self) -> u32 {
        let child = spawn!(|x: u32| -> u32 { x + self.n + self.n })(1);
        //~ the child process has no `self`: it is in the parent process
        child.unwrap().join().unwrap()
    }

    fn call(&self) {
        let _ = call!(|job: &Self| -> u32 { job.n })(self).run();
        //~ the closure becomes a function of its own, which has no `Self`
    }
}

fn main() {
    let job = Job { n: 1 };
    job.run();
    job.call();
}
