// Initializers that lean on the type of the static.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, OnceLock, RwLock};

use spawnsafe::{inherit, process_local};

#[process_local]
static NAMES: RwLock<&[&str]> = RwLock::new(&["a"]);

#[process_local]
static FUNCTIONS: [fn(u32) -> u32; 1] = [|x| x + 1];

#[process_local]
static LAZY: LazyLock<HashMap<u32, Vec<u32>>> = LazyLock::new(|| HashMap::from([(1, Vec::new())]));

#[process_local]
static BOXED: Mutex<Option<Box<dyn Fn() -> u32 + Send>>> = Mutex::new(None);

#[inherit]
static COMPUTED: std::sync::LazyLock<HashMap<u32, Vec<u32>>> = std::sync::LazyLock::new(|| {
    let mut map = HashMap::new();
    map.insert(1, Vec::new());
    map
});

#[inherit]
static LIST: Mutex<Vec<u32>> = {
    const EMPTY: Vec<u32> = Vec::new();
    Mutex::new(EMPTY)
};

#[inherit]
pub(crate) static r#TYPE: OnceLock<String> = OnceLock::new();

fn locks(list: &Mutex<Vec<u32>>) -> usize {
    list.lock().unwrap().len()
}

fn keeps() -> &'static OnceLock<String> {
    &r#TYPE
}

fn main() {
    assert_eq!(FUNCTIONS[0](NAMES.read().unwrap().len() as u32), 2);
    assert_eq!(LAZY[&1].len() + COMPUTED[&1].len() + locks(&LIST), 0);
    *BOXED.lock().unwrap() = Some(Box::new(|| 1));
    assert!(keeps().get().is_none());
    assert_eq!(format!("{:?} {LIST:?}", *LIST), format!("{LIST:?} {:?}", *LIST));
}
