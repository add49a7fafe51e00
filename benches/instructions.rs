//! How many instructions the parent executes for a start in each way, a round trip and the packing of arguments: unlike
//! times, they do not depend on what else the machine does, so a regression can be told from noise, and this is a check.
//!
//! ```text
//! cargo bench -p spawnsafe-benches --bench instructions              # prints
//! cargo bench -p spawnsafe-benches --bench instructions -- --check   # and fails where there are more than known
//! ```
//!
//! A process is traced by another, which lets it go on one instruction at a time between two marks and counts. That takes
//! five microseconds for each, needs nothing but `ptrace`, and sees through whatever the process starts: valgrind 3.19
//! knows too little of the system calls that a start is made of. Only the thread that marks is counted, and system calls
//! count as one.

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn main() {
    println!("instructions are counted on Linux on x86-64 only");
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[spawnsafe::process_main]
fn main() {
    counted::main();
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod counted {
    #![allow(unsafe_code)]

    use std::io;
    use std::os::unix::process::CommandExt as _;
    use std::process::{Command, exit};
    use std::time::Duration;

    use spawnsafe::{Pool, StartMethod, child_entry};

    /// What the compiler of these numbers is called: another one's are others.
    const COMPILER: &str = "rustc 1.95.";

    /// How much more than known is too much. The same program differs by less than a thousandth between runs; processors for which
    /// the C library copies memory in other ways differ more.
    const TOLERANCE: f64 = 1.10;

    /// How often it is counted again where it was too much: what else the machine does can only add, as a thread that waits
    /// looks more often whether it still has to.
    const TRIES: usize = 5;

    /// What is counted.
    struct Counted {
        name: &'static str,
        /// What has to be there before it is counted.
        prepare: fn(),
        run: fn(&Pool),
        times: u64,
        /// How many instructions it is known to take each time.
        known: u64,
    }

    impl Counted {
        fn is_too_much(&self, count: u64) -> bool {
            (count / self.times) as f64 > self.known as f64 * TOLERANCE
        }
    }

    const COUNTED: [Counted; 5] = [
        Counted { name: "packing three arguments", prepare: nothing, run: pack, times: 20, known: 1_279 },
        Counted { name: "a start and its result", prepare: nothing, run: start, times: 4, known: 44_689 },
        Counted { name: "a round trip to a worker", prepare: nothing, run: trip, times: 20, known: 8_074 },
        Counted { name: "a start by a zygote", prepare: nothing, run: fork, times: 4, known: 54_619 },
        Counted { name: "a start in a process that waits", prepare: keep_spares, run: start, times: 4, known: 50_551 },
    ];

    /// How many processes wait: more than are taken while it is counted.
    const SPARES: usize = 8;

    #[child_entry]
    fn answer(number: u64, scale: f64, text: &str) -> f64 {
        number as f64 * scale + text.len() as f64
    }

    fn pack(_: &Pool) {
        drop(std::hint::black_box(answer::call(7, 2.5, "some text")));
    }

    fn start(_: &Pool) {
        assert_eq!(answer::spawn(7, 2.0, "four").and_then(|child| child.join()).expect("it answers"), 18.0);
    }

    fn fork(_: &Pool) {
        let call = answer::call(7, 2.0, "four").start_method(StartMethod::Zygote);
        assert_eq!(call.spawn().and_then(|child| child.join()).expect("it answers"), 18.0);
    }

    fn nothing() {}

    /// Besides them, this process has the worker of the pool, and the zygote.
    fn keep_spares() {
        spawnsafe::prewarm(SPARES).expect("a thread can be started");
        while children() < SPARES + 2 {
            std::thread::sleep(Duration::from_millis(10));
        }
        // Until the last of them is ready. Should it not be, the count shows it.
        std::thread::sleep(Duration::from_millis(200));
    }

    fn children() -> usize {
        let parent = std::process::id().to_string();
        let parent_of = |entry: io::Result<std::fs::DirEntry>| {
            let stat = std::fs::read_to_string(entry.ok()?.path().join("stat")).ok()?;
            // The name, in parentheses, may contain anything.
            stat.rsplit_once(") ")?.1.split(' ').nth(1).map(str::to_owned)
        };
        let processes = std::fs::read_dir("/proc").expect("it is mounted");
        processes.filter_map(parent_of).filter(|id| *id == parent).count()
    }

    fn trip(pool: &Pool) {
        let task = pool.submit(answer::call(7, 2.0, "four")).expect("the pool is open");
        assert_eq!(task.join().expect("it answers"), 18.0);
    }

    pub(super) fn main() {
        match std::env::args().nth(1).as_deref() {
            Some("traced") => traced(),
            _ => exit(i32::from(compare())),
        }
    }

    /// Marks the beginning and the end of each.
    fn traced() {
        let pool = Pool::builder().workers(1).build().expect("there is a pool");
        for Counted { prepare, run, times, .. } in COUNTED {
            // What is done once is not counted.
            prepare();
            (0..10).for_each(|_| run(&pool));
            prepare();
            mark();
            (0..times).for_each(|_| run(&pool));
            mark();
        }
    }

    fn mark() {
        // SAFETY: it stops this process, which is traced, and changes nothing.
        unsafe { libc::raise(libc::SIGSTOP) };
    }

    fn compare() -> u8 {
        let is_check = std::env::args().any(|argument| argument == "--check");
        let compiler = Command::new("rustc").arg("--version").output().expect("there is a compiler").stdout;
        let is_known = String::from_utf8_lossy(&compiler).starts_with(COMPILER);
        let mut failed = 0;
        for (counted, count) in COUNTED.iter().zip(least()) {
            let Counted { name, times, known, .. } = counted;
            println!("{name}: {} instructions, known are {known}", count / times);
            if is_check && is_known && counted.is_too_much(count) {
                println!("    that is too many: make it cheaper, or write the new number down and say why");
                failed = 1;
            }
        }
        if !is_known {
            println!("nothing is compared: the known numbers are those of {COMPILER}x");
        }
        failed
    }

    /// The least of each.
    fn least() -> Vec<u64> {
        let mut least = count();
        for _ in 1..TRIES {
            if !COUNTED.iter().zip(&least).any(|(counted, &count)| counted.is_too_much(count)) {
                break;
            }
            least = least.into_iter().zip(count()).map(|(a, b)| a.min(b)).collect();
        }
        least
    }

    fn ask_to_be_traced() -> io::Result<()> {
        // SAFETY: the request takes no other argument.
        match unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) } {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }

    /// Runs this program again, and counts its instructions between marks.
    fn count() -> Vec<u64> {
        let mut command = Command::new(std::env::current_exe().expect("this program has a file"));
        command.arg("traced").env_clear();
        // What a start copies, and so counts, is the same wherever this runs.
        (0..20).for_each(|number| _ = command.env(format!("VARIABLE_{number}"), "some value of a usual length"));
        // SAFETY: it makes one system call, which a copy of a process may.
        unsafe { command.pre_exec(ask_to_be_traced) };
        let mut child = command.spawn().expect("it starts");
        let traced = child.id() as libc::pid_t;
        let (mut counts, mut counting) = (Vec::new(), None);
        loop {
            let mut status = 0;
            // SAFETY: there is room for the status.
            if unsafe { libc::waitpid(traced, &mut status, 0) } == -1 || libc::WIFEXITED(status) {
                break;
            }
            let signal = libc::WSTOPSIG(status);
            let forwarded = match signal {
                libc::SIGTRAP => 0,
                libc::SIGSTOP => {
                    match counting.take() {
                        None => counting = Some(0),
                        Some(count) => counts.push(count),
                    }
                    0
                }
                other => other,
            };
            let how = match &mut counting {
                Some(count) => {
                    *count += 1;
                    libc::PTRACE_SINGLESTEP
                }
                None => libc::PTRACE_CONT,
            };
            // SAFETY: the process is stopped, and this one traces it.
            if unsafe { libc::ptrace(how, traced, 0, forwarded) } == -1 {
                break;
            }
        }
        // Its status is taken already.
        let _ = child.wait();
        assert_eq!(counts.len(), COUNTED.len(), "the traced program has not come to its end");
        counts
    }
}
