//! The whole extraction against a bare download, measured in one run: `cargo bench -p tests`.
//!
//! The baseline is what no extractor can beat: an HTTP client that sends the very requests which the agent sent, at the same
//! parallelism, and throws the answers away. Beside the ratios stand the bytes over the link, CPU seconds per gigabyte of JSON, peak memory at
//! two sizes of site, and the time for a thousand issues behind a slow network.
#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a bench prints its figures and stops where it cannot go on"
)]

use futures_util::StreamExt;
use jira::{Credential, JiraClient, Limits, Mode, Site, Spec};
use std::time::{Duration, Instant};
use tests::cluster::{Cluster, PASSWORD, USERNAME};
use tests::jira_sim::{
    Account, Flavour, GeneratedSite, JiraSim, RateLimit, RecordedRequest, RunningSim, SimConfig, SiteSource,
};
use tokio_util::sync::CancellationToken;

const PARALLEL: usize = 4;
const GIGABYTE: f64 = 1e9;
/// A Jira takes its time for a page of a hundred issues with their history; a simulator does not.
const SERVER_TIME: Duration = Duration::from_millis(100);

/// The tables of issues, and the lists that are one short answer each.
const ISSUES_AND_LISTS: &str = "issues,issue_comments,issue_worklogs,issue_changelog,issue_links,issue_sprints,issue_labels,\
    issue_components,issue_versions,issue_attachments,issue_subtasks,issue_custom_values,event_log,field_history,projects,users,statuses,\
    priorities,resolutions,issue_types,fields";

struct Measured {
    seconds: f64,
    json_bytes: f64,
    link_bytes: f64,
    requests: u64,
    agent_cpu: f64,
    relay_cpu: f64,
    agent_peak_kib: u64,
    relay_peak_kib: u64,
    recorded: Vec<RecordedRequest>,
}

#[tokio::main]
async fn main() {
    // `cargo test` and `cargo bench -- --list` also start benches; only a plain bench run measures.
    if std::env::args().any(|argument| argument == "--list" || argument == "--test") {
        return;
    }
    println!(
        "whole extraction through agent, TLS link and relay; {PARALLEL} requests in parallel; tables on the local disk"
    );
    against_bare_download("a Jira that answers at once", 20_000, Duration::ZERO).await;
    against_bare_download("a Jira that takes 100 ms a request", 20_000, SERVER_TIME).await;
    slow_network().await;
    limited_rate().await;
    memory().await;
}

fn site(issues: u32, latency: Duration) -> RunningSim {
    let site = GeneratedSite { issues, seed: 5, ..GeneratedSite::default() };
    let config = SimConfig {
        accounts: vec![Account::new(USERNAME, PASSWORD)],
        source: SiteSource::Generated(site),
        latency,
        ..SimConfig::default()
    };
    JiraSim::start(config).expect("the simulator starts")
}

async fn extraction(sim: &RunningSim, what: &[&str]) -> Measured {
    let cluster = Cluster::start(&sim.url()).await;
    cluster.connect(&sim.url(), PASSWORD, u32::try_from(PARALLEL).unwrap_or(4)).await;
    let (agent_before, relay_before) = (cluster.agent().cpu_seconds(), cluster.relay().cpu_seconds());
    sim.reset_stats();
    sim.record_requests();
    let started = Instant::now();
    let run = cluster.extracted(&[&["--full"], what].concat()).await;
    let seconds = started.elapsed().as_secs_f64();
    let stats = sim.stats();
    let sent = run["result"]["progress"]["bytes_sent"].as_f64().or(run["progress"]["bytes_sent"].as_f64());
    Measured {
        seconds,
        json_bytes: float(stats.json_bytes),
        link_bytes: sent.expect("the run says its bytes"),
        requests: stats.requests_total,
        agent_cpu: cluster.agent().cpu_seconds() - agent_before,
        relay_cpu: cluster.relay().cpu_seconds() - relay_before,
        agent_peak_kib: cluster.agent().peak_rss_kib(),
        relay_peak_kib: cluster.relay().peak_rss_kib(),
        recorded: sim.recorded_requests(),
    }
}

/// Sends the requests again and throws the answers away.
async fn bare_download(sim: &RunningSim, requests: &[RecordedRequest]) -> f64 {
    let client =
        reqwest::Client::builder().no_proxy().http1_only().cookie_store(true).build().expect("a client");
    let send = |request: &RecordedRequest| {
        let url = format!("{}{}", sim.url(), request.path_and_query);
        let method = request.method.parse().expect("a method");
        let call =
            client.request(method, url).basic_auth(USERNAME, Some(PASSWORD)).body(request.body.clone());
        let call = call.header("content-type", "application/json").header("x-atlassian-token", "no-check");
        async move {
            let mut answer = call.send().await.expect("an answer");
            assert!(answer.status().is_success(), "{}", answer.status());
            while answer.chunk().await.expect("a body").is_some() {}
        }
    };
    let started = Instant::now();
    futures_util::stream::iter(requests.iter().map(send))
        .buffer_unordered(PARALLEL)
        .collect::<Vec<()>>()
        .await;
    started.elapsed().as_secs_f64()
}

