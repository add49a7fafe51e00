//! A program that only says that it has the crate, and names nothing of it.

use spawnsafe::Engine;
use spawnsafe_nats as _;

#[test]
fn the_url_is_known() {
    let engine: Engine = "nats://user:secret@localhost?app=a&version=2".parse().unwrap();
    assert_eq!(engine.to_string(), "nats://localhost?app=a&version=2");
    let error = "nats://localhost?app=a.b".parse::<Engine>().unwrap_err().to_string();
    assert!(error.contains("app=a.b"), "{error}");
}
