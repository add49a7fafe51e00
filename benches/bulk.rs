//! What 64 MiB of arguments and results cost, from the call to its result, the start of the child included.
//!
//! `cargo bench -p spawnsafe-benches --bench bulk [-- ROUNDS]`
//!
//! The yardstick of the same run is a `memcpy` of as much into a fresh buffer. The time that counts includes the making
//! of a result in the child, where its pages are fresh too: what that costs anywhere is a row of its own. A task of a pool
//! finds its worker there, and what it has received goes back to the allocator between the rounds, as in any program.

mod measure;

use std::hint::black_box;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use measure::Times;
use serde::{Deserialize, Serialize};
use spawnsafe::{Call, Pool, SharedSlice, SpawnSafe, child_entry};

const LEN: usize = 64 << 20;

#[child_entry]
fn take_bytes(bytes: Vec<u8>) -> usize {
    bytes.len()
}

#[child_entry]
fn take_lent_bytes(bytes: &[u8]) -> usize {
    bytes.len()
}

#[child_entry]
fn give_bytes(len: usize) -> Vec<u8> {
    vec![b'x'; len]
}

#[child_entry]
fn echo_bytes(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

#[child_entry]
fn take_text(text: String) -> usize {
    text.len()
}

#[child_entry]
fn take_lent_text(text: &str) -> usize {
    text.len()
}

#[child_entry]
fn give_text(len: usize) -> String {
    "x".repeat(len)
}

#[child_entry]
fn echo_text(text: String) -> String {
    text
}

#[child_entry]
fn take_floats(floats: Vec<f64>) -> usize {
    size_of_val(&floats[..])
}

#[child_entry]
fn take_lent_floats(floats: &[f64]) -> usize {
    size_of_val(floats)
}

#[child_entry]
fn echo_floats(floats: Vec<f64>) -> Vec<f64> {
    floats
}

#[derive(Serialize, Deserialize, SpawnSafe)]
struct Series {
    name: String,
    values: Vec<f64>,
}

/// Serde's derive hands the numbers over one by one.
#[child_entry]
fn take_series(series: Series) -> usize {
    size_of_val(&series.values[..])
}

#[child_entry]
fn take_shared(floats: SharedSlice<f64>) -> usize {
    size_of_val(&floats[..])
}

#[child_entry]
fn read_shared(floats: SharedSlice<f64>) -> usize {
    assert_eq!(floats.iter().sum::<f64>(), 1.5 * floats.len() as f64);
    size_of_val(&floats[..])
}

/// A pool of one worker.
static POOL: LazyLock<Pool> = LazyLock::new(|| Pool::builder().workers(1).build().expect("there can be a worker"));

/// The slice that is shared by all rounds.
static SHARED: LazyLock<SharedSlice<f64>> =
    LazyLock::new(|| SharedSlice::copy_of(&floats()).expect("there can be shared memory"));

fn in_pool<R>(call: Call<R>) -> Result<R, spawnsafe::Error> {
    POOL.submit(call)?.join()
}

/// One thing that is measured: takes its own input, which it may give up, and tells how long the call took.
type Measurement = fn(&[u8]) -> Result<Duration, spawnsafe::Error>;

/// What it is, how many bytes it moves between processes, and how.
const MEASUREMENTS: [(&str, usize, Measurement); 24] = [
    ("memcpy into a fresh buffer", LEN, |bytes| timed((), |()| Ok(black_box(bytes.to_vec()).len()))),
    ("memcpy into a used buffer", LEN, |bytes| {
        let mut used = vec![1; LEN];
        timed((), |()| {
            used.copy_from_slice(bytes);
            Ok(black_box(&used).len())
        })
    }),
    ("making a result, in this process", LEN, |_| timed(LEN, |len| Ok(black_box(give_bytes(len)).len()))),
    ("Vec<u8> as argument", LEN, |bytes| timed(bytes.to_vec(), take_bytes::run)),
    ("&[u8] as argument", LEN, |bytes| timed((), |()| take_lent_bytes::run(bytes))),
    ("Vec<u8> as result", LEN, |_| timed(LEN, |len| give_bytes::run(len).map(|bytes| bytes.len()))),
    ("Vec<u8> there and back", 2 * LEN, |bytes| {
        timed(bytes.to_vec(), |bytes| echo_bytes::run(bytes).map(|bytes| bytes.len()))
    }),
    ("String as argument", LEN, |bytes| timed(text(bytes), take_text::run)),
    ("&str as argument", LEN, |bytes| {
        let text = std::str::from_utf8(bytes).expect("it is ASCII");
        timed((), |()| take_lent_text::run(text))
    }),
    ("String as result", LEN, |_| timed(LEN, |len| give_text::run(len).map(|text| text.len()))),
    ("String there and back", 2 * LEN, |bytes| timed(text(bytes), |text| echo_text::run(text).map(|text| text.len()))),
    ("Vec<f64> as argument", LEN, |_| timed(floats(), take_floats::run)),
    ("&[f64] as argument", LEN, |_| {
        let floats = floats();
        timed((), |()| take_lent_floats::run(&floats))
    }),
    ("Vec<f64> there and back", 2 * LEN, |_| {
        timed(floats(), |floats| echo_floats::run(floats).map(|floats| size_of_val(&floats[..])))
    }),
    ("Vec<f64> in a struct, as argument", LEN, |_| {
        timed(Series { name: "x".into(), values: floats() }, take_series::run)
    }),
    ("pool: Vec<u8> as argument", LEN, |bytes| timed(bytes.to_vec(), |bytes| in_pool(take_bytes::call(bytes)))),
    ("pool: &[u8] as argument", LEN, |bytes| timed((), |()| in_pool(take_lent_bytes::call(bytes)))),
    ("pool: Vec<u8> as result", LEN, |_| timed(LEN, |len| in_pool(give_bytes::call(len)).map(|bytes| bytes.len()))),
    ("pool: Vec<u8> there and back", 2 * LEN, |bytes| {
        timed(bytes.to_vec(), |bytes| in_pool(echo_bytes::call(bytes)).map(|bytes| bytes.len()))
    }),
    ("pool: Vec<f64> as argument", LEN, |_| timed(floats(), |floats| in_pool(take_floats::call(floats)))),
    ("pool: &[f64] as argument", LEN, |_| {
        let floats = floats();
        timed((), |()| in_pool(take_lent_floats::call(&floats)))
    }),
    ("pool: Vec<f64> there and back", 2 * LEN, |_| {
        timed(floats(), |floats| in_pool(echo_floats::call(floats)).map(|floats| size_of_val(&floats[..])))
    }),
    ("pool: SharedSlice<f64>", LEN, |_| timed((), |()| in_pool(take_shared::call(SHARED.clone())))),
    ("pool: SharedSlice<f64>, all read", LEN, |_| timed((), |()| in_pool(read_shared::call(SHARED.clone())))),
];

#[spawnsafe::process_main]
fn main() -> Result<(), spawnsafe::Error> {
    let rounds = measure::rounds(30);
    measure::print_machine();
    println!("{rounds} rounds of {} MiB; in brackets the range of the ratio over 8 blocks of rounds\n", LEN >> 20);
    let bytes = vec![b'x'; LEN];
    let mut all = MEASUREMENTS.map(|_| Times::default());
    for round in 0..=rounds {
        for (times, (_, _, measurement)) in all.iter_mut().zip(MEASUREMENTS) {
            let time = measurement(&bytes)?;
            // The first round meets cold caches.
            if round > 0 {
                times.push(time);
            }
        }
    }
    println!("{:<33} {:>9} {:>9} {:>9} {:>9}   ratio to memcpy", "", "p25 ms", "median ms", "p75 ms", "MB/s");
    for ((name, moved, _), times) in MEASUREMENTS.iter().zip(&all) {
        let [p25, median, p75] = [0.25, 0.5, 0.75].map(|share| times.quantile(share).as_secs_f64() * 1e3);
        let ratio = times.ratio_to(&all[0]);
        let rate = *moved as f64 / median / 1e3;
        println!("{name:<33} {p25:>9.1} {median:>9.1} {p75:>9.1} {rate:>9.0}   {ratio}");
    }
    measure::print_machine();
    Ok(())
}

/// Times the call alone: `input` is made before.
fn timed<I>(input: I, call: impl FnOnce(I) -> Result<usize, spawnsafe::Error>) -> Result<Duration, spawnsafe::Error> {
    let input = black_box(input);
    let start = Instant::now();
    let len = call(input)?;
    let time = start.elapsed();
    assert_eq!(len, LEN);
    Ok(time)
}

fn floats() -> Vec<f64> {
    vec![1.5; LEN / size_of::<f64>()]
}

fn text(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).expect("it is ASCII").to_owned()
}
