//! From HTTPS to a WebSocket: stripped upgrades, portals, wrong servers, and answers that only look like a yes.

use super::{Machine, answering, are_skipped, ca_of, fails, finding, pass_on, passes, same, server};
use crate::wire::upgrade;
use std::sync::Arc;
use tests::cluster::{Cluster, Printed};
use tests::middlebox::{Conduct, Head};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

const HEALTH: &str = r#"{"status":"ok","version":"9.9.9"}"#;

/// Takes out of a request what makes it an upgrade, as proxies do that read HTTP.
fn strip(head: &str) -> String {
    let hop = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        name != "connection" && name != "upgrade" && !name.starts_with("sec-websocket")
    };
    head.split("\r\n").filter(hop).collect::<Vec<_>>().join("\r\n")
}

async fn look_through(request: Head) -> Printed {
    let cluster = Cluster::relay_only().await;
    let (middle, ca) = server(pass_on(&cluster, request, same())).await;
    Machine::new().look_at(&middle.url(), &ca).await
}

async fn look_at_answer(answer: &'static str) -> Printed {
    let (server, ca) = answering(answer).await;
    Machine::new().look_at(&server.url(), &ca).await
}

/// Health as a relay has it, and any answer to the upgrade.
async fn look_at_upgrade(upgrade: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Printed {
    let conduct = Conduct::Answer(Arc::new(move |head| {
        if head.starts_with("GET /v1/link") {
            return upgrade(head);
        }
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{HEALTH}", HEALTH.len()).into_bytes()
    }));
    let (server, ca) = server(conduct).await;
    let machine = Machine::new().with("UPLINK_AGENT_LINK__CONNECT_TIMEOUT_MS", "5000");
    machine.look_at(&server.url(), &ca).await
}

fn key_of(head: &str) -> String {
    let mut lines = head.split("\r\n").filter_map(|line| line.split_once(": "));
    let key = lines.find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key")).unwrap().1;
    derive_accept_key(key.as_bytes())
}

/// A proper yes, and then these bytes.
fn agreed(head: &str, then: &[u8]) -> Vec<u8> {
    let yes = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: uplink.v1\r\n\r\n",
        key_of(head)
    );
    [yes.as_bytes(), then].concat()
}

/// A text message as a server sends it.
fn message(text: &str) -> Vec<u8> {
    [&[0x81, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_stripped_on_the_way_is_known_by_the_relays_own_word() {
    let printed = look_through(Arc::new(strip)).await;
    let words = ["no WebSocket upgrade arrived"];
    let document = fails(&printed, "relay_upgrade", "relay_upgrade_stripped", &words);
    let sentence = finding(&document, "relay_upgrade")["network_team"].as_str().unwrap();
    assert!(sentence.contains("Upgrade: websocket"), "{sentence}");
    passes(&document, &["relay_tls", "clock"]);
    are_skipped(&document, &["relay_challenge"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_answers_upgrades_itself_is_told_from_a_wrong_server() {
    for (status, answer) in [
        ("200", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"),
        ("400", "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
        ("403", "HTTP/1.1 403 Forbidden\r\nContent-Length: 13\r\n\r\n<html>no</html"),
    ] {
        let request: Head = Arc::new(move |head: &str| {
            if head.to_ascii_lowercase().contains("upgrade: websocket") { answer } else { head }.to_owned()
        });
        let printed = look_through(request).await;
        let words = ["answers plain requests", status];
        fails(&printed, "relay_upgrade", "relay_upgrade_stripped", &words);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_captive_portal_is_a_web_page_however_well_certified() {
    let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 52\r\n\r\n<html><head><title>Guest Wi-Fi</title></head></html>";
    fails(&look_at_answer(page).await, "relay_upgrade", "relay_web_page", &["Guest Wi-Fi", "200"]);
    let redirect =
        "HTTP/1.1 302 Found\r\nLocation: https://portal.corp.example/login\r\nContent-Length: 0\r\n\r\n";
    fails(&look_at_answer(redirect).await, "relay_upgrade", "relay_web_page", &["portal.corp.example"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_server_is_no_relay_even_if_it_asks_for_an_upgrade() {
    for answer in [
        "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 426 Upgrade Required\r\nUpgrade: TLS/1.3\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{\"status\":\"UP\"}",
    ] {
        fails(&look_at_answer(answer).await, "relay_upgrade", "relay_not_a_relay", &[]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yes_without_the_accept_key_or_the_subprotocol_is_none() {
    let without_key = |_: &str| {
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: uplink.v1\r\n\r\n".to_vec()
    };
    fails(&look_at_upgrade(without_key).await, "relay_upgrade", "relay_upgrade_failed", &[]);
    let without_subprotocol = |head: &str| {
        let yes = String::from_utf8(agreed(head, b"")).unwrap();
        yes.replace("Sec-WebSocket-Protocol: uplink.v1\r\n", "").into_bytes()
    };
    fails(&look_at_upgrade(without_subprotocol).await, "relay_upgrade", "relay_subprotocol", &["uplink.v1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_without_an_answer_is_a_timeout_of_its_own() {
    // An answer that never ends its head.
    let stuck = |_: &str| b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n".to_vec();
    let printed = look_at_upgrade(stuck).await;
    fails(&printed, "relay_upgrade", "relay_upgrade_timeout", &["5000 ms"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_without_a_challenge_is_no_relay() {
    let document = fails(
        &look_at_upgrade(|head| agreed(head, b"")).await,
        "relay_challenge",
        "relay_silent",
        &["5000 ms"],
    );
    passes(&document, &["relay_upgrade"]);
    for strange in [
        "hello",
        r#"{"type":"welcome"}"#,
        r#"{"type":"challenge","nonce":"AA==","protocol":"uplink.v1","relay_time_ms":1}"#,
    ] {
        let printed = look_at_upgrade(move |head| agreed(head, &message(strange))).await;
        fails(&printed, "relay_challenge", "relay_challenge_strange", &[]);
    }
}

/// Handshakes that a relay waits for at once, by its own limit.
const GREETINGS: usize = 256;

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_takes_nobody_at_the_moment_is_busy_and_no_fault_of_the_network() {
    let cluster = Cluster::relay_only().await;
    // Each place is given back after ten seconds: a machine that is too slow for that tries again.
    for _ in 0..5 {
        let links = (0..GREETINGS).map(|_| upgrade(&cluster, Some("uplink.v1")));
        let held: Vec<_> = futures_util::future::join_all(links).await;
        let printed = Machine::new().look_at(&cluster.relay_url, &ca_of(&cluster)).await;
        let taken = held.into_iter().flatten().count();
        if printed.code == 0 {
            eprintln!("{taken} links were not enough, or gone too soon");
            continue;
        }
        let document = fails(&printed, "relay_upgrade", "relay_busy", &["503", "shaking hands"]);
        passes(&document, &["relay_connect", "relay_tls", "clock"]);
        are_skipped(&document, &["relay_challenge"]);
        let found = finding(&document, "relay_upgrade");
        assert!(found.get("network_team").is_none(), "the network is blamed: {found:#}");
        return;
    }
    panic!("the relay was never busy");
}
