//! Waiting for several receivers at once.

use std::io;
use std::time::Duration;

use super::{End, Receiver, Until, texts};
use crate::error::Error;
use crate::sys;

/// Waits until one of several receivers, whose messages may be of different types, has a message.
///
/// ```
/// use spawnsafe::{Ready, Select, channel};
///
/// # #[spawnsafe::process_main]
/// # fn main() -> Result<(), spawnsafe::Error> {
/// let (numbers_in, numbers) = channel::<u32>()?;
/// let (words_in, words) = channel::<String>()?;
/// numbers_in.send(1)?;
/// words_in.send("one".into())?;
/// # drop((numbers_in, words_in));
///
/// let mut select = Select::new();
/// let (number, word) = (select.recv(&numbers), select.recv(&words));
/// while let Some(ready) = select.ready()? {
///     match ready {
///         Ready::Message(index) if index == number => assert_eq!(numbers.recv()?, 1),
///         Ready::Message(index) if index == word => assert_eq!(words.recv()?, "one"),
///         Ready::Message(_) => unreachable!("there are two"),
///         Ready::Closed(index) => println!("{index} has ended"),
///     }
/// }
/// # Ok(()) }
/// ```
///
/// Of several that are ready each has its turn: none waits for more messages of the others than there are others.
#[derive(Clone, Debug, Default)]
pub struct Select<'a> {
    /// By index; `None` for those that are left out.
    ends: Vec<Option<&'a End>>,
    /// Where to look first.
    first: usize,
}

/// What [`Select`] has found, with the index that [`Select::recv`] gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ready {
    /// This receiver has a message, and `recv` takes it without waiting; unless another clone of the receiver takes it
    /// first, for which there is `try_recv`.
    Message(usize),
    /// This receiver has none, and nobody is left who could send one. It is told once: the receiver is then left out.
    Closed(usize),
}

impl<'a> Select<'a> {
    /// Waits for nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits for this one as well, from now on. Gives its index: the first has 0, and each the next number.
    pub fn recv<T>(&mut self, receiver: &'a Receiver<T>) -> usize {
        self.ends.push(Some(receiver.end()));
        self.ends.len() - 1
    }

    /// Leaves out the receiver with this index, from now on. The others keep theirs.
    pub fn remove(&mut self, index: usize) {
        if let Some(end) = self.ends.get_mut(index) {
            *end = None;
        }
    }

    /// Waits until one is ready. `None` if there is none to wait for: all were closed or removed.
    ///
    /// # Errors
    /// [`System`](crate::ErrorKind::System) if the system refuses.
    pub fn ready(&mut self) -> Result<Option<Ready>, Error> {
        self.wait(Until::Forever)
    }

    /// Looks whether one is ready now. `None` if not.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    pub fn try_ready(&mut self) -> Result<Option<Ready>, Error> {
        self.wait(Until::Now)
    }

    /// Waits until one is ready, but no longer than this: then it gives `None`, as if there is none to wait for.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    pub fn ready_timeout(&mut self, timeout: Duration) -> Result<Option<Ready>, Error> {
        self.wait(Until::after(timeout))
    }

    /// Whether there is none to wait for: all were closed or removed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.iter().all(Option::is_none)
    }

    fn wait(&mut self, until: Until) -> Result<Option<Ready>, Error> {
        loop {
            let count = self.ends.len();
            let in_turn = (0..count).map(|step| (self.first + step) % count);
            let open: Vec<(usize, &End)> = in_turn.filter_map(|index| Some((index, self.ends[index]?))).collect();
            if open.is_empty() {
                return Ok(None);
            }
            let packets: Vec<_> = open.iter().map(|(_, end)| &end.packets).collect();
            let ready = sys::wait_to_receive(&packets, until.deadline()).map_err(texts::not_awaited)?;
            if !ready.contains(&true) {
                return Ok(None);
            }
            for (&(index, end), _) in open.iter().zip(ready).filter(|(_, ready)| *ready) {
                let found = match end.packets.has_packet() {
                    Ok(true) => Ready::Message(index),
                    Ok(false) => Ready::Closed(index),
                    // A clone in another process has taken it.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                    Err(error) => return Err(texts::not_awaited(error)),
                };
                if let Ready::Closed(index) = found {
                    self.remove(index);
                }
                self.first = index + 1;
                return Ok(Some(found));
            }
            if let Until::Now = until {
                return Ok(None);
            }
        }
    }
}
