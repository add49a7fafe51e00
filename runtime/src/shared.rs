//! Lists that lie in memory which many processes share: written by one of them, sealed, and then read by all.

mod recent;

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::ops::{Bound, Deref, DerefMut, RangeBounds};
use std::sync::Arc;

use serde::de::{self, Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

pub(crate) use recent::{arguments_begin, arguments_end, forget, is_kept};

use crate::link;
use crate::portable::SpawnSafe;
use crate::sys::{OwnedHandle, Segment, SegmentMut};

/// What a [`SharedSlice`] is made of: numbers, arrays of them, and structs of these without gaps. Everything that is
/// [`bytemuck::Pod`] is.
///
/// For a struct of your own, with `bytemuck` and its feature `derive` among your dependencies:
/// ```text
/// #[repr(C)]
/// #[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
/// struct Point { x: f64, y: f64 }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot lie in memory that processes share",
    label = "only what is its own bytes, and any bytes of its size, means the same to every process that sees them",
    note = "numbers and arrays of numbers can; for a struct of them write `#[repr(C)] #[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]` above it",
    note = "for texts share their bytes (`SharedSlice<u8>`) and the places where they end (`SharedSlice<u64>`); for all else pass a `Vec`"
)]
pub trait Plain: bytemuck::Pod + Send + Sync {}

#[diagnostic::do_not_recommend]
impl<T: bytemuck::Pod + Send + Sync> Plain for T {}

/// A list in memory of its own, which becomes a [`SharedSlice`] when it is filled.
///
/// ```
/// use spawnsafe::{SharedBuf, SharedSlice, child_entry};
///
/// #[child_entry]
/// fn sum(numbers: SharedSlice<f64>) -> f64 {
///     numbers.iter().sum()
/// }
///
/// # #[spawnsafe::process_main]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut numbers = SharedBuf::<f64>::zeroed(1_000_000)?;
/// numbers.iter_mut().enumerate().for_each(|(i, number)| *number = i as f64);
/// let numbers: SharedSlice<f64> = numbers.seal()?;
/// // Neither is copied, however many children there are.
/// assert_eq!(sum::run(numbers.slice(..500_000))?, 124_999_750_000.0);
/// assert_eq!(sum::run(numbers)?, 499_999_500_000.0);
/// # Ok(()) }
/// ```
///
/// On Linux a copy of this process that is made by `fork` does not have this memory: it could write to it.
pub struct SharedBuf<T> {
    /// `None` if it is empty: there is no mapping of nothing.
    segment: Option<SegmentMut>,
    elements: PhantomData<T>,
}

/// A list that many processes see without a copy: it travels as a handle, whatever its length.
///
/// Made by [`SharedBuf::seal`], or from a slice. It dereferences to `[T]`, is cheap to clone, and is an argument or a
/// result as any other value, alone or inside other types, of children and of a pool's tasks. [`slice`](Self::slice) gives
/// a part of it.
///
/// # Nobody can change it
/// On Linux the memory is sealed (`F_SEAL_WRITE`), and a process verifies that of what it gets: not even a child that has
/// gone mad can change it. On macOS and Windows, where there are no seals, it is handed out by a descriptor or handle that
/// can only be read, and the one that could write is closed.
///
/// # How long it is there
/// As long as somebody has it or it is on its way. It has no name and no file: the system frees it with the last process
/// that has it, however that ends. A worker of a pool keeps it mapped until its next task, or until it has had nothing to do
/// for 10 ms: so tasks that get the same one need not map it again.
///
/// # Limits
/// Each one on its way is an open file for both sides, as a [`Handle`](crate::Handle) is. `#[inherit]` statics cannot carry
/// one.
pub struct SharedSlice<T> {
    /// `None` if it is empty.
    segment: Option<Arc<Segment>>,
    /// Which of the segment's elements it consists of.
    start: usize,
    len: usize,
    elements: PhantomData<T>,
}

/// How many bytes that many elements take.
fn bytes<T: Plain>(len: usize) -> io::Result<usize> {
    const { assert!(size_of::<T>() > 0, "elements without size need no memory that could be shared") };
    // The system maps whole pages, of at least that size.
    const { assert!(align_of::<T>() <= 4096, "no memory can be mapped so that these elements are aligned in it") };
    len.checked_mul(size_of::<T>()).filter(|&bytes| isize::try_from(bytes).is_ok()).ok_or_else(|| {
        let message = format!("{len} elements of {} bytes are more than memory can hold", size_of::<T>());
        io::Error::new(io::ErrorKind::OutOfMemory, message)
    })
}

