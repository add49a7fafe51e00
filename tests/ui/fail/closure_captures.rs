// A closure becomes a function of its own, which captures nothing: rustc says so at the name.

use spawnsafe::spawn;

fn main() {
    let limit = 5;
    let _ = spawn!(|x: u32| -> bool { x < limit })(1);
    //~ E0434
    let _ = spawn!(|x: u32| -> String { format!("{x} of {limit}") })(1);
    //~ E0434
}
