//! The runtime of an `async` entry.

use tokio::runtime::{Builder, Runtime};

/// Which runtime an `async` entry asks for.
#[derive(Clone, Copy, Debug)]
pub enum Flavor {
    /// One thread, the one that runs the entry.
    CurrentThread,
    /// Several.
    MultiThread {
        /// How many; by default, one for each core.
        workers: Option<usize>,
    },
}

/// Runs an `async` entry to its end. What it has started and not awaited ends with the process then, as threads of any
/// entry do; waiting for a blocking task, as dropping the runtime would, could take forever.
///
/// # Panics
/// If the system refuses what a runtime needs.
pub fn block_on<F: Future>(flavor: Flavor, future: F) -> F::Output {
    let runtime = runtime(flavor).unwrap_or_else(|error| panic!("tokio's runtime cannot start: {error}"));
    let output = runtime.block_on(future);
    runtime.shutdown_background();
    output
}

fn runtime(flavor: Flavor) -> std::io::Result<Runtime> {
    let mut builder = match flavor {
        Flavor::CurrentThread => Builder::new_current_thread(),
        Flavor::MultiThread { .. } => Builder::new_multi_thread(),
    };
    if let Flavor::MultiThread { workers: Some(workers) } = flavor {
        builder.worker_threads(workers);
    }
    builder.enable_all().build()
}
