//! OpenSSH: a server of the tests' own, on this machine, with keys of its own, which touches no account and no setting.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use spawnsafe::{Engine, ErrorKind};
use spawnsafe_tests::{eventually, is_running};

use super::network::Network;
use super::{pool, square, squares_slowly, works};

/// Where systems have the server, which is in nobody's `PATH`.
const SERVERS: [&str; 3] = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/lib/ssh/sshd"];

crate::common::suite!(one_host, super::engine("m1"));
crate::common::suite!(three_hosts, super::engine("m1,m2,m3"));

/// Hosts `m1` to `m3` of the configuration of [`directory`]; `None`, and a line that says why, where there is no server.
fn engine(hosts: &str) -> Option<Engine> {
    let directory = directory()?;
    Some(format!("ssh:-F {} {hosts}", directory.join("config").display()).parse().unwrap())
}

/// The directory of the server that runs for all tests of this process.
fn directory() -> Option<&'static Path> {
    static DIRECTORY: OnceLock<Option<PathBuf>> = OnceLock::new();
    let start = || {
        let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap();
        let (directory, servers) = start(&[("m1 m2 m3", address, &[])])?;
        // Their inputs stay open for as long as this process lives.
        servers.into_iter().for_each(std::mem::forget);
        Some(directory)
    };
    let directory = DIRECTORY.get_or_init(start);
    if directory.is_none() {
        println!("left out: there is no sshd");
    }
    directory.as_deref()
}

/// Starts servers, each for these names, at this address and behind this prefix. They end with this process, or when they
/// are dropped, as does the directory: the inputs of their shells do. `None` where there is no server.
fn start(places: &[(&str, SocketAddr, &[&str])]) -> Option<(PathBuf, Vec<Server>)> {
    let server = SERVERS.iter().find(|path| Path::new(path).exists())?;
    let directory = tempfile::Builder::new().prefix("spawnsafe-ssh").tempdir().unwrap().keep();
    let at = |name: &str| directory.join(name).display().to_string();
    for key in ["id", "host", "other"] {
        let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &at(key)]).status();
        made.ok().filter(std::process::ExitStatus::success)?;
    }
    let read = |name: &str| std::fs::read_to_string(at(name)).unwrap();
    // Needed by it where it separates privileges, and there after a start of the service only.
    let _ = std::fs::create_dir_all("/run/sshd");
    let (mut servers, mut hosts, mut known, mut wrong) = (Vec::new(), String::new(), String::new(), String::new());
    for (number, (names, address, prefix)) in places.iter().enumerate() {
        let (ip, port) = (address.ip(), address.port());
        let config = format!(
            "ListenAddress {ip}:{port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nPasswordAuthentication no\n\
             UsePAM no\nStrictModes no\nPermitRootLogin prohibit-password\nMaxStartups 100\nMaxSessions 100\n",
            at("host"),
            at("id.pub"),
        );
        let file = format!("sshd_config{number}");
        std::fs::write(at(&file), config).unwrap();
        known += &format!("[{ip}]:{port} {}", read("host.pub"));
        wrong += &format!("[{ip}]:{port} {}", read("other.pub"));
        for (names, known) in [(*names, "known"), ("stranger", "wrong")] {
            hosts += &format!(
                "Host {names}\n HostName {ip}\n Port {port}\n IdentityFile {}\n IdentitiesOnly yes\n \
                 UserKnownHostsFile {}\n StrictHostKeyChecking yes\n LogLevel ERROR\n",
                at("id"),
                at(known),
            );
        }
        let script = "log=$1 directory=$2; shift 2; \"$@\" 2>\"$log\" & server=$!; read nothing; kill $server; rm -rf \"$directory\"";
        let mut shell = Command::new("sh");
        shell.args(["-c", script, "sh", &at("log"), &at("")]).args(*prefix);
        shell.args([server, "-D", "-e", "-f", &at(&file)]);
        servers.push(Server(shell.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()));
    }
    for (name, content) in [("config", hosts), ("known", known), ("wrong", wrong)] {
        std::fs::write(at(name), content).unwrap();
    }
    let listens = |address| {
        eventually("the server listens, or ends", || {
            let log = std::fs::read_to_string(at("log")).unwrap_or_default();
            match TcpStream::connect(address) {
                Ok(_) => Some(true),
                Err(_) => (log.contains("fatal") || log.contains("no hostkeys")).then_some(false),
            }
        })
    };
    places.iter().all(|&(_, address, _)| listens(address)).then_some((directory, servers))
}

