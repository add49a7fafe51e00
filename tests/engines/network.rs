//! Machines whose cables can be pulled: network namespaces.

use std::process::Command;

/// Networks of their own for three hosts, which a bridge connects with this machine.
pub(crate) struct Network {
    name: String,
    /// Its addresses are `10.213.NUMBER.…`: another one for each test.
    number: u8,
}

impl Network {
    /// `None` where nobody has asked for it, as it needs privileges.
    pub(crate) fn new(number: u8) -> Option<Self> {
        if std::env::var_os("SPAWNSAFE_TEST_NETWORKS").is_none() {
            println!("left out: needs networks of its own; `.ci/engines` sets `SPAWNSAFE_TEST_NETWORKS` where it may");
            return None;
        }
        let network = Self { name: format!("ss{}n{number}", std::process::id()), number };
        let name = &network.name;
        network.ip(&format!("link add {name} type bridge"));
        network.ip(&format!("addr add {}/24 dev {name}", network.address(254)));
        network.ip(&format!("link set {name} up"));
        for host in 1..=3 {
            network.ip(&format!("netns add {name}m{host}"));
            network.ip(&format!("link add {name}v{host} type veth peer name eth0 netns {name}m{host}"));
            network.ip(&format!("link set {name}v{host} master {name} up"));
            network.ip(&format!("-n {name}m{host} link set lo up"));
            network.ip(&format!("-n {name}m{host} addr add {}/24 dev eth0", network.address(host)));
            network.ip(&format!("-n {name}m{host} link set eth0 up"));
        }
        Some(network)
    }

    fn ip(&self, arguments: &str) {
        let status = Command::new("ip").args(arguments.split(' ')).status().unwrap();
        assert!(status.success() || std::thread::panicking(), "ip {arguments}");
    }

    /// That of a host, or of this machine, which is 254.
    pub(crate) fn address(&self, host: usize) -> String {
        format!("10.213.{}.{host}", self.number)
    }

    /// What is put in front of a command that is to run on a host.
    pub(crate) fn prefix(&self, host: usize) -> [String; 4] {
        ["ip".into(), "netns".into(), "exec".into(), format!("{}m{host}", self.name)]
    }

    /// Pulls it (`down`) or puts it back (`up`).
    pub(crate) fn cable(&self, host: usize, state: &str) {
        self.ip(&format!("link set {}v{host} {state}", self.name));
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        (1..=3).for_each(|host| self.ip(&format!("netns del {}m{host}", self.name)));
        self.ip(&format!("link del {}", self.name));
    }
}
