//! The entries of the program, as data, and the part that this process plays.
//!
//! Entries register with `inventory` before `main`; running them is for whoever imports this.

mod role;

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::wire::{Fault, Packed, Unpacker};

pub(crate) use role::{Dispatch, dispatch, set_process_main};

/// A function that can run in a child process.
///
/// Each child of a program has all of them written anew by the loader, which puts addresses in: so there are as few as can be, and
/// as few bytes.
pub struct Entry {
    /// Its name, and the file in which it is written.
    text: &'static str,
    run: Run,
    name_len: u32,
    line: u32,
    column: u32,
    origin: Origin,
    /// One more than its position in [`entries`], once that is known and no other entry has the same name.
    known_index: AtomicU32,
}

/// What the macro knows about how an entry came to be.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// Whether the user chose the name, with `name = "…"`.
    pub named: bool,
    /// Whether it is a closure. Two in one expansion of a `macro_rules!` have the same name and the same position.
    pub anonymous: bool,
    /// Whether the entry's crate was built with `--test`.
    pub tested: bool,
    /// How often a task may run again whose worker or node has vanished.
    pub retries: u32,
}

/// Unpacks the arguments, calls the function and packs what it returned.
pub type Run = fn(&mut Unpacker<'_>) -> Result<Packed, Fault>;

/// Stands for what runs an instance of a generic entry whose types lack something: that has been reported, and is
/// enough.
pub trait Refused {
    /// Never called: the program does not compile.
    const RUN: Run = |_| unreachable!();
}

impl<T: ?Sized> Refused for T {}

impl Entry {
    /// Describes an entry; called by `#[child_entry]` only.
    ///
    /// `text` is the name with the file behind it.
    #[must_use]
    pub const fn new(name: &str, (text, line, column): (&'static str, u32, u32), origin: Origin, run: Run) -> Self {
        let name_len = name.len() as u32;
        Self { text, run, name_len, line, column, origin, known_index: AtomicU32::new(0) }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name_and_file().0
    }

    fn name_and_file(&self) -> (&'static str, &'static str) {
        self.text.split_at(self.name_len as usize)
    }

    /// Where the entry is written. In another build the same name may be elsewhere; in the same one, two functions
    /// of one name (in different function bodies) differ in this only.
    pub(crate) fn position(&self) -> (u32, u32) {
        (self.line, self.column)
    }

    /// How often it may run again if nobody knows how far it came.
    pub(crate) fn retries(&self) -> u32 {
        self.origin.retries
    }

    pub(crate) fn run(&self, unpacker: &mut Unpacker<'_>) -> Result<Packed, Fault> {
        __rust_begin_short_backtrace(self.run, unpacker)
    }

    fn is(&self, name: &str, position: (u32, u32)) -> bool {
        self.position() == position && self.name() == name
    }
}

/// std knows by this name where the program's own code begins, and leaves out of a backtrace what is below.
#[inline(never)]
fn __rust_begin_short_backtrace(run: Run, unpacker: &mut Unpacker<'_>) -> Result<Packed, Fault> {
    let done = run(unpacker);
    // As a tail call would leave it out itself.
    std::hint::black_box(());
    done
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, file) = self.name_and_file();
        write!(f, "`{name}` at {file}:{}:{}", self.line, self.column)
    }
}

/// What `inventory` collects: `Call` refers to the entry itself, so an entry that can be called is always linked.
#[derive(Debug)]
pub struct Registered(pub &'static Entry);

inventory::collect!(Registered);

/// Set by `test_harness!`: the `main` of this program belongs to a test harness.
#[derive(Debug)]
pub struct TestHarness;

inventory::collect!(TestHarness);

/// All entries, in an order that is the same in every process of one build.
pub(crate) fn entries() -> impl Iterator<Item = &'static Entry> {
    inventory::iter::<Registered>.into_iter().map(|registered| registered.0)
}

/// Finds an entry in a child. No map is built: the parent has said where it is, so that a child with 10,000 entries
/// compares one name.
pub(crate) fn find(index: u32, name: &str, position: (u32, u32)) -> Option<&'static Entry> {
    let mut all = inventory::iter::<Registered>.into_iter();
    let at_index = usize::try_from(index).ok().and_then(|index| all.nth(index)).map(|registered| registered.0);
    at_index.filter(|entry| entry.is(name, position)).or_else(|| entries().find(|entry| entry.is(name, position)))
}

/// The same for a call from another build, where positions may be others: the only one of this name will do.
#[cfg(feature = "engines")]
pub(crate) fn find_by_name(index: u32, name: &str, position: (u32, u32)) -> Option<&'static Entry> {
    find(index, name, position).or_else(|| {
        let mut named = entries().filter(|entry| entry.name() == name);
        named.next().filter(|_| named.next().is_none())
    })
}

/// Two entries with one name.
#[derive(Debug)]
pub(crate) struct Duplicate {
    pub(crate) first: &'static Entry,
    pub(crate) second: &'static Entry,
}

/// The entry's position in [`entries`]. It is an error if another one has the same name.
///
/// Each entry is looked for once in a process, by going through all: with 10,000 of them that is a fiftieth of what a start of
/// such a program costs. No name is read but of those that the user has chosen. A table of all names would cost as
/// much as a start, and most programs call few entries.
///
/// Two functions of one name in different function bodies are no duplicates as long as neither name was chosen:
/// their default names are equal, and their positions tell them apart.
pub(crate) fn index_of(entry: &'static Entry) -> Result<u32, Duplicate> {
    if let Some(index) = entry.known_index.load(Ordering::Relaxed).checked_sub(1) {
        return Ok(index);
    }
    let mut index = 0;
    for (position, other) in (0..).zip(entries()) {
        if std::ptr::eq(other, entry) {
            index = position;
        } else if entry.would_be_ambiguous_with(other) && entry.name() == other.name() {
            return Err(Duplicate { first: other, second: entry });
        }
    }
    entry.known_index.store(index + 1, Ordering::Relaxed);
    Ok(index)
}

impl Entry {
    /// Whether only their names can tell them apart.
    ///
    /// Closures are told apart by their index, which is the same in each process of one build. For others as well it
    /// would do, but two of one name are more likely a mistake.
    fn would_be_ambiguous_with(&self, other: &Entry) -> bool {
        let are_closures = self.origin.anonymous && other.origin.anonymous;
        (self.position() == other.position() && !are_closures) || self.origin.named || other.origin.named
    }
}

/// Whether some crate of this program was built with `--test`, so that its `main` is a test harness's.
fn in_test_build() -> bool {
    entries().any(|entry| entry.origin.tested) || inventory::iter::<TestHarness>.into_iter().next().is_some()
}
