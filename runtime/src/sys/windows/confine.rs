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

/// Confines this process.
pub(crate) fn confine(to: &Confinement) -> io::Result<()> {
    if let Some(bytes) = to.memory {
        // Beyond what a process can address nothing is limited.
        job::limit_memory_of_this_process(usize::try_from(bytes).unwrap_or(usize::MAX))?;
    }
    // SAFETY: the call has no preconditions; what it returns stands for this process and need not be closed.
    let this = unsafe { GetCurrentProcess() };
    if !to.processors.is_empty() {
        let mask = mask(&to.processors)?;
        // SAFETY: the handle is that of this process, and the call reads nothing from memory.
        check(unsafe { SetProcessAffinityMask(this, mask) })?;
    }
    if let Some(niceness) = to.niceness {
        // SAFETY: as above.
        check(unsafe { SetPriorityClass(this, class(niceness)) })?;
    }
    Ok(())
}

fn mask(processors: &[u32]) -> io::Result<usize> {
    let bit = |&processor: &u32| 1_usize.checked_shl(processor);
    let bits: Option<Vec<usize>> = processors.iter().map(bit).collect();
    // A process has those of one group of at most 64.
    let bits = bits.ok_or(io::ErrorKind::InvalidInput)?;
    Ok(bits.into_iter().fold(0, |mask, bit| mask | bit))
}

/// There are six classes; the highest is left to the system.
fn class(niceness: i32) -> PROCESS_CREATION_FLAGS {
    match niceness {
        ..-14 => HIGH_PRIORITY_CLASS,
        -14..0 => ABOVE_NORMAL_PRIORITY_CLASS,
        0 => NORMAL_PRIORITY_CLASS,
        1..10 => BELOW_NORMAL_PRIORITY_CLASS,
        10.. => IDLE_PRIORITY_CLASS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_bits() {
        assert_eq!(mask(&[0, 3]).unwrap(), 0b1001);
        assert!(mask(&[usize::BITS]).is_err());
    }
}
