// Whoever calls a faulty entry is not at fault: there is no error but the first.

use spawnsafe::child_entry;

#[child_entry]
fn append(list: &mut Vec<u32>, Point { x, .. }: Point) -> usize {
//~ a child process changes only its own copy, so `&mut` would have no effect here
    list.push(x);
    list.len()
}

#[child_entry]
fn head(text: &str) -> &str {
//~ a child process cannot lend its memory to its parent
    text
}

#[child_entry]
fn numbers() -> impl Iterator<Item = u32> {
//~ the parent process must know the type that it gets back
    0..3
}

#[child_entry]
fn largest<T: Ord>(list: Vec<T>) -> Option<T> {
//~ a generic child entry stands for many functions, and the child process must find each by its name
    list.into_iter().max()
}

#[child_entry(nam = "sum")]
//~ `#[child_entry]` has no option `nam`
fn sum(a: u32, b: u32) -> u32 {
    a + b
}

struct Point {
    x: u32,
}

fn main() -> Result<(), spawnsafe::Error> {
    let mut list = vec![];
    let len: usize = append::run(&mut list, Point { x: 1 })?;
    let child = append::spawn(&mut list, Point { x: 1 })?;
    let call = append::call(&mut list, Point { x: 1 }).name("appending");
    println!("{} {len} {} {}", append::NAME, child.join()?, call.run()?);
    append(&mut list, Point { x: 1 });
    println!("{}", head::run("text")?.len());
    println!("{}", numbers::run()?.count());
    println!("{:?}", largest::run(vec![1, 2])?);
    println!("{}", sum::run(1, 2)? + sum(1, 2));
    Ok(())
}
