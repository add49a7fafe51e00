// What becomes of a lost task, in words that there are not, or too often.

#![allow(unused)]

use spawnsafe::child_entry;

#[child_entry(on_loss = again)]
//~ `on_loss` says what becomes of a task whose worker or node has vanished
fn unknown() {}

#[child_entry(on_loss = retry)]
//~ `on_loss` says what becomes of a task whose worker or node has vanished
fn without_number() {}

#[child_entry(on_loss = retry())]
//~ `retry` takes a number from 1 to 65535
fn with_nothing() {}

#[child_entry(on_loss = retry(0))]
//~ `retry` takes a number from 1 to 65535
fn never() {}

#[child_entry(on_loss = retry("3"))]
//~ `retry` takes a number from 1 to 65535
fn text() {}

#[child_entry(on_loss = retry(3, 4))]
//~ `retry` takes a number from 1 to 65535
fn two_numbers() {}

#[child_entry(on_loss = fail(3))]
//~ `on_loss` says what becomes of a task whose worker or node has vanished
fn fails_how_often() {}

#[child_entry(on_loss = 3)]
//~ `on_loss` says what becomes of a task whose worker or node has vanished
fn number() {}

#[child_entry(on_loss = retry(3), on_loss = fail)]
//~ the option `on_loss` is given twice
fn twice() {}

#[child_entry(on_loss)]
//~ the option `on_loss` needs a value
fn nothing() {}

fn main() {}
