// A runtime's attribute below `#[process_main]`: a child does not start the runtime.

use spawnsafe::{child_entry, process_main};

#[child_entry]
fn has_runtime() -> bool {
    tokio::runtime::Handle::try_current().is_ok()
}

#[process_main]
#[tokio::main]
async fn main() -> Result<(), spawnsafe::Error> {
    assert!(has_runtime());
    assert!(!has_runtime::run()?);
    Ok(())
}
