//! A thread that lasts as long as this process.
//!
//! What a thread has begun to read or write, the system takes back when the thread ends (`ExitThread`: "all pending I/O
//! initiated by the thread that is not associated with a completion port is canceled"). Reading can be begun again; of what
//! was being written nobody knows how much has arrived. So what may still be going on when its thread ends is begun here.

#![allow(unsafe_code)]

use std::io;
use std::ptr;
use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread;

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::Storage::FileSystem::WriteFile;
use windows_sys::Win32::System::IO::OVERLAPPED;

use super::handle::check;

/// A write that is to be begun.
pub(super) struct Write {
    pipe: HANDLE,
    bytes: *const u8,
    len: u32,
    overlapped: *mut OVERLAPPED,
}

// SAFETY: what the pointers are to belongs to no thread, and whoever has made the value leaves it alone.
unsafe impl Send for Write {}

impl Write {
    /// # Safety
    /// The handle is open until this is begun. The bytes are valid for that length and the structure can be used for an
    /// operation until it is over, or was not begun.
    pub(super) unsafe fn new(pipe: HANDLE, bytes: *const u8, len: u32, overlapped: *mut OVERLAPPED) -> Self {
        Self { pipe, bytes, len, overlapped }
    }

    /// Begins it. That it goes on is an error, too: `ERROR_IO_PENDING`.
    pub(super) fn begin(self) -> io::Result<()> {
        // SAFETY: whoever has called `new` has said so.
        check(unsafe { WriteFile(self.pipe, self.bytes, self.len, ptr::null_mut(), self.overlapped) })
    }

    /// The same, on the thread that lasts.
    pub(super) fn begin_to_last(self) -> io::Result<()> {
        let (done, begun) = mpsc::channel();
        match hand_over(Work { write: self, done }) {
            Ok(()) => begun.recv().unwrap_or_else(|_| Err(io::ErrorKind::Interrupted.into())),
            // This process has no more threads. It is well if this one lasts.
            Err(work) => work.write.begin(),
        }
    }
}

struct Work {
    write: Write,
    done: Sender<io::Result<()>>,
}

/// Gives the work to the thread, which is started for the first; or back.
fn hand_over(work: Work) -> Result<(), Work> {
    static THREAD: Mutex<Option<Sender<Work>>> = Mutex::new(None);
    let mut thread = THREAD.lock().unwrap_or_else(PoisonError::into_inner);
    if thread.is_none() {
        let (sender, works) = mpsc::channel::<Work>();
        let builder = thread::Builder::new().name("spawnsafe-writes".into()).stack_size(128 << 10);
        let started = builder.spawn(move || {
            // As long as there is the sender, which is for ever.
            for Work { write, done } in works {
                let _ = done.send(write.begin());
            }
        });
        *thread = started.ok().map(|_| sender);
    }
    match &*thread {
        Some(sender) => sender.send(work).map_err(|unsent| unsent.0),
        None => Err(work),
    }
}
