//! `spawn!` and `call!` wherever an expression may stand.

use spawnsafe::{Error, call, child_entry, spawn};

const OFFSET: u32 = 3;

fn helper(x: u32) -> u32 {
    x + OFFSET
}

mod inner {
    pub(super) fn doubles() -> impl Fn(u32) -> Result<spawnsafe::Child<u32>, spawnsafe::Error> {
        spawnsafe::spawn!(|x: u32| -> u32 { super::helper(x) * 2 })
    }

    /// Names that generated code would stumble over.
    pub(super) mod shadowing {
        #![allow(non_camel_case_types, dead_code)]
        struct Result;
        struct Option;
        struct String;
        mod std {}
        mod core {}

        pub(crate) fn adds() -> u32 {
            spawnsafe::spawn!(|r#type: u32, unpacker: u32| -> u32 { r#type + unpacker })(1, 2).unwrap().join().unwrap()
        }
    }
}

/// Two closures of one text in one expansion, which have the same place.
macro_rules! both {
    ($($closure:tt)*) => {
        (spawnsafe::spawn!($($closure)*), spawnsafe::call!($($closure)*))
    };
}

macro_rules! constants {
    ($($value:expr),*) => {
        [$(spawnsafe::spawn!(|| -> u32 { $value })().unwrap().join().unwrap()),*]
    };
}

#[test]
fn a_value_like_any_function() -> Result<(), Error> {
    let repeat = spawn!(|x: u32, text: &str| -> String { format!("{text}{}", helper(x) + OFFSET) });
    assert_eq!(repeat(1, "a")?.join()?, "a7");
    assert_eq!(repeat(2, &String::from("b"))?.join()?, "b8");
    let squares: Result<Vec<_>, _> = (0..3).map(spawn!(|x: u32| -> u32 { x * x })).collect();
    let squares: Result<Vec<u32>, _> = squares?.into_iter().map(spawnsafe::Child::join).collect();
    assert_eq!(squares?, [0, 1, 4]);
    assert_eq!(inner::doubles()(1)?.join()?, 8);
    Ok(())
}

#[test]
fn several_of_one_type() -> Result<(), Error> {
    let both = [spawn!(|text: &str| -> usize { text.len() }), spawn!(|text: &str| -> usize { text.len() + 1 })];
    let lengths: Result<Vec<_>, _> = both.into_iter().map(|one| one(&String::from("abc"))?.join()).collect();
    assert_eq!(lengths?, [3, 4]);
    let chosen = match both.len() {
        2 => call!(|x: u32, _more: &[u8]| -> u32 { x }),
        _ => call!(|_: u32, _more: &[u8]| -> u32 { 0 }),
    };
    assert_eq!(chosen(1, &[]).run()?, 1);
    const CONSTANT: fn(u8) -> spawnsafe::Call<u8> = call!(|x: u8| -> u8 { x });
    assert_eq!(CONSTANT(2).run()?, 2);
    let named = call!(for<'a> |x: &'a str, y: std::borrow::Cow<'a, str>| -> usize { x.len() + y.len() });
    assert_eq!(named("a", "b".into()).run()?, 2);
    Ok(())
}

#[test]
fn in_one_expression() -> Result<(), Error> {
    assert_eq!(spawn!(|| -> u32 { 7 })()?.join()?, 7);
    spawn!(|| assert!(std::thread::current().id() == std::thread::current().id()))()?.join()?;
    assert_eq!(
        call!(|list: &[u32], (a, _): (u8, u8)| -> usize { list.len() + usize::from(a) })(&[1], (2, 3)).run()?,
        3
    );
    assert_eq!(call!(for<'a> |one: &'a str, other: &'a str| -> usize { one.max(other).len() })("a", "bc").run()?, 2);
    Ok(())
}

#[test]
fn with_a_question_mark_inside() -> Result<(), Error> {
    let parse = call!(|text: String| -> Result<u32, String> {
        let number: u32 = text.parse().map_err(|_| format!("{text}?"))?;
        Ok(number)
    });
    assert_eq!(parse("12".into()).run()?, Ok(12));
    assert_eq!(parse("x".into()).run()?, Err("x?".into()));
    Ok(())
}

fn generic<T: ToString>(value: &T) -> usize {
    spawn!(|text: &str| -> usize { text.len() })(&value.to_string()).unwrap().join().unwrap()
}

#[test]
fn in_generic_functions_closures_and_closures_of_their_own() -> Result<(), Error> {
    assert_eq!((generic(&12), generic(&"abc")), (2, 3));
    let outer = |x: u32| spawn!(|x: u32| -> u32 { x + 1 })(x).unwrap().join().unwrap();
    assert_eq!(outer(1), 2);
    let nested = spawn!(|x: u32| -> u32 {
        let grandchild = spawn!(|x: u32| -> u32 { x + 10 })(x);
        grandchild.unwrap().join().unwrap() + 100
    });
    assert_eq!(nested(1)?.join()?, 111);
    Ok(())
}

#[child_entry]
fn entry_with_closure(x: u32) -> u32 {
    call!(|x: u32| -> u32 { x + 1 })(x).run().unwrap()
}

#[test]
fn in_an_entry() {
    assert_eq!(entry_with_closure::run(1).unwrap(), 2);
}

#[test]
fn in_macros() {
    let (spawned, called) = both!(|x: u32| -> u32 { x + 1 });
    assert_eq!((spawned(1).unwrap().join().unwrap(), called(1).run().unwrap()), (2, 2));
    assert_eq!(constants!(1, 2, 1 + 2), [1, 2, 3]);
    assert_eq!(inner::shadowing::adds(), 3);
}

#[test]
fn errors_say_where_it_is() {
    let error = call!(|| panic!("nothing"))().stderr(spawnsafe::Stdio::null()).run().unwrap_err();
    let name = format!("{}::{{closure@{}:", module_path!(), line!() - 1);
    assert!(error.entry().unwrap().starts_with(&name), "{error}");
}
