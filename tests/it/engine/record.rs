//! Every request to Jira is told to the observer, and none is sent that cannot be told.

use crate::engine::landing::{Landing, client, full};
use jira::{Observer, RequestRecord};
use std::collections::BTreeMap;
use std::time::Duration;
use tests::jira_sim::{FaultKind, JiraSim, SimConfig};
use tokio::sync::mpsc;

/// More than a run of this size sends.
const ROOM: usize = 4096;

fn drain(records: &mut mpsc::Receiver<RequestRecord>) -> Vec<RequestRecord> {
    std::iter::from_fn(|| records.try_recv().ok()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_observer_counts_is_what_jira_counted() {
    let sim = JiraSim::start(SimConfig::generated(300, 7)).unwrap();
    sim.fail_next("/rest/api/2/project", 1, FaultKind::Gateway { status: 503 });
    let (sender, mut records) = mpsc::channel(ROOM);
    let observed = client(&sim).observed_by(Observer::new(sender, "run_1"));
    Landing::default().run(observed, full(), None).await.unwrap();
    let records = drain(&mut records);
    let mut counted: BTreeMap<String, u64> = BTreeMap::new();
    for record in &records {
        *counted.entry(format!("{} {}", record.method, record.path)).or_default() += 1;
        assert_eq!((&*record.about, &*record.site), ("run_1", sim.url().trim_end_matches('/')));
    }
    assert_eq!(counted, sim.stats().requests, "Jira and the observer do not agree");
    let failed: Vec<_> = records.iter().filter(|record| record.error.is_some()).collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!((failed[0].status, failed[0].error, failed[0].retry), (Some(503), Some("server_failed"), 0));
    assert!(
        records.iter().any(|record| record.path == failed[0].path && record.retry == 1 && record.bytes > 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observer_that_takes_no_more_stops_the_requests() {
    let sim = JiraSim::start(SimConfig::generated(300, 7)).unwrap();
    let (sender, mut records) = mpsc::channel(1);
    let observed = client(&sim).observed_by(Observer::new(sender, "test"));
    let login = tokio::spawn(async move { observed.login().await });
    sim.wait_for(Duration::from_secs(30), |stats| stats.requests_total == 1).await.unwrap();
    // The login needs a second request, for which there is no room until the first record is taken.
    let further = sim.wait_for(Duration::from_millis(300), |stats| stats.requests_total > 1).await;
    assert!(further.is_err(), "a request was sent that nobody could be told of");
    assert_eq!(records.recv().await.unwrap().path, "/rest/api/2/myself");
    login.await.unwrap().unwrap();
    assert_eq!(sim.stats().requests_total, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observer_that_is_gone_ends_the_work() {
    let sim = JiraSim::start(SimConfig::generated(30, 7)).unwrap();
    let (sender, records) = mpsc::channel(1);
    drop(records);
    let error = client(&sim).observed_by(Observer::new(sender, "run_1")).login().await.unwrap_err();
    assert_eq!(error.code(), "unrecorded");
    assert_eq!(sim.stats().requests_total, 0);
}
