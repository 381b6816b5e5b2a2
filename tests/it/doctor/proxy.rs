//! Proxies on the way to the relay, and one that only says that it opened a tunnel.

use super::{Machine, are_skipped, ca_of, fails, finding, passes};
use serde_json::Value;
use std::sync::Arc;
use tests::cluster::{Cluster, Printed};
use tests::middlebox::{Authority, Certificates, Conduct, ConnectProxy, Mood, TlsServer, Validity};
use tokio::net::TcpListener;

async fn look_through(proxy: &str, machine: Machine) -> (Cluster, Printed) {
    let cluster = Cluster::relay_only().await;
    let machine = machine.with("UPLINK_AGENT_PROXY__URL", proxy);
    let printed = machine.look_at(&cluster.relay_url, &ca_of(&cluster)).await;
    (cluster, printed)
}

async fn refused(answer: &'static str, code: &str, words: &[&str]) -> Value {
    let proxy = ConnectProxy::start(Mood::Refuse(answer)).await;
    let (_cluster, printed) = look_through(&proxy.url(), Machine::new()).await;
    let document = fails(&printed, "proxy", code, &[&[proxy.address.to_string().as_str()], words].concat());
    are_skipped(&document, &["relay_connect", "relay_tls", "relay_upgrade", "relay_challenge"]);
    document
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_opens_the_way_passes_with_its_name_and_who_named_it() {
    let proxy = ConnectProxy::start(Mood::Open).await;
    let (_cluster, printed) = look_through(&proxy.url(), Machine::new()).await;
    assert_eq!(printed.code, 0, "{printed:?}");
    let document = printed.json();
    passes(&document, &["proxy", "relay_connect", "relay_tls", "clock", "relay_upgrade", "relay_challenge"]);
    are_skipped(&document, &["relay_name"]);
    let found = finding(&document, "proxy")["found"].as_str().unwrap();
    assert!(found.contains(&proxy.address.to_string()) && found.contains("proxy.url"), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_wants_a_login_names_the_kinds_that_it_takes() {
    let answer = "407 Proxy Authentication Required\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: Basic realm=\"corp\"";
    let document = refused(answer, "proxy_login_missing", &["Negotiate", "Basic"]).await;
    assert!(finding(&document, "proxy")["network_team"].as_str().unwrap().contains("407"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_the_proxy_refuses_is_told_from_a_missing_one_and_not_repeated() {
    let proxy = ConnectProxy::start(Mood::Refuse("407 Proxy Authentication Required")).await;
    let machine = Machine::new();
    let password = machine.file("proxy-password", "pr0xy-canary\n");
    std::fs::set_permissions(&password, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let machine = machine
        .with("UPLINK_AGENT_PROXY__USERNAME", "agent")
        .with("UPLINK_AGENT_PROXY__PASSWORD_FILE", &password.display().to_string());
    let (_cluster, printed) = look_through(&proxy.url(), machine).await;
    fails(&printed, "proxy", "proxy_login_refused", &["refuses the login"]);
    assert!(!format!("{printed:?}").contains("pr0xy-canary"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_forbids_and_one_that_cannot_reach_the_relay_are_told_apart() {
    refused("403 Forbidden", "proxy_forbids", &["403"]).await;
    refused("502 Bad Gateway", "proxy_cannot_reach_relay", &["502"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_says_yes_and_serves_a_page_is_no_tunnel() {
    let proxy = ConnectProxy::start(Mood::Lie).await;
    let (_cluster, printed) = look_through(&proxy.url(), Machine::new()).await;
    let document = fails(&printed, "proxy", "proxy_no_tunnel", &[]);
    are_skipped(&document, &["relay_connect", "relay_tls"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_is_not_there_is_blamed_and_not_the_relay() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (_cluster, printed) = look_through(&format!("http://{closed}"), Machine::new()).await;
    fails(&printed, "proxy", "proxy_refuses_connection", &[&closed.to_string()]);
    let (_cluster, printed) = look_through("http://no-such-proxy.invalid:3128", Machine::new()).await;
    fails(&printed, "proxy", "proxy_name_unknown", &["no-such-proxy.invalid"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn something_else_at_the_proxys_address_is_no_proxy() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let greeter = tokio::spawn(async move {
        loop {
            let (mut tcp, _) = listener.accept().await.unwrap();
            drop(tokio::io::AsyncWriteExt::write_all(&mut tcp, b"220 mail.corp ESMTP\r\n").await);
        }
    });
    let (_cluster, printed) = look_through(&format!("http://{address}"), Machine::new()).await;
    fails(&printed, "proxy", "proxy_unfit", &[&address.to_string()]);
    greeter.abort();
}

/// A proxy over TLS that answers 403, and a machine that trusts its authority.
async fn forbidding_over_tls(names: &[&str]) -> (TlsServer, Machine) {
    let authority = Authority::new("Proxy Authority");
    let machine = Machine::new();
    let ca = machine.file("proxy-ca.pem", &authority.pem()).display().to_string();
    let forbids =
        Conduct::Answer(Arc::new(|_| b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n".to_vec()));
    let proxy = TlsServer::start(authority, Certificates::One(names, Validity::Now), forbids).await;
    (proxy, machine.with("UPLINK_AGENT_PROXY__CA_FILE", &ca))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_over_tls_is_heard_only_with_a_certificate_of_a_trusted_authority_for_its_name() {
    let (proxy, trusting) = forbidding_over_tls(&["127.0.0.1"]).await;
    let address = proxy.address.to_string();
    let (_cluster, printed) = look_through(&proxy.url(), Machine::new()).await;
    let words = ["Proxy Authority", &address];
    let document = fails(&printed, "proxy", "proxy_certificate_untrusted", &words);
    are_skipped(&document, &["relay_name", "relay_connect", "relay_tls"]);
    let (_cluster, printed) = look_through(&proxy.url(), trusting).await;
    fails(&printed, "proxy", "proxy_forbids", &["403"]);
    let (elsewhere, trusting) = forbidding_over_tls(&["proxy.corp.example"]).await;
    let (_cluster, printed) = look_through(&elsewhere.url(), trusting).await;
    fails(&printed, "proxy", "proxy_certificate_untrusted", &["proxy.corp.example"]);
}
