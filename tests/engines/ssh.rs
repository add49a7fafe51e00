//! OpenSSH: a server of the test's own, on this machine.
