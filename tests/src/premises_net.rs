//! A company's network in Linux namespaces: the premises' host behind a firewall that drops everything inbound and lets out what a test
//! says; a zone with proxies and the name server between it and the cloud; the cloud with the relay. Jira runs where the test runs and
//! is the only other host that the premises reach.
//!
//! ```text
//!  test (Jira, 10.N.3.1) --- premises 10.N.1.2 ---[firewall]--- 10.N.1.1 dmz 10.N.2.1 --- 10.N.2.2 cloud
//! ```
//!
//! Needs root, `ip`, `nft`, `tcpdump` and `dnsmasq`, and for proxies `squid` with `htpasswd`, `stunnel4`,
//! `microsocks`, `danted`, `cntlm` and `mitmdump`. Where they are missing the
//! test says so aloud and passes; with `UPLINK_REQUIRE_NETNS=1`, as in continuous integration, it fails.

mod capture;
mod proxies;

pub use capture::{Capture, Packet};
pub use proxies::{
    MITM_PORT, PROXY_PASSWORD, PROXY_USERNAME, SOCKS_PORT, SQUID_PORT, TLS_PROXY_PORT, mitmdump,
};

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use tempfile::TempDir;

/// The name by which agents reach the relay.
pub const RELAY_NAME: &str = "relay.test";
/// The relay's port.
pub const RELAY_PORT: u16 = 8443;
/// The name of the proxies' host.
pub const PROXY_NAME: &str = "proxy.test";
/// Programs that every test of this kind needs.
const PROGRAMS: [&str; 5] = ["ip", "nft", "tcpdump", "dnsmasq", "sysctl"];

/// What the premises' firewall lets out, beside Jira and the name server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetsOut {
    /// The proxy at this port, and nothing else.
    Proxy(u16),
    /// The relay.
    Relay,
}

/// A host of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// Where the agent runs.
    Premises,
    /// Proxies and name server; forwards to the cloud.
    Dmz,
    /// Where the relay runs.
    Cloud,
}

/// One network of its own; gone when dropped.
pub struct PremisesNet {
    /// Second byte of every address.
    number: u8,
    name: String,
    /// What the programs of the network write.
    pub dir: TempDir,
    services: Vec<Child>,
}

impl PremisesNet {
    /// Builds a network, or says aloud why this machine cannot. `more` are programs that the test needs beside the usual ones.
    pub fn build(lets_out: LetsOut, more: &[&str]) -> Option<Self> {
        let missing: Vec<&str> =
            PROGRAMS.iter().chain(more).copied().filter(|program| find(program).is_none()).collect();
        let problem = if is_root() { None } else { Some("no root".to_owned()) };
        let problem = problem.or_else(|| (!missing.is_empty()).then(|| format!("no {}", missing.join(", "))));
        if let Some(problem) = problem {
            let required = std::env::var("UPLINK_REQUIRE_NETNS").is_ok_and(|value| value == "1");
            assert!(!required, "UPLINK_REQUIRE_NETNS=1, but there is {problem}");
            eprintln!("SKIPPED: {problem} on this machine; the network of the premises was not tried");
            return None;
        }
        let dir = tempfile::Builder::new().prefix("uplink-net-").tempdir().expect("temporary directory");
        let number = free_number();
        let name = format!("uplink{}-{number}", std::process::id());
        let mut net = Self { number, name, dir, services: Vec::new() };
        net.lay_lines();
        net.set_firewall(lets_out);
        net.start_name_server();
        Some(net)
    }

    /// The namespace of a host.
    pub fn namespace(&self, host: Host) -> String {
        let suffix = match host {
            Host::Premises => "p",
            Host::Dmz => "d",
            Host::Cloud => "c",
        };
        format!("{}{suffix}", self.name)
    }

    /// Jira's address; the test's own process listens there.
    pub fn jira(&self) -> Ipv4Addr {
        self.address(3, 1)
    }

    /// The address of proxies and name server as the premises see it.
    pub fn proxy(&self) -> Ipv4Addr {
        self.address(1, 1)
    }

