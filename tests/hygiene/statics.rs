//! Annotated statics in odd surroundings.

/// Names that generated code would rely on, if it relied on any.
mod shadowed {
    #![no_implicit_prelude]
    #![allow(dead_code, non_camel_case_types)]

    struct Result;
    struct Ok;
    struct Inherit;
    struct ProcessLocal;
    struct Access;
    mod std {}
    mod core {}
    mod inventory {}
    mod spawnsafe {}
    type u32 = ();

    #[::spawnsafe::inherit]
    pub static TEXT: ::std::sync::OnceLock<::std::string::String> = ::std::sync::OnceLock::new();

    #[::spawnsafe::process_local]
    pub static OWN: ::std::sync::OnceLock<::std::string::String> = ::std::sync::OnceLock::new();

    #[::spawnsafe::child_entry]
    pub fn reads() -> ::std::vec::Vec<::std::option::Option<::std::string::String>> {
        ::std::vec![TEXT.get().cloned(), OWN.get().cloned()]
    }
}

#[test]
fn shadowed_names() {
    shadowed::TEXT.set("text".into()).unwrap();
    shadowed::OWN.set("own".into()).unwrap();
    assert_eq!(shadowed::reads::run().unwrap(), [Some("text".into()), None]);
}

mod facade {
    pub use spawnsafe as processes;
}

/// As a library's `macro_rules!` would write it, for users that have no dependency on spawnsafe.
macro_rules! counter {
    ($(#[$attribute:meta])* $vis:vis $name:ident: $type:ty) => {
        #[spawnsafe::inherit(crate = $crate::statics::facade::processes)]
        $(#[$attribute])*
        $vis static $name: $type = <$type>::new(0);
    };
}

mod by_macro {
    counter!(
        /// Counts.
        #[allow(non_upper_case_globals)]
        pub(super) counter: std::sync::atomic::AtomicU32
    );
    counter!(#[allow(non_upper_case_globals)] pub(super) r#type: std::sync::atomic::AtomicI8);

    #[spawnsafe::process_local(crate = super::facade::processes)]
    #[allow(dead_code)]
    static OWN: std::sync::Mutex<u8> = std::sync::Mutex::new(0);
}

use by_macro::counter as renamed;

#[spawnsafe::child_entry]
fn counts() -> (u32, i8) {
    (renamed.load(std::sync::atomic::Ordering::SeqCst), by_macro::r#type.load(std::sync::atomic::Ordering::SeqCst))
}

#[test]
fn statics_of_a_macro_by_other_names() {
    renamed.store(2, std::sync::atomic::Ordering::SeqCst);
    by_macro::r#type.store(-2, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(counts::run().unwrap(), (2, -2));
}
