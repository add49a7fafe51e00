//! Programs whose zygote something happens to, or that change what their children inherit: one for each name that is given as
//! the first argument. Each panics if what it is about does not hold; what it prints is for the test.

#[cfg(target_os = "linux")]
#[path = "zygotes/linux.rs"]
mod system;

#[spawnsafe::process_main]
fn main() {
    #[cfg(target_os = "linux")]
    system::run(&std::env::args().nth(1).expect("the name of a scenario"));
    #[cfg(not(target_os = "linux"))]
    println!(
        "{}",
        spawnsafe_tests::entries::adds::call(1, 2).start_method(spawnsafe::StartMethod::Zygote).run().unwrap_err()
    );
}
