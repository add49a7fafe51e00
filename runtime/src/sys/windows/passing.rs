//! How open handles and sockets get from one process to the other.
//!
//! A pipe carries bytes. A handle is a number that means something in one process only, and the one that has rights over the
//! other is the parent: it puts copies into its child, and fetches what the child offers. A process that is yet to be
//! started inherits them, under the same numbers. So all that goes through the pipe is numbers, in a block in front of the
//! bytes that the handles go with. A socket has no number that the other side could use. It asks for the sockets at a pipe
//! that is handed over instead, like any handle, and at whose other end somebody waits (`offers`).
//!
//! A child waits for the answer: its end blocks, and it has no choice but to trust its parent. A parent does not, as the
//! pipe is whatever its child says: another thread asks, and meanwhile nothing is there to be read (`aside`).
//!
//! ```text
//! offset 0   1 byte   0xFE, which no frame begins with
//!        1   1 byte   1 if another block follows behind one byte
//!        2   2 bytes  how many, little-endian as all that follows
//!        4   4 bytes  the number of the pipe at which to ask for sockets; 0 if there are none
//!        8            the numbers, 4 bytes each, those of sockets 0; at least two places
//! ```

#![allow(unsafe_code)]

use std::io;
use std::os::windows::io::{
    AsHandle as _, AsRawHandle as _, BorrowedHandle, FromRawHandle as _, IntoRawHandle as _, OwnedHandle, OwnedSocket,
};
use std::ptr;

use windows_sys::Win32::Foundation::{
    DUPLICATE_CLOSE_SOURCE, DUPLICATE_SAME_ACCESS, DuplicateHandle, GetHandleInformation, HANDLE, HANDLE_FLAG_INHERIT,
    SetHandleInformation,
};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

use super::aside::Aside;
use super::handle::{check, duplicate, opened};
use super::offers;
use super::{AnyHandle, socket};

/// Who is at the other end.
#[derive(Debug)]
pub(super) enum Passing {
    /// A process that is yet to be started, with what it is going to inherit.
    Unborn(Vec<OwnedHandle>),
    /// The child that this process has all rights over.
    Child(OwnedHandle),
    /// The parent, which fetches for itself what it is offered.
    Parent,
}

/// The shortest block. Whoever reads at most so much where one may begin does not read beyond it.
pub(super) const SHORTEST: usize = 16;

const MARK: u8 = 0xFE;
const HEAD: usize = 8;

/// More than that go in several blocks.
const AT_ONCE: usize = 253;

