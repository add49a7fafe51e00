// A static that only a module within the entry uses: nothing else of the body has a probe.

#[spawnsafe::child_entry]
fn entry() -> u32 {
    mod inner {
        use std::sync::atomic::{AtomicU32, Ordering};

        static COUNT: AtomicU32 = AtomicU32::new(0);

        pub(super) fn count() -> u32 {
            COUNT.load(Ordering::Relaxed)
            //~ belongs to the process that set it
        }
    }
    inner::count()
}

fn main() {}
