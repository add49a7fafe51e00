//! What streams and subjects are called.
//!
//! ```text
//! spawnsafe.APP.VERSION.task.q.ID          a task that was submitted to a queue
//! spawnsafe.APP.VERSION.task.p.POOL.N      a parcel of a pool's tasks
//! spawnsafe.APP.VERSION.claim.KEY.c        somebody has taken it: KEY is as behind `task.`
//! spawnsafe.APP.VERSION.claim.KEY.b        somebody has put it back, as no worker can begin there
//! spawnsafe.APP.VERSION.res.KEY.a          an answer
//! spawnsafe.APP.VERSION.ctl.stop.KEY       to all agents: some of its tasks are not wanted (not stored)
//! spawnsafe.APP.VERSION.ctl.end.POOL       to all agents: nothing of the pool is
//! spawnsafe.APP.VERSION.ctl.who            to all agents: say that you are there
//! spawnsafe.APP.VERSION.beat.AGENT         from an agent: it is there, with so many workers
//! ```
//! The first two are a stream, of which each message is given to one agent. What stands behind `claim.` is another one: it stays
//! as long as its task is in the queue, however long that is, so that what is not claimed has not begun. What stands behind
//! `res.q.` is a third one, in which it is kept for whoever collects it, and what stands behind `res.p.` a fourth one, for as
//! long as pools may need it.

use std::time::SystemTime;

/// Changes whenever an older program would misread what a newer one has put into a stream.
const FORMAT: u32 = 2;

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

    pub(crate) fn claims_stream(&self) -> String {
        format!("{}_CLAIMS", self.stream)
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

    /// Of all that is known of who has had a task, or several.
    pub(crate) fn traces(&self, key: &str) -> String {
        format!("{}.claim.{key}.*", self.prefix)
    }

    pub(crate) fn all_traces(&self) -> String {
        format!("{}.claim.>", self.prefix)
    }

    pub(crate) fn claim(&self, key: &str) -> String {
        format!("{}.claim.{key}.c", self.prefix)
    }

    pub(crate) fn note(&self, key: &str) -> String {
        format!("{}.claim.{key}.b", self.prefix)
    }

    pub(crate) fn control(&self, what: &str) -> String {
        format!("{}.ctl.{what}", self.prefix)
    }

    pub(crate) fn beat(&self, agent: &str) -> String {
        format!("{}.beat.{agent}", self.prefix)
    }

    /// What stands behind `task.`, `res.` and so on in a subject.
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

/// What is known of who has had a task.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Trace {
    /// This node has taken it; the id is only this claim's.
    Claim { node: String, id: String },
    /// This one has put it back, the agent with this id, for a reason that spawnsafe reads.
    HandedBack { node: String, agent: String, why: Vec<u8> },
}

/// What is stored where somebody has taken a task.
pub(crate) fn claim_by(name: &str, id: &str) -> String {
    format!("{name}\n{id}")
}

/// What is stored where somebody has put one back.
pub(crate) fn handed_back_by(name: &str, agent: &str, why: &[u8]) -> Vec<u8> {
    let mut text = format!("{name}\n{agent}\n").into_bytes();
    text.extend_from_slice(why);
    text
}

/// What an agent says on which no worker can be started: that it has none, its name, and why.
pub(crate) fn unfit(name: &str, why: &[u8]) -> Vec<u8> {
    let mut text = format!("0\n{name}\n").into_bytes();
    text.extend_from_slice(why);
    text
}

/// The name and the reason, if it is said to be so.
pub(crate) fn unfit_in(beat: &[u8]) -> Option<(String, Vec<u8>)> {
    let mut parts = beat.splitn(3, |&byte| byte == b'\n').skip(1);
    let (name, why) = (parts.next()?, parts.next()?);
    Some((String::from_utf8_lossy(name).chars().take(256).collect(), why.to_vec()))
}

/// What such a message says.
pub(crate) fn trace(bytes: &[u8], subject: &str) -> Trace {
    let mut parts = bytes.splitn(3, |&byte| byte == b'\n');
    let mut text = || {
        let part = parts.next().unwrap_or_default();
        String::from_utf8_lossy(&part[..part.len().min(512)]).chars().take(256).collect::<String>()
    };
    let node = text();
    match subject.ends_with(".b") {
        true => Trace::HandedBack { node, agent: text(), why: parts.next().unwrap_or_default().to_vec() },
        false => Trace::Claim { node, id: text() },
    }
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
        let (claim, note) = (names.claim("q.x"), names.note("q.x"));
        assert_eq!(
            trace(claim_by("node a:1", "x.2").as_bytes(), &claim),
            Trace::Claim { node: "node a:1".into(), id: "x.2".into() }
        );
        let handed_back = Trace::HandedBack { node: "node a:1".into(), agent: "x".into(), why: b"a\nb".to_vec() };
        assert_eq!(trace(&handed_back_by("node a:1", "x", b"a\nb"), &note), handed_back);
        let nothing = Trace::HandedBack { node: "\u{fffd}".into(), agent: String::new(), why: Vec::new() };
        assert_eq!(trace(b"\xff", &note), nothing);
        assert_eq!(unfit_in(&unfit("node a:1", b"a\nb")), Some(("node a:1".into(), b"a\nb".to_vec())));
        assert_eq!((unfit_in(b"2"), unfit_in(b"0\nx")), (None, None));
        assert!(is_plain("a-b_3") && !is_plain("") && !is_plain("a.b") && !is_plain("a b") && !is_plain("*"));
        assert!(is_plain(&fresh()) && fresh() != fresh());
    }
}
