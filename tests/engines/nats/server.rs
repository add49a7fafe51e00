//! A NATS server of a test's own, on a free port, and agents that serve a queue on it. All end with the test.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use spawnsafe::Engine;
use spawnsafe_nats::{Nats, Queue};
use spawnsafe_tests::eventually;
use tempfile::TempDir;

/// What ends with this process, however that ends: a shell that waits for the end of its input.
pub(crate) struct Bound {
    shell: Child,
    pid: u32,
}

/// It must outlive a signal to the whole group of the test's processes.
const BINDS: &str = r#"trap '' HUP INT TERM
    (trap - HUP INT TERM; exec "$@") >&2 & pid=$!; echo $pid; cat >/dev/null; kill -9 $pid 2>/dev/null; wait $pid"#;

impl Bound {
    pub(crate) fn start(command: &[&str], log: &Path, environment: &[(&str, String)]) -> Self {
        let log = File::options().append(true).create(true).open(log).unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", BINDS, "sh"]).args(command).envs(environment.iter().map(|(key, value)| (key, value)));
        let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { pid: line.trim().parse().unwrap(), shell }
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// How servers let clients in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    Open,
    /// With a password.
    Locked,
    /// Through TLS on both sides, with a token.
    Guarded,
}

pub(crate) const PASSWORD: &str = "c0rrect horse";
pub(crate) const TOKEN: &str = "t0ken";

/// Servers, one or a cluster of three, and the agents.
pub(crate) struct Setup {
    dir: TempDir,
    door: Door,
    largest: &'static str,
    /// Where the servers listen.
    host: String,
    ports: Vec<u16>,
    servers: Vec<Option<Bound>>,
    agents: Vec<Bound>,
    /// Goes behind the host in all URLs.
    pub(crate) query: String,
}

/// A port that nobody else takes until a server does, which takes it again when it is restarted. Those that the system chooses
/// are for whoever connects or listens next: another test's server would answer there.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let others = std::process::id() as u16;
    let ports = (0..PORTS).map(|_| NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(others.wrapping_mul(64)));
    let mut ports = ports.map(|number| FIRST_PORT + number % PORTS);
    ports.find(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok()).expect("a port is free")
}

/// Below those that systems choose.
const FIRST_PORT: u16 = 12_000;
const PORTS: u16 = 6_000;

/// Where the program is; `None`, and a line that says so, where it is not installed.
fn nats_server() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let found = dirs.map(|dir| dir.join("nats-server")).find(|program| program.is_file());
    if found.is_none() {
        println!("left out: nats-server is not installed; `.ci/engines` installs it where it may");
    }
    found
}

impl Setup {
    /// So many servers. They run when this returns.
    pub(crate) fn new(servers: usize, door: Door) -> Option<Self> {
        Self::with_messages(servers, door, "8MB")
    }

    /// The same, whose messages are not longer than this.
    pub(crate) fn with_messages(servers: usize, door: Door, largest: &'static str) -> Option<Self> {
        Self::listening("127.0.0.1", servers, door, largest)
    }

    /// One server at another address, whose agents may be cut off.
    pub(crate) fn at(host: &str) -> Option<Self> {
        Self::listening(host, 1, Door::Open, "8MB")
    }

    fn listening(host: &str, servers: usize, door: Door, largest: &'static str) -> Option<Self> {
        nats_server()?;
        let dir = tempfile::tempdir().unwrap();
        if door == Door::Guarded {
            make_certificates(dir.path())?;
        }
        let ports: Vec<u16> = (0..2 * servers).map(|_| free_port()).collect();
        let query = format!("heartbeat=4&replicas={}", if servers == 3 { 3 } else { 1 });
        let host = host.to_owned();
        let mut setup = Self { dir, door, largest, host, ports, servers: Vec::new(), agents: Vec::new(), query };
        for number in 0..servers {
            setup.servers.push(None);
            setup.configure(number, servers);
        }
        (0..servers).for_each(|number| setup.start_server(number));
        Some(setup)
    }

