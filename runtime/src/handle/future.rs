//! Awaiting a child.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::{Child, ending};
use crate::error::Error;

/// The future of a [`Child`]'s result.
///
/// Dropping it kills the child, as dropping the `Child` does.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Join<R>(Pin<Box<dyn Future<Output = Result<R, Error>> + Send>>);

impl<R: 'static> IntoFuture for Child<R> {
    type Output = Result<R, Error>;
    type IntoFuture = Join<R>;

    /// Waits as [`Child::join`] does, without blocking a thread. Must be awaited within a tokio runtime with I/O
    /// and time enabled.
    fn into_future(self) -> Join<R> {
        Join(Box::pin(async move {
            let mut child = self;
            join(&mut child).await
        }))
    }
}

impl<'a, R: 'static> IntoFuture for &'a mut Child<R> {
    type Output = Result<R, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<R, Error>> + Send + 'a>>;

    /// As for a [`Child`] by value, but giving up the wait leaves the child as it is: it runs on, and can be awaited or joined
    /// again. Once it has given the result it gives [`ErrorKind::Closed`](crate::ErrorKind::Closed).
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(join(self))
    }
}

/// Whoever drops it in the middle loses nothing: all that was read is in the child.
async fn join<R>(child: &mut Child<R>) -> Result<R, Error> {
    drop(child.stdin.take());
    let mut wait = None;
    loop {
        if let Some(answer) = child.running().advance() {
            return child.value(answer);
        }
        if child.running().has_more() {
            // Others first: a long answer is read in pieces.
            yield_now().await;
            continue;
        }
        let entry = child.running().entry();
        let lost = |error| ending::lost(error).in_entry(entry);
        let wait = match &mut wait {
            Some(wait) => wait,
            None => wait.insert(child.running().async_wait().map_err(lost)?),
        };
        wait.wait(child.running().next_deadline()).await.map_err(lost)?;
    }
}

/// Lets other tasks run.
async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl<R> Future for Join<R> {
    type Output = Result<R, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}

impl<R> fmt::Debug for Join<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Join")
    }
}
