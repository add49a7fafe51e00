#![doc = include_str!("../README.md")]

mod agent;
mod carrier;
mod link;
mod names;
mod queue;
mod settings;

use std::convert::Infallible;
use std::future::Future;
use std::sync::{Arc, OnceLock};

pub use queue::{Queue, TaskId};
pub use settings::Nats;
use spawnsafe::__private::engines::{self, Scheme, Transport};
use spawnsafe::__private::inventory;
use spawnsafe::{Error, ErrorKind};
use tokio::runtime::Runtime;

inventory::submit! {
    Scheme { names: &["nats", "tls"], engine, serve }
}

fn engine(url: &str) -> Result<Arc<dyn Transport>, Error> {
    Ok(Arc::new(Nats::new(url)?))
}

fn serve(url: &str) -> Result<Infallible, Error> {
    let settings = Nats::new(url)?;
    runtime()?.block_on(agent::run(settings))
}

/// The runtime that all connections of this process share: they wait, most of the time.
fn runtime() -> Result<&'static Runtime, Error> {
    static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).thread_name("spawnsafe-nats").enable_all();
        builder.build().map_err(|error| error.to_string())
    });
    let failed = |error| engines::error(ErrorKind::System, format!("threads for NATS cannot be started: {error}"));
    runtime.as_ref().map_err(failed)
}

/// Waits for something, also on a thread of another runtime.
fn wait<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Result<T, Error> {
    let (done, result) = std::sync::mpsc::sync_channel(1);
    runtime()?.spawn(async move {
        // Nobody waits only if this process ends.
        let _ = done.send(work.await);
    });
    result
        .recv()
        .map_err(|_| engines::error(ErrorKind::System, "the connection to NATS has failed: its task has panicked"))
}

/// Says something that nobody else would.
fn complain(what: std::fmt::Arguments<'_>) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "spawnsafe-nats: {what}");
}
