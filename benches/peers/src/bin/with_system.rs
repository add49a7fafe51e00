//! What the system and std offer, without a library: `command`, `posix_spawn` or `fork`, with pipes by hand.

use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::process::{Command, Stdio};

use spawnsafe_peers::{Contestant, Started, serve};

enum System {
    Command,
    PosixSpawn,
    Fork,
}

impl Contestant for System {
    fn start(&mut self, number: u64) -> Option<Started> {
        Some(match self {
            System::Command => command(number),
            System::PosixSpawn => posix_spawn(number),
            System::Fork => fork(number),
        })
    }
}

fn command(number: u64) -> Started {
    let mut child = Command::new("/proc/self/exe")
        .args(["child", &number.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    Box::new(move || {
        let result = number_from(&mut child.stdout.take().expect("it is piped"));
        child.wait().expect("it ends");
        result
    })
}

fn posix_spawn(number: u64) -> Started {
    let (read, write) = pipe();
    let words = [c"program".to_owned(), c"child".to_owned(), CString::new(number.to_string()).expect("digits")];
    let mut arguments: Vec<_> = words.iter().map(|word| word.as_ptr().cast_mut()).collect();
    arguments.push(std::ptr::null_mut());
    let environment: Vec<CString> = std::env::vars_os()
        .map(|(name, value)| [name.into_vec(), value.into_vec()].join(&b'='))
        .map(|variable| CString::new(variable).expect("it came from the system"))
        .collect();
    let mut variables: Vec<_> = environment.iter().map(|variable| variable.as_ptr().cast_mut()).collect();
    variables.push(std::ptr::null_mut());
    let (mut actions, mut process) = (std::mem::MaybeUninit::uninit(), 0);
    // SAFETY: the lists end with null and live until the call returns; the actions are initialized first.
    unsafe {
        libc::posix_spawn_file_actions_init(actions.as_mut_ptr());
        libc::posix_spawn_file_actions_adddup2(actions.as_mut_ptr(), write.as_raw_fd(), 1);
        let done = libc::posix_spawn(
            &mut process,
            c"/proc/self/exe".as_ptr(),
            actions.as_ptr(),
            std::ptr::null(),
            arguments.as_ptr(),
            variables.as_ptr(),
        );
        libc::posix_spawn_file_actions_destroy(actions.as_mut_ptr());
        assert_eq!(done, 0);
    }
    waits(process, read)
}

fn fork(number: u64) -> Started {
    let (read, write) = pipe();
    // SAFETY: the copy only writes to the pipe, and ends.
    match unsafe { libc::fork() } {
        0 => {
            let _ = File::from(write).write_all(&(number + 1).to_ne_bytes());
            // SAFETY: it always is.
            unsafe { libc::_exit(0) }
        }
        process => waits(process, read),
    }
}

fn waits(process: libc::pid_t, read: OwnedFd) -> Started {
    Box::new(move || {
        let result = number_from(&mut File::from(read));
        // SAFETY: no status is asked for.
        unsafe { libc::waitpid(process, std::ptr::null_mut(), 0) };
        result
    })
}

fn number_from(from: &mut impl Read) -> u64 {
    let mut bytes = [0; 8];
    from.read_exact(&mut bytes).expect("it answers");
    u64::from_ne_bytes(bytes)
}

fn pipe() -> (OwnedFd, OwnedFd) {
    let mut ends = [0; 2];
    // SAFETY: there is room for two descriptors, which nobody else knows.
    unsafe {
        assert_eq!(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC), 0);
        (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1]))
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["child", number] => {
            let number: u64 = number.parse().expect("a number");
            std::io::stdout().write_all(&(number + 1).to_ne_bytes()).expect("the parent listens");
        }
        ["command"] => serve(System::Command),
        ["posix_spawn"] => serve(System::PosixSpawn),
        ["fork"] => serve(System::Fork),
        _ => panic!("which one?"),
    }
}
