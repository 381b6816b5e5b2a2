//! Packets that disappear and ways that are not there, in a network of its own.

use super::{Machine, are_skipped, fails, finding, only_jira, passes};
use tests::cluster::{Binaries, Printed};
use tests::premises_net::{Host, LetsOut, PROXY_NAME, PremisesNet, RELAY_NAME, RELAY_PORT, SQUID_PORT};
use tokio::process::Command;

/// An address that routers say there is no way to; reserved for documents (RFC 5737).
const NO_WAY: &str = "203.0.113.7";
const AFTER_CONNECT: [&str; 4] = ["relay_tls", "clock", "relay_upgrade", "relay_challenge"];

/// What `doctor` says on the premises' host.
async fn look(net: &PremisesNet, machine: &Machine, args: &[&str]) -> Printed {
    let mut command = Command::new("ip");
    command
        .args(["netns", "exec", &net.namespace(Host::Premises)])
        .arg(Binaries::built().path("uplink-agent"));
    machine.run_program(command, &[&["doctor", "--json"], args].concat(), "").await
}

fn impatient() -> Machine {
    let patience = "1000";
    let machine = Machine::new().with("UPLINK_AGENT_LINK__CONNECT_TIMEOUT_MS", patience);
    machine.with("UPLINK_AGENT_REQUESTS__CONNECT_TIMEOUT_MS", patience)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_firewall_swallows_is_told_from_a_network_without_a_way() {
    let Some(net) = PremisesNet::build(LetsOut::Proxy(SQUID_PORT), &[]) else { return };
    let routed = net.command(Host::Premises, "ip").args(["route", "add", "unreachable", NO_WAY]).status();
    assert!(routed.unwrap().success());
    let relay = format!("https://{RELAY_NAME}:{RELAY_PORT}");

    let printed = look(&net, &impatient(), &["--relay", &relay]).await;
    let document = fails(&printed, "relay_connect", "relay_timeout", &["1000 ms"]);
    passes(&document, &["relay_name"]);
    are_skipped(&document, &AFTER_CONNECT);
    let sentence = finding(&document, "relay_connect")["network_team"].as_str().unwrap();
    assert!(sentence.contains(&format!("{RELAY_NAME}:{RELAY_PORT}")), "{sentence}");

    let printed = look(&net, &impatient(), &["--relay", &format!("https://{NO_WAY}")]).await;
    let document = fails(&printed, "relay_connect", "relay_unreachable", &[NO_WAY]);
    are_skipped(&document, &AFTER_CONNECT);

    for proxy in [format!("http://{NO_WAY}:3128"), format!("http://{PROXY_NAME}:9")] {
        let machine = impatient().with("UPLINK_AGENT_PROXY__URL", &proxy);
        let printed = look(&net, &machine, &["--relay", &relay]).await;
        let document = fails(&printed, "proxy", "proxy_unreachable", &["proxy.url"]);
        are_skipped(&document, &["relay_name", "relay_connect", "relay_tls"]);
    }

    // No Jira is behind the firewall's rule for one.
    let behind = format!("http://{}:8080", net.relay());
    let document = fails(
        &only_jira(look(&net, &impatient(), &["--allow-jira", &behind]).await),
        "jira_connect",
        "jira_timeout",
        &[&behind],
    );
    passes(&document, &["jira_name"]);
    are_skipped(&document, &["jira_tls", "jira_api", "jira_login"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_server_that_is_silent_is_told_from_an_unknown_name() {
    let Some(net) = PremisesNet::build(LetsOut::Relay, &[]) else { return };
    let unknown = look(&net, &impatient(), &["--relay", "https://no-such-host.invalid"]).await;
    fails(&unknown, "relay_name", "relay_name_unknown", &["no-such-host.invalid"]);
    net.swallow();
    let relay = format!("https://{RELAY_NAME}:{RELAY_PORT}");
    let printed = look(&net, &impatient(), &["--relay", &relay]).await;
    let document = fails(&printed, "relay_name", "relay_name_timeout", &["name resolution", "1000 ms"]);
    are_skipped(&document, &["relay_connect", "relay_tls", "relay_challenge"]);
}
