// Helpers are checked as entries are.

use std::sync::Mutex;

static DB: Mutex<u32> = Mutex::new(0);

#[spawnsafe::spawn_safe]
pub fn function() -> u32 {
    *DB.lock().unwrap()
    //~ Mutex<u32>` belongs to the process that set it
}

pub struct Job<const DB: u32>;

#[spawnsafe::spawn_safe]
impl Job<1> {
    pub fn method(&self) -> u32 {
        *DB.lock().unwrap()
        //~ Mutex<u32>` belongs to the process that set it
    }
}

#[spawnsafe::spawn_safe]
pub mod module {
    use super::DB;

    pub trait Counts {
        fn count(&self) -> u32 {
            *DB.lock().unwrap()
            //~ Mutex<u32>` belongs to the process that set it
        }
    }

    pub mod inner {
        pub fn function() -> u32 {
            *super::DB.lock().unwrap()
            //~ Mutex<u32>` belongs to the process that set it
        }
    }
}

/// Functions by themselves, of which the attribute does not see what is around them.
impl Job<2> {
    #[spawnsafe::spawn_safe]
    pub fn associated() -> u32 {
        *DB.lock().unwrap()
        //~ this `std::sync::Mutex<u32>` belongs to the process that set it
    }

    #[spawnsafe::spawn_safe]
    pub fn of_its_own(&self) -> u32 {
        static OWN: Mutex<u32> = Mutex::new(0);
        *OWN.lock().unwrap()
        //~ this `std::sync::Mutex<u32>` belongs to the process that set it
    }
}

fn main() {}