// The bounds stand at the methods: so rustc says of a type that does not meet them what is to be said of it, and not that
// there is no such method.
impl<T> SharedBuf<T> {
    /// A list of so many elements, all of whose bytes are zero.
    ///
    /// # Errors
    /// If the system has no memory, or no descriptor, for it; on Linux also if it is longer than files of this process may be
    /// (`ulimit -f`). On systems that this library does not support:
    /// [`io::ErrorKind::Unsupported`], unless it is empty.
    pub fn zeroed(len: usize) -> io::Result<Self>
    where
        T: Plain,
    {
        let bytes = bytes::<T>(len)?;
        let segment = (bytes > 0).then(|| SegmentMut::zeroed(bytes)).transpose()?;
        Ok(Self { segment, elements: PhantomData })
    }

    /// Ends the writing, for good and for every process.
    ///
    /// # Errors
    /// If the system refuses, for example because a device still writes into it.
    pub fn seal(self) -> io::Result<SharedSlice<T>>
    where
        T: Plain,
    {
        let len = self.len();
        let segment = self.segment.map(SegmentMut::seal).transpose()?;
        Ok(SharedSlice { segment: segment.map(Arc::new), start: 0, len, elements: PhantomData })
    }
}

impl<T: Plain> Deref for SharedBuf<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.segment.as_ref().map_or(&[], |segment| bytemuck::cast_slice(segment.bytes()))
    }
}

impl<T: Plain> DerefMut for SharedBuf<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        self.segment.as_mut().map_or(&mut [], |segment| bytemuck::cast_slice_mut(segment.bytes_mut()))
    }
}

impl<T> SharedSlice<T> {
    /// A copy of these elements: the last one that anybody has to make.
    ///
    /// # Errors
    /// As [`SharedBuf::zeroed`] and [`SharedBuf::seal`].
    pub fn copy_of(elements: &[T]) -> io::Result<Self>
    where
        T: Plain,
    {
        let mut buf = SharedBuf::zeroed(elements.len())?;
        buf.copy_from_slice(elements);
        buf.seal()
    }

    /// A part of it, which is in the same memory.
    ///
    /// # Panics
    /// If the range is not within it, as for any slice.
    #[must_use]
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Self
    where
        T: Plain,
    {
        let start = match range.start_bound() {
            Bound::Included(&start) => start,
            Bound::Excluded(&before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&last) => last.saturating_add(1),
            Bound::Excluded(&end) => end,
            Bound::Unbounded => self.len,
        };
        let len = self[start..end].len();
        Self { segment: self.segment.clone(), start: self.start + start, len, elements: PhantomData }
    }
}

impl<T: Plain> TryFrom<&[T]> for SharedSlice<T> {
    type Error = io::Error;

    fn try_from(elements: &[T]) -> io::Result<Self> {
        Self::copy_of(elements)
    }
}

impl<T: Plain> Deref for SharedSlice<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        let all = self.segment.as_ref().map_or(&[][..], |segment| bytemuck::cast_slice(segment.bytes()));
        &all[self.start..self.start + self.len]
    }
}

impl<T> Clone for SharedSlice<T> {
    fn clone(&self) -> Self {
        Self { segment: self.segment.clone(), start: self.start, len: self.len, elements: PhantomData }
    }
}

impl<T> Default for SharedSlice<T> {
    fn default() -> Self {
        Self { segment: None, start: 0, len: 0, elements: PhantomData }
    }
}

impl<T: Plain> AsRef<[T]> for SharedSlice<T> {
    fn as_ref(&self) -> &[T] {
        self
    }
}

impl<'a, T: Plain> IntoIterator for &'a SharedSlice<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: Plain + PartialEq> PartialEq for SharedSlice<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Plain + Eq> Eq for SharedSlice<T> {}

impl<T: Plain + fmt::Debug> fmt::Debug for SharedSlice<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: Plain + fmt::Debug> fmt::Debug for SharedBuf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: Plain> SpawnSafe for SharedSlice<T> {}

/// A segment's handle, its length in bytes, and the part that is meant.
type Form<H> = Option<(H, u64, u64, u64)>;

impl<T: Plain> Serialize for SharedSlice<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let segment = self.segment.as_ref().filter(|_| self.len > 0);
        let form: Form<Sent<'_>> = segment
            .map(|segment| (Sent(segment.handle()), segment.bytes().len() as u64, self.start as u64, self.len as u64));
        form.serialize(serializer)
    }
}

impl<'de, T: Plain> Deserialize<'de> for SharedSlice<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Some((Arrived(handle), size, start, len)) = Form::deserialize(deserializer)? else {
            return Ok(Self::default());
        };
        let invalid = || de::Error::custom("a shared slice is not where it is said to be");
        let number = |number: u64| usize::try_from(number).map_err(|_| invalid());
        let (size, start, len) = (number(size)?, number(start)?, number(len)?);
        let end = start.checked_add(len).filter(|_| len > 0).ok_or_else(invalid)?;
        let fits = size % size_of::<T>() == 0 && end <= size / size_of::<T>();
        if !fits {
            return Err(invalid());
        }
        bytes::<T>(size / size_of::<T>()).map_err(de::Error::custom)?;
        let segment = recent::adopt(handle, size).map_err(|error| {
            de::Error::custom(format_args!("a shared slice of {len} elements cannot be mapped: {error}"))
        })?;
        Ok(Self { segment: Some(segment), start, len, elements: PhantomData })
    }
}

