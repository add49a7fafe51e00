//! A zygote: a child of this program that never ran `main`, and that forks into further children on request.
//!
//! A fork costs a quarter of an execution, but is sound only where nothing can be in the middle of something: the zygote
//! has one thread, which waits here for requests, and has run nothing but constructors. What comes out of it is to be what an
//! executed child is. How:
//!
//! ```text
//! parent                            zygote                              child
//! the zygote: as any child          checks that it is sound, closes
//!   (exec), first frame `Zygote`      what it inherited, blocks signals
//!                                   ---- `Value`, or why not
//! a socket pair and a lifeline
//!   for the child
//! one byte, and the descriptors --> forks, as a child of the parent --> closes what is the zygote's
//! meanwhile: what a child inherits  closes what is the child's          puts streams and directory in place
//!                                                                   <-- its process id and descriptor
//! `Surroundings`, the call        ------------------------------------> makes itself what an executed child is,
//!                                                                       and goes on as one
//! ```
//!
//! - **The child announces itself, through its own connection.** So the zygote need not answer, several threads of the
//!   parent ask it without waiting for each other, and nothing is lost if it dies: either the announcement comes, or the
//!   connection closes, because the child's end was in the zygote's hands only. Then no child has begun, and another zygote
//!   is asked. (Were the child itself killed in the microseconds before it announces itself, it would be taken for one that
//!   was never forked, and stay a zombie as long as its parent lives.)
//! - **`clone(2)` with `CLONE_PARENT`**: the child is the parent's own, which waits for it as for any. Not `clone3`: that adds
//!   nothing that is needed here, and containers forbid it, as their filters cannot look into its arguments. Not `fork(3)`,
//!   which cannot make a child of the parent. What `fork(3)` repairs in the C library is repaired here: the main thread's own
//!   id, of which the library keeps a copy (the kernel is told its place), and the list of robust locks. Handlers of
//!   `pthread_atfork` are not called; they are for locks that other threads hold, and there are none.
//! - **What an executed child would inherit** is of three kinds. Descriptors, streams and directory come with the request.
//!   What programs change while they run, or what differs between threads, comes with the `Surroundings`: environment (unless it
//!   is the zygote's, which is in place already), umask, ignored signals, processors, niceness, process group. Whatever else differs between parent and zygote (users,
//!   groups, capabilities, seccomp, session, root directory, limits, scheduling policy) makes the zygote stale, and another
//!   one is started: a child never has rights that its parent has given up. See [`surroundings`].
//! - **What cannot be seen is that of the time at which the zygote was started**: namespaces, control groups, Landlock
//!   without `no_new_privs`, the memory policy, the OOM score, the priority of input and output, the
//!   slack of timers. The documentation of `StartMethod` says so.
//! - **Descriptors without CLOEXEC** are not passed on: those that the parent had when the zygote was started would stay open
//!   in it, and whoever waits for their end would wait for ever. So the zygote closes all that it inherited: those that survived
//!   an execution are told from those of constructors by the missing flag. It has `/dev/null` as its streams.
//! - **A page costs more than ten system calls**: after a fork, whichever of the two processes writes to a page first has it copied,
//!   and what a copy runs of the program's file it finds anew. So the zygote goes the way of a call once before it begins, and
//!   keeps off the heap between requests; a piece of each small size is then at hand. The environment, which takes several pages, is
//!   set only where it has changed. Tried and rejected: having the fork copy the page tables of the program's file as well
//!   (it does so for mappings that were written to). Most of the faults were gone, and a start took a twelfth longer, as the
//!   fork then touches what the kernel knows of each such page. Rejected for the same reason: `MADV_POPULATE_READ` and
//!   `MADV_POPULATE_WRITE` in the copy, which save the fault and not what it does, and took longer. Waking the zygote before its
//!   request is there gained nothing: if it is woken on its parent's processor, it has to wait for that anyway.
//! - **Signals** are blocked in the zygote: a Ctrl-C at the terminal ends who does not handle it, and not the zygote of who does.
//!   The child takes them again when it has the parent's dispositions.

mod ask;
mod fork;
mod surroundings;

pub(crate) use ask::request;
pub(crate) use fork::Forker;
pub(crate) use surroundings::{Standing, Surroundings};

/// How many descriptors a request has at most: connection, lifeline, directory, three streams, shared memory.
const MAX_DESCRIPTORS: usize = 7;

/// In the byte of a request: that there is a standard input; shifted by one and two, output and error.
const HAS_STREAM: u8 = 1;

/// In the byte of a request: that there is shared memory.
const HAS_SHARED: u8 = 1 << 3;

/// What comes back through the child's connection: this byte and a number, four bytes in this machine's order.
const REPLY_LEN: usize = 5;

/// The number is the child's process id; its descriptor comes along.
const BORN: u8 = 1;

/// From the zygote: the number is the error of the system.
const NOT_BORN: u8 = 2;

/// Zygotes are possible on this system.
pub(crate) fn can_fork() -> std::io::Result<()> {
    Ok(())
}
