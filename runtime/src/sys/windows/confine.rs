//! What a process takes from itself: memory, processors, priority.

#![allow(unsafe_code)]

use std::io;

use windows_sys::Win32::System::Threading::{
    ABOVE_NORMAL_PRIORITY_CLASS, BELOW_NORMAL_PRIORITY_CLASS, GetCurrentProcess, HIGH_PRIORITY_CLASS,
    IDLE_PRIORITY_CLASS, NORMAL_PRIORITY_CLASS, PROCESS_CREATION_FLAGS, SetPriorityClass, SetProcessAffinityMask,
};

use super::handle::check;
use super::job;
use crate::sys::Confinement;

/// Confines this process. What it starts inherits the processors, and a priority below the normal one.
pub(crate) fn confine(to: &Confinement) -> io::Result<()> {
    if let Some(bytes) = to.memory {
        job::limit_memory(bytes)?;
    }
    // SAFETY: it has no preconditions, and returns a constant.
    let this = unsafe { GetCurrentProcess() };
    if !to.processors.is_empty() {
        let mask = mask(&to.processors)?;
        // SAFETY: the handle is that of this process; the call touches no memory.
        check(unsafe { SetProcessAffinityMask(this, mask) })?;
    }
    if let Some(niceness) = to.niceness {
        // SAFETY: as above.
        check(unsafe { SetPriorityClass(this, class(niceness)) })?;
    }
    Ok(())
}

/// One bit for each processor. The system has them in groups of at most as many as a number has bits, and a process is
/// in one group.
fn mask(processors: &[u32]) -> io::Result<usize> {
    let bit = |&number: &u32| 1_usize.checked_shl(number);
    processors.iter().try_fold(0, |mask, number| Some(mask | bit(number)?)).ok_or_else(|| {
        let text = format!("a process runs on the processors 0 to {} of its group only", usize::BITS - 1);
        io::Error::new(io::ErrorKind::InvalidInput, text)
    })
}

/// The class of priority that stands for a niceness. Not the highest class, which would get ahead of the system's own
/// work: nothing that is said in niceness asks for that.
fn class(niceness: i32) -> PROCESS_CREATION_FLAGS {
    match niceness {
        ..=-10 => HIGH_PRIORITY_CLASS,
        -9..=-1 => ABOVE_NORMAL_PRIORITY_CLASS,
        0 => NORMAL_PRIORITY_CLASS,
        1..=9 => BELOW_NORMAL_PRIORITY_CLASS,
        10.. => IDLE_PRIORITY_CLASS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_bits_and_no_more_than_there_are() {
        assert_eq!(mask(&[0, 5, 0]).unwrap(), 0b10_0001);
        assert_eq!(mask(&[usize::BITS - 1]).unwrap(), 1 << (usize::BITS - 1));
        for number in [usize::BITS, usize::BITS + 1, u32::MAX] {
            assert_eq!(mask(&[0, number]).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
    }

    #[test]
    fn who_is_nicer_comes_later() {
        let classes = [-20, -10, -9, -1, 0, 1, 9, 10, 19].map(class);
        assert_eq!(classes[..2], [HIGH_PRIORITY_CLASS; 2]);
        assert_eq!(classes[2..4], [ABOVE_NORMAL_PRIORITY_CLASS; 2]);
        assert_eq!(classes[4..7], [NORMAL_PRIORITY_CLASS, BELOW_NORMAL_PRIORITY_CLASS, BELOW_NORMAL_PRIORITY_CLASS]);
        assert_eq!(classes[7..], [IDLE_PRIORITY_CLASS; 2]);
    }
}
