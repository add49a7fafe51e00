//! What shared memory keeps on every system that has it.

use std::fs::File;

use super::{Segment, SegmentMut};

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
fn what_is_no_memory_is_refused() {
    let file = File::open(std::env::current_exe().unwrap()).unwrap();
    assert!(Segment::adopt(file.into(), 100).is_err());
}
