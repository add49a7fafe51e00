//! Programs with pools that something is done to from outside, or that count what they leave behind: one for each name
//! that is given as the first argument.

use std::io::Write as _;
use std::time::Duration;

use spawnsafe::{Pool, SharedSlice, child_entry, process_main};
use spawnsafe_tests::{children_of, eventually, open_descriptors, resident, shared_segments, threads, zygotes};

#[child_entry]
fn square(x: u64) -> u64 {
    x * x
}

#[child_entry]
fn spins() {
    loop {
        std::hint::spin_loop();
    }
}

#[child_entry]
fn sleeps() {
    std::thread::sleep(Duration::from_secs(600));
}

#[process_main]
fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    match name.as_str() {
        "in-mid-map" => in_mid_map(),
        "shared-slice" => shared_slice(),
        "many-pools" => many_pools(),
        "many-tasks" => many_tasks(),
        _ => panic!("there is no scenario {name:?}"),
    }
}

/// Says who works, and works for ever: one busy, one asleep, and one with nothing to do.
fn in_mid_map() {
    #[cfg(unix)]
    #[allow(unsafe_code)]
    // SAFETY: signal(2) with SIG_DFL installs no function. Whoever runs the tests in the background ignores it.
    unsafe {
        libc::signal(libc::SIGINT, libc::SIG_DFL)
    };
    let pool = Pool::builder().workers(3).build().unwrap();
    let mut busy = pool.map(|busy| if busy { spins::call() } else { sleeps::call() }, [true, false]);
    while pool.figures().workers < 3 {
        std::thread::sleep(Duration::from_millis(2));
    }
    let ids: Vec<String> = pool.process_ids().iter().map(u32::to_string).collect();
    println!("{}", ids.join(" "));
    std::io::stdout().flush().unwrap();
    assert!(busy.next().unwrap().is_ok());
}

#[child_entry]
fn holds(numbers: SharedSlice<u64>) {
    assert_eq!(numbers[0], 7);
    sleeps();
}

/// Says who has the same memory, and keeps it for ever: mapped here and in two workers and a child, and on its way to a
/// worker that will not take it.
fn shared_slice() {
    let numbers = SharedSlice::copy_of(&[7; 1_000_000]).unwrap();
    let child = holds::spawn(numbers.clone()).unwrap();
    let pool = Pool::builder().workers(2).build().unwrap();
    let tasks: Vec<_> = (0..4).map(|_| pool.submit(holds::call(numbers.clone())).unwrap()).collect();
    while pool.figures().workers < 2 {
        std::thread::sleep(Duration::from_millis(2));
    }
    let ids: Vec<String> = pool.process_ids().into_iter().chain([child.id()]).map(|id| id.to_string()).collect();
    println!("{} {}", inode_of(&numbers), ids.join(" "));
    std::io::stdout().flush().unwrap();
    drop((child.join(), tasks));
}

/// The memory of a slice, as `/proc` names it.
fn inode_of(slice: &[u64]) -> String {
    let address = format!("{:x}-", slice.as_ptr() as usize);
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let line = maps.lines().find(|line| line.starts_with(&address)).unwrap();
    line.split_whitespace().nth(4).unwrap().to_owned()
}

/// What pools could leave behind. On Windows the system opens handles and starts threads of its own now and then, and
/// their numbers say nothing.
fn left_behind() -> impl PartialEq + std::fmt::Debug {
    #[cfg(unix)]
    return (open_descriptors(), threads(), shared_segments());
    #[cfg(windows)]
    return (open_descriptors().len(), threads(), shared_segments());
}

fn many_pools() {
    let one = |how: usize| {
        let pool = Pool::builder().workers(2).build().unwrap();
        match how % 4 {
            0 => drop(pool),
            1 => assert_eq!(pool.map(square::call, 0..20).map(Result::unwrap).sum::<u64>(), 2470),
            2 => {
                let task = pool.submit(sleeps::call()).unwrap();
                drop(pool);
                task.join().unwrap_err();
            }
            _ => {
                pool.submit(square::call(1)).unwrap().join().unwrap();
                pool.join();
            }
        }
    };
    (0..4).for_each(one);
    let pool = Pool::builder().workers(2).build().unwrap();
    pool.submit(square::call(1)).unwrap().join().unwrap();
    assert!(shared_segments() > 0, "they are seen");
    drop(pool);
    let before = left_behind();
    let count = std::env::args().nth(2).unwrap().parse().unwrap();
    (0..count).for_each(one);
    if cfg!(windows) {
        // A thread that has ended, and was joined, is still listed for a moment.
        eventually("there is as much as before", || (left_behind() == before).then_some(()));
    }
    assert_eq!(left_behind(), before);
    assert_eq!(children_of(std::process::id()).len(), zygotes());
}

/// The memory of the parent does not grow with the number of tasks.
fn many_tasks() {
    let count: u64 = std::env::args().nth(2).unwrap().parse().unwrap();
    let pool = Pool::builder().workers(2).build().unwrap();
    let mut early = 0;
    for (number, result) in (0..).zip(pool.map(square::call, 0..count)) {
        result.unwrap();
        if number == count / 10 {
            early = resident();
        }
    }
    let late = resident();
    println!("{} KiB after a tenth, {} KiB after {count} tasks", early >> 10, late >> 10);
    assert!(late < early + (8 << 20), "{early} {late}");
}
