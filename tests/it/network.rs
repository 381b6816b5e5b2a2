//! The agent in a company's real network: nothing comes in, and only what the firewall lets out goes out.

mod daemons;

use crate::site::{assert_landed_equals_truth, generated};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant};
use tests::cluster::{Cluster, PASSWORD, Place, Printed};
use tests::jira_sim::{Hold, JiraSim, RunningSim, SimConfig, SimHandle};
use tests::premises_net::{
    Host, LetsOut, MITM_PORT, PROXY_NAME, PROXY_PASSWORD, PROXY_USERNAME, Packet, PremisesNet, RELAY_NAME,
    RELAY_PORT, SQUID_PORT, mitmdump,
};

/// What both sides beat with in these tests.
const BEAT: Duration = Duration::from_secs(1);
/// For a slow and shared machine to write a line after the fact, in every limit of time.
const SLOWNESS: Duration = Duration::from_millis(1500);
/// The network's absence: many beats, and longer than TCP tries often.
const OUTAGE: Duration = Duration::from_secs(6);
/// By then more than a window has arrived: whoever began the run anew would send it all twice.
const SEARCHES_BEFORE_OUTAGE: u64 = 130;
/// Outages of one run, if the first is followed by too slow a return.
const OUTAGES_MAX: usize = 3;
/// The work between two of them.
const SEARCHES_BETWEEN_OUTAGES: u64 = 3;
/// Bytes that may be on the way and not yet acknowledged on one link.
const LINK_WINDOW_BYTES: u64 = 8 << 20;

fn place(net: &PremisesNet, agent_environment: &[(&str, String)]) -> Place {
    let own = |(name, value): &(&str, String)| ((*name).to_owned(), value.clone());
    let names = ("UPLINK_RELAY_NAMES".to_owned(), RELAY_NAME.to_owned());
    let beat = ("UPLINK_RELAY_LINK__HEARTBEAT_MS".to_owned(), BEAT.as_millis().to_string());
    Place {
        relay_namespace: Some(net.namespace(Host::Cloud)),
        agent_namespace: Some(net.namespace(Host::Premises)),
        listen: Some(format!("{}:{RELAY_PORT}", net.relay())),
        relay_environment: vec![names, beat],
        agent_environment: agent_environment.iter().map(own).collect(),
    }
}

fn jira(net: &PremisesNet, config: SimConfig) -> (RunningSim, String) {
    let sim = JiraSim::start(SimConfig { listen: net.jira(), ..config }).unwrap();
    let url = sim.url().replace(&net.jira().to_string(), "jira.test");
    (sim, url)
}

async fn enrol(cluster: &Cluster, jira_url: &str, authority: &Path) -> Printed {
    cluster.ok(&["pool", "create", "sales"]).await;
    let token = cluster.new_token("hq").await;
    let relay = format!("https://{RELAY_NAME}:{RELAY_PORT}");
    cluster.enrol_with(&token, &["--relay", &relay, "--allow-jira", jira_url], authority).await
}

/// Reads everything and compares it with the truth.
async fn extract_all(cluster: &mut Cluster, sim: &SimHandle, jira_url: &str) {
    cluster.start_agent();
    cluster.agent_online().await;
    cluster.connect(jira_url, PASSWORD, 4).await;
    cluster.extracted(&["--full"]).await;
    assert_landed_equals_truth(cluster, sim);
    for (whose, log) in [("agent", cluster.agent_log()), ("relay", cluster.relay_log())] {
        assert!(!log.contains(PROXY_PASSWORD), "the proxy's password is in the log of the {whose}");
    }
}

