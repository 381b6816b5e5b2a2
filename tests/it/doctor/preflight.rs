//! `enroll` looks at the way before it spends the token.

use super::{Machine, ca_of, pass_on, same, server};
use std::sync::Arc;
use tests::cluster::Cluster;
use tests::middlebox::Head;

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_way_is_named_and_the_token_stays_unused() {
    let cluster = Cluster::relay_only().await;
    let token = cluster.new_token("hq").await;
    let strip: Head = Arc::new(|head: &str| head.replace("websocket", "nothing"));
    let (middle, ca) = server(pass_on(&cluster, strip, same())).await;
    let machine = Machine::new();
    let middle_ca = machine.file("middle.pem", &ca).display().to_string();
    let through = ["enroll", "--relay", &middle.url(), "--relay-ca", &middle_ca, "--token-stdin"];
    let printed = machine.run(&through, &token).await;
    assert_eq!(printed.code, 1, "{printed:?}");
    for part in [
        "relay_upgrade",
        "[relay_upgrade_stripped]",
        "the token was not used",
        "Ask the network team",
        "Please let WebSockets",
    ] {
        assert!(printed.stderr.contains(part), "{part} is not in {}", printed.stderr);
    }
    assert!(!format!("{printed:?}").contains(&token));

    let relay_ca = machine.file("ca.pem", &ca_of(&cluster)).display().to_string();
    let directly = ["enroll", "--relay", &cluster.relay_url, "--relay-ca", &relay_ca, "--token-stdin"];
    let printed = machine.run(&directly, &token).await;
    assert_eq!(printed.code, 0, "the token was burnt: {printed:?}");
}
