//! The product of two matrices, computed by the workers of a pool that all see the same memory.
//!
//! The matrices are written once, in place, and sealed. What a task is given is their handles and which rows it is to
//! compute; what it gives back is the handle of the rows that it has computed. No number is copied from process to process.
//! In both, `ndarray` sees the memory as a matrix.
//!
//! `cargo run --release --example matrix -- 2000 --times`

use std::error::Error;
use std::ops::Range;
use std::time::Instant;

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2, s};
use spawnsafe::{Pool, RemoteError, SharedBuf, SharedSlice, child_entry, process_main};

/// How many tasks there are for each worker: one that is slower than the others does not hold up the rest.
const TASKS_PER_WORKER: usize = 4;

/// A square matrix, row by row.
fn matrix(numbers: &[f64]) -> Result<ArrayView2<'_, f64>, ndarray::ShapeError> {
    let size = numbers.len().isqrt();
    ArrayView2::from_shape((size, size), numbers)
}

/// These rows of the product.
#[child_entry]
fn multiply(a: SharedSlice<f64>, b: SharedSlice<f64>, rows: Range<usize>) -> Result<SharedSlice<f64>, RemoteError> {
    let (a, b) = (matrix(&a)?, matrix(&b)?);
    let mut product = SharedBuf::zeroed(rows.len() * b.ncols())?;
    let mut view = ArrayViewMut2::from_shape((rows.len(), b.ncols()), &mut product[..])?;
    general_mat_mul(1.0, &a.slice(s![rows, ..]), &b, 0.0, &mut view);
    Ok(product.seal()?)
}

/// Numbers that are the same in every run.
fn filled(size: usize, seed: usize) -> std::io::Result<SharedSlice<f64>> {
    let mut numbers = SharedBuf::zeroed(size * size)?;
    numbers.iter_mut().enumerate().for_each(|(i, number)| *number = ((i * 7919 + seed) % 1009) as f64 / 1009.0);
    numbers.seal()
}

#[process_main]
fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let size: usize = args.next().map_or(Ok(300), |size| size.parse())?;
    let with_times = args.next().is_some_and(|flag| flag == "--times");
    let (a, b) = (filled(size, 1)?, filled(size, 2)?);

    let workers = std::thread::available_parallelism()?.get();
    let pool = Pool::builder().workers(workers).build()?;
    // So that their starts are not timed.
    pool.submit(multiply::call(a.clone(), b.clone(), 0..0))?.join()??;

    let step = size.div_ceil(workers * TASKS_PER_WORKER).max(1);
    let blocks = (0..size).step_by(step).map(|start| start..(start + step).min(size));
    let start = Instant::now();
    let results = pool.map(|rows| multiply::call(a.clone(), b.clone(), rows), blocks);
    let parts = results.map(|rows| Ok(rows??)).collect::<Result<Vec<SharedSlice<f64>>, Box<dyn Error>>>()?;
    let by_the_pool = start.elapsed();

    let start = Instant::now();
    let expected = matrix(&a)?.dot(&matrix(&b)?);
    let by_one_thread = start.elapsed();

    // In the order of the rows.
    let numbers = parts.iter().flatten();
    let agree = numbers.clone().count() == expected.len()
        && numbers.zip(&expected).all(|(x, y)| (x - y).abs() <= 1e-9 * y.abs());
    println!("{size} x {size}, by a pool and by one thread: {}", if agree { "the same" } else { "different" });
    if with_times {
        println!("{workers} workers took {by_the_pool:.1?}, one thread {by_one_thread:.1?}");
    }
    Ok(())
}
