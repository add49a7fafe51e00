//! Who works on a batch, and on what: files that say who and where, and that it lives.
//!
//! A process that is an element of an array says so in a file of its own, and writes a number into it again and again. Whoever
//! looks compares the time of the last writing with the clock of the same file system. What it begins it claims before, by a file
//! of that name: there can be one only.

use std::fs::{self, File};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::folder::{Folder, read_start};

/// What somebody who has not said it yet is believed to have meant.
pub(super) const SILENCE: Duration = Duration::from_secs(120);

/// More than such a file can have.
const MOST_BYTES: u64 = 4096;

/// The longest name of a node that is written.
const NAME_LEN: usize = 255;

const TITLE: &str = "spawnsafe element";

/// As many bytes as the last field of a file has.
const BEAT_LEN: usize = 20;
const ENDED: &str = "ended";

/// Which element of which array a process is, and the how manieth one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ElementId {
    pub(super) submission: u32,
    pub(super) element: u32,
    /// From 1 on: the scheduler may start an element again.
    pub(super) incarnation: u32,
}

impl ElementId {
    fn path(self, folder: &Folder) -> PathBuf {
        folder.element(self.submission, self.element, self.incarnation)
    }
}

/// What a process says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct About {
    /// Of which batch it is: somebody may have removed one, and made another of the same path.
    pub(super) batch: u64,
    /// How often the scheduler says that it has started the element again.
    pub(super) restarts: u32,
    /// How long it may be silent.
    pub(super) silence: Duration,
    pub(super) process: u32,
    /// Empty if it does not know.
    pub(super) node: String,
}

impl About {
    fn encode(&self, beat: &str) -> String {
        let Self { batch, restarts, silence, process, node } = self;
        // A line is a line.
        let node: String = node.chars().filter(|c| !c.is_control()).take(NAME_LEN).collect();
        let silence = silence.as_millis();
        format!(
            "{TITLE}\nbatch {batch:016x}\nrestarts {restarts}\nsilence {silence}\nprocess {process}\nnode {node}\n\
             beat {beat:>BEAT_LEN$}\n"
        )
    }

    /// What was said, and whether it was the last word. `None` for what is no such file.
    fn decode(text: &str) -> Option<(Self, bool)> {
        let mut lines = text.lines();
        lines.next().filter(|&title| title == TITLE)?;
        let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        let (batch, restarts) = (field("batch")?, field("restarts")?);
        let (silence, process) = (field("silence")?, field("process")?);
        let (node, beat) = (field("node")?, field("beat")?);
        let about = Self {
            batch: u64::from_str_radix(batch, 16).ok()?,
            restarts: restarts.parse().ok()?,
            silence: Duration::from_millis(silence.parse().ok()?),
            process: process.parse().ok()?,
            node: node.to_owned(),
        };
        Some((about, beat.trim_start() == ENDED))
    }
}

/// Whether a process that was an element still is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Alive,
    /// It has said that it ends.
    Ended,
    /// Nothing was heard of it for too long.
    Silent,
}

/// The file by which this process says that it is an element.
#[derive(Debug)]
pub(super) struct Presence {
    path: PathBuf,
    /// What is in front of the number.
    front: String,
    beats: u64,
}

