// What a feature gives that is not switched on.

#![allow(unused)]

use spawnsafe::{Call, Child, Error, Pool, PoolBuilder, child_entry};

#[child_entry]
fn square(x: u32) -> u32 {
    x * x
}

async fn awaits(child: Child<u32>) -> Result<u32, Error> {
    child.await
    //~ is not a future
}

fn shows_progress(pool: &Pool) -> usize {
    pool.map(square::call, 0..3).with_progress("squaring").count()
    //~ this needs the feature `progress` of spawnsafe
}

fn shows_progress_unordered(pool: &Pool) -> usize {
    pool.map_unordered(square::call, 0..3).with_progress("squaring").count()
    //~ this needs the feature `progress` of spawnsafe
}

fn forwards(call: Call<u32>) -> Call<u32> {
    call.forward_events(true)
    //~ this needs the feature `tracing` of spawnsafe
}

fn forwards_all(pool: PoolBuilder) -> PoolBuilder {
    pool.forward_events(true)
    //~ this needs the feature `tracing` of spawnsafe
}

fn main() {}