/// A shell that ends the server when its input ends.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// No end, no reset: nothing arrives any more. And later it does again.
#[test]
fn the_cable_is_pulled_and_put_back() {
    let Some(network) = Network::new(9) else { return };
    let prefixes = [1, 2, 3].map(|host| network.prefix(host));
    let prefixes: Vec<[&str; 4]> = prefixes.iter().map(|prefix| prefix.each_ref().map(String::as_str)).collect();
    let names = ["m1", "m2", "m3"];
    let places: Vec<(&str, SocketAddr, &[&str])> = (0..3)
        .map(|host| (names[host], format!("{}:2222", network.address(host + 1)).parse().unwrap(), &prefixes[host][..]))
        .collect();
    let (directory, _servers) = start(&places).expect("there is a server");
    let engine: Engine = format!("ssh:-F {} m1,m2,m3", directory.join("config").display()).parse().unwrap();
    let pool = pool(&engine.heartbeat(Duration::from_secs(4))).build().unwrap();
    eventually("all hosts are there", || (pool.figures().workers == 6).then_some(()));
    let everybody = |(_, worker, agent): (u64, u32, u32)| [worker, agent];
    let on_second: BTreeSet<u32> = {
        let only = super::pool(&format!("ssh:-F {} m2", directory.join("config").display()).parse().unwrap());
        let only = only.build().unwrap();
        only.map(squares_slowly::call, 0..4).flat_map(|result| everybody(result.unwrap())).collect()
    };
    let (mut seen, mut before, mut is_cut) = (BTreeSet::new(), BTreeSet::new(), false);
    for (position, result) in pool.map_unordered(squares_slowly::call, 0..600) {
        let result = result.unwrap();
        assert_eq!(result.0, (position * position) as u64);
        assert!(seen.insert(position), "{position} was answered before");
        if seen.len() == 100 {
            network.cable(2, "down");
            is_cut = true;
        } else if !is_cut {
            before.extend(everybody(result));
        }
    }
    assert_eq!(seen.len(), 600);
    eventually("the second host's are noticed", || (pool.figures().workers == 4).then_some(()));
    // Of the six workers and three agents of the beginning, a third hears nothing any more.
    eventually("they end by themselves", || (before.iter().filter(|&&id| !is_running(id)).count() == 3).then_some(()));
    eventually("nor is anybody left of the other pool", || on_second.iter().all(|&id| !is_running(id)).then_some(()));
    network.cable(2, "up");
    eventually("it is there again", || (pool.figures().workers == 6).then_some(()));
    works(&pool);
}

#[test]
fn a_host_with_another_key_is_an_error_and_no_endless_loop() {
    let Some(engine) = engine("stranger") else { return };
    let stranger = pool(&engine).build().unwrap();
    let error = stranger.submit(square::call(1)).and_then(|task| task.join()).unwrap_err();
    let text = error.to_string();
    assert!(error.kind() == ErrorKind::Spawn && text.contains("HOST IDENTIFICATION HAS CHANGED"), "{text}");
    assert!(text.contains("status: 255") && text.contains("stranger"), "{text}");
    // With others it is left out.
    let some = pool(&self::engine("stranger,m2").unwrap()).build().unwrap();
    works(&some);
    assert_eq!(some.figures().workers, 2);
}

#[test]
fn nobody_is_left_when_the_program_is_killed() {
    let Some(engine) = engine("m1,m2") else { return };
    crate::programs::is_killed(&engine.to_string());
}
