//! Proxies as distributions ship them: SOCKS5 daemons, and HTTP CONNECT over TLS.

use super::{assert_only, enrol, extract_all, jira, place, write_private};
use crate::site::generated;
use std::path::{Path, PathBuf};
use tests::cluster::Cluster;
use tests::premises_net::{
    LetsOut, PROXY_NAME, PROXY_PASSWORD, PROXY_USERNAME, PremisesNet, RELAY_NAME, RELAY_PORT, SOCKS_PORT,
    SQUID_PORT, TLS_PROXY_PORT,
};

/// Settings of the agent for a proxy with an account.
fn settings(url: String, password: &Path) -> Vec<(&'static str, String)> {
    vec![
        ("UPLINK_AGENT_PROXY__URL", url),
        ("UPLINK_AGENT_PROXY__USERNAME", PROXY_USERNAME.to_owned()),
        ("UPLINK_AGENT_PROXY__PASSWORD_FILE", password.display().to_string()),
    ]
}

fn password(net: &PremisesNet, name: &str, text: &str) -> PathBuf {
    let file = net.dir.path().join(name);
    write_private(&file, text);
    file
}

/// Enrols and extracts everything with these settings; meanwhile the premises speak with proxy, Jira and name server alone.
async fn extract(net: &PremisesNet, cluster: &mut Cluster, settings: &[(&str, String)]) {
    let (sim, jira_url) = jira(net, generated(1_200, 44));
    let authority = cluster.relay_data().join("ca.pem");
    let capture = net.capture();
    cluster.place = place(net, settings);
    let enrolled = enrol(cluster, &jira_url, &authority).await;
    assert_eq!(enrolled.code, 0, "{enrolled:?}\n{}", net.service_logs());
    extract_all(cluster, &sim, &jira_url).await;
    cluster.kill_agent().await;
    assert_only(net, &capture.packets());
}

/// What `enroll` says of a way that does not work; no token is spent on it.
async fn refusal(net: &PremisesNet, cluster: &mut Cluster, settings: &[(&str, String)]) -> String {
    cluster.place = place(net, settings);
    let authority = cluster.relay_data().join("ca.pem");
    let token = cluster.new_token("refused").await;
    let relay = format!("https://{RELAY_NAME}:{RELAY_PORT}");
    let printed = cluster.enrol_with(&token, &["--relay", &relay], &authority).await;
    assert_ne!(printed.code, 0, "{printed:?}");
    printed.stderr
}

#[tokio::test(flavor = "multi_thread")]
async fn extraction_through_a_socks5_daemon_with_a_login_speaks_with_nobody_else() {
    let Some(mut net) = PremisesNet::build(LetsOut::Proxy(SOCKS_PORT), &["microsocks", "ss"]) else { return };
    net.start_microsocks();
    let mut cluster = Cluster::relay_at(place(&net, &[])).await;
    let url = format!("socks5://{PROXY_NAME}:{SOCKS_PORT}");
    let wrong = settings(url.clone(), &password(&net, "wrong", "not-the-password"));
    let said = refusal(&net, &mut cluster, &wrong).await;
    assert!(said.contains("[proxy_login_refused]"), "{said}");
    let right = settings(url, &password(&net, "right", PROXY_PASSWORD));
    extract(&net, &mut cluster, &right).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn extraction_through_dante_which_asks_for_no_login_speaks_with_nobody_else() {
    let Some(mut net) = PremisesNet::build(LetsOut::Proxy(SOCKS_PORT), &["danted", "ss"]) else { return };
    net.start_dante();
    let mut cluster = Cluster::relay_at(place(&net, &[])).await;
    let url = format!("socks5://{PROXY_NAME}:{SOCKS_PORT}");
    extract(&net, &mut cluster, &[("UPLINK_AGENT_PROXY__URL", url)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn extraction_through_a_proxy_over_tls_trusts_its_authority_and_speaks_with_nobody_else() {
    let needs = ["squid", "htpasswd", "/usr/lib/squid/basic_ncsa_auth", "stunnel4", "ss"];
    let Some(mut net) = PremisesNet::build(LetsOut::Proxy(TLS_PROXY_PORT), &needs) else { return };
    let ca = net.start_squid_behind_tls();
    let mut cluster = Cluster::relay_at(place(&net, &[])).await;
    let url = format!("https://{PROXY_NAME}:{TLS_PROXY_PORT}");
    let mut settings = settings(url, &password(&net, "right", PROXY_PASSWORD));
    let said = refusal(&net, &mut cluster, &settings).await;
    assert!(said.contains("[proxy_certificate_untrusted]") && said.contains("Proxy Authority"), "{said}");
    settings.push(("UPLINK_AGENT_PROXY__CA_FILE", ca.display().to_string()));
    extract(&net, &mut cluster, &settings).await;
    let asked = format!("CONNECT {RELAY_NAME}:{RELAY_PORT} {PROXY_USERNAME}");
    assert!(net.squid_log().contains(&asked), "{}", net.squid_log());
}

/// The recipe of docs/network.md for proxies that take NTLM alone.
#[tokio::test(flavor = "multi_thread")]
async fn extraction_through_cntlm_before_a_proxy_that_takes_ntlm_alone_speaks_with_nobody_else() {
    let needs = ["squid", "/usr/lib/squid/ntlm_fake_auth", "cntlm", "ss"];
    let Some(mut net) = PremisesNet::build(LetsOut::Proxy(SQUID_PORT), &needs) else { return };
    net.start_squid_with_ntlm();
    net.start_cntlm();
    let mut cluster = Cluster::relay_at(place(&net, &[])).await;
    let past =
        settings(format!("http://{PROXY_NAME}:{SQUID_PORT}"), &password(&net, "right", PROXY_PASSWORD));
    let said = refusal(&net, &mut cluster, &past).await;
    assert!(said.contains("[proxy_login_refused]") && said.contains("NTLM"), "{said}");
    let through = ("UPLINK_AGENT_PROXY__URL", format!("http://127.0.0.1:{SQUID_PORT}"));
    extract(&net, &mut cluster, &[through]).await;
    let tunnels = net.squid_log().matches("TCP_TUNNEL/200").count();
    assert!(tunnels >= 2, "enrolment and link did not both pass squid: {}", net.squid_log());
}
