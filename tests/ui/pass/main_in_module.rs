// `main` by way of a `use`.

mod program {
    #[spawnsafe::child_entry]
    fn double(x: u32) -> u32 {
        x * 2
    }

    #[spawnsafe::process_main]
    pub fn main() {
        assert_eq!(double::run(2).unwrap(), 4);
    }
}

use program::main;
