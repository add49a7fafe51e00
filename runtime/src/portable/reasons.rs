//! Why a type cannot travel: one trait for each reason, which nothing implements, and the types that it concerns.
//!
//! `impl SpawnSafe for Arc<T> where for<'never> Arc<T>: SharedBetweenProcesses<'never>` is true of no `T`, and the
//! error says what the trait in that bound says. (The lifetime makes a bound that is never met legal on a type
//! without parameters.) The supertraits let the impl meet those of `SpawnSafe`.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::SpawnSafe;

macro_rules! reason {
    ($($name:ident: $message:literal, $label:literal, $($note:literal),+;)*) => {$(
        #[diagnostic::on_unimplemented(message = $message, label = $label, $(note = $note),+)]
        pub trait $name<'never>: Serialize + DeserializeOwned + 'static {}
    )*};
}

reason! {
    SharedBetweenProcesses:
        "`{Self}` refers to memory of this process, which a child process does not share",
        "a thread or a forked child would share this memory; a spawned child gets a separate copy",
        "pass the plain value inside it, and send what changes back as the result";
    ChannelToChild:
        "`{Self}` is an end of a channel inside this process",
        "a child process would have an end of no channel",
        "use `spawnsafe::channel`, whose ends travel; what is there at the start can as well be an argument, and what is there at the end the result";
    WaitsForChild:
        "`{Self}` makes threads of this process wait for each other",
        "a child process would wait for nobody",
        "a result is there when the child has done its work: wait with `run`, or with `join` after `spawn`";
    HandleOpenInChild:
        "`{Self}` is a handle that is open in this process only",
        "a child process does not have this handle",
        "to pass it open: `spawnsafe::Handle<{Self}>`",
        "or pass the path or the address, and open it in the child";
    DirectoryReadHere:
        "`{Self}` belongs to a directory that is open in this process only",
        "a child process does not have it open",
        "pass the path, and read the directory in the child";
    StreamOfChild:
        "`{Self}` is a standard stream of this process",
        "a child process has its own",
        "call `std::io::stdin()`, `stdout()` or `stderr()` in the entry; what these are there, `entry::call(…).stdin(…)` and its like say";
    ChildOfParent:
        "`{Self}` is about a child of this process",
        "only its parent can start it, wait for it and use its streams",
        "start it in the entry, from a program and arguments that are passed; or start it here, and pass what comes out of it",
        "one of its streams can be passed open: `spawnsafe::Handle<ChildStdout>` and its like";
    ThreadOfChild:
        "`{Self}` is tied to a thread of this process",
        "a child process has none of its parent's threads",
        "pass what the thread computes, not the thread";
    AddressInChild:
        "`{Self}` is an address in this process",
        "this address means nothing in a child process",
        "pass the value that it points to; for a function, pass an enum that says which function to call";
    BorrowedFromParent:
        "`{Self}` borrows from this process",
        "a child process cannot borrow from its parent's memory",
        "only a whole argument can be a reference (`x: &T`, `&str`, `&[T]`, `&Path`); inside another type, and as a result, use the owned form (`String`, `Vec<T>`, `Box<T>`)";
    ConcreteInChild:
        "`{Self}` has no concrete type that could be rebuilt in a child process",
        "only this process knows which type is behind this `dyn`",
        "name the concrete type, or use an enum of the types that it can be";
    DrivenInChild:
        "`{Self}` is a future, which only this process can drive",
        "a future cannot move to another process",
        "drive it where it is made, with `block_on`, and pass its output";
    PortableError:
        "`{Self}` has no portable form",
        "this error type cannot be sent to another process",
        "use `spawnsafe::RemoteError` as the error type: `?` converts any error into it and keeps its message and causes";
    PortableClock:
        "`{Self}` is a point on a clock that only this process can read",
        "not comparable in another process",
        "pass a `Duration`, or a `SystemTime`";
}

macro_rules! refuse {
    ($reason:ident: $([$($generics:tt)*] $type:ty),* $(,)?) => {$(
        impl<$($generics)*> SpawnSafe for $type where for<'never> $type: $reason<'never> {}
    )*};
}

/// Types that only some systems have: `sys` names them, this macro refuses them.
macro_rules! refuse_native {
    ($($type:ty),* $(,)?) => { refuse!(HandleOpenInChild: $([] $type),*); };
}

