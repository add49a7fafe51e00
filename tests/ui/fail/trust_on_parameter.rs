// Where `#[trust]` says nothing.

use spawnsafe::child_entry;

#[child_entry]
fn work(
    #[trust] text: &str,
    //~ this one can be passed as it is
    #[trust]
    #[trust]
    //~ `#[trust]` is given twice
    twice: u8,
    #[trust = "me"]
    //~ `#[trust]` takes no options
    options: u8,
) -> usize {
    text.len() + usize::from(twice) + usize::from(options)
}

fn main() -> Result<(), spawnsafe::Error> {
    println!("{}", work::run("", 1, 2)? + work("", 1, 2));
    Ok(())
}