/// A segment on its way.
struct Sent<'a>(&'a Arc<OwnedHandle>);

impl Serialize for Sent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        link::attach(Arc::clone(self.0), serializer)
    }
}

struct Arrived(OwnedHandle);

impl<'de> Deserialize<'de> for Arrived {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        link::claim(deserializer).map(Arrived)
    }
}

/// What another process could still write to does not travel. (Of what such a bound says, see `portable/reasons.rs`.)
#[diagnostic::on_unimplemented(
    message = "`{Self}` can still be written to, and only by this process",
    label = "a child process gets what does not change any more",
    note = "fill it here, and pass what `.seal()` makes of it: a `SharedSlice`"
)]
pub trait SealedForChild<'never>: Serialize + de::DeserializeOwned + 'static {}

impl<T: 'static> SpawnSafe for SharedBuf<T> where for<'never> SharedBuf<T>: SealedForChild<'never> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys;

    /// `None` where processes share no memory yet.
    fn slice(len: u32) -> Option<SharedSlice<u32>> {
        SharedSlice::copy_of(&(0..len).collect::<Vec<_>>()).ok()
    }

    fn travel<T: Plain>(slice: &SharedSlice<impl Plain>) -> Result<SharedSlice<T>, String> {
        let mut packer = link::packer();
        packer.value(slice).unwrap();
        let packed = packer.finish();
        unpack(&packed.items, packed.attachments)
    }

    fn unpack<T: Plain>(items: &[u8], handles: Vec<crate::wire::Attachment>) -> Result<SharedSlice<T>, String> {
        let mut unpacker = link::unpacker(items, vec![]).with_attachments(handles.into_iter().map(Some).collect());
        unpacker.value().map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_written_in_place_arrives() {
        let Ok(mut buf) = SharedBuf::<f64>::zeroed(1000) else { return };
        assert!(buf.iter().all(|&number| number == 0.0));
        buf[999] = 1.5;
        let slice = buf.seal().unwrap();
        let there = travel::<f64>(&slice).unwrap();
        assert_eq!((there.len(), there[998], there[999]), (1000, 0.0, 1.5));
        assert_eq!(there, slice.clone());
    }

    #[test]
    fn nothing_travels_as_well() {
        let empty = SharedBuf::<u64>::zeroed(0).unwrap().seal().unwrap();
        assert!(empty.is_empty() && travel::<u64>(&empty).unwrap().is_empty());
        assert!(SharedSlice::<[f32; 3]>::default().is_empty());
        let Some(all) = slice(10) else { return };
        assert!(travel::<u32>(&all.slice(5..5)).unwrap().is_empty());
    }

    #[test]
    fn parts_are_of_the_same_memory() {
        let Some(all) = slice(10_000) else { return };
        let part = all.slice(2_000..).slice(..=999);
        assert_eq!((part.as_ptr(), part.len()), (&raw const all[2_000], 1_000));
        drop(all);
        let there = travel::<u32>(&part).unwrap();
        assert_eq!((there.len(), there[0], there[999]), (1_000, 2_000, 2_999));
        assert_eq!(there.slice(1..3), SharedSlice::copy_of(&[2_001, 2_002]).unwrap());
    }

    #[test]
    #[should_panic(expected = "out of range")]
    fn a_part_beyond_the_end_panics() {
        let _ = SharedSlice::<u8>::default().slice(0..1);
    }

    /// Whatever another process says of its memory: an error, and no look beyond its end.
    #[test]
    fn what_does_not_fit_is_an_error() {
        let Some(all) = slice(100) else { return };
        for (size, start, len) in [
            (400_u64, 0, 101_u64),
            (400, u64::MAX, 2),
            (400, 100, 1),
            (400, 0, 0),
            (u64::MAX, 0, 1),
            (401, 0, 1),
            (1 << 20, 0, 1),
            (404, 0, 101),
            (396, 0, 1),
            (1 << 63, 0, 1 << 61),
        ] {
            // Some systems tell in whole pages how long memory is. Zeros are behind it.
            if (396..=404).contains(&size) && size != 400 && !sys::LENGTHS_ARE_EXACT {
                continue;
            }
            let mut packer = link::packer();
            let handle = all.segment.as_ref().unwrap().handle();
            packer.value(&Some((Sent(handle), size, start, len))).unwrap();
            let packed = packer.finish();
            unpack::<u32>(&packed.items, packed.attachments).unwrap_err();
        }
        assert_eq!(travel::<[u8; 3]>(&all).unwrap_err(), "a shared slice is not where it is said to be");
    }

    #[test]
    fn more_than_memory_can_hold_is_an_error() {
        let error = SharedBuf::<[f64; 64]>::zeroed(usize::MAX / 8).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
    }
}
