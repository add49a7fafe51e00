//! Which build of the program this is.

#![allow(unsafe_code)]

use std::ffi::c_void;
use std::hash::{DefaultHasher, Hasher};
use std::os::unix::fs::MetadataExt;
use std::slice;
use std::sync::OnceLock;

/// A number that two processes share if they run the same build: a hash of the linker's build id where the program
/// has one, and else of the identity of its file.
pub(crate) fn build_id() -> u64 {
    static ID: OnceLock<u64> = OnceLock::new();
    *ID.get_or_init(|| {
        let mut hash = DefaultHasher::new();
        hash.write(env!("CARGO_PKG_VERSION").as_bytes());
        match this_program().note {
            Some(note) => hash.write(note),
            None => file(&mut hash),
        }
        hash.finish()
    })
}

fn file(hash: &mut DefaultHasher) {
    if let Ok(file) = std::fs::metadata("/proc/self/exe") {
        [file.dev(), file.ino(), file.size()].iter().for_each(|&part| hash.write_u64(part));
    }
}

/// The same for processes on other machines, where a file has another identity: without a build id, a hash of its content.
#[cfg(feature = "engines")]
pub(crate) fn portable_build_id() -> u64 {
    static ID: OnceLock<u64> = OnceLock::new();
    *ID.get_or_init(|| {
        if this_program().note.is_some() {
            return build_id();
        }
        let mut hash = DefaultHasher::new();
        hash.write(env!("CARGO_PKG_VERSION").as_bytes());
        // One that cannot be read is no other program's.
        hash.write(&std::fs::read("/proc/self/exe").unwrap_or_default());
        hash.finish()
    })
}

/// Whether executing `/proc/self/exe` starts this program. It does not if the program was started as an argument of
/// the dynamic loader (`/lib64/ld-linux-x86-64.so.2 program`): the link is then to the loader, which would run the
/// program's own first argument.
pub(crate) fn can_start_again() -> bool {
    static CAN: OnceLock<bool> = OnceLock::new();
    *CAN.get_or_init(|| {
        // SAFETY: getauxval(3) looks up a number; there are no preconditions.
        let loaded_by_kernel = unsafe { libc::getauxval(libc::AT_BASE) } != 0;
        // The kernel loads the loader beside a program that names one, and says where; a static program names none.
        loaded_by_kernel || !this_program().names_loader
    })
}

#[cfg(target_pointer_width = "64")]
type Header = libc::Elf64_Phdr;
#[cfg(target_pointer_width = "32")]
type Header = libc::Elf32_Phdr;

/// What the program's own headers say.
#[derive(Default)]
struct ThisProgram {
    /// The content of its `NT_GNU_BUILD_ID` note.
    note: Option<&'static [u8]>,
    /// Whether it is to be loaded by a dynamic loader.
    names_loader: bool,
}

fn this_program() -> ThisProgram {
    let mut found = ThisProgram::default();
    // SAFETY: dl_iterate_phdr(3) calls `first_object` with a valid description of each loaded object and with the
    // pointer that it was given, which is valid for the call.
    unsafe { libc::dl_iterate_phdr(Some(first_object), (&raw mut found).cast()) };
    found
}

/// Looks at the first object only: it is the program itself.
unsafe extern "C" fn first_object(info: *mut libc::dl_phdr_info, _: usize, found: *mut c_void) -> libc::c_int {
    // SAFETY: the caller, dl_iterate_phdr, passes a valid description.
    let info = unsafe { &*info };
    // SAFETY: the pointer is that of `this_program`'s variable, which nothing else uses meanwhile.
    let found = unsafe { &mut *found.cast::<ThisProgram>() };
    if info.dlpi_phdr.is_null() {
        return 1;
    }
    // SAFETY: the description says where the object's program headers are and how many; they stay mapped.
    let headers = unsafe { slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
    found.names_loader = headers.iter().any(|header| header.p_type == libc::PT_INTERP);
    let is_loaded = |note: &Header| {
        let end = |header: &Header| header.p_vaddr.saturating_add(header.p_filesz);
        let mut loads = headers.iter().filter(|header| header.p_type == libc::PT_LOAD);
        loads.any(|load| load.p_vaddr <= note.p_vaddr && end(note) <= end(load))
    };
    for note in headers.iter().filter(|header| header.p_type == libc::PT_NOTE).filter(|note| is_loaded(note)) {
        let address = info.dlpi_addr.wrapping_add(note.p_vaddr) as *const u8;
        // SAFETY: the segment lies within a PT_LOAD segment of the program, in the part that comes from its file: that
        // is mapped from this address on, readable (the loader has read it too), and never unmapped.
        let notes = unsafe { slice::from_raw_parts(address, note.p_filesz as usize) };
        found.note = found.note.or(build_id_in(notes));
    }
    1
}

/// Walks notes: three numbers of 4 bytes (length of the name, length of the content, type), then name and content,
/// each padded to 4 bytes.
fn build_id_in(mut notes: &'static [u8]) -> Option<&'static [u8]> {
    const NT_GNU_BUILD_ID: u32 = 3;
    loop {
        let (head, rest) = notes.split_first_chunk::<12>()?;
        let number = |at: usize| u32::from_ne_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let name_len = number(0) as usize;
        let (name, rest) = rest.split_at_checked(name_len.checked_next_multiple_of(4)?)?;
        let content_len = number(4) as usize;
        let content = rest.get(..content_len)?;
        if number(8) == NT_GNU_BUILD_ID && name.starts_with(b"GNU\0") {
            return Some(content);
        }
        notes = rest.get(content_len.checked_next_multiple_of(4)?..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_same_each_time_and_damaged_notes_are_none() {
        assert_eq!(build_id(), build_id());
        assert_ne!(build_id(), 0);
        let note: &'static [u8] = b"\x04\0\0\0\x02\0\0\0\x03\0\0\0GNU\0ab\0\0";
        if cfg!(target_endian = "little") {
            assert_eq!(build_id_in(note), Some(&b"ab"[..]));
            for len in 0..18 {
                assert_eq!(build_id_in(&note[..len]), None);
            }
        }
    }
}
