//! OpenSSH: a server of the tests' own, on this machine, with keys of its own, which touches no account and no setting.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use spawnsafe::{Engine, ErrorKind};
use spawnsafe_tests::eventually;

use super::{pool, square, works};

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
    let directory = DIRECTORY.get_or_init(|| {
        let Some(server) = SERVERS.iter().find(|path| Path::new(path).exists()) else {
            println!("left out: no sshd is installed");
            return None;
        };
        match start(Path::new(server)) {
            Ok(directory) => Some(directory),
            Err(why) => {
                println!("left out: sshd cannot be started here: {why}");
                None
            }
        }
    });
    if directory.is_none() {
        println!("left out: there is no sshd");
    }
    directory.as_deref()
}

/// Starts the server, which ends with this process, as does its directory: its shell's input ends then.
fn start(server: &Path) -> Result<PathBuf, String> {
    let directory =
        tempfile::Builder::new().prefix("spawnsafe-ssh").tempdir().map_err(|error| error.to_string())?.keep();
    let at = |name: &str| directory.join(name).display().to_string();
    for key in ["id", "host", "other"] {
        let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &at(key)]).status();
        made.ok().filter(std::process::ExitStatus::success).ok_or("ssh-keygen makes no key")?;
    }
    let read = |name: &str| std::fs::read_to_string(at(name)).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap().port();
    let config = format!(
        "ListenAddress 127.0.0.1:{port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nPasswordAuthentication no\n\
         UsePAM no\nStrictModes no\nPermitRootLogin prohibit-password\nMaxStartups 100\nMaxSessions 100\n",
        at("host"),
        at("id.pub"),
    );
    std::fs::write(at("sshd_config"), config).unwrap();
    let known = |key: &str| format!("[127.0.0.1]:{port} {}", read(key));
    std::fs::write(at("known"), known("host.pub")).unwrap();
    std::fs::write(at("wrong"), known("other.pub")).unwrap();
    let host = |name: &str, known: &str| {
        format!(
            "Host {name}\n HostName 127.0.0.1\n Port {port}\n IdentityFile {}\n IdentitiesOnly yes\n \
             UserKnownHostsFile {}\n StrictHostKeyChecking yes\n LogLevel ERROR\n",
            at("id"),
            at(known),
        )
    };
    let hosts = [host("m1 m2 m3", "known"), host("stranger", "wrong")].concat();
    std::fs::write(at("config"), hosts).unwrap();
    // Needed by it where it separates privileges, and there after a start of the service only.
    let _ = std::fs::create_dir_all("/run/sshd");
    let script = "\"$0\" -D -e -f \"$1\" 2>\"$2\" & server=$!; read nothing; kill $server; rm -rf \"$3\"";
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(script).arg(server).args([at("sshd_config"), at("log"), at("")]);
    let shell = shell.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().map_err(|error| error.to_string())?;
    // Its input stays open for as long as this process lives.
    std::mem::forget(shell);
    let is_there = eventually("the server listens, or ends", || {
        let log = std::fs::read_to_string(at("log")).unwrap_or_default();
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(_) => Some(Ok(())),
            Err(_) if log.contains("fatal") || log.contains("no hostkeys") => Some(Err(log)),
            Err(_) => None,
        }
    });
    is_there.map(|()| directory)
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
