//! What streams and subjects are called.
//!
//! ```text
//! spawnsafe.APP.VERSION.task.q.ID          a task that was submitted to a queue
//! spawnsafe.APP.VERSION.task.p.POOL.N      a parcel of a pool's tasks
//! spawnsafe.APP.VERSION.res.KEY.c          somebody has taken it: KEY is as behind `task.`
//! spawnsafe.APP.VERSION.res.KEY.a          an answer
//! spawnsafe.APP.VERSION.ctl.stop.KEY       to all agents: some of its tasks are not wanted (not stored)
//! spawnsafe.APP.VERSION.ctl.end.POOL       to all agents: nothing of the pool is
//! spawnsafe.APP.VERSION.ctl.who            to all agents: say that you are there
//! spawnsafe.APP.VERSION.beat.AGENT         from an agent: it is there, with so many workers
//! ```
//! The first two are a stream, of which each message is given to one agent. What stands behind `res.q.` is another one, in
//! which it is kept for whoever collects it, and what stands behind `res.p.` a third one, for as long as pools may need it.

use std::time::SystemTime;

/// Changes whenever an older program would misread what a newer one has put into a stream.
const FORMAT: u32 = 1;

#[derive(Clone, Debug)]
pub(crate) struct Names {
    prefix: String,
    stream: String,
}

impl Names {
    pub(crate) fn new(app: &str, version: &str) -> Self {
        Self { prefix: format!("spawnsafe.{app}.{version}"), stream: format!("SPAWNSAFE_{FORMAT}_{app}_{version}") }
    }

    pub(crate) fn tasks_stream(&self) -> String {
        format!("{}_TASKS", self.stream)
    }

    pub(crate) fn results_stream(&self) -> String {
        format!("{}_RESULTS", self.stream)
    }

    pub(crate) fn pools_stream(&self) -> String {
        format!("{}_POOLS", self.stream)
    }

    pub(crate) fn task(&self, key: &str) -> String {
        format!("{}.task.{key}", self.prefix)
    }

    pub(crate) fn result(&self, key: &str) -> String {
        format!("{}.res.{key}", self.prefix)
    }

    pub(crate) fn answer(&self, key: &str) -> String {
        format!("{}.res.{key}.a", self.prefix)
    }

    pub(crate) fn claim(&self, key: &str) -> String {
        format!("{}.res.{key}.c", self.prefix)
    }

    pub(crate) fn control(&self, what: &str) -> String {
        format!("{}.ctl.{what}", self.prefix)
    }

    pub(crate) fn beat(&self, agent: &str) -> String {
        format!("{}.beat.{agent}", self.prefix)
    }

    /// What stands behind `task.`, `res.` or `ctl.` in a subject.
    pub(crate) fn rest<'a>(&self, subject: &'a str, kind: &str) -> Option<&'a str> {
        subject.strip_prefix(&*self.prefix)?.strip_prefix('.')?.strip_prefix(kind)?.strip_prefix('.')
    }
}

/// What a part of a name may contain.
pub(crate) fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

/// The same with what it may not contain replaced.
pub(crate) fn plain(text: &str) -> String {
    text.chars().take(64).map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
}

/// A name that nothing else has: 128 bits that nobody guesses by accident. No secret.
pub(crate) fn fresh() -> String {
    use std::hash::{BuildHasher as _, RandomState};
    // Each has keys of its own, from the system's random numbers at first.
    let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    let half = || RandomState::new().hash_one((time, std::process::id(), std::thread::current().id()));
    format!("{:016x}{:016x}", half(), half())
}

/// What is stored where somebody has taken a task: who, and an id that only this claim has.
pub(crate) fn claim_by(name: &str, id: &str) -> String {
    format!("{name}\n{id}")
}

/// Who has taken a task, and the id of the claim.
pub(crate) fn claimed_by(claim: &[u8]) -> (String, String) {
    let text = String::from_utf8_lossy(&claim[..claim.len().min(512)]);
    let (name, id) = text.split_once('\n').unwrap_or((&text, ""));
    (name.chars().take(256).collect(), id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_subjects_are_found() {
        let names = Names::new("app", "1");
        assert_eq!(names.rest(&names.task("p.x.3"), "task"), Some("p.x.3"));
        assert_eq!(names.rest(&names.control("end.x"), "ctl"), Some("end.x"));
        assert_eq!(names.rest(&names.task("q.x"), "res"), None);
        assert_eq!(names.rest("spawnsafe.app.12.task.q.x", "task"), None);
        assert_eq!(plain("my program.exe"), "my_program_exe");
        assert_eq!(claimed_by(claim_by("node a:1", "x.2").as_bytes()), ("node a:1".into(), "x.2".into()));
        assert_eq!(claimed_by(b"\xff").1, "");
        assert!(is_plain("a-b_3") && !is_plain("") && !is_plain("a.b") && !is_plain("a b") && !is_plain("*"));
        assert!(is_plain(&fresh()) && fresh() != fresh());
    }
}
