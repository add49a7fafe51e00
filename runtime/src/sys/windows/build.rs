//! Which build of the program this is.

#![allow(unsafe_code)]

use std::hash::{DefaultHasher, Hasher};
use std::ptr;
use std::slice;
use std::sync::OnceLock;

use windows_sys::Win32::System::LibraryLoader::GetModuleHandleW;

/// A number that two processes share if they run the same build: a hash of what the linker has written into the headers
/// of the program, as they are in memory. Among that are the time of the build (or a hash of its content), a checksum
/// of the file and the size of each section. The file itself is not asked: it may be another one by now.
pub(crate) fn build_id() -> u64 {
    static ID: OnceLock<u64> = OnceLock::new();
    *ID.get_or_init(|| {
        let mut hash = DefaultHasher::new();
        hash.write(env!("CARGO_PKG_VERSION").as_bytes());
        // Headers that cannot be followed are hashed as far as they can.
        let _ = hash_headers(headers(), &mut hash);
        hash.finish()
    })
}

/// Whether a file that begins so is this program's.
pub(super) fn is_of_this_build(start: &[u8]) -> bool {
    let hashed = |headers: &[u8]| {
        let mut hash = DefaultHasher::new();
        hash_headers(headers, &mut hash).map(|()| hash.finish())
    };
    hashed(start).is_some() && hashed(start) == hashed(headers())
}

/// What is mapped of any image: a page, which the headers of most programs do not fill.
pub(super) const PAGE: usize = 4096;

/// The start of this program's image.
fn headers() -> &'static [u8] {
    // SAFETY: without a name it returns the address of this program's image.
    let image = unsafe { GetModuleHandleW(ptr::null()) }.cast_const().cast::<u8>();
    if image.is_null() {
        return &[];
    }
    // SAFETY: the image begins with its headers, at the start of a page that is mapped, readable and never unmapped.
    unsafe { slice::from_raw_parts(image, PAGE) }
}

/// Follows the layout of a PE file: the offset of its signature, a header of 20 bytes, one of a size that the first says,
/// and 40 bytes for each section. Damaged headers give another hash, and nothing worse.
fn hash_headers(headers: &[u8], hash: &mut impl Hasher) -> Option<()> {
    /// In the second header: the base address, which the loader changes, in front of the alignments.
    const BASE: std::ops::Range<usize> = 24..32;
    let number = |at: usize| {
        let bytes = headers.get(at..at + 4)?;
        Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
    };
    let file_header = number(0x3C)?.checked_add(4)?;
    let sections = number(file_header)? >> 16;
    let optional_len = number(file_header.checked_add(16)?)? & 0xFFFF;
    let optional = headers.get(file_header..)?.split_at_checked(20)?;
    hash.write(optional.0);
    let (optional, rest) = optional.1.split_at_checked(optional_len)?;
    hash.write(optional.get(..BASE.start)?);
    hash.write(optional.get(BASE.end..)?);
    hash.write(&rest[..rest.len().min(sections * 40)]);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashed(headers: &[u8]) -> (Option<()>, u64) {
        let mut hash = DefaultHasher::new();
        (hash_headers(headers, &mut hash), hash.finish())
    }

    #[test]
    fn is_the_same_each_time_and_damaged_headers_are_harmless() {
        assert_eq!(build_id(), build_id());
        let mut own = headers().to_vec();
        assert_eq!(hashed(&own).0, Some(()));
        for len in 0..own.len() {
            hashed(&own[..len]);
        }
        let before = hashed(&own).1;
        // The time stamp.
        let signature = own[0x3C] as usize | (own[0x3D] as usize) << 8;
        own[signature + 8] ^= 1;
        assert_ne!(hashed(&own).1, before);
        own[0x3C..0x40].fill(0xFF);
        assert_eq!(hashed(&own).0, None);
    }
}
