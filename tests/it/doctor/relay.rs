//! Names, ports, and the whole way when nothing is wrong.

use super::{Machine, are_skipped, ca_of, fails, finding, linked, names_in, passes};
use crate::site::generated;
use tests::cluster::{Binaries, Cluster};
use tests::jira_sim::JiraSim;
use tokio::net::TcpListener;

const AFTER_NAME: [&str; 5] = ["relay_connect", "relay_tls", "clock", "relay_upgrade", "relay_challenge"];

#[tokio::test(flavor = "multi_thread")]
async fn everything_passes_beside_a_running_agent_and_leaves_it_alone() {
    let sim = JiraSim::start(generated(10, 1)).unwrap();
    let cluster = Cluster::start(&sim.url()).await;
    linked(&cluster).await;
    let before = names_in(&cluster.agent_state());
    let mut command = tokio::process::Command::new(Binaries::built().path("uplink-agent"));
    command.args(["doctor", "--json", "--state"]).arg(cluster.agent_state());
    let output = command.output().await.unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &document["ok"]), (Some(0), &true.into()), "{document:#}");
    passes(&document, &["config", "state", "identity", "relay_name", "relay_tls", "clock", "relay_upgrade"]);
    passes(
        &document,
        &["relay_connect", "relay_challenge", "enrolment", "jira_name", "jira_connect", "jira_api"],
    );
    are_skipped(&document, &["jira_login"]);
    assert_eq!(finding(&document, "jira_tls")["code"], "jira_in_clear");
    assert_eq!(names_in(&cluster.agent_state()), before);
    assert_eq!(cluster.relay_log().matches("agent_online").count(), 1, "the session was replaced");
    assert!(!cluster.agent_log().contains("link_down"), "{}", cluster.agent_log());
    assert_eq!(sim.stats().login_attempts, 0, "a login was tried without being asked for");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_for_people_says_the_same() {
    let cluster = Cluster::relay_only().await;
    let machine = Machine::new();
    let ca = machine.file("ca.pem", &ca_of(&cluster)).display().to_string();
    let good = machine.run(&["doctor", "--relay", &cluster.relay_url, "--relay-ca", &ca], "").await;
    assert_eq!(good.code, 0, "{good:?}");
    assert!(good.stdout.contains("pass  relay_challenge") && good.stdout.contains("0 failed"), "{good:?}");
    let bad = machine.run(&["doctor", "--relay", "https://no-such-host.invalid"], "").await;
    assert_eq!(bad.code, 1, "{bad:?}");
    for part in
        ["FAIL  relay_name", "[relay_name_unknown]", "-> Check the relay's address", "skip  relay_tls"]
    {
        assert!(bad.stdout.contains(part), "{part} is not in {}", bad.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_name_is_a_name_and_nothing_else() {
    let machine = Machine::new();
    let printed = machine.doctor(&["--relay", "https://no-such-host.invalid:8443"], "").await;
    let document = fails(&printed, "relay_name", "relay_name_unknown", &["no-such-host.invalid"]);
    are_skipped(&document, &AFTER_NAME);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_port_is_named_with_its_address() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let printed = Machine::new().doctor(&["--relay", &format!("https://{closed}")], "").await;
    let document = fails(&printed, "relay_connect", "relay_refuses_connection", &[&closed.to_string()]);
    passes(&document, &["relay_name"]);
    are_skipped(&document, &AFTER_NAME[1..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_speaks_no_tls_does_not_pass_for_one_that_connects() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let plain = tokio::spawn(async move {
        loop {
            let (mut tcp, _) = listener.accept().await.unwrap();
            drop(tokio::io::AsyncWriteExt::write_all(&mut tcp, b"HTTP/1.1 400 Bad Request\r\n\r\n").await);
        }
    });
    let printed = Machine::new().doctor(&["--relay", &format!("https://{address}")], "").await;
    let document = fails(&printed, "relay_tls", "relay_no_tls", &[]);
    passes(&document, &["relay_connect"]);
    plain.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_accepts_and_says_nothing_is_a_timeout_of_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let machine = Machine::new().with("UPLINK_AGENT_LINK__CONNECT_TIMEOUT_MS", "2000");
    let printed = machine.doctor(&["--relay", &format!("https://{address}")], "").await;
    let document = fails(&printed, "relay_tls", "relay_tls_timeout", &["TLS", "2000 ms"]);
    assert!(finding(&document, "relay_tls")["network_team"].as_str().unwrap().contains(&address.to_string()));
    drop(listener);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_cannot_be_used_are_wrong_configuration_and_no_fault_of_the_relay() {
    let cluster = Cluster::relay_only().await;
    let machine = Machine::new();
    let empty = machine.file("empty.pem", "").display().to_string();
    for ca in ["/no/such/ca.pem", &empty] {
        let printed = machine.doctor(&["--relay", &cluster.relay_url, "--relay-ca", ca], "").await;
        assert_eq!(printed.code, 2, "{printed:?}");
        let document = printed.json();
        let found = finding(&document, "config")["found"].as_str().unwrap();
        assert!(found.contains(ca), "{found}");
        are_skipped(&document, &["relay_name", "relay_tls"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_use_is_told_from_a_failed_check() {
    let machine = Machine::new();
    for args in [
        &["--relay", "http://relay"][..],
        &["--relay-ca", "x.pem"],
        &["--username", "reader"],
        &["--jira", "https://jira.corp"],
        &["--no-such-flag"],
    ] {
        assert_eq!(machine.doctor(args, "").await.code, 2, "{args:?}");
    }
}
