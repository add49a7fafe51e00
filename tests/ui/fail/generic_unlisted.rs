// A call of a generic entry for types that are not in its list.

use spawnsafe::child_entry;

#[child_entry(instantiate(T = u32), instantiate(T = f64))]
fn largest<T: PartialOrd + Copy>(list: &[T]) -> Option<T> {
    list.iter().copied().reduce(|a, b| if a < b { b } else { a })
}

#[child_entry(instantiate(K = u32, V = String, N = 2))]
fn pairs<K, V, const N: usize>(key: K, value: V) -> usize {
    drop((key, value));
    N
}

fn main() {
    let _ = largest::run(&[1u32]);
    let _ = largest::run(&[1u8]);
    //~ the child entry `largest` has no instance for `T = u8`
    let _ = largest::call::<i64>(&[1]).name("largest");
    //~ the child entry `largest` has no instance for `T = i64`
    let _ = largest::name::<u16>();
    //~ the child entry `largest` has no instance for `T = u16`
    let _ = pairs::spawn::<u32, String, 3>(1, String::new());
    //~ the child entry `pairs` has no instance for `K = u32, V = String, N = 3`
}
