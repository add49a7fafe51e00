// What is allowed and not used has to be there, at least.

struct Job;

#[spawnsafe::child_entry(allow_static(HITS))]
//~ cannot find value `HITS`
fn entry() {}

#[spawnsafe::spawn_safe(allow_static(crate::config::HITS))]
//~ config
impl Job {
    fn work() {}
}

#[spawnsafe::spawn_safe(allow_static(std::sync::HITS))]
//~ cannot find value `HITS` in module `std::sync`
mod jobs {}

impl Job {
    #[spawnsafe::spawn_safe(allow_static(std::env::HITS))]
    //~ cannot find value `HITS` in module `std::env`
    fn associated() {}
}

fn main() {}
