//! What the builder sets, figures, and resizing.

use std::collections::BTreeSet;
use std::time::Duration;

use spawnsafe::{ErrorKind, Pool, StartMethod, Stdio, child_entry};
use spawnsafe_tests::eventually;

use super::{begins_and_waits, pool, process_id, square, works};

#[test]
fn workers_are_replaced_after_so_many_tasks() {
    let pool = Pool::builder().workers(1).max_tasks_per_worker(3).build().unwrap();
    let ids: Vec<u32> = pool.map(|()| process_id::call(), [(); 10]).map(Result::unwrap).collect();
    let runs: Vec<usize> = ids.chunk_by(|a, b| a == b).map(<[u32]>::len).collect();
    assert_eq!(runs, [3, 3, 3, 1]);
}

#[child_entry]
fn surroundings() -> (Option<String>, std::path::PathBuf, String, Vec<String>) {
    let read = std::io::read_to_string(std::io::stdin()).unwrap();
    let name = std::fs::read_to_string("/proc/self/comm").unwrap_or_default().trim_end().to_owned();
    println!("printed");
    (std::env::var("POOL_TEST").ok(), std::env::current_dir().unwrap(), name, vec![read])
}

#[test]
fn workers_have_the_surroundings_of_the_pool() {
    let dir = tempfile::tempdir().unwrap();
    let printed = dir.path().join("printed");
    let file = std::fs::File::create(&printed).unwrap();
    let pool = Pool::builder().workers(1).env("POOL_TEST", "x").current_dir(dir.path()).name("my worker").stdout(file);
    let pool = pool.build().unwrap();
    let (variable, directory, name, read) = pool.submit(surroundings::call()).unwrap().join().unwrap();
    assert_eq!((variable.as_deref(), read), (Some("x"), vec![String::new()]));
    // Elsewhere processes have no names of their own.
    assert!(name == "my worker" || cfg!(not(target_os = "linux")), "{name}");
    assert_eq!(directory.canonicalize().unwrap(), dir.path().canonicalize().unwrap());
    assert_eq!(std::fs::read_to_string(printed).unwrap(), "printed\n", "it is there when the task has ended");
}

#[cfg(target_os = "linux")]
#[child_entry]
fn limits() -> (u64, i32, String) {
    #[allow(unsafe_code)]
    // SAFETY: getpriority(2) has no preconditions.
    let niceness = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
    let limit = rustix::process::getrlimit(rustix::process::Resource::As).current.unwrap_or(u64::MAX);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let processors = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:\t")).unwrap().to_owned();
    (limit, niceness, processors)
}

#[cfg(target_os = "linux")]
#[test]
fn workers_are_confined() {
    let pool = Pool::builder().workers(1).memory_limit(1 << 30).niceness(5).processors([0]).build().unwrap();
    assert_eq!(pool.submit(limits::call()).unwrap().join().unwrap(), (1 << 30, 5, "0".into()));
    let impossible = Pool::builder().workers(1).processors([1023]).build().unwrap();
    let error = impossible.submit(limits::call()).unwrap().join().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Spawn);
    assert!(error.to_string().contains("limits of the pool"), "{error}");
}

/// The processors and the class of priority of this process, and whether it gets more memory than it may have.
#[cfg(windows)]
#[child_entry]
fn limits() -> (usize, u32, bool) {
    use windows_sys::Win32::System::Threading::{GetCurrentProcess, GetPriorityClass, GetProcessAffinityMask};

    #[allow(unsafe_code)]
    // SAFETY: it has no preconditions, and returns a constant.
    let this = unsafe { GetCurrentProcess() };
    let (mut processors, mut all) = (0, 0);
    #[allow(unsafe_code)]
    // SAFETY: the call writes to the two variables.
    let done = unsafe { GetProcessAffinityMask(this, &raw mut processors, &raw mut all) };
    assert_ne!(done, 0);
    #[allow(unsafe_code)]
    // SAFETY: the handle is that of this process.
    let class = unsafe { GetPriorityClass(this) };
    assert!(Vec::<u8>::new().try_reserve_exact(100 << 20).is_ok());
    (processors, class, Vec::<u8>::new().try_reserve_exact(2 << 30).is_ok())
}

/// Wine takes the limit of memory, and does not keep it.
#[cfg(windows)]
#[test]
fn workers_are_confined() {
    use windows_sys::Win32::System::Threading::BELOW_NORMAL_PRIORITY_CLASS;

    let pool = Pool::builder().workers(1).memory_limit(1 << 30).niceness(5).processors([0]).build().unwrap();
    let (processors, class, gets_more) = pool.submit(limits::call()).unwrap().join().unwrap();
    assert_eq!((processors, class), (1, BELOW_NORMAL_PRIORITY_CLASS));
    assert_eq!(gets_more, spawnsafe_tests::is_wine());
    for number in [64, 1023] {
        let impossible = Pool::builder().workers(1).processors([number]).build().unwrap();
        let error = impossible.submit(limits::call()).unwrap().join().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Spawn);
        assert!(error.to_string().contains("limits of the pool"), "{error}");
    }
}

