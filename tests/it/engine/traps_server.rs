//! Traps of Jira Server and Data Center that no other test is named after: docs/traps.md has them all.

use crate::engine::landing::{Landing, client, client_with, delta, full, limits, password};
use jira::{Credential, Spec, Table};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tests::jira_sim::{Account, Edit, FaultKind, GeneratedSite, JiraSim, RunningSim, SimConfig, SiteSource};

fn small(seed: u64) -> RunningSim {
    JiraSim::start(SimConfig::generated(120, seed)).unwrap()
}

/// A full load, which equals the truth; gives its warnings.
async fn loaded(sim: &RunningSim) -> Vec<jira::Warning> {
    let mut landing = Landing::default();
    let summary = landing.finish(client(sim), full()).await;
    landing.commit(true);
    landing.assert_is_truth(sim);
    summary.warnings
}

#[tokio::test(flavor = "multi_thread")]
async fn server_is_asked_for_no_resource_that_it_does_not_have() {
    let sim = small(301);
    loaded(&sim).await;
    let stats = sim.stats();
    // Neither a changelog of one issue nor the third version of the interface.
    let strangers: Vec<_> = stats
        .requests
        .keys()
        .filter(|asked| {
            asked.contains("changelog") || asked.contains("/api/3") || asked.contains("/api/latest")
        })
        .collect();
    assert!(strangers.is_empty(), "{strangers:?}");
    assert_eq!(stats.statuses.keys().copied().collect::<Vec<_>>(), [200], "{:?}", stats.statuses);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_session_and_one_check_of_the_password_serve_a_whole_load() {
    let sim = small(302);
    loaded(&sim).await;
    let stats = sim.stats();
    assert_eq!((stats.sessions, stats.login_attempts), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_expires_in_the_middle_of_a_load_is_opened_again() {
    let sim = small(303);
    sim.on_page(|sim, page| {
        if page.number == 2 {
            sim.expire_sessions();
        }
    });
    loaded(&sim).await;
    assert!(sim.stats().sessions >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_in_answers_are_never_followed() {
    let base_url = Some("http://198.51.100.7:9/elsewhere".to_owned());
    let sim = JiraSim::start(SimConfig { base_url, ..SimConfig::generated(120, 304) }).unwrap();
    loaded(&sim).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_that_jira_lowers_without_a_word_lose_no_issue() {
    let sim = JiraSim::start(SimConfig { search_cap: 7, ..SimConfig::generated(150, 305) }).unwrap();
    loaded(&sim).await;
    assert!(sim.stats().issue_pages > 150 / 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn worklogs_beyond_those_of_a_search_are_read_from_their_resource() {
    let sim =
        JiraSim::start(SimConfig { embedded_worklog_cap: 1, ..SimConfig::generated(150, 306) }).unwrap();
    let worked = sim.ids()[3].to_string();
    for seconds in [60, 120, 180] {
        sim.add_worklog(&worked, seconds, "some of it").unwrap();
    }
    loaded(&sim).await;
    assert!(sim.stats().requests_matching("/worklog") > 0);
}

/// The account's zone is that of JQL's dates and of every printed time, and skips an hour once a year.
#[tokio::test(flavor = "multi_thread")]
async fn the_accounts_time_zone_changes_no_row() {
    for zone in ["America/New_York", "Asia/Kolkata", "Pacific/Kiritimati"] {
        let accounts = vec![Account::new("reader", "reader-password").in_zone(zone)];
        let sim = JiraSim::start(SimConfig { accounts, ..SimConfig::generated(200, 307) }).unwrap();
        loaded(&sim).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_is_redirected_is_not_sent_again_as_a_question_for_everything() {
    let sim = small(308);
    let location = format!("{}/rest/api/2/search", sim.url().replace("http://", "https://"));
    sim.fail_next("/search", 100, FaultKind::Redirect { location });
    let error = Landing::default().run(client(&sim), full(), None).await.unwrap_err();
    assert!(matches!(error.code(), "wrong_context_path" | "login_sso"), "{error}");
    assert_eq!(sim.stats().requests_matching("GET /rest/api/2/search"), 0);
    assert_eq!(sim.stats().issues_sent, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feature_that_is_switched_off_leaves_an_empty_table_and_a_warning() {
    for (path, status, table) in
        [("/issueLinkType", 404, "link_types"), ("/rest/agile/1.0/board", 403, "boards")]
    {
        let sim = small(309);
        let body = r#"{"errorMessages":["Issue linking is currently disabled."],"errors":{}}"#.to_owned();
        let off = FaultKind::Answer { status, content_type: "application/json".into(), body };
        sim.fail_next(path, 1_000, off);
        let mut landing = Landing::default();
        let summary = landing.finish(client(&sim), full()).await;
        landing.commit(true);
        assert_eq!(landing.rows(table), 0);
        let said = summary.warnings.iter().any(|warning| warning.message.contains(table));
        assert!(said, "nothing was said of {table}: {:?}", summary.warnings);
        assert_eq!(landing.rows("issues"), 120);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn boards_without_sprints_are_not_asked_for_them() {
    let sim = small(310);
    loaded(&sim).await;
    assert_eq!(sim.stats().statuses.get(&400), None, "{:?}", sim.stats().statuses);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_not_subject_to_the_captcha() {
    let sim = small(311);
    for _ in 0..3 {
        drop(client_with(&sim.url(), password("wrong"), limits(1)).login().await);
    }
    let token = Credential::Token("reader-token".to_owned().into());
    let spec = Spec { tables: [Table::Issues].into(), ..full() };
    let summary = Landing::default().finish(client_with(&sim.url(), token, limits(2)), spec).await;
    assert_eq!(summary.rows["issues"], 120);
}

/// On several nodes equal times have another order on each.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_order_ties_differently_lose_no_issue() {
    let site = GeneratedSite { issues: 400, seed: 312, tie_size: 230, ..GeneratedSite::default() };
    let source = SiteSource::Generated(site);
    let sim = JiraSim::start(SimConfig { source, nodes: 3, search_cap: 40, ..SimConfig::default() }).unwrap();
    loaded(&sim).await;
}

/// A work log that was deleted, and one that was changed, both without a trace in `updated`; and one that is too young for the feeds.
#[tokio::test(flavor = "multi_thread")]
async fn work_logs_changed_and_deleted_without_a_sign_come_by_their_feeds() {
    let sim = small(317);
    let with_some = |key: &String| !sim.child_ids(key).unwrap().1.is_empty();
    let keys: Vec<String> = sim.keys().into_iter().filter(with_some).take(3).collect();
    let mut landing = Landing::default();
    let summary = landing.finish(client(&sim), full()).await;
    landing.commit(true);
    let watermark = summary.watermark.unwrap();
    // Passes reach back five minutes behind the watermark: what only they would find is out of their sight then.
    sim.advance_clock(600_000);
    let updated = |sim: &RunningSim| tests::truth::ndjson(sim, "issues").unwrap();
    let before = updated(&sim);
    let worklogs = |key: &String| sim.child_ids(key).unwrap().1;
    sim.delete_worklog(&keys[0], worklogs(&keys[0])[0]).unwrap();
    sim.amend_worklog(&keys[1], worklogs(&keys[1])[0], "worked on something else").unwrap();
    sim.advance_clock(61_000);
    sim.delete_worklog(&keys[2], worklogs(&keys[2])[0]).unwrap();
    let times = |text: &str| -> Vec<String> {
        text.lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["updated"].to_string())
            .collect()
    };
    assert_eq!(times(&before), times(&updated(&sim)), "the simulator tells by `updated` what Jira does not");
    let watermark = landing.finish(client(&sim), delta(watermark)).await.watermark.unwrap();
    landing.commit(false);
    let lags = landing.rows("issue_worklogs");
    assert_eq!(lags, tests::truth::counts(&sim)["issue_worklogs"] + 1, "the last minute is not told");
    sim.advance_clock(61_000);
    landing.finish(client(&sim), delta(watermark)).await;
    landing.commit(false);
    landing.assert_is_truth(&sim);
}

/// The feed is read when a load begins; what changes while its passes run for long is told by no feed that the next load reads.
#[tokio::test(flavor = "multi_thread")]
async fn a_work_log_that_is_changed_while_a_long_delta_load_runs_is_not_missed() {
    let sim = small(318);
    let key = sim.keys().into_iter().rfind(|key| !sim.child_ids(key).unwrap().1.is_empty()).unwrap();
    let worklog = sim.child_ids(&key).unwrap().1[0];
    let other = sim.keys().into_iter().find(|other| *other != key).unwrap();
    let mut landing = Landing::default();
    let watermark = landing.finish(client(&sim), full()).await.watermark.unwrap();
    landing.commit(true);
    // Something new for the first pass, so that there is a second.
    sim.edit_issue(&other, &Edit { summary: Some("edited".to_owned()), ..Edit::default() }).unwrap();
    let changed = Arc::new(AtomicBool::new(false));
    let has_changed = Arc::clone(&changed);
    sim.on_page(move |sim, _| {
        if !has_changed.swap(true, Ordering::Relaxed) {
            sim.amend_worklog(&key, worklog, "worked on something else").unwrap();
            sim.advance_clock(600_000);
        }
    });
    let watermark = landing.finish(client(&sim), delta(watermark)).await.watermark.unwrap();
    landing.commit(false);
    assert!(changed.load(Ordering::Relaxed), "nothing was changed while the load ran");
    sim.clear_hook();
    sim.advance_clock(61_000);
    landing.finish(client(&sim), delta(watermark)).await;
    landing.commit(false);
    landing.assert_is_truth(&sim);
}
