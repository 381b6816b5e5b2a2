//! When somebody before the relay says at what time to come back, the agent comes back then and not before.

use crate::doctor::{linked, pass_on, same, server};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tests::cluster::Cluster;
use tests::middlebox::Head;

/// Three seconds, told by a clock that is decades behind this machine's.
const LATER: &str = "HTTP/1.1 503 Service Unavailable\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:49:40 GMT\r\nContent-Length: 0\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_time_of_day_in_retry_after_is_waited_for_by_the_link() {
    let mut cluster = Cluster::relay_only().await;
    let to_refuse = Arc::new(AtomicU32::new(0));
    let left = Arc::clone(&to_refuse);
    let request: Head = Arc::new(move |head: &str| {
        let is_upgrade = head.to_ascii_lowercase().contains("upgrade: websocket");
        let one_less = |left: u32| left.checked_sub(1);
        let refuses = is_upgrade && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok();
        if refuses { LATER } else { head }.to_owned()
    });
    let (middle, ca_pem) = server(pass_on(&cluster, request, same())).await;
    let ca = cluster.dir.path().join("middle.pem");
    std::fs::write(&ca, ca_pem).unwrap();
    let token = cluster.new_token("hq").await;
    let args = ["--relay", &middle.url(), "--allow-jira", "https://jira.invalid"];
    let printed = cluster.enrol_with(&token, &args, &ca).await;
    assert_eq!(printed.code, 0, "{printed:?}");

    to_refuse.store(1, Ordering::SeqCst);
    cluster.start_agent();
    let line = cluster.agent().wait_for("link_retry").await;
    let retry: serde_json::Value = serde_json::from_str(&line).unwrap();
    let wait_ms = retry["wait_ms"].as_u64().unwrap();
    // With up to a second of jitter on top, less the moment until the wait began.
    assert!((2_500..=4_000).contains(&wait_ms), "{line}");
    linked(&cluster).await;
    assert_eq!(cluster.agent().times("link_retry"), 1, "{}", cluster.agent_log());
    cluster.kill_agent().await;
}
