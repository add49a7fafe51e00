// A `static mut`, in all the ways in which it can be used.

struct Pair(u32, u32);

static mut VALUE: u32 = 0;
static mut COUNT: u32 = 0;
static mut PAIR: Pair = Pair(0, 0);
static mut ADDRESS: u32 = 0;
static mut OLD: u32 = 0;

unsafe extern "C" {
    static ENVIRON: *const u8;
}

#[spawnsafe::child_entry]
fn entry() -> u32 {
    let address = &raw mut ADDRESS;
    //~ constant accesses mutable global memory
    let old = std::ptr::addr_of!(OLD);
    //~ constant accesses mutable global memory
    unsafe {
        COUNT += 1;
        //~ constant accesses mutable global memory
        let _ = ENVIRON.is_null();
        //~ extern static
        VALUE + PAIR.1 + *address + *old
        //~ constant accesses mutable global memory
        //~ constant accesses mutable global memory
    }
}

fn main() {}
