//! A permitted name that is bound to another address while the agent runs: what is there is not called.

use crate::premises::Premises;
use crate::site::generated;
use protocol::control::{AgentMessage, RelayMessage, TestReport};
use std::ffi::OsStr;
use std::net::Ipv4Addr;
use std::path::Path;
use tests::jira_sim::{JiraSim, RunningSim, SimConfig};

const NAME: &str = "jira.rebinding.test";
const OTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Gives `/etc/hosts` of the agent alone a content that the test changes: (what binds it, where the agent's program follows).
fn hosts_of_its_own(hosts: &Path) -> Option<String> {
    let mine = std::process::Command::new("unshare").args(["--mount", "true"]).output();
    if mine.is_ok_and(|output| output.status.success()) {
        return Some(format!("mount --bind {} /etc/hosts && exec \"$@\"", hosts.display()));
    }
    let required = std::env::var("UPLINK_REQUIRE_NETNS").is_ok_and(|value| value == "1");
    assert!(!required, "UPLINK_REQUIRE_NETNS=1, but this machine gives no mount namespace");
    eprintln!("SKIPPED: no mount namespace on this machine; a name was not bound to another address");
    None
}

/// Written in place, because the agent sees this very file.
fn bind(hosts: &Path, address: &str) {
    std::fs::write(hosts, format!("{address} {NAME}\n127.0.0.1 localhost\n")).unwrap();
}

/// The code of the failure when the agent tries the connection, `None` when it is well.
async fn tried(premises: &mut Premises, number: u32, site: &str) -> Option<String> {
    let request = format!("try_{number}");
    let connection = premises.connection(site);
    premises.link.send(&RelayMessage::TestConnection { request: request.as_str().into(), connection }).await;
    premises
        .link
        .expect(|message| match message {
            AgentMessage::TestResult { request: answered, report } if answered.as_str() == request => {
                Some(match report {
                    TestReport::Failed { failure } => Some(failure.code),
                    _ => None,
                })
            }
            _ => None,
        })
        .await
}

/// Two Jiras at the same port of two addresses.
fn twins() -> (RunningSim, RunningSim) {
    let permitted = JiraSim::start(generated(20, 82)).unwrap();
    let port =
        permitted.url().rsplit(':').next().and_then(|rest| rest.split('/').next()?.parse().ok()).unwrap();
    let other = JiraSim::start(SimConfig { listen: OTHER, port, ..generated(20, 83) }).unwrap();
    (permitted, other)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_bound_to_another_address_is_called_only_where_the_premises_allow() {
    let folder = tempfile::tempdir().unwrap();
    let hosts = folder.path().join("hosts");
    bind(&hosts, "127.0.0.1");
    let Some(script) = hosts_of_its_own(&hosts) else { return };
    let wrap = ["unshare", "--mount", "sh", "-c", &script, "agent"].map(OsStr::new);
    let (permitted, other) = twins();
    let site = permitted.url().replace("127.0.0.1", NAME);

    let config = "[jira_path]\naddresses = [\"127.0.0.1\"]\n";
    let mut narrow = Premises::configured(&site, config, &wrap).await;
    assert_eq!(tried(&mut narrow, 1, &site).await, None);
    assert_eq!(permitted.stats().login_attempts, 1);
    bind(&hosts, &OTHER.to_string());
    let refused = tried(&mut narrow, 2, &site).await;
    assert_eq!(refused.as_deref(), Some("jira_address_not_permitted"), "{}", narrow.agent.printed());
    assert_eq!(other.stats().requests_total, 0, "the other address was called");

    // Without the rule every host is permitted, but nowhere does a name lead to the metadata of a cloud.
    let mut open = Premises::configured(&site, "", &wrap).await;
    assert_eq!(tried(&mut open, 1, &site).await, None);
    assert_eq!(other.stats().login_attempts, 1, "the test cannot show anything: the name leads nowhere");
    bind(&hosts, "169.254.169.254");
    assert_eq!(tried(&mut open, 2, &site).await.as_deref(), Some("jira_address_not_permitted"));
}
