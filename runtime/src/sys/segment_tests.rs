//! What shared memory keeps on every system that has it.

use std::fs::File;
use std::io;

use super::{LENGTHS_ARE_EXACT, Segment, SegmentMut};

pub(super) fn filled(len: usize) -> SegmentMut {
    let mut memory = SegmentMut::zeroed(len).unwrap();
    assert!(memory.bytes().iter().all(|&byte| byte == 0));
    memory.bytes_mut().fill(7);
    memory
}

#[test]
fn what_is_sealed_is_the_same_elsewhere() {
    for len in [1, 4096, 5000, 1 << 20] {
        let sealed = filled(len).seal().unwrap();
        let there = Segment::adopt(sealed.handle().try_clone().unwrap(), len).unwrap();
        drop(sealed);
        assert_eq!(there.bytes(), vec![7; len]);
    }
}

#[test]
fn what_could_still_change_or_is_no_such_length_is_refused() {
    assert!(Segment::adopt(SegmentMut::zeroed(100).unwrap().writable().unwrap(), 100).is_err());
    let sealed = filled(100).seal().unwrap();
    // Longer than the pages that the system has for it; where it counts bytes, any other length.
    let any_other = if LENGTHS_ARE_EXACT { &[1, 99, 101, 4096][..] } else { &[] };
    for &wrong in any_other.iter().chain(&[(1 << 20) + 1, usize::MAX]) {
        let error = Segment::adopt(sealed.handle().try_clone().unwrap(), wrong).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{wrong}");
    }
}

#[test]
fn what_is_no_memory_is_refused() {
    let file = File::open(std::env::current_exe().unwrap()).unwrap();
    assert!(Segment::adopt(file.into(), 100).is_err());
}
