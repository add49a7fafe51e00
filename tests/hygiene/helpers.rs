//! `#[spawn_safe]` on functions of every kind, with names in them that look like statics and are none. That they compile
//! is most of what is tested: each is code as it stands in crates that everyone uses.

#![allow(non_snake_case, non_upper_case_globals, unsafe_code)]
#![allow(clippy::deref_addrof, clippy::needless_borrow, reason = "places are what is asked about")]

use spawnsafe::spawn_safe;

struct Buffer<const LEN: usize>([u8; LEN]);

/// The attribute sees a function, and not the constant parameter of the block that it stands in.
impl<const LEN: usize> Buffer<LEN> {
    #[spawn_safe]
    fn capacity() -> usize {
        assert!(LEN > 0, "{LEN}");
        *(&LEN)
    }

    #[spawn_safe]
    fn is_full(&self, used: usize) -> bool {
        let LIMIT = LEN;
        debug_assert!(used <= LEN && used <= LIMIT);
        matches!(LEN, len if len == used)
    }

    #[spawn_safe]
    fn digits() -> String {
        const LEN_OF_ONE: usize = 1;
        static DIGITS: [char; 2] = ['0', '1'];
        format!("{}{LEN:>LEN_OF_ONE$}", DIGITS[LEN_OF_ONE].min(DIGITS[0]))
    }

    #[spawn_safe]
    unsafe fn sum(&self, bytes: *const u8) -> usize {
        // SAFETY: the caller says that there are as many.
        unsafe { LEN + std::slice::from_raw_parts(bytes, LEN).len() + self.0.len() }
    }
}

trait Lanes<const COUNT: usize> {
    #[spawn_safe]
    fn lanes(&self) -> usize {
        *(&COUNT)
    }
}

impl Lanes<4> for Buffer<1> {}

#[spawn_safe]
impl<const LEN: usize> Drop for Buffer<LEN> {
    fn drop(&mut self) {
        assert_eq!(LEN, self.0.len());
    }
}

struct Flags(u8);

impl Flags {
    const fn bits(&self) -> u8 {
        self.0
    }
}

static flags: Flags = Flags(3);

/// What a function is, as parsers are.
trait Parser {
    fn parse_all(&self, number: u8) -> u8;
}

impl<F: Fn(u8) -> u8> Parser for F {
    fn parse_all(&self, number: u8) -> u8 {
        self(number)
    }
}

fn same<T: Into<u64>>(number: T) -> T {
    number
}

#[spawn_safe]
fn parses(number: u8) -> u8 {
    same.parse_all(number) + flags.bits()
}

#[spawn_safe]
const fn doubled(number: u8) -> u8 {
    number + flags.bits() + (&flags).0
}

#[spawn_safe]
async fn later<T: Default + PartialEq>(one: T) -> bool {
    const TEXT: &str = "";
    one == T::default() && TEXT.is_empty()
}

/// By value, in unsafe code, functions are what stands in lower case.
#[spawn_safe]
unsafe fn called(number: u8) -> u8 {
    let by: unsafe fn(u8) -> u8 = same;
    // SAFETY: what is called is safe.
    let twice: u8 = unsafe { by(number) + [number].map(same)[0] };
    twice + flags.0
}

#[test]
fn functions_do_what_they_did() {
    let buffer = Buffer([1, 2]);
    assert_eq!((Buffer::<2>::capacity(), buffer.is_full(2), &*Buffer::<2>::digits()), (2, true, "02"));
    // SAFETY: the array has as many.
    assert_eq!(unsafe { buffer.sum(buffer.0.as_ptr()) }, 6);
    assert_eq!(Buffer([1]).lanes(), 4);
    assert_eq!((parses(2), doubled(1)), (5, 7));
    // SAFETY: it needs no care.
    assert_eq!(unsafe { called(2) }, 7);
    drop(later(1));
}
