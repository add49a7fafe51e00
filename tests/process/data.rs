//! What is passed arrives, in every form that a parameter can have.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ffi::{CStr, OsStr, OsString};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use spawnsafe::{SpawnSafe, child_entry};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, SpawnSafe)]
struct Job {
    id: u32,
    tags: Vec<Option<Option<String>>>,
    weights: BTreeMap<u8, f64>,
}

fn job() -> Job {
    Job {
        id: 7,
        tags: vec![None, Some(None), Some(Some("x".into()))],
        weights: BTreeMap::from([(1, f64::MIN_POSITIVE)]),
    }
}

#[child_entry]
fn lent(
    text: &str,
    numbers: &[u16],
    path: &Path,
    job: &Job,
    os: &OsStr,
    c: &CStr,
) -> (String, Vec<u16>, PathBuf, Job, OsString, usize) {
    (text.into(), numbers.into(), path.into(), job.clone(), os.into(), c.count_bytes())
}

#[test]
fn lent_arguments() {
    let arguments = ("ä", &[1, 2][..], Path::new("/tmp"), &job(), OsStr::new("os"), c"four");
    let (text, numbers, path, job, os, c) = arguments;
    assert_eq!(lent::run(text, numbers, path, job, os, c).unwrap(), lent(text, numbers, path, job, os, c));
}

#[child_entry]
fn owned(jobs: Vec<Job>, map: HashMap<String, (u8, char)>, nothing: ()) -> (usize, HashMap<String, (u8, char)>) {
    let () = nothing;
    (jobs.len(), map)
}

#[test]
fn owned_arguments() {
    let map = HashMap::from([("k".to_owned(), (1, 'é'))]);
    assert_eq!(owned::run(vec![job(); 3], map.clone(), ()).unwrap(), (3, map));
}

#[child_entry]
fn borrowing<'a>(text: Cow<'a, str>, other: Cow<'_, [u8]>) -> usize {
    text.len() + other.len()
}

#[test]
fn arguments_whose_types_borrow() {
    let local = String::from("local");
    assert_eq!(borrowing::run(Cow::Borrowed(&local), Cow::Owned(vec![1, 2])).unwrap(), 7);
}

#[child_entry]
fn same_bytes(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

#[child_entry]
fn same_text(text: String) -> Result<String, String> {
    Ok(text)
}

#[child_entry]
fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().copied().map(u64::from).sum()
}

#[test]
fn long_arguments_and_results() {
    for len in [0, 1, 65_535, 65_536, 1 << 20, 100 << 20] {
        let bytes: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
        assert_eq!(sum::run(&bytes).unwrap(), sum(&bytes));
        let text = "x".repeat(len);
        assert_eq!(same_text::run(text.clone()).unwrap().unwrap().len(), text.len());
        assert!(same_bytes::run(bytes.clone()).unwrap() == bytes);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn paths_that_are_not_unicode() {
    use std::os::unix::ffi::OsStrExt as _;

    #[child_entry]
    fn paths(one: &Path, other: PathBuf, list: Vec<PathBuf>) -> Vec<PathBuf> {
        [vec![one.into(), other], list].concat()
    }

    let path = Path::new(OsStr::from_bytes(b"/\xff\xfe"));
    let all = paths::run(path, path.into(), vec![path.into()]).unwrap();
    assert_eq!(all, [path, path, path]);
}

#[child_entry]
fn deep(list: serde_json_like::Value) -> serde_json_like::Value {
    list
}

/// A recursive type, as those of data formats.
mod serde_json_like {
    use serde::{Deserialize, Serialize};

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, spawnsafe::SpawnSafe)]
    #[serde(untagged)]
    pub(super) enum Value {
        Number(i64),
        List(Vec<Value>),
    }
}

#[test]
fn deep_nesting_arrives_and_too_deep_nesting_is_an_error() {
    use serde_json_like::Value;

    let nested = |levels| (0..levels).fold(Value::Number(1), |value, _| Value::List(vec![value]));
    assert_eq!(deep::run(nested(300)).unwrap(), nested(300));
    let too_deep = std::thread::Builder::new().stack_size(256 << 20).spawn(move || {
        let value = nested(20_000);
        let error = deep::run(value.clone()).unwrap_err();
        assert!(error.to_string().contains("levels deep"), "{error}");
    });
    too_deep.unwrap().join().unwrap();
}

#[child_entry]
fn sum_of_bytes(bytes: Vec<u8>) -> u64 {
    bytes.iter().map(|&byte| u64::from(byte)).sum()
}

#[test]
fn a_long_argument_arrives_although_the_thread_that_passes_it_ends() {
    let bytes: Vec<u8> = (0..8_000_000_u32).map(|at| at as u8).collect();
    let sum: u64 = bytes.iter().map(|&byte| u64::from(byte)).sum();
    // More than a connection takes at once, so that most of it is still to be written when the thread ends.
    let child = std::thread::spawn(move || sum_of_bytes::spawn(bytes).unwrap()).join().unwrap();
    assert_eq!(child.join().unwrap(), sum);
}
