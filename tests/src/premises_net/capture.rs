//! Every packet of the premises' host, written down by tcpdump and read back as text.

use super::{Host, PremisesNet};
use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A running capture.
pub struct Capture {
    tcpdump: Child,
    file: PathBuf,
}

/// One IPv4 packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// From whom.
    pub from: Ipv4Addr,
    /// To whom.
    pub to: Ipv4Addr,
    /// Whether it asks for a TCP connection.
    pub opens: bool,
    /// As tcpdump shows it.
    pub text: String,
}

impl Capture {
    pub(super) fn start(net: &PremisesNet) -> Self {
        let file = net.dir.path().join("premises.pcap");
        let mut command = net.command(Host::Premises, "tcpdump");
        command.args(["-Z", "root", "--immediate-mode", "-U", "-nn", "-s", "128", "-i", "any", "-w"]);
        command.arg(&file).args(["not", "arp"]).stdin(Stdio::null()).stderr(Stdio::piped());
        let mut tcpdump = command.spawn().expect("tcpdump starts");
        // It says so when it sees packets.
        let mut said = BufReader::new(tcpdump.stderr.take().expect("stderr is piped"));
        let mut line = String::new();
        while !line.contains("listening on") {
            line.clear();
            assert_ne!(
                said.read_line(&mut line).expect("tcpdump speaks"),
                0,
                "tcpdump ended before it listened"
            );
        }
        // What it says at its end has to go somewhere.
        std::thread::spawn(move || drop(std::io::copy(&mut said, &mut std::io::sink())));
        Self { tcpdump, file }
    }

    /// Ends the capture and gives its packets.
    pub fn packets(mut self) -> Vec<Packet> {
        // Asked to end, tcpdump first writes what it has.
        let pid = self.tcpdump.id().to_string();
        let asked = Command::new("kill").args(["-INT", &pid]).status().expect("kill starts");
        assert!(asked.success(), "tcpdump is gone before its end");
        self.tcpdump.wait().expect("tcpdump ends");
        let output = Command::new("tcpdump").args(["-Z", "root", "-nn", "-t", "-r"]).arg(&self.file).output();
        let output = output.expect("tcpdump reads");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).lines().map(parse).collect()
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        drop(self.tcpdump.kill());
        drop(self.tcpdump.wait());
    }
}

/// `p0 Out IP 10.1.1.2.51342 > 10.1.1.1.3128: Flags [S], ...`; anything that is no such line is a packet that nobody expected.
fn parse(line: &str) -> Packet {
    let text = line.to_owned();
    let parts = || {
        let (_, rest) = line.split_once("IP ")?;
        let (from, rest) = rest.split_once(" > ")?;
        let (to, rest) = rest.split_once(": ")?;
        Some((address(from)?, address(to)?, rest.starts_with("Flags [S]")))
    };
    let (from, to, opens) = parts().unwrap_or((Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED, false));
    Packet { from, to, opens, text }
}

/// The address of `10.1.1.2.51342` or `10.1.1.2`.
fn address(text: &str) -> Option<Ipv4Addr> {
    let bytes: Vec<&str> = text.split('.').take(4).collect();
    bytes.join(".").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_tcpdump_are_read_and_strange_ones_are_kept() {
        let open =
            parse("p0    Out IP 10.1.1.2.51342 > 10.1.1.1.3128: Flags [S], seq 1, win 64240, length 0");
        assert_eq!((open.from.to_string(), open.to.to_string()), ("10.1.1.2".into(), "10.1.1.1".into()));
        assert!(open.opens && !parse("p0 In IP 10.1.1.1.1 > 10.1.1.2.2: Flags [S.], seq 1").opens);
        assert!(parse("p0 Out IP 10.1.1.2 > 10.1.1.1: ICMP echo request").to.is_private());
        assert!(parse("p0 Out IP6 fe80::1 > ff02::2: ICMP6").to.is_unspecified());
    }
}
