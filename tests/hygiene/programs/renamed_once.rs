// A library of another name, told once for all attributes.

extern crate processes as spawnsafe;

mod deeper {
    use std::sync::OnceLock;

    use processes::{SpawnSafe, child_entry, inherit, process_local, spawn_safe};

    #[derive(serde::Serialize, serde::Deserialize, SpawnSafe)]
    pub struct Job(pub u32);

    #[inherit]
    pub static LEVEL: OnceLock<u32> = OnceLock::new();

    #[process_local]
    static CACHE: OnceLock<u32> = OnceLock::new();

    #[spawn_safe]
    fn cached() -> u32 {
        *CACHE.get_or_init(|| 1)
    }

    #[child_entry]
    pub fn work(job: Job) -> u32 {
        job.0 + LEVEL.get().unwrap() + cached()
    }
}

#[processes::process_main]
fn main() -> Result<(), processes::Error> {
    deeper::LEVEL.set(2).unwrap();
    println!("{}", deeper::work::run(deeper::Job(3))?);
    println!("{}", processes::spawn!(|x: u32| -> u32 { x + 1 })(1)?.join()?);
    Ok(())
}
