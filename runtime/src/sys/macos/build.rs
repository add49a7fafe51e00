//! Which build of the program this is.

#![allow(unsafe_code)]

use std::ffi::c_void;
use std::hash::{DefaultHasher, Hasher};
use std::slice;
use std::sync::OnceLock;

/// A number that two processes share if they run the same build: a hash of what the linker has written into the load
/// commands of the program, among which is its UUID. The file itself is not asked: it may be another one by now.
pub(crate) fn build_id() -> u64 {
    static ID: OnceLock<u64> = OnceLock::new();
    *ID.get_or_init(|| {
        let mut hash = DefaultHasher::new();
        hash.write(env!("CARGO_PKG_VERSION").as_bytes());
        hash.write(load_commands());
        hash.finish()
    })
}

unsafe extern "C" {
    /// dyld(3), of `mach-o/dyld.h`.
    fn _dyld_get_image_header(index: u32) -> *const c_void;
}

/// What follows the header of the program's image.
fn load_commands() -> &'static [u8] {
    /// `mach_header_64`, of `mach-o/loader.h`: eight numbers of four bytes, the sixth of which is the size of the load
    /// commands behind it. All systems of this crate's have 64 bits.
    const HEADER: usize = 32;
    const SIZE: usize = 20;
    // SAFETY: dyld(3): the call takes any index. The first image is the program.
    let header = unsafe { _dyld_get_image_header(0) }.cast::<u8>();
    if header.is_null() {
        return &[];
    }
    // SAFETY: an image begins with its header, which stays mapped, aligned to a page.
    let size = unsafe { header.add(SIZE).cast::<u32>().read() };
    // SAFETY: the load commands lie behind the header in the same segment; the loader has read them too.
    unsafe { slice::from_raw_parts(header.add(HEADER), size as usize) }
}

/// Whether the program's file can be executed again: there is no loader here that could stand in its place.
pub(crate) fn can_start_again() -> bool {
    true
}
