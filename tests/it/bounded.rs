//! Memory of agent and relay does not grow with the number of issues. The figures at 20,000 and 200,000 issues come from the
//! bench (`cargo bench -p tests`); this is the same comparison at a size that fits every test run.

use crate::site::generated;
use tests::cluster::{Cluster, PASSWORD};
use tests::jira_sim::JiraSim;

struct Peaks {
    agent_kib: u64,
    relay_kib: u64,
}

async fn peaks(issues: u32) -> Peaks {
    let sim = JiraSim::start(generated(issues, 51)).unwrap();
    let cluster = Cluster::start(&sim.url()).await;
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    cluster.extracted(&["--full"]).await;
    Peaks { agent_kib: cluster.agent().peak_rss_kib(), relay_kib: cluster.relay().peak_rss_kib() }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_does_not_grow_with_the_number_of_issues() {
    let small = peaks(10_000).await;
    let large = peaks(30_000).await;
    eprintln!(
        "agent {} -> {} KiB, relay {} -> {} KiB",
        small.agent_kib, large.agent_kib, small.relay_kib, large.relay_kib
    );
    assert!(large.agent_kib < 128 * 1024, "the agent used {} KiB", large.agent_kib);
    assert!(large.relay_kib < 256 * 1024, "the relay used {} KiB", large.relay_kib);
    for (program, small, large) in
        [("agent", small.agent_kib, large.agent_kib), ("relay", small.relay_kib, large.relay_kib)]
    {
        assert!(large * 10 < small * 12, "the {program} grew from {small} to {large} KiB");
    }
}
