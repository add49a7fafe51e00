// The types of a closure are those of any entry.

use std::rc::Rc;

use spawnsafe::spawn;

fn main() {
    let _ = spawn!(|x: Rc<u32>| -> u32 { *x })(Rc::new(1));
    //~ `Rc<u32>` refers to memory of this process, which a child process does not share
    let _ = spawn!(|x: &mut u32| -> &u32 { x })(&mut 1);
    //~ a child process changes only its own copy, so `&mut` would have no effect here
    //~ a child process cannot lend its memory to its parent
    let _ = spawn!(|x: u8| -> impl Iterator<Item = u8> { 0..x })(1);
    //~ the parent process must know the type that it gets back
    let _ = spawn!(|x: u32| -> u32 { x })("a");
    //~ E0308
}