impl Presence {
    /// `None` if somebody else is it.
    pub(super) fn announce(folder: &Folder, id: ElementId, about: &About) -> io::Result<Option<Self>> {
        let path = id.path(folder);
        let mut file = match File::create_new(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut text = about.encode("0");
        if let Err(error) = file.write_all(text.as_bytes()) {
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        text.truncate(text.len() - BEAT_LEN - 1);
        Ok(Some(Self { path, front: text, beats: 0 }))
    }

    /// Says that this process lives. [`NotFound`](io::ErrorKind::NotFound) if somebody has removed the directory, or has made
    /// another batch there.
    pub(super) fn beat(&mut self) -> io::Result<()> {
        self.beats += 1;
        self.write(&self.beats.to_string())
    }

    /// Says that it ends.
    pub(super) fn end(self) {
        // Then it is found out later.
        let _ = self.write(ENDED);
    }

    /// Whether the file is still there, and nobody else's. Errors as of [`beat`](Self::beat).
    pub(super) fn check(&self) -> io::Result<()> {
        File::open(&self.path).and_then(|file| self.check_file(&file))
    }

    fn check_file(&self, file: &File) -> io::Result<()> {
        match read_start(file, self.front.len() as u64)? == self.front.as_bytes() {
            true => Ok(()),
            false => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Opens the file anew each time: only what is closed is surely seen on other machines.
    fn write(&self, beat: &str) -> io::Result<()> {
        let mut file = File::options().read(true).write(true).open(&self.path)?;
        self.check_file(&file)?;
        file.seek(SeekFrom::Start(self.front.len() as u64))?;
        file.write_all(format!("{beat:>BEAT_LEN$}").as_bytes())
    }
}

/// Says for a process that it has ended, as the scheduler tells who has taken its place. If it has not, it says so with its next beat.
pub(super) fn has_ended(folder: &Folder, id: ElementId, about: &About) {
    // Then it is found out later.
    let file = File::options().write(true).open(id.path(folder));
    let _ = file.and_then(|mut file| file.write_all(about.encode(ENDED).as_bytes()));
}

/// What is known of a process that was an element, at a moment of the file system's clock. `None` if there was none.
pub(super) fn look(folder: &Folder, id: ElementId, now: SystemTime) -> io::Result<Option<(About, Life)>> {
    // Opening it is what asks the server.
    let file = match File::open(id.path(folder)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let bytes = read_start(&file, MOST_BYTES)?;
    // It may be on the point of saying it.
    let unknown = || (About { silence: SILENCE, ..About::default() }, false);
    let (about, has_ended) = std::str::from_utf8(&bytes).ok().and_then(About::decode).unwrap_or_else(unknown);
    // What is newer than now is new.
    let age = now.duration_since(file.metadata()?.modified()?).unwrap_or_default();
    let life = match has_ended {
        true => Life::Ended,
        false if age > about.silence => Life::Silent,
        false => Life::Alive,
    };
    Ok(Some((about, life)))
}

/// Who has begun a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    Known(ElementId),
    /// It has been about to say it for so long.
    Unknown(Duration),
}

/// Begins a task for the so manieth time. `false` if somebody else has.
pub(super) fn claim(folder: &Folder, task: u32, attempt: u32, id: ElementId) -> io::Result<bool> {
    let path = folder.claim(task, attempt);
    match File::create_new(&path) {
        Ok(mut file) => {
            let ElementId { submission, element, incarnation } = id;
            let written = writeln!(file, "{submission}.{element}.{incarnation}");
            if written.is_err() {
                let _ = fs::remove_file(&path);
            }
            written.map(|()| true)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Takes back that it was begun.
pub(super) fn release(folder: &Folder, task: u32, attempt: u32) {
    // Then it counts as lost.
    let _ = fs::remove_file(folder.claim(task, attempt));
}

/// Who has begun it. `None` if nobody has.
pub(super) fn holder(folder: &Folder, task: u32, attempt: u32, now: SystemTime) -> io::Result<Option<Holder>> {
    let file = match File::open(folder.claim(task, attempt)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let bytes = read_start(&file, MOST_BYTES)?;
    let text = std::str::from_utf8(&bytes).ok().and_then(|text| text.strip_suffix('\n'));
    let id = text.and_then(super::folder::numbers).map(|[submission, element, incarnation]| ElementId {
        submission,
        element,
        incarnation,
    });
    Ok(Some(match id {
        Some(id) => Holder::Known(id),
        None => Holder::Unknown(now.duration_since(file.metadata()?.modified()?).unwrap_or_default()),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_read_and_what_is_damaged_is_nothing() {
        let silence = Duration::from_millis(1500);
        let about = About { batch: 0xfe, restarts: 1, silence, process: 7, node: "n 1".to_owned() };
        let text = about.encode("12");
        assert_eq!(About::decode(&text), Some((about.clone(), false)));
        assert_eq!(About::decode(&about.encode(ENDED)), Some((about.clone(), true)));
        let line = text.rfind("beat").unwrap();
        assert!((0..line).all(|len| About::decode(&text[..len]).is_none()));
        let strange = About { node: "a\nbeat ended\n".repeat(100), ..about };
        let (read, has_ended) = About::decode(&strange.encode("3")).unwrap();
        assert!(!has_ended && read.node.len() == NAME_LEN && !read.node.contains('\n'));
    }

    #[test]
    fn a_life_is_seen_to_its_end() {
        let root = std::env::temp_dir().join(format!("spawnsafe-presence-{:016x}", super::super::folder::random()));
        let folder = Folder::new(&root).unwrap();
        folder.make().unwrap().keep();
        let id = ElementId { submission: 1, element: 2, incarnation: 1 };
        let about = About { silence: Duration::from_secs(3), ..About::default() };
        assert_eq!(look(&folder, id, folder.now()).unwrap(), None);
        let mut presence = Presence::announce(&folder, id, &about).unwrap().unwrap();
        assert!(Presence::announce(&folder, id, &about).unwrap().is_none());
        presence.beat().unwrap();
        let life = |now| look(&folder, id, now).unwrap().unwrap().1;
        assert_eq!(life(folder.now()), Life::Alive);
        assert_eq!(life(folder.now() + Duration::from_secs(3600)), Life::Silent);
        // Another batch was made in the place of this one.
        let other = About { batch: 1, ..about.clone() };
        let path = id.path(&folder);
        fs::rename(&path, root.join("kept")).unwrap();
        Presence::announce(&folder, id, &other).unwrap().unwrap();
        assert_eq!(presence.check().unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(presence.beat().unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(fs::read_to_string(&path).unwrap(), other.encode("0"));
        fs::rename(root.join("kept"), &path).unwrap();
        presence.check().unwrap();

        has_ended(&folder, id, &about);
        assert_eq!(life(folder.now()), Life::Ended);
        presence.beat().unwrap();
        assert_eq!(life(folder.now()), Life::Alive);
        presence.end();
        assert_eq!(life(folder.now()), Life::Ended);

        assert!(claim(&folder, 5, 1, id).unwrap());
        assert!(!claim(&folder, 5, 1, ElementId { incarnation: 2, ..id }).unwrap());
        let holder = |attempt| holder(&folder, 5, attempt, folder.now() + Duration::from_secs(60)).unwrap();
        assert_eq!((holder(1), holder(2)), (Some(Holder::Known(id)), None));
        for nonsense in [&b""[..], b"1.2.", b"1.2.3", b"1.2.3.4\n", b"\xff\n", &[b'1'; 100_000]] {
            fs::write(folder.claim(5, 2), nonsense).unwrap();
            assert!(matches!(holder(2), Some(Holder::Unknown(age)) if age.as_secs() >= 50), "{nonsense:?}");
        }
        release(&folder, 5, 1);
        assert_eq!(holder(1), None);
        fs::write(id.path(&folder), [0xff; 9]).unwrap();
        assert_eq!(life(folder.now()), Life::Alive);
        assert_eq!(life(folder.now() + 2 * SILENCE), Life::Silent);
        fs::remove_dir_all(&root).unwrap();
        let mut gone = Presence { path: id.path(&folder), front: String::new(), beats: 0 };
        assert_eq!(gone.beat().unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
