//! A run that is cut anywhere and goes on from its entries ends exact.

use crate::engine::landing::{Landing, client, delta, full, sweep};
use jira::{Spec, SweepDepth, Table};
use tests::jira_sim::{Edit, FaultKind, JiraSim, SimConfig};

#[tokio::test(flavor = "multi_thread")]
async fn a_full_load_cut_after_every_unit_ends_exact() {
    let sim = JiraSim::start(SimConfig::generated(400, 31)).unwrap();
    let mut landing = Landing::default();
    let mut agents = 1;
    while landing.run(client(&sim), full(), Some(1)).await.unwrap().is_none() {
        agents += 1;
        assert!(agents < 60, "the run does not get further");
    }
    landing.commit(true);
    landing.assert_is_truth(&sim);
    assert!(agents > 10, "only {agents} agents worked on it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_load_cut_anywhere_while_people_work_ends_exact() {
    for seed in 0..8 {
        let sim = JiraSim::start(SimConfig::generated(350, 40 + seed)).unwrap();
        sim.start_script(seed);
        let mut landing = Landing::default();
        let mut cuts = 0;
        loop {
            // From the third agent on the site rests.
            if cuts == 3 {
                sim.stop_script();
            }
            let units = usize::try_from((seed * 7 + cuts * 5) % 11).unwrap();
            let units = (cuts < 5).then_some(units);
            if landing.run(client(&sim), full(), units).await.unwrap().is_some() {
                break;
            }
            cuts += 1;
        }
        sim.stop_script();
        let quiet = sim.stats().changes;
        if cuts < 3 {
            // It ended before the site came to rest: what changed since is the next delta load's.
            continue;
        }
        landing.commit(true);
        landing.forget_links_to_deleted(&sim);
        landing.assert_is_truth(&sim);
        assert!(quiet > 0);
    }
}

/// What single issues keep in resources of their own.
const APART: [&str; 7] = [
    "issue_remote_links",
    "issue_watchers",
    "issue_votes",
    "issue_properties",
    "issue_transitions",
    "jsm_requests",
    "jsm_sla_cycles",
];

#[tokio::test(flavor = "multi_thread")]
async fn what_issues_keep_apart_is_exact_wherever_a_run_is_cut() {
    for units in 1..=4 {
        let sim = JiraSim::start(SimConfig::generated(400, 70)).unwrap();
        let spec = || Spec { tables: APART.iter().filter_map(|name| Table::parse(name)).collect(), ..full() };
        let mut landing = Landing::default();
        assert!(landing.run(client(&sim), spec(), Some(units)).await.unwrap().is_none(), "it was not cut");
        for key in sim.keys().iter().step_by(5) {
            sim.edit_issue(key, &Edit { summary: Some("after the cut".to_owned()), ..Edit::default() })
                .unwrap();
        }
        sim.create_issues(5).unwrap();
        landing.finish(client(&sim), spec()).await;
        landing.commit(true);
        landing.assert_tables_are_truth(&sim, &APART);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delta_load_cut_anywhere_ends_exact() {
    for units in 0..8 {
        let sim = JiraSim::start(SimConfig::generated(300, 60)).unwrap();
        let mut landing = Landing::default();
        let watermark = landing.finish(client(&sim), full()).await.watermark.unwrap();
        landing.commit(true);
        let edit = |step: usize, text: &str| {
            for key in sim.keys().iter().step_by(step) {
                sim.edit_issue(key, &Edit { summary: Some(text.to_owned()), ..Edit::default() }).unwrap();
            }
        };
        edit(2, "before the cut");
        if landing.run(client(&sim), delta(watermark), Some(units)).await.unwrap().is_none() {
            edit(5, "after the cut");
            sim.create_issues(5).unwrap();
            landing.finish(client(&sim), delta(watermark)).await;
        }
        landing.commit(false);
        landing.assert_is_truth(&sim);
    }
}

/// Nothing was found to mend before the answer that makes the plan had come.
#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_cut_while_the_list_of_fields_is_on_its_way_goes_on() {
    let sim = JiraSim::start(SimConfig::generated(60, 48)).unwrap();
    let mut landing = Landing::default();
    let watermark = landing.finish(client(&sim), full()).await.watermark.unwrap();
    landing.commit(true);
    sim.fail_next("/field", 1, FaultKind::SlowBody { chunk_bytes: 400, pause_ms: 30 });
    let spec = || sweep(watermark, SweepDepth::Counts, false);
    assert!(landing.run(client(&sim), spec(), Some(1)).await.unwrap().is_none());
    landing.finish(client(&sim), spec()).await;
    landing.commit(false);
    landing.assert_is_truth(&sim);
}