    /// The relay's address.
    pub fn relay(&self) -> Ipv4Addr {
        self.address(2, 2)
    }

    /// The addresses of the premises' host.
    pub fn premises(&self) -> [Ipv4Addr; 2] {
        [self.address(1, 2), self.address(3, 2)]
    }

    fn address(&self, line: u8, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, self.number, line, host)
    }

    /// A program on one of the hosts.
    pub fn command(&self, host: Host, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace(host), program]);
        command
    }

    /// From now on every packet between premises and cloud disappears, in both directions and without a word.
    pub fn swallow(&self) {
        let rules = "table netdev swallow {
            chain a { type filter hook ingress device d0 priority 0; policy drop; }
            chain b { type filter hook ingress device d1 priority 0; policy drop; }
        }";
        self.nft(Host::Dmz, rules);
    }

    /// The network is back.
    pub fn restore(&self) {
        self.nft(Host::Dmz, "delete table netdev swallow");
    }

    /// Starts to write down every packet at every line of the premises' host.
    pub fn capture(&self) -> Capture {
        Capture::start(self)
    }

    fn lay_lines(&self) {
        let (premises, dmz, cloud) =
            (self.namespace(Host::Premises), self.namespace(Host::Dmz), self.namespace(Host::Cloud));
        for name in [&premises, &dmz, &cloud] {
            run(&["ip", "netns", "add", name]);
            // Neighbour discovery would be noise in the capture.
            run(&["ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1"]);
            run(&["ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1"]);
            run(&["ip", "-n", name, "link", "set", "lo", "up"]);
        }
        run(&[
            "ip", "link", "add", "p0", "netns", &premises, "type", "veth", "peer", "name", "d0", "netns",
            &dmz,
        ]);
        run(&[
            "ip", "link", "add", "c0", "netns", &cloud, "type", "veth", "peer", "name", "d1", "netns", &dmz,
        ]);
        let outside = self.outside();
        run(&["ip", "link", "add", "j0", "netns", &premises, "type", "veth", "peer", "name", &outside]);
        // The test's own end would look for routers there.
        run(&["sysctl", "-qw", &format!("net.ipv6.conf.{outside}.disable_ipv6=1")]);
        for (name, device, line, host) in [
            (&premises, "p0", 1, 2),
            (&dmz, "d0", 1, 1),
            (&dmz, "d1", 2, 1),
            (&cloud, "c0", 2, 2),
            (&premises, "j0", 3, 2),
        ] {
            let address = format!("{}/24", self.address(line, host));
            run(&["ip", "-n", name, "address", "add", &address, "dev", device]);
            run(&["ip", "-n", name, "link", "set", device, "up"]);
        }
        run(&["ip", "address", "add", &format!("{}/24", self.jira()), "dev", &outside]);
        run(&["ip", "link", "set", &outside, "up"]);
        run(&["ip", "-n", &premises, "route", "add", "default", "via", &self.proxy().to_string()]);
        run(&["ip", "-n", &cloud, "route", "add", "default", "via", &self.address(2, 1).to_string()]);
        run(&["ip", "netns", "exec", &dmz, "sysctl", "-qw", "net.ipv4.ip_forward=1"]);
        for name in [&premises, &dmz, &cloud] {
            let folder = resolver_folder(name);
            std::fs::create_dir_all(&folder).expect("a folder for the namespace's name server");
            std::fs::write(folder.join("resolv.conf"), format!("nameserver {}\n", self.proxy()))
                .expect("the namespace's name server");
        }
    }

    fn outside(&self) -> String {
        format!("uplj{}", self.number)
    }

    fn set_firewall(&self, lets_out: LetsOut) {
        let (proxy, jira, relay) = (self.proxy(), self.jira(), self.relay());
        let way_out = match lets_out {
            LetsOut::Proxy(port) => format!("ip daddr {proxy} tcp dport {port} accept"),
            LetsOut::Relay => format!("ip daddr {relay} tcp dport {RELAY_PORT} accept"),
        };
        let rules = format!(
            "table inet fw {{
                chain in {{ type filter hook input priority 0; policy drop;
                    iif lo accept; ct state established,related accept; }}
                chain out {{ type filter hook output priority 0; policy drop;
                    oif lo accept; ct state established,related accept;
                    ip daddr {proxy} udp dport 53 accept; ip daddr {jira} meta l4proto tcp accept; {way_out}; }}
            }}"
        );
        self.nft(Host::Premises, &rules);
    }

    fn nft(&self, host: Host, rules: &str) {
        let file = self.dir.path().join("rules.nft");
        std::fs::write(&file, rules).expect("the rules can be written");
        let status = self.command(host, "nft").arg("-f").arg(&file).status().expect("nft starts");
        assert!(status.success(), "nft refused:\n{rules}");
    }

    fn start_name_server(&mut self) {
        let listen = self.proxy().to_string();
        let mut command = self.command(Host::Dmz, "dnsmasq");
        command.args([
            "--keep-in-foreground",
            "--no-resolv",
            "--no-hosts",
            "--conf-file=/dev/null",
            "--user=root",
        ]);
        command.args(["--bind-interfaces", "--listen-address", &listen, "--pid-file="]);
        for (name, address) in
            [(RELAY_NAME, self.relay()), (PROXY_NAME, self.proxy()), ("jira.test", self.jira())]
        {
            command.arg(format!("--address=/{name}/{address}"));
        }
        self.serve(command);
    }

    /// Runs a program for as long as the network lives.
    fn serve(&mut self, mut command: Command) {
        let log = std::fs::File::create(self.dir.path().join(format!("service-{}.log", self.services.len())))
            .expect("a log of the service");
        let errors = log.try_clone().expect("one log for both streams");
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        self.services.push(command.spawn().expect("the service starts"));
    }
}

