//! One suite for all engines.

use super::{command, pool, square, works};

#[test]
fn first() {
    let pool = pool(command()).build().unwrap();
    assert_eq!(pool.submit(square::call(12)).unwrap().join().unwrap(), 144);
    works(&pool);
}
