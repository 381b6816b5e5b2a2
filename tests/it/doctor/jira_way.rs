//! The way to a permitted Jira: silence, proxies, client certificates, and names that lead elsewhere.

use super::jira::sim;
use super::{Machine, are_skipped, fails, finding, only_jira, passes};
use std::sync::Arc;
use tests::cluster::Printed;
use tests::middlebox::{Authority, Certificates, Conduct, ConnectProxy, Mood, TlsServer, Validity};
use tokio::net::TcpListener;

/// Looks at a Jira with a configuration.
async fn look_at(jira: &str, config: &str) -> Printed {
    look_from(&Machine::new(), jira, config).await
}

async fn look_from(machine: &Machine, jira: &str, config: &str) -> Printed {
    let config = machine.file("agent.toml", config).display().to_string();
    only_jira(machine.doctor(&["--allow-jira", jira, "--config", &config], "").await)
}

/// Answers every request with the server information of a Jira.
fn jira() -> Conduct {
    let info = r#"{"version":"9.12.0","serverTime":"2026-01-01T00:00:00.000+0000"}"#;
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        info.len()
    );
    Conduct::Answer(Arc::new(move |_| [head.as_bytes(), info.as_bytes()].concat()))
}

/// A Jira with TLS and the file of its authority on the machine.
async fn jira_with_tls(machine: &Machine) -> (TlsServer, String) {
    let authority = Authority::new("Corp Authority");
    let ca = machine.file("jira-ca.pem", &authority.pem()).display().to_string();
    let certificates = Certificates::One(&["127.0.0.1"], Validity::Now);
    (TlsServer::start(authority, certificates, jira()).await, ca)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_accepts_and_says_nothing_is_no_jira_and_is_not_waited_for_as_long_as_in_a_run() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let printed = look_at(&format!("http://{address}"), "[requests]\nread_timeout_ms = 1000\n").await;
    let document = fails(&printed, "jira_connect", "jira_timeout", &[&address.to_string()]);
    passes(&document, &["jira_name"]);
    are_skipped(&document, &["jira_tls", "jira_api", "jira_login"]);
    drop(listener);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_opens_the_way_is_not_said_to_have_been_looked_past() {
    let (machine, proxy) = (Machine::new(), ConnectProxy::start(Mood::Open).await);
    let (jira, ca) = jira_with_tls(&machine).await;
    let config = format!("jira_ca_file = \"{ca}\"\n[jira_path]\nproxy = \"{}\"\n", proxy.url());
    let document = look_from(&machine, &jira.url(), &config).await.json();
    passes(&document, &["jira_connect", "jira_tls", "jira_api"]);
    are_skipped(&document, &["jira_name"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_does_not_open_the_way_is_blamed_and_not_jira() {
    let refusals = ["403 Forbidden", "407 Proxy Authentication Required", "502 Bad Gateway"];
    for answer in refusals {
        let proxy = ConnectProxy::start(Mood::Refuse(answer)).await;
        let config = format!("[jira_path]\nproxy = \"{}\"\n", proxy.url());
        let printed = look_at("https://jira.invalid", &config).await;
        let document = fails(&printed, "jira_connect", "jira_proxy", &[&proxy.address.to_string()]);
        are_skipped(&document, &["jira_name", "jira_tls", "jira_api"]);
    }
    // Without TLS there is no tunnel, and the proxy's answer comes in Jira's place.
    let proxy = ConnectProxy::start(Mood::Refuse(refusals[1])).await;
    let config = format!("[jira_path]\nproxy = \"{}\"\n", proxy.url());
    fails(&look_at("http://jira.invalid", &config).await, "jira_connect", "jira_proxy", &["407"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_to_jira_that_is_not_there_is_blamed_and_not_jira() {
    let sim = sim();
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for proxy in [format!("http://{closed}"), "http://no-such-proxy.invalid:3128".to_owned()] {
        let printed = look_at(&sim.url(), &format!("[jira_path]\nproxy = \"{proxy}\"\n")).await;
        fails(&printed, "jira_connect", "jira_proxy", &[&proxy]);
    }
    // For this one Jira there is to be none.
    let entry = format!(
        "[jira_path]\nproxy = \"http://{closed}\"\n[[jira]]\nurl = \"{}\"\nproxy = \"none\"\n",
        sim.url()
    );
    passes(&look_at(&sim.url(), &entry).await.json(), &["jira_name", "jira_connect", "jira_api"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jira_that_wants_a_certificate_of_the_agent_is_told_from_one_that_is_not_trusted() {
    use std::os::unix::fs::PermissionsExt;
    let (machine, authority) = (Machine::new(), Authority::new("Corp Authority"));
    let ca = machine.file("jira-ca.pem", &authority.pem()).display().to_string();
    let server = TlsServer::start_for_clients_of(&authority, jira()).await;
    let own = |name: &str, pem: &str| {
        let file = machine.file(name, pem);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        format!("jira_ca_file = \"{ca}\"\n[jira_path]\nclient_certificate_file = \"{}\"\n", file.display())
    };
    let without = format!("jira_ca_file = \"{ca}\"\n");
    let foreign = own("foreign.pem", &Authority::new("Another Authority").client_pem("agent"));
    for config in [without, foreign] {
        let printed = look_from(&machine, &server.url(), &config).await;
        let document = fails(&printed, "jira_tls", "jira_client_certificate", &["client_certificate_file"]);
        passes(&document, &["jira_name", "jira_connect"]);
        assert!(finding(&document, "jira_tls").get("issuer_met").is_none(), "{document:#}");
    }
    let right = own("client.pem", &authority.client_pem("agent"));
    passes(&look_from(&machine, &server.url(), &right).await.json(), &["jira_tls", "jira_api"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_where_no_jira_may_be_is_not_called() {
    let sim = sim();
    let url = sim.url().replace("127.0.0.1", "localhost");
    let printed = look_at(&url, "[jira_path]\naddresses = [\"10.0.0.0/8\"]\n").await;
    let document = fails(&printed, "jira_name", "jira_address_not_permitted", &["localhost"]);
    are_skipped(&document, &["jira_connect", "jira_api", "jira_login"]);
    assert_eq!(sim.stats().requests_total, 0);
    passes(&look_at(&url, "[jira_path]\naddresses = [\"127.0.0.0/8\"]\n").await.json(), &["jira_api"]);
}
