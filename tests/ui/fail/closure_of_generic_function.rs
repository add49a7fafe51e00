// A closure does not know the type parameters of a function around it.

use spawnsafe::spawn;

fn run<T: Default + Into<u32>>() {
    let _ = spawn!(|x: u32| -> u32 { x + T::default().into() })(1);
    //~ E0401
}

fn main() {
    run::<u8>();
}
