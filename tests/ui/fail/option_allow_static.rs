// `allow_static` takes paths.

static X: u8 = 1;
static Y: u8 = 1;

#[spawnsafe::child_entry(allow_static)]
//~ the option `allow_static` needs a value
fn no_list() {}

#[spawnsafe::child_entry(allow_static())]
//~ the option `allow_static` needs a value
fn empty() {}

#[spawnsafe::child_entry(allow_static("X"))]
//~ `allow_static` takes the paths of statics
fn text() {}

#[spawnsafe::child_entry(allow_static(X), allow_static(Y))]
//~ the option `allow_static` is given twice
fn twice() {}

fn main() {}