impl Passing {
    /// Hands copies of the handles over, as far as that is this side's business, and says so to the other side. `more` if
    /// there will be another block behind the next byte.
    pub(super) fn send(&mut self, handles: &[&AnyHandle], more: bool) -> io::Result<Vec<u8>> {
        if handles.len() > AT_ONCE {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut block = vec![MARK, more.into(), handles.len() as u8, 0];
        let sockets: Vec<_> = handles.iter().filter_map(|handle| handle.socket().cloned()).collect();
        let desk = match sockets.is_empty() {
            true => socket::NO_NUMBER,
            false => self.hand_over(offers::to_one(sockets)?.as_handle())?,
        };
        block.extend_from_slice(&desk.to_le_bytes());
        for handle in handles {
            let number = handle.handle().map_or(Ok(socket::NO_NUMBER), |handle| self.hand_over(handle.as_handle()))?;
            block.extend_from_slice(&number.to_le_bytes());
        }
        block.resize(block.len().max(SHORTEST), 0);
        Ok(block)
    }

    /// The number of a copy on the other side.
    fn hand_over(&mut self, handle: BorrowedHandle<'_>) -> io::Result<u32> {
        match self {
            Passing::Unborn(heirlooms) => {
                let copy = duplicate(handle, true)?;
                let number = number(copy.as_raw_handle());
                heirlooms.push(copy);
                Ok(number)
            }
            Passing::Child(child) => {
                // SAFETY: it has no preconditions, and returns a constant.
                let this = unsafe { GetCurrentProcess() };
                let mut copy = ptr::null_mut();
                // SAFETY: both handles are open, as they are borrowed; the call writes to `copy`.
                check(unsafe {
                    let (from, to) = (handle.as_raw_handle(), child.as_raw_handle());
                    DuplicateHandle(this, from, to, &raw mut copy, 0, 0, DUPLICATE_SAME_ACCESS)
                })?;
                Ok(number(copy))
            }
            // The parent closes it when it fetches it.
            Passing::Parent => Ok(number(duplicate(handle, false)?.into_raw_handle())),
        }
    }

    /// What the other side has handed over under this number; `None` if there is nothing, or this process may not have it.
    fn take(&self, number: u32) -> Option<OwnedHandle> {
        // Handles are multiples of four, and none is zero.
        let handle = Some(number).filter(|&number| number != 0 && number % 4 == 0)? as usize as HANDLE;
        match self {
            Passing::Unborn(_) => None,
            Passing::Child(child) => fetch(child, handle),
            Passing::Parent => {
                let mut flags = 0;
                // SAFETY: the call takes any number, fails for one that is no open handle, and writes to `flags`.
                check(unsafe { GetHandleInformation(handle, &raw mut flags) }).ok()?;
                // SAFETY: the handle is open, and the parent has put it here for whoever reads the number.
                let handle = unsafe { OwnedHandle::from_raw_handle(handle) };
                // SAFETY: as above. A grandchild must not get one that was inherited.
                check(unsafe { SetHandleInformation(handle.as_raw_handle(), HANDLE_FLAG_INHERIT, 0) }).ok()?;
                Some(handle)
            }
        }
    }
}

/// Takes a handle out of a child, whatever it may be: the child can give no more than it has. It is closed there in any
/// case.
fn fetch(child: &OwnedHandle, handle: HANDLE) -> Option<OwnedHandle> {
    // SAFETY: it has no preconditions, and returns a constant.
    let this = unsafe { GetCurrentProcess() };
    let mut copy = ptr::null_mut();
    let options = DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE;
    // SAFETY: the child's handle is open; what the other one is the system looks up there. The call writes to `copy`.
    let done = unsafe { DuplicateHandle(child.as_raw_handle(), handle, this, &raw mut copy, 0, 0, options) };
    check(done).ok()?;
    // SAFETY: the call above has succeeded and made this handle.
    unsafe { opened(copy) }.ok()
}

/// Only 32 bits of a handle have a meaning, so that programs of both widths can exchange them.
fn number(handle: HANDLE) -> u32 {
    handle.addr() as u32
}

/// A block on its way in, and what has come with it.
#[derive(Debug, Default)]
pub(super) struct Arriving {
    block: Vec<u8>,
    /// A block is complete, and the bytes that it goes with are next.
    taken: bool,
    /// Of those there is one, and another block behind it.
    alone: bool,
    /// The next is a block.
    expected: bool,
    handles: Vec<AnyHandle>,
    lost: bool,
    /// What has come in the last block, and its sockets, which are on their way.
    fetching: Option<(Vec<Place>, Aside<Vec<OwnedSocket>>)>,
}

/// What is at one place of a block.
#[derive(Debug)]
enum Place {
    Here(AnyHandle),
    /// The next of the sockets.
    Socket,
    Lost,
}

/// What has come.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) count: usize,
    pub(super) handles: Vec<AnyHandle>,
    pub(super) lost: bool,
}