    /// One server, and so many agents of two workers each.
    pub(crate) fn with_agents(nodes: usize, door: Door) -> Option<Self> {
        let mut setup = Self::new(1, door)?;
        setup.query = format!("{}&app=nodes{nodes}", setup.query);
        for _ in 0..nodes {
            setup.start_agent();
        }
        Some(setup)
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    fn configure(&self, number: usize, servers: usize) {
        let mut text = String::new();
        let (host, port, largest) = (&self.host, self.ports[number], self.largest);
        writeln!(text, "server_name: s{number}\nlisten: \"{host}:{port}\"\nmax_payload: {largest}").unwrap();
        // Who is cut off is noticed before the test is over.
        writeln!(text, "ping_interval: \"2s\"\nping_max: 2\nwrite_deadline: \"2s\"").unwrap();
        let store = self.path(&format!("store{number}"));
        writeln!(text, "jetstream {{ store_dir: \"{store}\", max_mem: 64MB, max_file: 1GB }}").unwrap();
        match self.door {
            Door::Open => {}
            Door::Locked => writeln!(text, "authorization {{ user: me, password: \"{PASSWORD}\" }}").unwrap(),
            Door::Guarded => {
                let [cert, key, ca] = ["server.pem", "server.key", "ca.pem"].map(|name| self.path(name));
                writeln!(text, "authorization {{ token: \"{TOKEN}\" }}").unwrap();
                writeln!(text, "tls {{ cert_file: \"{cert}\", key_file: \"{key}\", ca_file: \"{ca}\", verify: true }}")
                    .unwrap();
            }
        }
        if servers > 1 {
            let own = self.ports[servers + number];
            let routes = self.ports[servers..].iter().map(|port| format!("\"nats://127.0.0.1:{port}\""));
            let routes = routes.collect::<Vec<_>>().join(", ");
            writeln!(text, "cluster {{ name: c, listen: \"127.0.0.1:{own}\", routes: [{routes}] }}").unwrap();
        }
        std::fs::write(self.path(&format!("{number}.conf")), text).unwrap();
    }

    pub(crate) fn start_server(&mut self, number: usize) {
        let program = nats_server().unwrap();
        let command = [program.to_str().unwrap(), "-c", &self.path(&format!("{number}.conf"))].map(str::to_owned);
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let log = self.dir.path().join(format!("server{number}.log"));
        self.servers[number] = Some(Bound::start(&command, &log, &[]));
        let port = self.ports[number];
        eventually("the server listens", || TcpStream::connect((&*self.host, port)).ok());
    }

    /// As SIGKILL does it.
    pub(crate) fn kill_server(&mut self, number: usize) {
        self.servers[number] = None;
    }

    /// Starts an agent, and gives its process id. It serves the queue a moment later.
    pub(crate) fn start_agent(&mut self) -> u32 {
        self.start_agent_behind(&[])
    }

    /// The same, by a command that becomes what is behind it.
    pub(crate) fn start_agent_behind(&mut self, prefix: &[String]) -> u32 {
        let program = std::env::current_exe().unwrap();
        let url = format!("{}&workers=2", self.url());
        let mut environment = vec![("SPAWNSAFE_AGENT", url)];
        environment.extend(self.secrets());
        let log = self.dir.path().join("agents.log");
        let command: Vec<&str> = prefix.iter().map(String::as_str).chain([program.to_str().unwrap()]).collect();
        self.agents.push(Bound::start(&command, &log, &environment));
        self.agents.last().unwrap().pid
    }

    /// The process ids of all agents that were started.
    pub(crate) fn agents(&self) -> Vec<u32> {
        self.agents.iter().map(|agent| agent.pid).collect()
    }

    /// What a program is told that may come in.
    pub(crate) fn secrets(&self) -> Vec<(&'static str, String)> {
        match self.door {
            Door::Open => Vec::new(),
            Door::Locked => {
                vec![("SPAWNSAFE_NATS_USER", "me".into()), ("SPAWNSAFE_NATS_PASSWORD", PASSWORD.into())]
            }
            Door::Guarded => vec![
                ("SPAWNSAFE_NATS_TOKEN", TOKEN.into()),
                ("SPAWNSAFE_NATS_CA", self.path("ca.pem")),
                ("SPAWNSAFE_NATS_CERT", self.path("client.pem")),
                ("SPAWNSAFE_NATS_KEY", self.path("client.key")),
            ],
        }
    }

    pub(crate) fn url(&self) -> String {
        let servers = self.servers.len();
        let hosts: Vec<String> = self.ports[..servers].iter().map(|port| format!("{}:{port}", self.host)).collect();
        format!("nats://{}?{}", hosts.join(","), self.query)
    }

    /// One that nothing is missing of.
    pub(crate) fn nats(&self) -> Nats {
        let nats = Nats::new(&self.url()).unwrap();
        match self.door {
            Door::Open => nats,
            Door::Locked => nats.user("me", PASSWORD),
            Door::Guarded => nats
                .token(TOKEN)
                .authority(self.path("ca.pem"))
                .certificate(self.path("client.pem"), self.path("client.key")),
        }
    }

    /// The same without a client's certificate.
    pub(crate) fn without_certificate(&self) -> Nats {
        Nats::new(&self.url()).unwrap().token(TOKEN).authority(self.path("ca.pem"))
    }

    pub(crate) fn engine(&self) -> Engine {
        self.nats().engine()
    }

    pub(crate) fn queue(&self) -> Queue {
        self.nats().queue().unwrap()
    }

    /// What the agents have said.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("agents.log")).unwrap_or_default()
    }

    pub(crate) fn wait_for_agents(&self, count: usize) {
        eventually("the agents serve", || (self.log().matches(" serves ").count() >= count).then_some(()));
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("what the agents said:\n{}", self.log());
        }
    }
}

thread_local! {
    /// What ends with the thread of a test.
    static SETUPS: RefCell<Vec<Setup>> = const { RefCell::new(Vec::new()) };
}

/// The engine of agents that end with this test.
pub(crate) fn engine(nodes: usize, door: Door) -> Option<Engine> {
    let setup = Setup::with_agents(nodes, door)?;
    let engine = setup.engine();
    SETUPS.with_borrow_mut(|setups| setups.push(setup));
    Some(engine)
}

/// An authority, and certificates for both sides; `None`, and a line that says so, without openssl.
fn make_certificates(dir: &Path) -> Option<()> {
    const SCRIPT: &str = r#"
        set -e
        ec="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
        openssl req -x509 $ec -keyout ca.key -out ca.pem -days 2 -subj /CN=ca
        echo "subjectAltName=IP:127.0.0.1,DNS:localhost" > names
        for side in server client; do
            openssl req $ec -keyout $side.key -out $side.csr -subj /CN=$side
            openssl x509 -req -in $side.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out $side.pem -extfile names
        done"#;
    let output = Command::new("sh").args(["-c", SCRIPT]).current_dir(dir).output().unwrap();
    if !output.status.success() {
        println!("left out: openssl makes no certificates here: {}", String::from_utf8_lossy(&output.stderr));
        return None;
    }
    Some(())
}
