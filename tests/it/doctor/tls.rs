//! Certificates: unknown authorities, interceptors, names and dates.

use super::{Machine, are_skipped, ca_of, fails, finding, pass_on, passes, same};
use serde_json::Value;
use std::sync::Arc;
use tests::cluster::Cluster;
use tests::middlebox::{Authority, Certificates, Conduct, TlsServer, Validity};

const INSPECTION: &str = "Corp Security Root 7";

/// An interceptor before a real relay: certificates of its own for every name, everything else passed on.
async fn interceptor(cluster: &Cluster) -> (TlsServer, String) {
    let authority = Authority::new(INSPECTION);
    let pem = authority.pem();
    let conduct = pass_on(cluster, same(), same());
    (TlsServer::start(authority, Certificates::OnDemand, conduct).await, pem)
}

fn nowhere() -> Conduct {
    Conduct::Answer(Arc::new(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec()))
}

fn text<'a>(found: &'a Value, member: &str) -> &'a str {
    found[member].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interceptor_is_named_with_the_issuer_met_and_the_one_expected() {
    let cluster = Cluster::relay_only().await;
    let (middle, _) = interceptor(&cluster).await;
    let printed = Machine::new().look_at(&middle.url(), &ca_of(&cluster)).await;
    let words = [INSPECTION, "Uplink relay authority", "for any name"];
    let document = fails(&printed, "relay_tls", "relay_tls_intercepted", &words);
    let found = finding(&document, "relay_tls");
    assert!(text(found, "issuer_met").contains(INSPECTION), "{found:#}");
    assert!(text(found, "issuer_expected").contains("Uplink relay authority"), "{found:#}");
    let sentence = text(found, "network_team");
    for part in [INSPECTION, "Uplink relay authority", &middle.address.to_string(), "exempt"] {
        assert!(sentence.contains(part), "{part} is not in: {sentence}");
    }
    passes(&document, &["relay_connect"]);
    are_skipped(&document, &["relay_upgrade", "relay_challenge"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interceptor_that_is_trusted_is_noted_and_never_a_plain_pass() {
    let cluster = Cluster::relay_only().await;
    let (middle, ca) = interceptor(&cluster).await;
    let printed = Machine::new().look_at(&middle.url(), &ca).await;
    assert_eq!(printed.code, 0, "{printed:?}");
    let document = printed.json();
    let found = finding(&document, "relay_tls");
    assert_eq!((text(found, "outcome"), text(found, "code")), ("note", "relay_tls_inspected"));
    assert!(text(found, "found").contains(INSPECTION), "{found:#}");
    passes(&document, &["relay_upgrade", "relay_challenge", "clock"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_relay_at_the_address_is_an_unknown_authority_and_no_interceptor() {
    let (cluster, other) = tokio::join!(Cluster::relay_only(), Cluster::relay_only());
    let printed = Machine::new().look_at(&cluster.relay_url, &ca_of(&other)).await;
    fails(&printed, "relay_tls", "relay_certificate_untrusted", &["Uplink relay authority", "another key"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_whose_certificate_comes_from_another_authority_now_is_no_interceptor() {
    let cluster = Cluster::relay_only().await;
    let certificates = Certificates::One(&["127.0.0.1"], Validity::Now);
    let conduct = pass_on(&cluster, same(), same());
    let moved = TlsServer::start(Authority::new("Some Public Authority"), certificates, conduct).await;
    let printed = Machine::new().look_at(&moved.url(), &ca_of(&cluster)).await;
    fails(&printed, "relay_tls", "relay_certificate_untrusted", &["Some Public Authority"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_for_another_name_shows_its_names() {
    let authority = Authority::new("Corp Authority");
    let pem = authority.pem();
    let names = ["relay.example.com", "10.9.8.7"];
    let server = TlsServer::start(authority, Certificates::One(&names, Validity::Now), nowhere()).await;
    let printed = Machine::new().look_at(&server.url(), &pem).await;
    let words = ["relay.example.com", "10.9.8.7", "127.0.0.1"];
    fails(&printed, "relay_tls", "relay_certificate_name", &words);
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_and_early_certificates_show_their_days() {
    for (validity, code, days) in [
        (Validity::Past, "relay_certificate_expired", ["2020-01-01", "2022-01-01"]),
        (Validity::Future, "relay_certificate_early", ["2060-01-01", "2062-01-01"]),
    ] {
        let authority = Authority::new("Corp Authority");
        let pem = authority.pem();
        let server =
            TlsServer::start(authority, Certificates::One(&["127.0.0.1"], validity), nowhere()).await;
        let printed = Machine::new().look_at(&server.url(), &pem).await;
        fails(&printed, "relay_tls", code, &days);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_only_a_client_may_show_is_refused_for_that_and_not_for_its_authority() {
    let authority = Authority::new("Corp Authority");
    let pem = authority.pem();
    let server = TlsServer::start(authority, Certificates::ForClients(&["127.0.0.1"]), nowhere()).await;
    let printed = Machine::new().look_at(&server.url(), &pem).await;
    let document = fails(&printed, "relay_tls", "relay_certificate_bad", &["lient"]);
    assert!(text(finding(&document, "relay_tls"), "issuer_met").contains("Corp Authority"), "{document:#}");
    passes(&document, &["relay_connect"]);
    are_skipped(&document, &["relay_upgrade", "relay_challenge"]);
}
