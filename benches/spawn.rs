//! What a child process costs, from the call to its result, against the least that any library could do: a raw
//! `posix_spawn` of the same executable that returns at the top of its `main`, waited for with `waitpid`.
//!
//! `cargo bench -p spawnsafe-benches --bench spawn [-- ROUNDS]`
//!
//! Floor and contestants take turns within each round, so that whatever else the machine does meets all alike, each after
//! another start of the floor that is not measured, so that none finds warmer caches than another. The
//! floor's child gets what a child of spawnsafe gets, this process's environment, prepared beforehand, and ends as a
//! program does. With another environment it would be another program: `cargo bench` sets `LD_LIBRARY_PATH`, and
//! looking for the libraries there first costs a child more than spawnsafe does. What a start would be without an
//! environment, and with `_exit`, is measured as well: the bare floor.

#![allow(unsafe_code)]

mod measure;

use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{hint, ptr};

use measure::Times;
use spawnsafe::{StartMethod, child_entry};

const THIS_PROGRAM: &CStr = c"/proc/self/exe";

/// Tells a child to end at the top of `main`, and how.
const FLOOR: &str = "SPAWNSAFE_BENCH_FLOOR";

const HEAP: usize = 2 << 30;

/// Rounds that do not count: the first children of a program meet cold caches.
const WARM_UP: usize = 10;

#[child_entry]
fn empty() {}

#[child_entry]
fn small(number: u64, text: &str, numbers: Vec<u32>) -> String {
    format!("{text} {number} {}", numbers.len())
}

fn main() -> ExitCode {
    if let Some(how) = std::env::var_os(FLOOR) {
        if how == "bare" {
            // SAFETY: _exit(2) has no preconditions. Nothing is buffered, and no other thread runs.
            unsafe { libc::_exit(0) };
        }
        return ExitCode::SUCCESS;
    }
    #[spawnsafe::process_main]
    fn main() -> ExitCode {
        match compare() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        }
    }
    main()
}

fn compare() -> Result<(), spawnsafe::Error> {
    let rounds = measure::rounds(400);
    measure::print_machine();
    println!("{rounds} rounds; times in microseconds; in brackets the range of the ratio over 8 blocks of rounds\n");
    println!("{:<38} {:>7} {:>7} {:>7}   ratio to floor", "", "p25", "median", "p75");
    run("small heap", rounds)?;
    let heap = vec![1_u8; HEAP];
    run("2 GiB touched", rounds)?;
    hint::black_box(&heap);
    measure::print_machine();
    Ok(())
}

fn run(heap: &str, rounds: usize) -> Result<(), spawnsafe::Error> {
    let (floor, bare) = (Floor::new(inherited_environment(), "1"), Floor::new(Vec::new(), "bare"));
    let names = [
        "floor",
        "empty, zygote",
        "small, zygote",
        "empty::run()",
        "small::run(7, \"text\", …)",
        "empty::spawn(), join()",
        "empty::run(), prewarmed",
        "bare floor",
    ];
    let mut all = names.map(|_| Times::default());
    for round in 0..WARM_UP + rounds {
        // One process that waits. It has been loaded by the time at which a call takes it, and another one is not started
        // before that is over.
        spawnsafe::prewarm(1)?;
        std::thread::sleep(Duration::from_millis(5));
        // What each finds in the caches is the same, and the rest of a process whose end nobody waits for falls to nobody.
        let after = |measured: &dyn Fn() -> Result<Duration, spawnsafe::Error>| {
            floor.spawn();
            measured()
        };
        let prewarmed = after(&|| timed_call(empty::run))?;
        spawnsafe::prewarm(0)?;
        let times = [
            after(&|| Ok(timed(|| floor.spawn()).0))?,
            after(&|| timed_call(|| empty::call().start_method(StartMethod::Zygote).run()))?,
            after(&|| timed_call(|| small::call(7, "text", vec![1, 2]).start_method(StartMethod::Zygote).run()))?,
            after(&|| timed_call(empty::run))?,
            after(&|| timed_call(|| small::run(7, "text", vec![1, 2])))?,
            after(&|| timed_call(|| empty::spawn()?.join()))?,
            prewarmed,
            after(&|| Ok(timed(|| bare.spawn()).0))?,
        ];
        if round >= WARM_UP {
            all.iter_mut().zip(times).for_each(|(all, time)| all.push(time));
        }
    }
    for (name, times) in names.iter().zip(&all) {
        let [p25, median, p75] = [0.25, 0.5, 0.75].map(|share| times.quantile(share).as_secs_f64() * 1e6);
        let ratio = times.ratio_to(&all[0]);
        let what = format!("{heap}: {name}");
        println!("{what:<38} {p25:>7.0} {median:>7.0} {p75:>7.0}   {ratio}");
    }
    Ok(())
}

fn timed<T>(action: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let value = action();
    (start.elapsed(), value)
}

fn timed_call<T>(call: impl FnOnce() -> Result<T, spawnsafe::Error>) -> Result<Duration, spawnsafe::Error> {
    let (time, value) = timed(call);
    hint::black_box(value?);
    Ok(time)
}

fn inherited_environment() -> Vec<CString> {
    let variable = |(key, value): (std::ffi::OsString, std::ffi::OsString)| {
        CString::new([key.as_bytes(), b"=", value.as_bytes()].concat()).expect("it came from a C string")
    };
    std::env::vars_os().map(variable).collect()
}

/// Starts a child that ends at the top of `main`. All that can be prepared is.
struct Floor {
    environment: Vec<CString>,
}

impl Floor {
    fn new(mut environment: Vec<CString>, how: &str) -> Self {
        environment.push(CString::new(format!("{FLOOR}={how}")).expect("it has no zero byte"));
        Self { environment }
    }

    fn spawn(&self) {
        let argv = [THIS_PROGRAM.as_ptr().cast_mut(), ptr::null_mut()];
        let variables = self.environment.iter().map(|variable| variable.as_ptr().cast_mut());
        let envp: Vec<_> = variables.chain([ptr::null_mut()]).collect();
        let (mut pid, mut status) = (0, 0);
        // SAFETY: posix_spawn(3) reads its arguments and writes the process id. The strings are C strings that live as
        // long as `self`, both arrays end in a null pointer, and null means no actions and no attributes.
        let error = unsafe {
            libc::posix_spawn(
                &raw mut pid,
                THIS_PROGRAM.as_ptr(),
                ptr::null(),
                ptr::null(),
                argv.as_ptr(),
                envp.as_ptr(),
            )
        };
        assert_eq!(error, 0, "posix_spawn");
        // SAFETY: waitpid(2) writes the status to the variable.
        assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid, "waitpid");
        assert_eq!(status, 0, "the child of the floor exits with 0");
    }
}
