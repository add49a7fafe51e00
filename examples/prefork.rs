//! A web server whose worker processes all accept from one socket, as nginx and Apache do it.
//!
//! The parent binds the address and hands the listening socket, open, to each worker. A request that kills its worker
//! harms nobody else: the parent sees it and starts another, and the address is never free in between.
//!
//! `cargo run --release --example prefork -- 127.0.0.1:8080`, then `curl http://127.0.0.1:8080/`, and `/crash`.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use spawnsafe::{Child, Handle, RemoteError, child_entry, process_main};

const WORKERS: usize = 2;

#[child_entry]
fn serve(listener: &Handle<TcpListener>) -> Result<(), RemoteError> {
    loop {
        let (stream, _) = listener.accept()?;
        // A client that goes away is no reason to stop.
        let _ = answer(stream);
    }
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()))?;
    // The rest of the head ends with an empty line.
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let (status, body) = match request.split(' ').nth(1) {
        Some("/") => ("200 OK", format!("served by process {}\n", std::process::id())),
        Some("/crash") => std::process::abort(), // as a bug in a C library would
        _ => ("404 Not Found", "there is no such page\n".to_owned()),
    };
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

#[process_main]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".into());
    let listener = Handle::new(TcpListener::bind(address)?);
    println!("listening on http://{}/", listener.local_addr()?);

    // Lent, not given: the parent keeps the socket for those that replace others.
    let start = || serve::call(&listener).name("prefork worker").spawn();
    let mut workers: Vec<Child<_>> = (0..WORKERS).map(|_| start()).collect::<Result<_, _>>()?;
    loop {
        for worker in &mut workers {
            match worker.join_timeout(Duration::from_millis(50)) {
                Ok(None) => continue,
                Ok(Some(end)) => end?,
                Err(error) => println!("a worker is replaced: {error}"),
            }
            *worker = start()?;
        }
    }
}
