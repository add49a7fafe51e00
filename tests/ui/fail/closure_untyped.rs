// Parameters without a type, and a result without one.

use spawnsafe::spawn;

fn main() {
    let child = spawn!(|x, (a, _): (u8, u8), [b, c]| -> u32 { x + u32::from(a + b + c) })(1, (2, 3), [4, 5]);
    //~ a parameter needs a type here: the child process makes its value anew, from bytes
    //~ a parameter needs a type here: the child process makes its value anew, from bytes
    let _: u32 = child.unwrap().join().unwrap().pow(2);
    let _ = spawn!(|x: u32| x + 1)(1);
    //~ E0308
    let _ = spawn!(|x: _| -> u32 { x })(1);
    //~ E0121
}
