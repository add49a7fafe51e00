//! Slurm: three nodes on this machine, which `.ci/engines` starts with `slurm/cluster`.

mod batch;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use spawnsafe::{Engine, Pool, Stdio, child_entry};
use spawnsafe_tests::{eventually, is_running};

use super::{pool, sleeps, square, works};

crate::common::suite!(one_node, super::engine("-c2"));
crate::common::suite!(three_nodes, super::engine("-N3 -c2"));

/// The directory of the cluster. `None`, and a line that says why, where there is none.
fn directory() -> Option<PathBuf> {
    let directory = std::env::var_os("SPAWNSAFE_TEST_SLURM").map(PathBuf::from);
    if directory.is_none() {
        println!("left out: there is no cluster; `.ci/engines` starts one");
    }
    directory
}

fn engine(arguments: &str) -> Option<Engine> {
    directory()?;
    Some(format!("slurm:{arguments}").parse().unwrap())
}

fn cluster(command: &str, arguments: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("engines/slurm/cluster");
    let status = Command::new(script).arg(command).arg(directory().unwrap()).args(arguments).status().unwrap();
    assert!(status.success(), "{command}");
}

#[test]
fn there_are_as_many_workers_as_the_allocation_has_processors() {
    let Some(engine) = engine("-N2 -c3") else { return };
    let pool = Pool::builder().engine(engine).build().unwrap();
    works(&pool);
    eventually("both nodes are there", || (pool.figures().workers == 6).then_some(()));
}

/// As a job script does it: the program takes the nodes of the allocation that it runs in.
#[test]
fn within_an_allocation() {
    if directory().is_none() {
        return;
    }
    let program = env!("CARGO_BIN_EXE_clusters");
    let salloc = ["-Q", "-N3", "--ntasks-per-node=2", program, "nodes"];
    let output = Command::new("salloc").args(salloc).env("SPAWNSAFE_ENGINE", "slurm").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(text.trim(), "n1 n2 n3: 6 workers");
}

#[test]
fn nobody_is_left_when_the_program_is_killed() {
    if directory().is_some() {
        crate::programs::is_killed("slurm:-N2 -c2");
    }
}

/// Each does something to the cluster that others would notice: they run by themselves, one after another.
mod faults {
    mod batch;

    use super::*;

    #[child_entry(on_loss = retry(3))]
    fn squares_slowly(x: u64) -> (u64, String) {
        std::thread::sleep(Duration::from_millis(100));
        (x * x, std::env::var("SLURMD_NODENAME").unwrap())
    }

    fn slow_pool() -> Option<Pool> {
        let engine = engine("-N3 -c4")?.heartbeat(Duration::from_secs(8));
        Some(Pool::builder().engine(engine).stderr(Stdio::null()).build().unwrap())
    }

    /// Runs many tasks, does something in the middle, and counts on each of them being answered once.
    fn in_mid_map(pool: &Pool, tasks: u64, happens: impl FnOnce(&str)) -> BTreeSet<String> {
        let mut happens = Some(happens);
        let (mut nodes, mut seen) = (BTreeSet::new(), BTreeSet::new());
        for (position, result) in pool.map_unordered(squares_slowly::call, 0..tasks) {
            let (squared, node) = result.unwrap();
            assert_eq!(squared, (position * position) as u64);
            assert!(seen.insert(position), "{position} was answered before");
            nodes.insert(node.clone());
            if seen.len() as u64 >= tasks / 4 && nodes.len() == 3 {
                if let Some(happens) = happens.take() {
                    happens(&node);
                }
            }
        }
        assert!(happens.is_none(), "all nodes had something to do");
        assert_eq!(seen.len() as u64, tasks);
        nodes
    }

    #[test]
    fn a_node_loses_its_power_and_comes_back() {
        let Some(pool) = slow_pool() else { return };
        eventually("all nodes are there", || (pool.figures().workers == 12).then_some(()));
        let mut lost = String::new();
        in_mid_map(&pool, 400, |node| {
            cluster("kill-node", &[node]);
            node.clone_into(&mut lost);
        });
        cluster("start-node", &[&lost]);
        eventually("it works again", || (pool.figures().workers == 12).then_some(()));
        assert_eq!(in_mid_map(&pool, 200, |_| {}).len(), 3);
    }

    /// What runs does not need it.
    #[test]
    fn the_head_is_killed_and_comes_back() {
        let Some(pool) = slow_pool() else { return };
        eventually("all nodes are there", || (pool.figures().workers == 12).then_some(()));
        in_mid_map(&pool, 400, |_| cluster("kill-head", &[]));
        assert_eq!(pool.figures().restarts, 0);
        cluster("start-head", &[]);
        works(&pool);
        drop(pool);
        let next = super::pool(&engine("-c2").unwrap()).build().unwrap();
        works(&next);
    }

    /// A node that has no room yet holds up nothing.
    #[test]
    fn tasks_do_not_wait_for_nodes_that_are_not_there() {
        let Some(engine) = engine("-N4 -c4") else { return };
        // There is room for three of the four.
        let pool = pool(&engine).build().unwrap();
        works(&pool);
        let ids: Vec<(u32, u32)> = pool.map(|()| sleeps::call(20), [(); 60]).collect::<Result<_, _>>().unwrap();
        assert_eq!(pool.submit(square::call(3)).unwrap().join().unwrap(), 9);
        let everybody: BTreeSet<u32> = ids.iter().flat_map(|&(worker, agent)| [worker, agent]).collect();
        drop(pool);
        eventually("nobody is left", || everybody.iter().all(|&id| !is_running(id)).then_some(()));
        eventually("nor is a job", || {
            let jobs = Command::new("squeue").arg("-h").output().unwrap();
            jobs.stdout.is_empty().then_some(())
        });
    }
}
