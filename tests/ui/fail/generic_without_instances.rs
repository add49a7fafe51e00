// A generic entry that lists no instance: the message shows the line to write.

use spawnsafe::child_entry;

#[child_entry]
fn largest<T: Ord>(list: Vec<T>) -> Option<T> {
//~ a generic child entry stands for many functions, and the child process must find each by its name
    list.into_iter().max()
}

#[child_entry]
fn repeat<'a, T: From<&'a str>, const N: usize, const FLAG: bool>(text: &'a str) -> Vec<T> {
//~ a generic child entry stands for many functions, and the child process must find each by its name
    (0..N).map(|_| text.into()).collect()
}

fn main() {
    let _: Option<u32> = largest::run(vec![1]).unwrap();
    let _ = repeat::spawn::<String, 2, true>("a").unwrap().join().unwrap().len();
}