refuse! {
    SharedBetweenProcesses:
    [T: ?Sized + 'static] std::sync::Arc<T>,
    [T: ?Sized + 'static] std::sync::Weak<T>,
    [T: ?Sized + 'static] std::rc::Rc<T>,
    [T: ?Sized + 'static] std::rc::Weak<T>,
    [T: ?Sized + 'static] std::cell::Cell<T>,
    [T: ?Sized + 'static] std::cell::RefCell<T>,
    [T: ?Sized + 'static] std::cell::UnsafeCell<T>,
    [T: 'static] std::cell::OnceCell<T>,
    [T: 'static, F: 'static] std::cell::LazyCell<T, F>,
    [T: ?Sized + 'static] std::sync::Mutex<T>,
    [T: ?Sized + 'static] std::sync::RwLock<T>,
    [T: ?Sized + 'static] std::sync::MutexGuard<'static, T>,
    [T: ?Sized + 'static] std::sync::RwLockReadGuard<'static, T>,
    [T: ?Sized + 'static] std::sync::RwLockWriteGuard<'static, T>,
    [T: ?Sized + 'static] std::cell::Ref<'static, T>,
    [T: ?Sized + 'static] std::cell::RefMut<'static, T>,
    [T: 'static] std::sync::OnceLock<T>,
    [T: 'static, F: 'static] std::sync::LazyLock<T, F>,
    [] std::sync::atomic::AtomicBool,
    [] std::sync::atomic::AtomicU8,
    [] std::sync::atomic::AtomicU16,
    [] std::sync::atomic::AtomicU32,
    [] std::sync::atomic::AtomicUsize,
    [] std::sync::atomic::AtomicI8,
    [] std::sync::atomic::AtomicI16,
    [] std::sync::atomic::AtomicI32,
    [] std::sync::atomic::AtomicIsize,
    [T: 'static] std::sync::atomic::AtomicPtr<T>,
    [T: 'static] std::thread::LocalKey<T>,
}

#[cfg(target_has_atomic = "64")]
refuse!(SharedBetweenProcesses: [] std::sync::atomic::AtomicU64, [] std::sync::atomic::AtomicI64);

refuse! {
    ChannelToChild:
    [T: 'static] std::sync::mpsc::Sender<T>,
    [T: 'static] std::sync::mpsc::SyncSender<T>,
    [T: 'static] std::sync::mpsc::Receiver<T>,
}

refuse! {
    WaitsForChild:
    [] std::sync::Once,
    [] std::sync::Condvar,
    [] std::sync::Barrier,
}

refuse! {
    HandleOpenInChild:
    [] std::fs::File,
    [] std::net::TcpStream,
    [] std::net::TcpListener,
    [] std::net::UdpSocket,
}

refuse! {
    DirectoryReadHere:
    [] std::fs::ReadDir,
    [] std::fs::DirEntry,
}

refuse! {
    StreamOfChild:
    [] std::io::Stdin,
    [] std::io::Stdout,
    [] std::io::Stderr,
}

refuse! {
    ChildOfParent:
    [] std::process::Command,
    [] std::process::Child,
    [] std::process::ChildStdin,
    [] std::process::ChildStdout,
    [] std::process::ChildStderr,
}

crate::sys::for_each_native_handle!(refuse_native);

refuse! {
    ThreadOfChild:
    [T: 'static] std::thread::JoinHandle<T>,
    [] std::thread::Thread,
    [] std::thread::ThreadId,
    [] std::thread::Builder,
}

refuse! {
    AddressInChild:
    [T: ?Sized + 'static] *const T,
    [T: ?Sized + 'static] *mut T,
    [T: ?Sized + 'static] std::ptr::NonNull<T>,
}

/// Function pointers, one impl for each number of parameters; a parameter that is a reference needs one of its own.
macro_rules! refuse_functions {
    ($([$($p:ident)*])*) => {$(
        refuse!(AddressInChild:
            [$($p: 'static,)* R: 'static] fn($($p),*) -> R,
            [$($p: 'static,)* R: 'static] unsafe fn($($p),*) -> R,
            [$($p: 'static,)* R: 'static] extern "C" fn($($p),*) -> R,
            [$($p: 'static,)* R: 'static] unsafe extern "C" fn($($p),*) -> R,
        );
    )*};
}
refuse_functions! { [] [A] [A B] [A B C] [A B C D] [A B C D E] [A B C D E F] }
refuse!(AddressInChild:
    [A: ?Sized + 'static, R: 'static] fn(&A) -> R,
    [A: ?Sized + 'static, R: 'static] fn(&mut A) -> R,
    [A: ?Sized + 'static, R: ?Sized + 'static] fn(&A) -> &R,
    [A: ?Sized + 'static, B: ?Sized + 'static, R: 'static] fn(&A, &B) -> R,
    [A: ?Sized + 'static, B: 'static, R: 'static] fn(&A, B) -> R,
);

refuse! {
    BorrowedFromParent:
    [T: ?Sized + 'static] &'static T,
    [T: ?Sized + 'static] &'static mut T,
}

refuse! {
    ConcreteInChild:
    [] dyn std::any::Any,
    [] dyn std::any::Any + Send,
    [] dyn std::any::Any + Send + Sync,
    [] dyn std::fmt::Debug,
    [] dyn std::fmt::Display,
    [R: 'static] dyn Fn() -> R,
    [R: 'static] dyn Fn() -> R + Send,
    [R: 'static] dyn Fn() -> R + Send + Sync,
    [R: 'static] dyn FnMut() -> R,
    [R: 'static] dyn FnMut() -> R + Send,
    [R: 'static] dyn FnOnce() -> R,
    [R: 'static] dyn FnOnce() -> R + Send,
    [A: 'static, R: 'static] dyn Fn(A) -> R,
    [A: 'static, R: 'static] dyn Fn(A) -> R + Send,
    [A: 'static, R: 'static] dyn Fn(A) -> R + Send + Sync,
    [T: 'static] dyn Iterator<Item = T>,
    [T: 'static] dyn Iterator<Item = T> + Send,
    [] dyn std::io::Read,
    [] dyn std::io::Write,
}

refuse! {
    DrivenInChild:
    [T: ?Sized + 'static] std::pin::Pin<Box<T>>,
    [T: 'static] dyn Future<Output = T>,
    [T: 'static] dyn Future<Output = T> + Send,
}

refuse! {
    PortableError:
    [] std::io::Error,
    [] std::fmt::Error,
    [] std::num::ParseIntError,
    [] std::num::ParseFloatError,
    [] std::num::TryFromIntError,
    [] std::str::Utf8Error,
    [] std::str::ParseBoolError,
    [] std::char::ParseCharError,
    [] std::string::FromUtf8Error,
    [] std::net::AddrParseError,
    [] std::env::VarError,
    [] std::time::SystemTimeError,
    [] std::ffi::NulError,
    [] dyn std::error::Error,
    [] dyn std::error::Error + Send,
    [] dyn std::error::Error + Send + Sync,
}

refuse!(PortableClock: [] std::time::Instant);
