// `move` announces a capture.

use spawnsafe::spawn;

fn main() {
    let name = String::from("a");
    let child = spawn!(move |x: u32| -> usize { name.len() + x as usize })(1);
    //~ there is nothing to `move`: the child process does not have the variables around the closure
    let _: usize = child.unwrap().join().unwrap();
}