impl Arriving {
    /// Reads bytes, and the handles that go with them. `first` if these would be the first of a frame. What `read` has
    /// given before it fails is kept for the next time. `bell` gives an event that is set when it is worth another try,
    /// where it is not `read` that would block.
    pub(super) fn receive(
        &mut self,
        first: bool,
        buf: &mut [u8],
        passing: &Passing,
        mut read: impl FnMut(&mut [u8]) -> io::Result<usize>,
        mut bell: impl FnMut() -> io::Result<OwnedHandle>,
    ) -> io::Result<Arrived> {
        loop {
            if let Some((_, sockets)) = &self.fetching {
                let sockets = sockets.take().ok_or(io::ErrorKind::WouldBlock)?;
                let places = self.fetching.take().map(|(places, _)| places);
                self.fill(places.into_iter().flatten(), sockets.unwrap_or_default());
            } else if !self.block.is_empty() {
                let mut bytes = vec![0; self.missing()?];
                let count = read(&mut bytes)?;
                if count == 0 && !bytes.is_empty() {
                    return Ok(self.deliver(0));
                }
                self.block.extend_from_slice(&bytes[..count]);
                if self.missing()? == 0 {
                    self.take_over(passing, &mut bell);
                }
            } else if !self.taken && (first || self.expected) {
                let len = buf.len().min(SHORTEST);
                let count = read(&mut buf[..len])?;
                if count == 0 || buf[0] != MARK && !self.expected {
                    return Ok(self.deliver(count));
                }
                if buf[0] != MARK {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "handles were announced and have not come"));
                }
                self.block.extend_from_slice(&buf[..count]);
                self.expected = false;
            } else {
                let len = if self.alone { 1 } else { buf.len() };
                let count = read(&mut buf[..len])?;
                if count > 0 {
                    (self.expected, self.alone, self.taken) = (self.alone, false, false);
                }
                return Ok(self.deliver(count));
            }
        }
    }

    /// How much is still to come of the block that has begun.
    fn missing(&self) -> io::Result<usize> {
        let Some(head) = self.block.first_chunk::<HEAD>() else { return Ok(SHORTEST - self.block.len()) };
        match usize::from(u16::from_le_bytes([head[2], head[3]])) {
            count @ 0..=AT_ONCE => Ok((HEAD + 4 * count).max(SHORTEST) - self.block.len()),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "too many handles have come at once")),
        }
    }

    /// Whether something is being fetched: until that is over, nothing is read.
    pub(super) fn is_fetching(&self) -> bool {
        self.fetching.is_some()
    }

    /// Takes what the block says, which is complete.
    fn take_over(&mut self, passing: &Passing, bell: impl FnOnce() -> io::Result<OwnedHandle>) {
        let block = std::mem::take(&mut self.block);
        (self.taken, self.alone) = (true, block[1] != 0);
        let count = usize::from(block[2]);
        let number = |bytes: &[u8]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let desk = passing.take(number(&block[4..HEAD]));
        let places = block[HEAD..].chunks_exact(4).take(count).map(|bytes| match number(bytes) {
            socket::NO_NUMBER => Place::Socket,
            number => passing.take(number).map_or(Place::Lost, |handle| Place::Here(handle.into())),
        });
        let places: Vec<_> = places.collect();
        let wanted = places.iter().filter(|place| matches!(place, Place::Socket)).count();
        match (desk, passing) {
            (Some(desk), Passing::Child(_)) if wanted > 0 => {
                match bell().and_then(|bell| Aside::begin(bell, offers::limit(), move || offers::ask(desk, wanted))) {
                    Ok(sockets) => self.fetching = Some((places, sockets)),
                    // This process has no more threads.
                    Err(_) => self.lost = true,
                }
            }
            (Some(desk), _) if wanted > 0 => self.fill(places.into_iter(), offers::ask(desk, wanted)),
            _ => self.fill(places.into_iter(), Vec::new()),
        }
    }

    /// Puts what has come in its order.
    fn fill(&mut self, places: impl Iterator<Item = Place>, sockets: Vec<OwnedSocket>) {
        let mut sockets = sockets.into_iter().map(AnyHandle::from);
        for place in places {
            match place {
                Place::Here(handle) => self.handles.push(handle),
                Place::Socket => match sockets.next() {
                    Some(socket) => self.handles.push(socket),
                    None => self.lost = true,
                },
                Place::Lost => self.lost = true,
            }
        }
    }

    fn deliver(&mut self, count: usize) -> Arrived {
        // Who is not given all of them does not know which are missing, and gets none.
        let lost = std::mem::take(&mut self.lost);
        let handles = std::mem::take(&mut self.handles);
        Arrived { count, handles: if lost { Vec::new() } else { handles }, lost }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read as _;
    use std::net::UdpSocket;
    use std::os::windows::io::OwnedSocket;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use super::super::handle::{event, is_signalled, this_process, wait_for_one_of};
    use super::super::operation::Operation;
    use super::super::pipe::{self, Purpose};
    use super::super::rehearsal::canary;
    use super::*;

    fn file() -> AnyHandle {
        File::open(std::env::current_exe().unwrap()).unwrap().into()
    }

    fn udp() -> AnyHandle {
        OwnedSocket::from(UdpSocket::bind("127.0.0.1:0").unwrap()).into()
    }

    /// That nobody but the test has it any more.
    fn is_given_up(socket: &AnyHandle) {
        let limit = Instant::now() + Duration::from_secs(60);
        while Arc::strong_count(socket.socket().unwrap()) > 1 {
            assert!(Instant::now() < limit, "it is still kept");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Reads all of the bytes, in steps of so many.
    fn read(bytes: &[u8], step: usize, passing: &Passing) -> io::Result<(Vec<u8>, usize, bool)> {
        let (mut arriving, mut rest) = (Arriving::default(), bytes);
        let (mut data, mut handles, mut lost, mut blocked) = (Vec::new(), 0, false, false);
        loop {
            let mut buf = [0; 16];
            let arrived = arriving.receive(
                data.is_empty(),
                &mut buf,
                passing,
                |buf| {
                    blocked = !blocked;
                    if blocked {
                        return Err(io::ErrorKind::WouldBlock.into());
                    }
                    let count = rest.len().min(buf.len()).min(step);
                    buf[..count].copy_from_slice(&rest[..count]);
                    rest = &rest[count..];
                    Ok(count)
                },
                event,
            );
            match arrived {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                arrived => {
                    let arrived = arrived?;
                    if arrived.count == 0 {
                        return Ok((data, handles, lost));
                    }
                    data.extend_from_slice(&buf[..arrived.count]);
                    handles += arrived.handles.len();
                    lost |= arrived.lost;
                }
            }
        }
    }

    #[test]
    fn blocks_stand_before_their_bytes_however_they_arrive() {
        let files: Vec<_> = (0..5).map(|_| file()).collect();
        let files: Vec<_> = files.iter().collect();
        for step in 1..40 {
            let mut child = Passing::Child(this_process());
            // The second byte of the data, and all that follow, look like a block.
            let sent = [
                child.send(&files[..3], true).unwrap(),
                b"s".to_vec(),
                child.send(&files, false).unwrap(),
                vec![MARK; 20],
            ];
            let (data, handles, lost) = read(&sent.concat(), step, &Passing::Parent).unwrap();
            assert_eq!((data.len(), handles, lost), (21, 8, false), "in steps of {step}");
            let (data, handles, lost) = read(b"spw and nothing else", step, &Passing::Parent).unwrap();
            assert_eq!((data.len(), handles, lost), (20, 0, false));
        }
    }

    #[test]
    fn a_parent_fetches_what_is_offered_and_closes_it_there() {
        let (handle, canary) = canary().unwrap();
        let block = Passing::Parent.send(&[&handle], false).unwrap();
        drop(handle);
        assert!(canary.is_open());
        let sent = [block, b"x".to_vec()].concat();
        assert_eq!(read(&sent, 100, &Passing::Child(this_process())).unwrap(), (b"x".to_vec(), 1, false));
        assert!(canary.is_closed());
    }

    #[test]
    fn numbers_that_are_no_handles_are_lost_and_damaged_blocks_are_errors() {
        let block = |number: u32| {
            let head = [MARK, 0, 1, 0, 0, 0, 0, 0];
            [&head[..], &number.to_le_bytes(), &[0; 4], b"x"].concat()
        };
        for number in [0, 3, 0x7FFF_FFFC, u32::MAX, u32::MAX - 3] {
            for passing in [Passing::Parent, Passing::Child(this_process()), Passing::Unborn(vec![])] {
                assert_eq!(read(&block(number), 100, &passing).unwrap(), (b"x".to_vec(), 0, true), "{number:#x}");
            }
        }
        let many = [&[MARK, 0, 254, 0][..], &[0; 2000]].concat();
        assert_eq!(read(&many, 100, &Passing::Parent).unwrap_err().kind(), io::ErrorKind::InvalidData);
        let announced = [&[MARK, 1][..], &[0; 14], b"xnothing"].concat();
        assert_eq!(read(&announced, 100, &Passing::Parent).unwrap_err().kind(), io::ErrorKind::InvalidData);
        for len in 0..SHORTEST {
            assert_eq!(read(&block(4)[..len], 100, &Passing::Parent).unwrap().0, b"");
        }
    }

    #[test]
    fn sockets_travel_among_handles_and_are_kept_until_then() {
        let all = [udp(), file(), udp(), file()];
        let sent: Vec<_> = all.iter().collect();
        let mut inherited = Vec::new();
        for step in [1, 7, 5000] {
            for (mut sends, receives) in [
                (Passing::Child(this_process()), Passing::Parent),
                (Passing::Parent, Passing::Child(this_process())),
                // Here they are under the same numbers.
                (Passing::Unborn(Vec::new()), Passing::Parent),
            ] {
                let block = sends.send(&sent, false).unwrap();
                assert_eq!(Arc::strong_count(all[0].socket().unwrap()), 2);
                if let Passing::Unborn(heirlooms) = sends {
                    inherited.extend(heirlooms.into_iter().map(OwnedHandle::into_raw_handle));
                }
                let bytes = [&block[..], b"x"].concat();
                assert_eq!(read(&bytes, step, &receives).unwrap(), (b"x".to_vec(), 4, false), "in steps of {step}");
                is_given_up(&all[0]);
                is_given_up(&all[2]);
            }
        }
        assert_eq!(inherited.len(), 9);
    }

    #[test]
    fn a_parent_does_not_wait_for_a_child_that_does_not_describe_its_sockets() {
        let handle = file();
        let number = |handle: &OwnedHandle| number(handle.try_clone().unwrap().into_raw_handle());
        for answers in [false, true] {
            let (theirs, ours) = pipe::pair(Purpose::Watched).unwrap();
            let mut block = vec![MARK, 0, 2, 0];
            let numbers = [number(&theirs), number(handle.handle().unwrap()), socket::NO_NUMBER];
            numbers.iter().for_each(|number| block.extend_from_slice(&number.to_le_bytes()));
            drop(theirs);
            let bell = event().unwrap();
            let (mut arriving, mut rest) = (Arriving::default(), &[&block[..], b"x"].concat()[..]);
            let mut buf = [0; 16];
            let mut receive = || {
                let read = |buf: &mut [u8]| rest.read(buf);
                arriving.receive(true, &mut buf, &Passing::Child(this_process()), read, || bell.try_clone())
            };
            let begun = Instant::now();
            for _ in 0..10 {
                assert_eq!(receive().unwrap_err().kind(), io::ErrorKind::WouldBlock);
            }
            assert!(begun.elapsed() < Duration::from_secs(20) && !is_signalled(&bell));
            if answers {
                let request = Operation::new().unwrap();
                while pipe::available(&ours).unwrap() == Some(0) {
                    std::thread::yield_now();
                }
                request.read_now(&ours, &mut [0; 100]).unwrap();
                let described = socket::describe(udp().socket().unwrap(), std::process::id()).unwrap();
                request.write_now(&ours, &described).unwrap();
            }
            drop(ours);
            wait_for_one_of(&[bell.as_handle()], Some(Instant::now() + Duration::from_secs(60))).unwrap();
            let arrived = receive().unwrap();
            let count = if answers { 2 } else { 0 };
            assert_eq!((arrived.count, arrived.handles.len(), arrived.lost), (1, count, !answers));
        }
    }

    #[test]
    fn sockets_that_nobody_asks_for_are_given_up() {
        let socket = udp();
        let mut unborn = Passing::Unborn(Vec::new());
        let block = unborn.send(&[&socket], false).unwrap();
        drop(unborn);
        is_given_up(&socket);
        // What had the number of the pipe is nothing now.
        assert_eq!(read(&[&block[..], b"x"].concat(), 100, &Passing::Unborn(vec![])).unwrap().1, 0);

        // More of them than there are: those that are there come, and are of no use.
        let mut block = Passing::Child(this_process()).send(&[&socket], false).unwrap();
        block[2] = 2;
        assert_eq!(read(&[&block[..], b"x"].concat(), 100, &Passing::Parent).unwrap(), (b"x".to_vec(), 0, true));
        is_given_up(&socket);
    }
}
