//! A pool whose workers load a model once and then use it for many texts.
//!
//! The model is loaded by the initializer, in each worker, into a `#[process_local]` static; the tasks find it there. One
//! of the texts makes the code that looks at it crash: that is the error of this text, and the others do not notice.
//!
//! `cargo run --release --example pool`

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use spawnsafe::{ErrorKind, Pool, RemoteError, Stdio, child_entry, process_local, process_main};

/// What words are worth: as good as any model for an example.
struct Model(BTreeMap<String, i32>);

#[process_local]
static MODEL: OnceLock<Model> = OnceLock::new();

#[child_entry]
fn load_model(text: &str) -> Result<(), RemoteError> {
    let mut words = BTreeMap::new();
    for line in text.lines() {
        let (word, worth) = line.split_once(' ').ok_or_else(|| RemoteError::msg(format!("{line:?} has no number")))?;
        words.insert(word.to_owned(), worth.parse()?);
    }
    MODEL.set(Model(words)).map_err(|_| RemoteError::msg("it was loaded before"))
}

#[child_entry]
fn judge(text: &str) -> i32 {
    let Model(words) = MODEL.get().expect("the initializer has loaded it");
    if text.contains("crash") {
        std::process::abort(); // as a bug in a C library would
    }
    text.split_whitespace().filter_map(|word| words.get(word)).sum()
}

#[process_main]
fn main() -> Result<(), spawnsafe::Error> {
    let model = "good 1\nbad -1\nterrible -3";
    let pool = Pool::builder()
        .workers(2)
        .initializer(load_model::call(model))
        .task_timeout(Duration::from_secs(30))
        .stderr(Stdio::null())
        .build()?;

    let texts = ["good and good again", "a terrible day", "this makes it crash", "bad but good"];
    for (text, worth) in texts.iter().zip(pool.map(judge::call, texts)) {
        match worth {
            Ok(worth) => println!("{text}: {worth}"),
            Err(error) if error.kind() == ErrorKind::Signaled => println!("{text}: crashed"),
            Err(error) => return Err(error),
        }
    }

    // As they finish, with the position of each.
    let mut total = 0;
    for (_, worth) in pool.map_unordered(judge::call, std::iter::repeat_n("good", 1000)) {
        total += worth?;
    }
    println!("a thousand good texts: {total}");

    // A model that cannot be loaded is one error, and not a pool that restarts its workers for ever.
    let broken = Pool::builder().workers(1).initializer(load_model::call("good")).build()?;
    let worth = broken.submit(judge::call("x")).and_then(|task| task.join());
    println!("without a model: {}", if worth.is_err() { "an error" } else { "this should not work" });
    pool.join();
    Ok(())
}