impl Drop for PremisesNet {
    fn drop(&mut self) {
        for service in &mut self.services {
            drop(service.kill());
            drop(service.wait());
        }
        for host in [Host::Premises, Host::Dmz, Host::Cloud] {
            let name = self.namespace(host);
            end_all_in(&name);
            drop(std::fs::remove_dir_all(resolver_folder(&name)));
            // The lines go with the namespaces.
            drop(Command::new("ip").args(["netns", "delete", &name]).output());
        }
    }
}

/// Ends what the services left behind: some are families of processes that do not notice their parent's end.
fn end_all_in(namespace: &str) {
    let listed = Command::new("ip").args(["netns", "pids", namespace]).output();
    let listed =
        listed.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    for process in listed.split_whitespace() {
        drop(Command::new("kill").args(["-KILL", process]).output());
    }
}

/// `ip netns exec` shows the files of this folder to its program as those of /etc.
fn resolver_folder(namespace: &str) -> PathBuf {
    Path::new("/etc/netns").join(namespace)
}

/// A number that no other network of this machine has.
fn free_number() -> u8 {
    static TAKEN: AtomicU8 = AtomicU8::new(0);
    let first = u8::try_from(std::process::id() % 100).expect("below 100");
    for _ in 0..100 {
        let number = 100 + (first + TAKEN.fetch_add(1, Ordering::Relaxed)) % 100;
        let used = Command::new("ip").args(["link", "show", &format!("uplj{number}")]).output();
        if used.is_ok_and(|output| !output.status.success()) {
            return number;
        }
    }
    panic!("a hundred networks are here already; remove those that were left behind (ip netns list)")
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0"))
}

/// The path of a program, also of those that only root has in its path.
fn find(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|path| path.exists());
    }
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    path.split(':').map(|folder| Path::new(folder).join(program)).find(|candidate| candidate.exists())
}

fn run(words: &[&str]) {
    let output = Command::new(words[0]).args(&words[1..]).output().expect("the program starts");
    assert!(output.status.success(), "{words:?} failed: {}", String::from_utf8_lossy(&output.stderr));
}
