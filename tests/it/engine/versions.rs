//! The engine alone against every version of Server and Data Center; `tests/it/versions.rs` goes the whole way.

use crate::engine::landing::{Landing, client_with, delta, full, limits};
use crate::versions::{TOKEN, change, site};
use jira::Credential;
use tests::jira_sim::Flavour;

#[tokio::test(flavor = "multi_thread")]
async fn every_version_of_server_gives_the_same_tables_in_full_and_delta_loads() {
    for (flavour, seed) in
        [(Flavour::V8_20, 1), (Flavour::V9_12, 2), (Flavour::V10_3, 3), (Flavour::V11_0, 4)]
    {
        let sim = site(flavour, seed);
        let client = || client_with(&sim.url(), Credential::Token(TOKEN.to_owned().into()), limits(4));
        let mut landing = Landing::default();
        let first = landing.finish(client(), full()).await;
        landing.commit(true);
        landing.assert_is_truth(&sim);
        change(&sim);
        landing.finish(client(), delta(first.watermark.unwrap())).await;
        landing.commit(false);
        landing.assert_is_truth(&sim);
    }
}