async fn against_bare_download(what: &str, issues: u32, latency: Duration) {
    let sim = site(issues, latency);
    let whole = extraction(&sim, &[]).await;
    let bare = bare_download(&sim, &whole.recorded).await;
    let gigabytes = whole.json_bytes / GIGABYTE;
    println!(
        "\n{issues} issues, {what}: {:.0} MB of JSON in {} requests",
        whole.json_bytes / 1e6,
        whole.requests
    );
    println!(
        "  requests per 1,000 issues {:.1}  (goal: at most 10 for the issues with their children; here with all lists, and work logs that a search cuts)",
        float(whole.requests) * 1_000.0 / f64::from(issues)
    );
    println!("  extraction {:.2} s, bare download {bare:.2} s", whole.seconds);
    println!("  ratio of times            {:.2}   (goal: at most 1.25)", whole.seconds / bare);
    println!("  link bytes / JSON bytes   {:.3}  (goal: at most 0.10)", whole.link_bytes / whole.json_bytes);
    println!(
        "  CPU seconds per GB        agent {:.1}, relay {:.1}",
        whole.agent_cpu / gigabytes,
        whole.relay_cpu / gigabytes
    );
}

async fn slow_network() {
    let sim = site(1_000, SERVER_TIME);
    let children = extraction(&sim, &["--tables", ISSUES_AND_LISTS]).await;
    let whole = extraction(&sim, &[]).await;
    println!("\n1000 issues behind 100 ms a request, {PARALLEL} in parallel");
    println!(
        "  with all their children   {:.2} s in {} requests (goal: under 2 s)",
        children.seconds, children.requests
    );
    println!(
        "  and boards, components... {:.2} s in {} requests, for they are asked board by board",
        whole.seconds, whole.requests
    );
}

/// A Jira that allows so many requests a second: how near the extraction comes to it, once it knows.
async fn limited_rate() {
    const ALLOWED: u32 = 10;
    let rate_limit = Some(RateLimit { tokens: ALLOWED, fill: ALLOWED, interval_seconds: 1 });
    println!("\n{ALLOWED} requests a second are allowed");
    for flavour in [Flavour::V9_12, Flavour::Cloud] {
        let limited = SimConfig { flavour, rate_limit, ..SimConfig::cloud(30_000, 5) };
        let sim = JiraSim::start(limited).expect("the simulator starts");
        let site = Site {
            base_url: sim.url().parse().expect("an address"),
            extra_root_pem: None,
            way: jira::Way::default(),
        };
        let credential = if flavour == Flavour::Cloud {
            Credential::ApiToken {
                username: "reader@example.com".into(),
                token: "reader-api-token".to_owned().into(),
            }
        } else {
            Credential::Token("reader-scoped-token".to_owned().into())
        };
        let client = JiraClient::try_new(site, credential, Limits::default()).expect("a client");
        let tables = jira::Table::all()
            .iter()
            .copied()
            .filter(|table| table.is_issue_table() && table.is_default())
            .collect();
        let mut load = jira::extract(client, full(tables), Vec::new(), CancellationToken::new());
        let started = Instant::now();
        let mut learned = None;
        while let Some(event) = load.next().await {
            if let jira::Event::Landed(ask) = event.expect("the load goes on") {
                ask.answer(jira::LandedAnswer::Columns(Vec::new()));
            }
            if learned.is_none() && started.elapsed() > Duration::from_secs(10) {
                learned = Some((Instant::now(), sim.stats()));
            }
        }
        let (since, before) = learned.expect("the load takes a while");
        let (seconds, after) = (since.elapsed().as_secs_f64(), sim.stats());
        let (sent, refused) =
            (after.requests_total - before.requests_total, after.rate_limited - before.rate_limited);
        println!(
            "  {flavour:?}: {:.3} of the rate sent, {:.3} passed, {refused} refused, in {seconds:.0} s after the first 10 s (goal: 0.95 to 1.05)",
            float(sent) / seconds / f64::from(ALLOWED),
            float(sent - refused) / seconds / f64::from(ALLOWED)
        );
    }
}

fn full(tables: std::collections::BTreeSet<jira::Table>) -> Spec {
    Spec::all(tables, Mode::Full)
}

async fn memory() {
    let mut peaks = Vec::new();
    println!("\npeak memory");
    for issues in [20_000, 200_000] {
        let sim = site(issues, Duration::ZERO);
        let whole = extraction(&sim, &[]).await;
        println!(
            "  {issues:>7} issues: agent {:.1} MiB, relay {:.1} MiB; {:.1} s, {:.0} issues a second",
            float(whole.agent_peak_kib) / 1024.0,
            float(whole.relay_peak_kib) / 1024.0,
            whole.seconds,
            f64::from(issues) / whole.seconds
        );
        peaks.push(whole);
    }
    if let [small, large] = peaks.as_slice() {
        println!(
            "  ratio of the agent's      {:.2}   (goal: at most 1.20, under 128 MiB)",
            float(large.agent_peak_kib) / float(small.agent_peak_kib)
        );
        println!(
            "  ratio of the relay's      {:.2}   (goal: at most 1.20, under 256 MiB)",
            float(large.relay_peak_kib) / float(small.relay_peak_kib)
        );
    }
}

/// Figures of a bench need no more than the 53 bits that a float keeps.
fn float(figure: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "see above")]
    let float = figure as f64;
    float
}
