//! A program with two entries of one name, and one that is alone.

mod first {
    #[spawnsafe::child_entry(name = "same")]
    pub(crate) fn one() -> u32 {
        1
    }
}

mod second {
    #[spawnsafe::child_entry(name = "same")]
    pub(crate) fn two() -> u32 {
        2
    }
}

#[spawnsafe::child_entry]
fn alone() -> u32 {
    3
}

#[spawnsafe::process_main]
fn main() {
    for error in [first::one::run().unwrap_err(), second::two::run().unwrap_err()] {
        println!("{:?}: {error}", error.kind());
    }
    println!("{:?}", alone::run());
}
