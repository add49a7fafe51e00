//! A stream of results from one call: a child finds prime numbers, and this process takes them as they come.
//!
//! `cargo run --example generator`
//!
//! The child works ahead as far as the channel has room, and then waits. When this process has seen enough it drops its
//! end: the child's next `send` fails, and the child ends.

use spawnsafe::{Error, ErrorKind, Sender, channel, child_entry, process_main};

#[child_entry]
fn primes(from: u64, found: Sender<u64>) -> Result<u64, Error> {
    let mut sent = 0;
    for number in from.. {
        let is_prime = number > 1 && (2..).take_while(|n| n * n <= number).all(|n| number % n != 0);
        if !is_prime {
            continue;
        }
        match found.send(number) {
            Ok(()) => sent += 1,
            Err(error) if error.kind() == ErrorKind::Closed => break, // nobody wants more
            Err(error) => return Err(error.into()),
        }
    }
    Ok(sent)
}

#[process_main]
fn main() -> Result<(), Error> {
    let (found, numbers) = channel()?;
    let child = primes::spawn(1_000_000, found)?;
    for number in numbers.into_iter().take(5) {
        println!("{}", number?); // the child is looking for the next ones meanwhile
    }
    // `numbers` is gone, so the child ends by itself.
    let sent = child.join()??;
    println!("the child has sent at least what we took: {}", sent >= 5);
    Ok(())
}
