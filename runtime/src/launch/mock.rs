//! A child without a process, for tests.
