//! Having copies of this process find its code where it is.
//!
//! A fork copies the page tables of memory that is a process's own, and not those of mapped files: each page of code that a
//! child runs for the first time is a fault, some forty of them before its entry, and half of what a start costs. But it
//! does copy all of a mapping's that holds but one page which was written to, and so is the process's own. So one byte of each is
//! written, by what it is. By way of `/proc`, as debuggers set breakpoints: the protection of memory is never changed.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;

/// Has the forks of this process share what it has mapped of its files. What cannot be shared is slower, and nothing else.
pub(super) fn share() {
    let _ = try_share();
}

fn try_share() -> io::Result<()> {
    let maps = fs::read_to_string("/proc/self/maps")?;
    let memory = File::options().read(true).write(true).open("/proc/self/mem")?;
    for start in maps.lines().filter_map(start_of_file) {
        let mut byte = [0];
        // Some systems do not let a process write so.
        memory.read_exact_at(&mut byte, start).and_then(|()| memory.write_all_at(&byte, start))?;
    }
    Ok(())
}

/// Where the mapping begins, if it is of a file, private, and not to be written to: what can be is the process's own already.
fn start_of_file(line: &str) -> Option<u64> {
    let mut fields = line.split_ascii_whitespace();
    let (range, protection) = (fields.next()?, fields.next()?);
    let inode = fields.nth(2)?;
    let is_meant = matches!(protection, "r--p" | "r-xp") && inode != "0";
    is_meant.then(|| u64::from_str_radix(range.split('-').next()?, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_that_are_private_and_read_are_meant() {
        let start = |protection: &str, inode: u32| {
            start_of_file(&format!("55a55b1e8000-55a55b2b2000 {protection} 0003f000 fe:00 {inode}      /a b"))
        };
        assert_eq!(start("r-xp", 7), Some(0x55a5_5b1e_8000));
        assert_eq!(start("r--p", 7), Some(0x55a5_5b1e_8000));
        for (protection, inode) in [("rw-p", 7), ("r-xs", 7), ("---p", 7), ("r-xp", 0)] {
            assert_eq!(start(protection, inode), None, "{protection}");
        }
        assert_eq!(start_of_file(""), None);
    }

    #[test]
    fn a_process_is_what_it_was() {
        share();
        assert_eq!(std::hint::black_box(&[1, 2, 3]).len(), 3);
        assert!(fs::read_to_string("/proc/self/maps").unwrap().lines().any(|line| line.contains("r-xp")));
    }
}
