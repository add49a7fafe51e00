// Lists of instances that do not fit the function.

use spawnsafe::child_entry;

#[child_entry(
    instantiate(T = u32, N = 1),
    instantiate(N = 1, T = u32),
    //~ the child entry has this instance already
    instantiate(T = u32),
    //~ this instance leaves out `N`
    instantiate(U = u8, T = u8, N = 2),
    //~ the function has no parameter `U` to choose
    instantiate(T = u8, T = u16, N = 2),
    //~ `T` is given twice
    instantiate(T, N = 3),
    //~ `instantiate` takes a type or a constant for each parameter of the function
    instantiate(),
    //~ the option `instantiate` needs the types of one instance
    instantiate = u8,
    //~ the option `instantiate` needs the types of one instance
    instantiate
    //~ the option `instantiate` needs the types of one instance
)]
fn several<T, const N: usize>(one: T) -> T {
    one
}

#[child_entry(instantiate(T = u32))]
//~ the function is not generic, so there is nothing to choose
fn plain(x: u32) -> u32 {
    x
}

fn main() {
    let _ = several::run::<u32, 1>(1).unwrap() + plain::run(1).unwrap();
}
