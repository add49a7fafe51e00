//! What is being worked on, and what of it nobody wants any more.

use std::collections::{HashMap, HashSet, VecDeque};

use tokio::sync::mpsc;

/// How many pools and tasks are remembered that nobody wants any more, as they may still come.
const REMEMBERED: usize = 10_000;

/// Who is told what is not wanted any more, by keys of parcels.
#[derive(Default)]
pub(super) struct Running {
    errands: HashMap<String, mpsc::UnboundedSender<Unwanted>>,
    /// What was said of those that are not here.
    early: HashMap<String, Vec<Unwanted>>,
    order: VecDeque<String>,
    ended: HashSet<String>,
}

/// What is to be done with a parcel that has come.
pub(super) enum Admission {
    Begins,
    /// Its pool is gone.
    Ended,
    /// It runs here already.
    IsHere,
}

#[derive(Clone, Debug)]
pub(super) enum Unwanted {
    Some { tasks: Vec<u64>, kills: bool },
    All,
}

impl Running {
    pub(super) fn stop(&mut self, key: &str, unwanted: Unwanted) {
        match self.errands.get(key) {
            // Where its errand has just ended there is nothing to stop.
            Some(errand) => drop(errand.send(unwanted)),
            None => {
                self.remember(key.to_owned());
                self.early.entry(key.to_owned()).or_default().push(unwanted);
            }
        }
    }

    /// Takes a parcel in, and whoever is told what of it is not wanted.
    pub(super) fn admit(&mut self, key: &str, errand: mpsc::UnboundedSender<Unwanted>) -> Admission {
        let pool = key.strip_prefix("p.").and_then(|rest| rest.split_once('.')).map(|(pool, _)| pool);
        if pool.is_some_and(|pool| self.ended.contains(pool)) {
            return Admission::Ended;
        }
        if self.errands.contains_key(key) {
            return Admission::IsHere;
        }
        self.early.remove(key).unwrap_or_default().into_iter().for_each(|early| drop(errand.send(early)));
        self.errands.insert(key.to_owned(), errand);
        Admission::Begins
    }

    pub(super) fn end(&mut self, pool: &str) {
        let theirs = format!("p.{pool}.");
        for (_, errand) in self.errands.iter().filter(|(key, _)| key.starts_with(&theirs)) {
            let _ = errand.send(Unwanted::All);
        }
        self.remember(pool.to_owned());
        self.ended.insert(pool.to_owned());
    }

    fn remember(&mut self, name: String) {
        self.order.push_back(name);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.early.remove(&oldest);
            self.ended.remove(&oldest);
        }
    }

    /// It is not worked on any more.
    pub(super) fn forget(&mut self, key: &str) {
        self.errands.remove(key);
    }
}
