//! A wrong clock, told by the relay's challenge or, where that does not come through, by the `Date` of an answer.

use super::{Machine, are_skipped, ca_of, fails, finding, pass_on, passes, same, server};
use chrono::{TimeDelta, Utc};
use std::sync::Arc;
use tests::cluster::{Binaries, Cluster, Printed};
use tests::middlebox::{Authority, Certificates, Conduct, Head, TlsServer, Validity};
use tokio::process::Command;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Another time in the answer's head.
fn date_off_by(days: i64) -> Head {
    Arc::new(move |head: &str| {
        let told = (Utc::now() - TimeDelta::days(days)).format("%a, %d %b %Y %H:%M:%S GMT");
        let lines = head.split("\r\n").map(|line| {
            if line.to_ascii_lowercase().starts_with("date:") {
                format!("date: {told}")
            } else {
                line.to_owned()
            }
        });
        lines.collect::<Vec<_>>().join("\r\n")
    })
}

/// Lets no upgrade through.
fn no_upgrade() -> Head {
    Arc::new(|head: &str| head.replace("websocket", "nothing"))
}

/// Runs `doctor` with another clock; `None`, said aloud, without `faketime`.
async fn with_clock(offset: &str, machine: &Machine, args: &[&str]) -> Option<Printed> {
    if Command::new("faketime").arg("--version").output().await.is_err() {
        let required = std::env::var("UPLINK_REQUIRE_FAKETIME").is_ok_and(|value| value == "1");
        assert!(!required, "UPLINK_REQUIRE_FAKETIME=1, but there is no faketime");
        eprintln!("SKIPPED: no faketime on this machine; a wrong clock was only told by the other side");
        return None;
    }
    let mut command = Command::new("faketime");
    command.args(["-f", offset]).arg(Binaries::built().path("uplink-agent"));
    Some(machine.run_program(command, &[&["doctor", "--json"], args].concat(), "").await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_a_day_ahead_is_told_by_the_relay_with_the_amount() {
    let cluster = Cluster::relay_only().await;
    let machine = Machine::new();
    let ca = machine.file("ca.pem", &ca_of(&cluster)).display().to_string();
    let args = ["--relay", &cluster.relay_url, "--relay-ca", &ca];
    let Some(printed) = with_clock("+1d", &machine, &args).await else { return };
    let document = fails(&printed, "clock", "clock_off", &["1 d", "ahead of the relay's", "challenge"]);
    passes(&document, &["relay_tls", "relay_upgrade", "relay_challenge"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_years_off_is_blamed_and_not_the_certificate() {
    let cluster = Cluster::relay_only().await;
    let machine = Machine::new();
    let ca = machine.file("ca.pem", &ca_of(&cluster)).display().to_string();
    let args = ["--relay", &cluster.relay_url, "--relay-ca", &ca];
    let Some(printed) = with_clock("+5y", &machine, &args).await else { return };
    let document = fails(&printed, "clock", "clock_off", &["ahead of the relay's"]);
    are_skipped(&document, &["relay_tls", "relay_upgrade"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_date_tells_a_wrong_clock_where_no_challenge_comes_through() {
    let cluster = Cluster::relay_only().await;
    let (middle, ca) = server(pass_on(&cluster, no_upgrade(), date_off_by(1))).await;
    let printed = Machine::new().look_at(&middle.url(), &ca).await;
    let document = printed.json();
    assert_eq!(printed.code, 1, "{printed:?}");
    let clock = finding(&document, "clock");
    assert_eq!(clock["code"], "clock_off", "{document:#}");
    assert!(clock["found"].as_str().unwrap().contains("`Date`"), "{clock:#}");
}

/// Takes the time out of the answer's head.
fn no_date() -> Head {
    Arc::new(|head: &str| {
        let lines = head.split("\r\n").filter(|line| !line.to_ascii_lowercase().starts_with("date:"));
        lines.collect::<Vec<_>>().join("\r\n")
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_nobody_tells_is_unknown_and_no_pass() {
    let cluster = Cluster::relay_only().await;
    let (middle, ca) = server(pass_on(&cluster, no_upgrade(), no_date())).await;
    let printed = Machine::new().look_at(&middle.url(), &ca).await;
    let document = fails(&printed, "relay_upgrade", "relay_upgrade_stripped", &[]);
    let clock = finding(&document, "clock");
    assert_eq!((&clock["outcome"], &clock["code"]), (&"note".into(), &"clock_unknown".into()), "{clock:#}");
    // Where the challenge comes through, it tells the time.
    let (middle, ca) = server(pass_on(&cluster, same(), no_date())).await;
    let document = Machine::new().look_at(&middle.url(), &ca).await.json();
    assert!(finding(&document, "clock")["found"].as_str().unwrap().contains("challenge"), "{document:#}");
    passes(&document, &["clock"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_date_of_something_on_the_way_is_not_believed_against_the_relay() {
    let cluster = Cluster::relay_only().await;
    let (middle, ca) = server(pass_on(&cluster, same(), date_off_by(1))).await;
    let printed = Machine::new().look_at(&middle.url(), &ca).await;
    assert_eq!(printed.code, 0, "{printed:?}");
    passes(&printed.json(), &["clock"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_date_on_the_way_does_not_hide_the_relays_other_time() {
    let conduct = Conduct::Answer(Arc::new(|head| {
        let date = Utc::now().format("%a, %d %b %Y %H:%M:%S GMT");
        let Some((_, key)) = head
            .split("\r\n")
            .filter_map(|line| line.split_once(": "))
            .find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"))
        else {
            return format!("HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: 33\r\n\r\n{{\"status\":\"ok\",\"version\":\"9.9.9\"}}").into_bytes();
        };
        let told = (Utc::now() - TimeDelta::days(1)).timestamp_millis();
        let text = format!(
            r#"{{"type":"challenge","nonce":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","protocol":"uplink.v1","relay_time_ms":{told}}}"#
        );
        let yes = format!(
            "HTTP/1.1 101 Switching Protocols\r\nDate: {date}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: uplink.v1\r\n\r\n",
            derive_accept_key(key.as_bytes())
        );
        let length = u16::try_from(text.len()).unwrap().to_be_bytes();
        [yes.as_bytes(), &[0x81, 126], &length, text.as_bytes()].concat()
    }));
    let (server, ca) = server(conduct).await;
    let printed = Machine::new().look_at(&server.url(), &ca).await;
    fails(&printed, "clock", "clock_off", &["1 d", "challenge"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_certificate_and_a_right_clock_blame_the_certificate_and_say_so() {
    let cluster = Cluster::relay_only().await;
    let authority = Authority::new("Corp Authority");
    let ca = authority.pem();
    let certificates = Certificates::One(&["127.0.0.1"], Validity::Past);
    let server = TlsServer::start(authority, certificates, pass_on(&cluster, same(), same())).await;
    let printed = Machine::new().look_at(&server.url(), &ca).await;
    fails(&printed, "relay_tls", "relay_certificate_expired", &["2022-01-01", "clock is right"]);
}
