//! The directory of a batch: which files there are, and how they are written and read.
//!
//! ```text
//! calls                  the calls, written once
//! submissions/K          which tasks the K-th submission is for
//! submissions/K.sh       the script that the scheduler runs for each element of its array
//! submissions/K.said     what the scheduler's command has printed
//! submissions/K.failed   that this command has failed
//! submissions/K.refused  why an element could not begin, the last one that could not
//! elements/K.E.I         the I-th process that was element E of it: who and where, and that it is alive
//! claims/N.A             which of them has begun task N for the A-th time
//! answers/N              the answer of task N
//! logs/K-E.log           what the tasks of an element have printed
//! ```
//! The file system is the only thing that all processes share. What is relied on: a file that is created exclusively is created
//! once, a link is made only where nothing is, and what a file has when it gets its name is all there. NFS holds that.

use std::ffi::OsString;
use std::fs::{self, File};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, BufReader, Read, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::link::{Frame, Inbox, Outbox, Progress};
use crate::sys::Receive;

/// The directories in it.
const PARTS: [&str; 5] = ["submissions", "elements", "claims", "answers", "logs"];

/// How long a file that another machine has just written may take to be seen here.
const SEEN: Duration = Duration::from_secs(10);

/// The directory of a batch, by its absolute path.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    root: PathBuf,
}

impl Folder {
    pub(super) fn new(root: &Path) -> io::Result<Self> {
        Ok(Self { root: std::path::absolute(root)? })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Makes it, with what is in it. What was made is gone when the guard is dropped, unless that is told to keep it.
    pub(super) fn make(&self) -> io::Result<Made<'_>> {
        let is_new = !self.root.exists();
        fs::create_dir_all(&self.root)?;
        let mut made = Made { folder: self, is_new, parts: 0, keeps: false };
        if !is_new && fs::read_dir(&self.root)?.next().is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        for part in PARTS {
            // Whoever makes the first is whose batch it is.
            fs::create_dir(self.root.join(part))?;
            made.parts += 1;
        }
        Ok(made)
    }

    pub(super) fn calls(&self) -> PathBuf {
        self.root.join("calls")
    }

    pub(super) fn answer(&self, task: u32) -> PathBuf {
        self.root.join(format!("answers/{task}"))
    }

    pub(super) fn has_answer(&self, task: u32) -> bool {
        is_there(&self.answer(task))
    }

    /// Whether somebody has begun a task for the so manieth time.
    pub(super) fn has_begun(&self, task: u32, attempt: u32) -> bool {
        is_there(&self.claim(task, attempt))
    }

    pub(super) fn answers(&self) -> PathBuf {
        self.root.join("answers")
    }

    pub(super) fn claim(&self, task: u32, attempt: u32) -> PathBuf {
        self.root.join(format!("claims/{task}.{attempt}"))
    }

    pub(super) fn claims(&self) -> PathBuf {
        self.root.join("claims")
    }

    pub(super) fn element(&self, submission: u32, element: u32, incarnation: u32) -> PathBuf {
        self.root.join(format!("elements/{submission}.{element}.{incarnation}"))
    }

    pub(super) fn elements(&self) -> PathBuf {
        self.root.join("elements")
    }

    pub(super) fn submissions(&self) -> PathBuf {
        self.root.join("submissions")
    }

    /// What belongs to a submission: its tasks without an ending, and others with one.
    pub(super) fn submission(&self, number: u32, ending: &str) -> PathBuf {
        self.root.join(format!("submissions/{number}{ending}"))
    }

    pub(super) fn log(&self, submission: u32, element: &str) -> PathBuf {
        self.root.join(format!("logs/{submission}-{element}.log"))
    }

    /// What the clock of the file system says, which may be another than this machine's.
    pub(super) fn now(&self) -> SystemTime {
        let path = beside(&self.root.join("now"));
        let time = || {
            let file = File::create_new(&path)?;
            file.metadata()?.modified()
        };
        let now = time().unwrap_or_else(|_| SystemTime::now());
        let _ = fs::remove_file(&path);
        now
    }
}

/// A directory in the making.
#[derive(Debug)]
pub(super) struct Made<'a> {
    folder: &'a Folder,
    is_new: bool,
    parts: usize,
    keeps: bool,
}

impl Made<'_> {
    pub(super) fn keep(mut self) {
        self.keeps = true;
    }
}

impl Drop for Made<'_> {
    fn drop(&mut self) {
        if self.keeps {
            return;
        }
        // What cannot be removed is what nobody has asked for; there is an error on its way already.
        for part in &PARTS[..self.parts] {
            let _ = fs::remove_dir(self.folder.root.join(part));
        }
        if self.is_new {
            let _ = fs::remove_dir(&self.folder.root);
        }
    }
}

/// Whether there is such a file, also if it has come this moment. Clients of NFS believe for up to a minute that what was not there is
/// not there, unless they notice that its directory has changed, and they look for that when it is opened.
fn is_there(path: &Path) -> bool {
    let _ = path.parent().map(fs::read_dir);
    path.exists()
}

/// A name for a file that is to become this one.
fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".{:016x}.new", random()));
    name.into()
}

/// A number that nobody else has.
pub(super) fn random() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

