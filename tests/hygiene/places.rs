//! Where an entry may stand, and by which ways its name may come.

use spawnsafe::child_entry;

mod outer {
    pub mod inner {
        use spawnsafe::child_entry;

        #[child_entry]
        pub fn deep(x: u32) -> u32 {
            x + 1
        }

        #[child_entry]
        pub(in crate::places) fn restricted(x: u32) -> u32 {
            x + 2
        }
    }

    pub use inner::deep as renamed;
    pub(super) use inner::restricted;

    pub mod prelude {
        pub use super::inner::*;
    }
}

mod private {
    #[spawnsafe::child_entry]
    pub(super) fn of_private_types(job: Job) -> Job {
        Job(job.0 + 3)
    }

    #[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug, spawnsafe::SpawnSafe)]
    pub(super) struct Job(pub(super) u32);
}

macro_rules! entries {
    ($($(#[$attribute:meta])* $name:ident($($parameter:ident: $type:ty),*) -> $result:ty = $body:expr;)*) => {$(
        #[child_entry]
        $(#[$attribute])*
        fn $name($($parameter: $type),*) -> $result { $body }
    )*};
}

entries! {
    generated(x: u32, text: &str) -> usize = x as usize + text.len();
    #[allow(clippy::ptr_arg)]
    generated_by_reference(list: &Vec<u32>, slice: &[u32]) -> Vec<u32> = [list, slice].concat();
    generated_of_nothing() -> () = ();
}

/// The body of the macro's entry uses a name of the place where the macro is defined.
macro_rules! entry_with_names_of_its_own {
    ($name:ident) => {
        #[child_entry]
        fn $name(given: u32) -> u32 {
            let own = 10;
            given + own
        }
    };
}

entry_with_names_of_its_own!(hygienic);

fn one() -> (u32, u32) {
    #[child_entry]
    fn local(x: u32) -> u32 {
        x + 1
    }
    (local(1), local::run(1).unwrap())
}

fn other() -> (u32, u32) {
    #[child_entry]
    fn local(x: u32) -> u32 {
        x + 2
    }
    (local(1), local::run(1).unwrap())
}

trait Anywhere {
    fn in_a_method(&self) -> u32;
}

impl Anywhere for u32 {
    fn in_a_method(&self) -> u32 {
        struct Local;
        #[child_entry]
        fn local(x: u32) -> u32 {
            let _ = Local;
            x + 3
        }
        local::run(*self).unwrap()
    }
}

/// An entry in a generic function is one entry: it sees no parameter of that function.
fn in_a_generic_function<T: ToString>(value: T) -> String {
    #[child_entry]
    fn local(text: &str) -> String {
        text.repeat(2)
    }
    local::run(&value.to_string()).unwrap()
}

#[test]
fn modules_and_uses() {
    assert_eq!(outer::inner::deep::run(1).unwrap(), 2);
    assert_eq!((outer::renamed::run(1).unwrap(), outer::renamed(1)), (2, 2));
    {
        use outer::prelude::*;
        assert_eq!((deep::run(1).unwrap(), deep(1)), (2, 2));
    }
    assert_eq!(outer::restricted::run(1).unwrap(), 3);
    assert_eq!(outer::renamed::NAME, outer::inner::deep::NAME);
    assert_eq!(private::of_private_types::run(private::Job(1)).unwrap(), private::Job(4));
}

#[test]
fn macro_rules() {
    assert_eq!(generated::run(1, "ab").unwrap(), generated(1, "ab"));
    assert_eq!(generated_by_reference::run(&vec![1], &[2, 3]).unwrap(), [1, 2, 3]);
    generated_of_nothing::run().unwrap();
    assert_eq!(hygienic::run(1).unwrap(), 11);
}

#[test]
fn function_bodies() {
    assert_eq!(one(), (2, 2));
    assert_eq!(other(), (3, 3));
    assert_eq!(1.in_a_method(), 4);
    assert_eq!(in_a_generic_function(12), "1212");
    let in_a_closure = || {
        #[child_entry]
        fn local(x: u32) -> u32 {
            x + 4
        }
        local::run(1).unwrap()
    };
    assert_eq!(in_a_closure(), 5);
}

#[test]
fn as_values() {
    let calls: Vec<fn(u32) -> spawnsafe::Call<u32>> = vec![outer::inner::deep::call, hygienic::call];
    let results: Vec<_> = calls.iter().map(|call| call(1).run().unwrap()).collect();
    assert_eq!(results, [2, 11]);
}