#[child_entry]
fn variables() -> Vec<(String, String)> {
    let is_ours = |name: &str| name.starts_with("POOL_TEST");
    std::env::vars().filter(|(name, _)| is_ours(name)).collect()
}

#[test]
fn the_environment_of_workers_can_be_changed() {
    let set = [("POOL_TEST_A", "1"), ("POOL_TEST_B", "2"), ("POOL_TEST_C", "3")];
    let variables = |builder: spawnsafe::PoolBuilder| {
        let pool = builder.workers(1).start_method(StartMethod::Exec).build().unwrap();
        let mut found = pool.submit(variables::call()).unwrap().join().unwrap();
        found.sort();
        found.into_iter().map(|(name, _)| name.replace("POOL_TEST_", "")).collect::<String>()
    };
    assert_eq!(variables(Pool::builder().envs(set)), "ABC");
    assert_eq!(variables(Pool::builder().envs(set).env_remove("POOL_TEST_B")), "AC");
    // The dynamic linker of a test binary may need the other variables.
    if cfg!(target_os = "linux") {
        assert_eq!(variables(Pool::builder().envs(set).env_clear().env("POOL_TEST_D", "4")), "D");
    }
}

#[test]
fn settings_that_make_no_sense() {
    assert_eq!(Pool::builder().workers(0).build().unwrap_err().kind(), ErrorKind::Spawn);
    let error = Pool::builder().stdout(Stdio::piped()).build().unwrap_err();
    assert!(error.to_string().contains("piped"), "{error}");
    assert_eq!(pool().build().unwrap().resize(0).unwrap_err().kind(), ErrorKind::Spawn);
}

#[test]
fn figures_and_sizes() {
    let dir = tempfile::tempdir().unwrap();
    let go_on = dir.path().join("go on");
    let begun = |x: usize| dir.path().join(x.to_string());
    let pool = pool().build().unwrap();
    let tasks: Vec<_> = (0..6).map(|x| pool.submit(begins_and_waits::call(&begun(x), &go_on)).unwrap()).collect();
    eventually("two of six run", || {
        let figures = pool.figures();
        (figures.workers == 2 && figures.running == 2 && figures.queued == 4).then_some(())
    });
    pool.resize(5).unwrap();
    eventually("five of six run", || {
        let figures = pool.figures();
        (figures.workers == 5 && figures.running == 5 && figures.queued == 1).then_some(())
    });
    pool.resize(1).unwrap();
    std::fs::write(&go_on, "").unwrap();
    let ids: BTreeSet<u32> = tasks.into_iter().map(|task| task.join().unwrap()).collect();
    assert_eq!(ids.len(), 5);
    eventually("one worker is left", || (pool.figures().workers == 1).then_some(()));
    eventually("the others are gone", || {
        (ids.iter().filter(|&&id| !spawnsafe_tests::is_gone(id)).count() == 1).then_some(())
    });
    let figures = pool.figures();
    assert_eq!((figures.done, figures.failed, figures.restarts, figures.running, figures.queued), (6, 0, 0, 0, 0));
    assert_eq!(pool.submit(square::call(2)).unwrap().join().unwrap(), 4);
    pool.resize(2).unwrap();
    works(&pool);
}

#[child_entry]
fn dies_the_first_time(path: &std::path::Path) -> u64 {
    if std::fs::File::create_new(path).is_ok() {
        std::process::abort();
    }
    std::fs::read(path).unwrap().len() as u64 + 1
}

#[test]
fn a_task_whose_worker_dies_is_run_again_if_that_is_wished() {
    let dir = tempfile::tempdir().unwrap();
    let pool = pool().retries(1).build().unwrap();
    assert_eq!(pool.submit(dies_the_first_time::call(&dir.path().join("a"))).unwrap().join().unwrap(), 1);
    let once = super::pool().build().unwrap();
    let error = once.submit(dies_the_first_time::call(&dir.path().join("b"))).unwrap().join().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Signaled);
    // And not for ever.
    #[child_entry]
    fn dies() {
        std::process::exit(3);
    }
    let error = pool.submit(dies::call()).unwrap().join().unwrap_err();
    assert_eq!((error.kind(), error.exit_status().unwrap().code()), (ErrorKind::Exited, Some(3)));
    works(&pool);
    assert_eq!(pool.figures().restarts, 3);
}

#[test]
fn a_pool_moves_and_is_shared() {
    fn is_send_and_sync<T: Send + Sync>(_: &T) {}
    let pool = pool().build().unwrap();
    is_send_and_sync(&pool);
    let mut task = pool.submit(square::call(3)).unwrap();
    let joined = std::thread::spawn(move || task.join_timeout(Duration::from_secs(60)).unwrap());
    assert_eq!(joined.join().unwrap(), Some(9));
}
