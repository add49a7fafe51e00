// Types of the user's own, once they say so: plain, generic, recursive; and one that says so by hand.

use serde::{Deserialize, Serialize};
use spawnsafe::{SpawnSafe, child_entry, process_main};

#[derive(Serialize, Deserialize, SpawnSafe, Debug, Clone, PartialEq)]
struct Pair<T> {
    one: T,
    more: Vec<T>,
}

#[derive(Serialize, Deserialize, SpawnSafe, Debug, Clone, PartialEq)]
enum Tree {
    Leaf(u32),
    Node { children: Vec<Tree>, above: Option<Box<Tree>> },
}

#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
struct ByHand<T>(T);

impl<T: SpawnSafe> SpawnSafe for ByHand<T> {}

#[child_entry]
fn spell(pair: Pair<u8>) -> ByHand<Pair<String>> {
    ByHand(Pair { one: pair.one.to_string(), more: pair.more.iter().map(u8::to_string).collect() })
}

#[child_entry]
fn grow(tree: &Tree) -> Tree {
    Tree::Node { children: vec![tree.clone(), Tree::Leaf(2)], above: Some(Box::new(tree.clone())) }
}

#[process_main]
fn main() -> Result<(), spawnsafe::Error> {
    let pair = Pair { one: 1, more: vec![2, 3] };
    assert_eq!(spell::run(pair.clone())?, spell(pair));
    assert_eq!(grow::run(&Tree::Leaf(1))?, grow(&Tree::Leaf(1)));
    Ok(())
}
