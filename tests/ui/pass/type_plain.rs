// std's plain types and containers, by value and lent.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use spawnsafe::{child_entry, process_main};

type Owned = (u8, String, Vec<Option<(u32, f64)>>, HashMap<String, Vec<u8>>, [u8; 4], Duration, PathBuf, ());

#[child_entry]
fn same(
    a: u8,
    b: String,
    c: Vec<Option<(u32, f64)>>,
    d: HashMap<String, Vec<u8>>,
    e: [u8; 4],
    f: Duration,
    g: PathBuf,
    h: (),
) -> Result<Owned, String> {
    Ok((a, b, c, d, e, f, g, h))
}

#[child_entry]
fn lent(a: &u8, b: &str, c: &[u32], d: &Path, e: &OsStr, f: &Vec<String>, g: &(u8, String)) -> String {
    format!("{a} {b} {c:?} {d:?} {e:?} {f:?} {g:?}")
}

#[child_entry]
fn nothing() {}

#[child_entry]
#[allow(clippy::unused_unit)]
fn unit() -> () {}

#[process_main]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let map = HashMap::from([("k".to_owned(), vec![1, 2])]);
    let owned = (1, "b".to_owned(), vec![None, Some((1, 0.5))], map, [1, 2, 3, 4], Duration::MAX, "g".into(), ());
    let (a, b, c, d, e, f, g, h) = owned.clone();
    assert_eq!(same::run(a, b, c, d, e, f, g, h)??, owned);

    let (c, d, e, f, g) = ([1, 2], Path::new("d"), OsStr::new("e"), vec!["f".to_owned()], (1, "g".to_owned()));
    assert_eq!(lent::run(&1, "b", &c, d, e, &f, &g)?, lent(&1, "b", &c, d, e, &f, &g));

    let ((), ()) = (nothing::run()?, unit::run()?);
    Ok(())
}
