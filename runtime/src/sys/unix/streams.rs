//! Taking over the standard streams of a process that talks through them.

use std::fs::File;
use std::io;

/// What standard input and standard output are connected to. From now on nothing comes from the one, and what is written to
/// the other goes where standard error goes.
pub(crate) fn take_streams() -> io::Result<(File, File)> {
    let (stdin, stdout) = (rustix::stdio::stdin(), rustix::stdio::stdout());
    let taken = [stdin, stdout].map(|stream| {
        let taken = rustix::io::fcntl_dupfd_cloexec(stream, 3)?;
        // Whoever has started this process may have used it otherwise.
        rustix::io::ioctl_fionbio(&taken, false)?;
        io::Result::Ok(File::from(taken))
    });
    let [input, output] = taken;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
    Ok((input?, output?))
}
