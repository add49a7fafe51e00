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
    fn _dyld_image_count() -> u32;
    /// As above.
    fn _dyld_get_image_header(index: u32) -> *const c_void;
}

/// `mach_header_64`, of `mach-o/loader.h`. All systems of this crate's have 64 bits.
#[repr(C)]
struct Header {
    magic: u32,
    processor: [i32; 2],
    kind: u32,
    command_count: u32,
    commands_len: u32,
    flags: u32,
    reserved: u32,
}

/// `MH_EXECUTE`: a program. Libraries are of other kinds.
const PROGRAM: u32 = 2;

/// What follows the header of the program's image. Among it is the UUID that the linker gives each build (`LC_UUID`), and
/// where one was told not to, still the size of everything.
fn load_commands() -> &'static [u8] {
    // SAFETY: dyld(3): it has no preconditions.
    let count = unsafe { _dyld_image_count() };
    // SAFETY: dyld(3): the call takes any index, and returns a null pointer for one that is no image's.
    let mut images = (0..count).map(|index| unsafe { _dyld_get_image_header(index) }.cast::<Header>());
    let is_program = |image: &*const Header| {
        // SAFETY: an image begins with its header, aligned to a page. Libraries may be unloaded by other threads, but the
        // program's image is the first, and it stays.
        !image.is_null() && unsafe { (**image).kind } == PROGRAM
    };
    let Some(header) = images.find(is_program) else { return &[] };
    // SAFETY: as above.
    let len = unsafe { (*header).commands_len } as usize;
    // SAFETY: the load commands lie behind the header in the same segment; the loader has read them too.
    unsafe { slice::from_raw_parts(header.add(1).cast::<u8>(), len) }
}

/// Whether the program's file can be executed again: there is no loader here that could stand in its place.
pub(crate) fn can_start_again() -> bool {
    true
}