/// Nothing asks the premises for a connection, and they speak with nobody but these.
fn assert_only(net: &PremisesNet, packets: &[Packet]) {
    let own: BTreeSet<Ipv4Addr> = net.premises().into_iter().chain([Ipv4Addr::LOCALHOST]).collect();
    let allowed: BTreeSet<Ipv4Addr> = own.iter().copied().chain([net.proxy(), net.jira()]).collect();
    for packet in packets {
        let inward = packet.opens && !own.contains(&packet.from);
        assert!(!inward, "somebody connects to the premises: {}", packet.text);
        let known = allowed.contains(&packet.from) && allowed.contains(&packet.to);
        assert!(known, "a packet from or to another host: {}", packet.text);
    }
    for wanted in [net.proxy(), net.jira()] {
        let opened = packets.iter().any(|packet| packet.opens && packet.to == wanted);
        assert!(opened, "the capture shows no connection to {wanted}, so it proves nothing");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn extraction_through_squid_with_a_login_speaks_with_nobody_else() {
    let needs = ["squid", "htpasswd", "/usr/lib/squid/basic_ncsa_auth", "ss"];
    let Some(mut net) = PremisesNet::build(LetsOut::Proxy(SQUID_PORT), &needs) else { return };
    net.start_squid();
    let (sim, jira_url) = jira(&net, generated(1_200, 41));
    let password = net.dir.path().join("proxy-password");
    write_private(&password, PROXY_PASSWORD);
    let proxy = format!("http://{PROXY_NAME}:{SQUID_PORT}");
    let settings = [
        ("UPLINK_AGENT_PROXY__URL", proxy),
        ("UPLINK_AGENT_PROXY__USERNAME", PROXY_USERNAME.to_owned()),
        ("UPLINK_AGENT_PROXY__PASSWORD_FILE", password.display().to_string()),
    ];
    let direct = [("UPLINK_AGENT_LINK__CONNECT_TIMEOUT_MS", "500".to_owned())];
    let mut cluster = Cluster::relay_at(place(&net, &direct)).await;
    let authority = cluster.relay_data().join("ca.pem");
    let refused = enrol(&cluster, &jira_url, &authority).await;
    assert!(
        refused.code != 0 && refused.stderr.contains("took longer"),
        "there is a way past the proxy: {refused:?}"
    );

    let capture = net.capture();
    cluster.place = place(&net, &settings);
    let token = cluster.new_token("hq").await;
    let relay = format!("https://{RELAY_NAME}:{RELAY_PORT}");
    let enrolled =
        cluster.enrol_with(&token, &["--relay", &relay, "--allow-jira", &jira_url], &authority).await;
    assert_eq!(enrolled.code, 0, "{enrolled:?}\n{}", net.squid_log());
    extract_all(&mut cluster, &sim, &jira_url).await;
    cluster.kill_agent().await;
    assert_only(&net, &capture.packets());
    assert!(
        net.squid_log().contains(&format!("CONNECT {RELAY_NAME}:{RELAY_PORT} {PROXY_USERNAME}")),
        "{}",
        net.squid_log()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn extraction_through_an_intercepting_proxy_that_is_trusted_is_said_to_be_inspected() {
    let program = mitmdump();
    let Some(mut net) = PremisesNet::build(LetsOut::Proxy(MITM_PORT), &[&program, "ss"]) else { return };
    let (sim, jira_url) = jira(&net, generated(1_200, 42));
    let account = format!("{PROXY_USERNAME}:{}", PROXY_PASSWORD.replace('/', "%2F"));
    let variable = ("HTTPS_PROXY", format!("http://{account}@{PROXY_NAME}:{MITM_PORT}"));
    let mut cluster = Cluster::relay_at(place(&net, std::slice::from_ref(&variable))).await;
    let relays_own = cluster.relay_data().join("ca.pem");
    let inspector = net.start_mitmproxy(program.as_ref(), &relays_own);

    let refused = enrol(&cluster, &jira_url, &relays_own).await;
    let text = &refused.stderr;
    assert!(refused.code != 0 && text.contains("inspects TLS"), "{refused:?}");
    assert!(
        text.contains("mitmproxy") && text.contains("expected: CN=Uplink relay authority"),
        "{refused:?}"
    );

    let trusting = ("UPLINK_AGENT_RELAY__INSPECTION_CA_FILE", inspector.display().to_string());
    cluster.place = place(&net, &[variable, trusting]);
    let capture = net.capture();
    let token = cluster.new_token("hq").await;
    let relay = format!("https://{RELAY_NAME}:{RELAY_PORT}");
    let enrolled =
        cluster.enrol_with(&token, &["--relay", &relay, "--allow-jira", &jira_url], &relays_own).await;
    assert_eq!(enrolled.code, 0, "{enrolled:?}");
    extract_all(&mut cluster, &sim, &jira_url).await;
    let said = cluster.agent().wait_for("link_inspected").await;
    assert!(said.contains("mitmproxy"), "{said}");
    let told = cluster.relay().wait_for("link_inspected").await;
    assert!(told.contains("mitmproxy"), "the relay was not told: {told}");
    cluster.kill_agent().await;
    assert_only(&net, &capture.packets());
}

/// Swallows every packet while the run waits for Jira, and gives how long after the network's return the run went on.
async fn outage(net: &PremisesNet, cluster: &Cluster, sim: &SimHandle, gate: Hold) -> Duration {
    let (noticed, lost) =
        (cluster.agent().times("\"link_silent\""), cluster.relay().times("\"agent_offline\""));
    sim.wait_for(Duration::from_secs(120), |stats| stats.held >= 1).await.unwrap();
    net.swallow();
    gate.release();
    let dead = Instant::now();
    let agent_says = async {
        cluster.agent().wait_for_times("\"link_silent\"", noticed + 1).await;
        ("agent", dead.elapsed())
    };
    let relay_says = async {
        cluster.relay().wait_for_times("\"agent_offline\"", lost + 1).await;
        ("relay", dead.elapsed())
    };
    let (agent_says, relay_says) = tokio::join!(agent_says, relay_says);
    for (whose, after) in [agent_says, relay_says] {
        eprintln!("{whose} noticed after {after:?}");
        assert!(after <= 2 * BEAT + SLOWNESS, "the {whose} noticed only after {after:?}");
    }
    let log = cluster.relay_log();
    let said = log.lines().rfind(|line| line.contains("\"agent_offline\"")).unwrap_or_default();
    assert!(said.contains("nothing was heard"), "{said}");

    // Not a wait for anything: the outage itself lasts as long.
    tokio::time::sleep(OUTAGE.saturating_sub(dead.elapsed())).await;
    let handed_out = cluster.relay().times("run_handed_out");
    assert_eq!(handed_out, lost + 1, "the run was handed out again before the network was back");
    net.restore();
    let back = Instant::now();
    cluster.relay().wait_for_times("run_handed_out", handed_out + 1).await;
    let after = back.elapsed();
    eprintln!("the run went on {after:?} after the network's return");
    after
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_goes_silently_dead_is_noticed_and_the_run_goes_on_within_a_second_of_the_networks_return()
 {
    let Some(net) = PremisesNet::build(LetsOut::Relay, &[]) else { return };
    let (sim, jira_url) = jira(&net, generated(20_000, 43));
    let mut cluster = Cluster::relay_at(place(&net, &[])).await;
    let authority = cluster.relay_data().join("ca.pem");
    let enrolled = enrol(&cluster, &jira_url, &authority).await;
    assert_eq!(enrolled.code, 0, "{enrolled:?}");
    cluster.start_agent();
    cluster.agent_online().await;
    cluster.connect(&jira_url, PASSWORD, 4).await;
    let mut gate = sim.hold_after("/search", SEARCHES_BEFORE_OUTAGE);
    let run = cluster.extract(&["--full"]).await;
    cluster.relay().wait_for("checkpoint_stored").await;
    // What else this machine does can hold one return up; every one has to succeed, and the quickest within the second.
    let mut after = Vec::new();
    loop {
        after.push(outage(&net, &cluster, &sim, gate).await);
        let quickest = after.iter().min().unwrap();
        if *quickest <= Duration::from_secs(1) {
            break;
        }
        assert!(after.len() < OUTAGES_MAX, "the run went on only {after:?} after the network's returns");
        gate = sim.hold_after("/search", SEARCHES_BETWEEN_OUTAGES);
    }

    let document = cluster.ended(&run).await;
    assert_eq!(document["state"], "succeeded", "{document:#}\n{}", cluster.agent_log());
    assert_landed_equals_truth(&cluster, &sim);
    cluster.kill_agent().await;
    let sessions = received_in_sessions(&cluster);
    let (before, received) = (sessions[0], sessions.iter().sum::<u64>());
    assert!(
        before > LINK_WINDOW_BYTES,
        "only {before} bytes came before the outage: the bound shows nothing"
    );
    let tables = document["result"]["tables"].as_object().unwrap();
    let kept: u64 = tables.values().filter_map(|table| table["bytes_sent"].as_u64()).sum();
    eprintln!("the relay received {received} bytes in all sessions, the run counts {kept}");
    let twice = LINK_WINDOW_BYTES * u64::try_from(after.len()).unwrap();
    assert!(received <= kept + twice, "{received} bytes came for {kept}: more than a window was sent twice");
}

/// Bytes of messages that the relay counted, session by session.
fn received_in_sessions(cluster: &Cluster) -> Vec<u64> {
    let log = cluster.relay_log();
    let counts = log.lines().filter(|line| line.contains("agent_offline")).filter_map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        line["bytes_received"].as_u64().or_else(|| line["fields"]["bytes_received"].as_u64())
    });
    counts.collect()
}

fn write_private(path: &Path, text: &str) {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}
