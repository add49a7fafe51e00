//! What the tests share: looking at processes and descriptors from outside.
