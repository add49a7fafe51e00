//! Whether workers can be started here. Where they cannot, nothing is taken from the queue: it is for others.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use spawnsafe::__private::engines::{self, Station};
use spawnsafe::{Error, ErrorKind};
use tokio::sync::oneshot;

use super::Agent;
use crate::complain;

/// How often it is tried in a row, and how long nothing is done after the first failure; twice as long after each further one.
const TRIALS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(500);

#[derive(Default)]
pub(super) struct Health {
    /// A worker could not be started, and it is being tried whether any can.
    is_doubted: AtomicBool,
    /// None can, and why, as an answer.
    why: Mutex<Option<Vec<u8>>>,
}

impl Health {
    pub(super) fn is_doubted(&self) -> bool {
        self.is_doubted.load(Ordering::Acquire)
    }

    /// Why there are no workers, if there are none.
    pub(super) fn why(&self) -> Option<Vec<u8>> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<u8>>> {
        self.why.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts a worker for nothing else than to see that it can be started. The error of the last of several trials. An agent that
/// serves already says that it has no workers meanwhile.
pub(super) async fn try_workers(name: &str, agent: Option<&Agent>) -> Result<(), Error> {
    let mut pause = FIRST_PAUSE;
    for trial in 1.. {
        let Err(error) = try_worker().await else { break };
        if let Some(agent) = agent {
            *agent.health.lock() = Some(engines::failure(&error));
            agent.say_workers().await;
        }
        if trial == TRIALS {
            let message = format!("no worker can be started on {name}, {TRIALS} times in a row: {error}");
            return Err(engines::error(error.kind(), message));
        }
        complain(format_args!("{name} takes no tasks for {pause:?}, as no worker can be started there: {error}"));
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    Ok(())
}

async fn try_worker() -> Result<(), Error> {
    let (done, result) = oneshot::channel();
    // Not a thread of the runtime, which panics where there can be none.
    let thread = std::thread::Builder::new().name("spawnsafe-trial".into());
    let started = thread.spawn(move || drop(done.send(Station::try_worker())));
    started.map_err(|error| engines::error(ErrorKind::Spawn, format!("a thread cannot be started: {error}")))?;
    result.await.unwrap_or_else(|_| Err(engines::error(ErrorKind::System, "the trial has panicked")))
}

impl Agent {
    /// A worker could not be started. Nothing more is taken until it is known whether that is so for all.
    pub(super) fn doubt(self: &Arc<Self>, error: &Error) {
        if self.health.is_doubted.swap(true, Ordering::AcqRel) {
            return;
        }
        complain(format_args!(
            "{} gives tasks back to the queue, as no worker can begin with them: {error}",
            self.name
        ));
        tokio::spawn(Arc::clone(self).recover());
    }

    /// Takes tasks again once a worker can be started; or else ends, so that whoever has started this can do something.
    async fn recover(self: Arc<Self>) {
        if let Err(error) = try_workers(&self.name, Some(&self)).await {
            self.leave(Some(error)).await;
        }
        let was_sick = self.health.lock().take().is_some();
        self.health.is_doubted.store(false, Ordering::Release);
        if was_sick {
            complain(format_args!("{} takes tasks again", self.name));
            self.say_workers().await;
        }
        self.room.notify_one();
    }
}