/// Writes a file that is there as a whole or not at all, and stays if the machine loses its power. `false` if there is one of this
/// name already, which is left as it is.
pub(super) fn write_once(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<bool> {
    let new = beside(path);
    let mut file = File::create_new(&new)?;
    let written = write(&mut file).and_then(|()| file.sync_all());
    drop(file);
    let put = written.and_then(|()| match fs::hard_link(&new, path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        // Not all file systems have links. Without, two that come at the same moment are both the first, and the last stays.
        Err(_) if path.exists() => Ok(false),
        Err(_) => fs::rename(&new, path).map(|()| true),
    });
    // With a rename it is gone.
    let _ = fs::remove_file(&new);
    if let (Ok(true), Some(directory)) = (&put, path.parent()) {
        // Its name is to stay as well. Where directories cannot be opened, or file systems do not take that, they do it by themselves.
        let _ = File::open(directory).and_then(|directory| directory.sync_all());
    }
    put
}

/// Writes a file that is there as a whole, in the place of one that may be there.
pub(super) fn write_over(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = beside(path);
    let put = fs::write(&new, bytes).and_then(|()| fs::rename(&new, path));
    if put.is_err() {
        let _ = fs::remove_file(&new);
    }
    put
}

/// Writes a frame; gives its length.
pub(super) fn write_frame(to: &mut impl Write, mut frame: Outbox) -> io::Result<u64> {
    let len = frame.len() as u64;
    frame.pump(|pieces, _| to.write_vectored(pieces))?;
    Ok(len)
}

/// A file that has frames in it, and no open handles.
struct Source<R>(R);

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl<R: Read> Receive for Source<R> {}

/// The frame that is next, or why there is none.
pub(super) fn read_frame(from: impl Read) -> Result<Frame, String> {
    match Inbox::default().pump(&mut Source(from), usize::MAX) {
        Ok(Progress::Complete(frame)) => Ok(frame),
        Ok(Progress::Closed { .. } | Progress::Pending | Progress::More) => Err("it ends too early".into()),
        Err(error) => Err(error.to_string()),
    }
}

/// The frame that the file begins with. `None` if there is no such file.
pub(super) fn read_frame_of(path: &Path) -> Result<Option<Frame>, String> {
    match File::open(path) {
        Ok(file) => read_frame(BufReader::new(file)).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

/// The first bytes of a file, at most so many.
pub(super) fn read_start(file: &File, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// So many bytes from this place on.
pub(super) fn read_at<const N: usize>(mut file: &File, at: u64) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// The names in a directory that are numbers with dots between, as those numbers. All else is somebody else's, or not whole yet.
pub(super) fn numbered<const N: usize>(directory: &Path) -> io::Result<Vec<[u32; N]>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        found.extend(entry?.file_name().to_str().and_then(numbers));
    }
    Ok(found)
}

/// Numbers with dots between.
pub(super) fn numbers<const N: usize>(name: &str) -> Option<[u32; N]> {
    let mut parts = name.split('.');
    let mut found = [0; N];
    for number in &mut found {
        let part = parts.next()?;
        // As they are written, and no other way.
        *number = part.parse().ok().filter(|number: &u32| number.to_string() == part)?;
    }
    parts.next().is_none().then_some(found)
}

/// Does what needs a file that somebody else has written, again and again if it is not seen yet.
pub(super) fn soon<T>(mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let mut waited = Duration::ZERO;
    loop {
        let found = attempt();
        if found.is_some() || waited >= SEEN {
            return found;
        }
        let pause = (waited / 4).clamp(Duration::from_millis(20), Duration::from_secs(1));
        std::thread::sleep(pause);
        waited += pause;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory that is gone when the test is.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new() -> Self {
            let path = std::env::temp_dir().join(format!("spawnsafe-folder-{:016x}", random()));
            fs::create_dir(&path).unwrap();
            Self(path)
        }

        fn names(&self) -> Vec<OsString> {
            fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name()).collect()
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_first_that_is_written_stays_and_nothing_else_is_left() {
        let dir = Scratch::new();
        let path = dir.0.join("7");
        let write = |bytes: &'static [u8]| write_once(&path, move |file| file.write_all(bytes));
        assert!(write(b"first").unwrap());
        assert!(!write(b"second").unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"first");
        let failed = write_once(&dir.0.join("8"), |file| {
            file.write_all(b"half")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
        write_over(&path, b"third").unwrap();
        assert_eq!((dir.names(), fs::read(&path).unwrap()), (vec!["7".into()], b"third".to_vec()));
    }

    #[test]
    fn names_are_numbers_or_somebody_elses() {
        assert_eq!(numbers("0.17.4294967295"), Some([0, 17, u32::MAX]));
        for name in ["", "1", "1.2.3", "1.x", "01.2", "+1.2", "-1.2", "1.4294967296", "1..2", "1.2.new"] {
            assert_eq!(numbers::<2>(name), None, "{name}");
        }
    }

    #[test]
    fn a_directory_is_made_once_and_what_was_made_in_vain_is_gone() {
        let dir = Scratch::new();
        let folder = Folder::new(&dir.0.join("a/b")).unwrap();
        drop(folder.make().unwrap());
        assert!(!folder.root().exists());
        folder.make().unwrap().keep();
        assert_eq!(folder.make().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(numbered::<1>(&folder.answers()).unwrap(), [[0; 1]; 0]);
        assert!(folder.now() <= SystemTime::now() + Duration::from_secs(60));
        assert_eq!(fs::read_dir(folder.root()).unwrap().count(), PARTS.len());

        let empty = Scratch::new();
        drop(Folder::new(&empty.0).unwrap().make().unwrap());
        assert!(empty.0.exists() && empty.names().is_empty());
    }
}
