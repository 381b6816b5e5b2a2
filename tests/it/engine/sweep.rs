//! What Jira no longer shows leaves the tables, and what it shows again comes back, for few requests.

use crate::engine::landing::{Landing, client, cloud_client, delta, full, sweep};
use jira::{ColumnSelector, Mask, MaskRule, Masks, Narrowing, ProjectKey, Spec, SweepDepth, Watermark};
use tests::jira_sim::{Edit, GeneratedSite, JiraSim, RunningSim, SimConfig, SiteSource};

async fn loaded(issues: u32, seed: u64) -> (RunningSim, Landing, Watermark) {
    loaded_by(issues, seed, full()).await
}

async fn loaded_by(issues: u32, seed: u64, spec: Spec) -> (RunningSim, Landing, Watermark) {
    let sim = JiraSim::start(SimConfig::generated(issues, seed)).unwrap();
    let mut landing = Landing::default();
    let watermark = landing.finish(client(&sim), spec).await.watermark.unwrap();
    landing.commit(true);
    (sim, landing, watermark)
}

/// The keys of two new issues with a link.
fn linked(sim: &RunningSim) -> (String, String) {
    let new = sim.create_issues(2).unwrap();
    sim.add_link(&new[0].key, &new[1].key, "Blocks").unwrap();
    (new[0].key.clone(), new[1].key.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_site_costs_one_count_a_slice_and_no_id() {
    let (sim, mut landing, watermark) = loaded(210, 71).await;
    sim.reset_stats();
    landing.finish(client(&sim), sweep(watermark, SweepDepth::Counts, false)).await;
    landing.commit(false);
    let stats = sim.stats();
    assert_eq!(stats.issues_sent, 0, "ids were read although every count is equal");
    // The keeper of these tests cuts a slice every seven issues; the last slice is open.
    assert!(stats.requests_matching("/search") <= 31, "{:?}", stats.requests);
    landing.assert_is_truth(&sim);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_issue_leaves_every_table_and_the_links_of_others() {
    // A second is never cut, so its slice would be all the issues that were made at once.
    let site = GeneratedSite { issues: 150, seed: 72, tie_size: 0, ..GeneratedSite::default() };
    let config = SimConfig { source: SiteSource::Generated(site), ..SimConfig::generated(1, 72) };
    let sim = JiraSim::start(config).unwrap();
    let (from, to) = linked(&sim);
    let mut landing = Landing::default();
    let watermark = landing.finish(client(&sim), full()).await.watermark.unwrap();
    landing.commit(true);
    sim.delete_issue(&to).unwrap();
    sim.reset_stats();
    landing.finish(client(&sim), sweep(watermark, SweepDepth::Counts, false)).await;
    landing.commit(false);
    landing.assert_is_truth(&sim);
    assert!(sim.stats().issues_sent < 30, "{} issues for a deleted one", sim.stats().issues_sent);
    assert!(sim.keys().contains(&from));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_issue_goes_and_comes_back_with_its_links() {
    let sim = JiraSim::start(SimConfig::generated(150, 73)).unwrap();
    let (_, to) = linked(&sim);
    let id = sim.ids()[sim.keys().iter().position(|key| *key == to).unwrap()];
    let mut landing = Landing::default();
    let watermark = landing.finish(client(&sim), full()).await.watermark.unwrap();
    landing.commit(true);
    sim.hide_issue(&to).unwrap();
    landing.finish(client(&sim), sweep(watermark, SweepDepth::Counts, false)).await;
    landing.commit(false);
    landing.assert_is_truth(&sim);
    sim.show_issue(id).unwrap();
    landing.finish(client(&sim), sweep(watermark, SweepDepth::Counts, false)).await;
    landing.commit(false);
    landing.assert_is_truth(&sim);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_hidden_and_one_shown_again_in_a_slice_are_found_when_every_id_is_compared() {
    let (sim, mut landing, watermark) = loaded(100, 74).await;
    let hidden = sim.ids()[40];
    sim.hide_issue(&hidden.to_string()).unwrap();
    landing.finish(client(&sim), sweep(watermark, SweepDepth::Counts, false)).await;
    landing.commit(false);
    sim.show_issue(hidden).unwrap();
    sim.hide_issue(&sim.ids()[41].to_string()).unwrap();
    landing.finish(client(&sim), sweep(watermark, SweepDepth::EveryId, false)).await;
    landing.commit(false);
    landing.assert_is_truth(&sim);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delta_load_and_a_sweep_in_one_run_give_the_truth() {
    let (sim, mut landing, watermark) = loaded(200, 75).await;
    let keys = sim.keys();
    sim.delete_issue(&keys[20]).unwrap();
    sim.hide_project(keys[50].split('-').next().unwrap()).unwrap();
    sim.create_issues(12).unwrap();
    let edited = sim.keys()[30].clone();
    sim.edit_issue(&edited, &Edit { summary: Some("edited".to_owned()), ..Edit::default() }).unwrap();
    let spec = Spec { tables: full().tables, ..sweep(watermark, SweepDepth::Counts, true) };
    let summary = landing.finish(client(&sim), spec).await;
    landing.commit(false);
    landing.assert_is_truth(&sim);
    assert!(summary.watermark >= Some(watermark));
    assert_eq!(summary.issues_total, Some(u64::try_from(sim.issue_count()).unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issue_that_moves_out_of_the_projects_that_are_read_leaves() {
    let sim = JiraSim::start(SimConfig::generated(150, 76)).unwrap();
    let project = sim.keys()[5].split('-').next().unwrap().to_owned();
    let projects = vec![ProjectKey::parse(&project).unwrap()];
    let mut landing = Landing::default();
    let narrowed = Spec { projects: projects.clone(), ..full() };
    let watermark = landing.finish(client(&sim), narrowed).await.watermark.unwrap();
    landing.commit(true);
    let other = sim
        .project_list()
        .iter()
        .find_map(|other| Some(other["key"].as_str()?.to_owned()).filter(|key| *key != project))
        .unwrap();
    sim.move_issue(&sim.keys()[5], &other).unwrap();
    landing.finish(client(&sim), Spec { projects, ..sweep(watermark, SweepDepth::Counts, false) }).await;
    landing.commit(false);
    let there = sim.keys().iter().filter(|key| key.starts_with(&format!("{project}-"))).count();
    assert_eq!(landing.issue_ids().len(), there);
}

/// There a condition that names an issue which is gone is refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_of_cloud_narrowed_by_a_condition_mends_links_and_takes_out_what_left() {
    let sim = JiraSim::start(SimConfig::cloud(150, 75)).unwrap();
    let (from, to) = linked(&sim);
    let project_of = |key: &str| key.split('-').next().unwrap().to_owned();
    let project = project_of(&from);
    assert_eq!(project, project_of(&to));
    let jql = Some(format!("project = {project}"));
    let mut landing = Landing::default();
    let narrowed = Spec { jql: jql.clone(), ..full() };
    let watermark = landing.finish(cloud_client(&sim), narrowed).await.watermark.unwrap();
    landing.commit(true);
    let moved = sim.keys().into_iter().find(|key| project_of(key) == project).unwrap();
    let other = sim.keys().into_iter().map(|key| project_of(&key)).find(|key| *key != project).unwrap();
    sim.move_issue(&moved, &other).unwrap();
    sim.delete_issue(&to).unwrap();
    let spec = Spec { jql, ..sweep(watermark, SweepDepth::Counts, false) };
    landing.finish(cloud_client(&sim), spec).await;
    landing.commit(false);
    landing.assert_issue_tables_are_truth_of_project(&sim, &project);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_the_premises_no_longer_permit_are_not_swept_away() {
    let (sim, mut landing, watermark) = loaded(150, 77).await;
    let denied = ProjectKey::parse(sim.keys()[5].split('-').next().unwrap()).unwrap();
    let of_denied =
        |sim: &RunningSim| sim.keys().iter().filter(|key| key.starts_with(&format!("{denied}-"))).count();
    let gone = sim.keys().iter().find(|key| !key.starts_with(&format!("{denied}-"))).unwrap().clone();
    sim.delete_issue(&gone).unwrap();
    let narrowing = Narrowing { denied_projects: vec![denied.clone()], ..Narrowing::default() };
    let before = landing.rows("issues");
    landing.finish(client(&sim), Spec { narrowing, ..sweep(watermark, SweepDepth::Counts, false) }).await;
    landing.commit(false);
    assert_eq!(landing.issue_ids().len(), sim.keys().len());
    assert!(of_denied(&sim) > 0 && landing.rows("issues") < before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_cut_after_every_unit_ends_exact() {
    let (sim, mut landing, watermark) = loaded(1_500, 78).await;
    for key in sim.keys().iter().step_by(90) {
        sim.hide_issue(key).ok();
    }
    for key in sim.keys().iter().step_by(70) {
        sim.delete_issue(key).ok();
    }
    let spec = || Spec { tables: full().tables, ..sweep(watermark, SweepDepth::Counts, true) };
    let mut agents = 1;
    while landing.run(client(&sim), spec(), Some(1)).await.unwrap().is_none() {
        agents += 1;
        assert!(agents < 100, "the run does not get further");
    }
    landing.commit(false);
    landing.assert_is_truth(&sim);
    assert!(agents > 4, "only {agents} agents worked on it");
    landing.finish(client(&sim), delta(watermark)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_says_what_it_cannot_find_where_columns_are_left_out() {
    let (sim, mut landing, watermark) = loaded(60, 79).await;
    let drop = |column: &str| MaskRule { selector: ColumnSelector::parse(column).unwrap(), mask: Mask::Drop };
    let masks = Masks::try_new(
        ["issues.updated", "issues.parent_id", "issue_links.other_issue_id"].map(drop).to_vec(),
    );
    let narrowing = Narrowing { masks: masks.unwrap(), ..Narrowing::default() };
    let codes = async |landing: &mut Landing, depth, narrowing: &Narrowing| {
        let spec = Spec { narrowing: narrowing.clone(), ..sweep(watermark, depth, false) };
        let summary = landing.finish(client(&sim), spec).await;
        landing.give_up();
        let blind = summary.warnings.into_iter().filter(|warning| warning.code.starts_with("sweep_without"));
        blind.map(|warning| (warning.code, warning.count)).collect::<Vec<_>>()
    };
    let of = |codes: &[(&str, u64)]| {
        codes.iter().map(|(code, count)| ((*code).to_owned(), *count)).collect::<Vec<_>>()
    };
    assert_eq!(codes(&mut landing, SweepDepth::EveryId, &Narrowing::default()).await, []);
    assert_eq!(
        codes(&mut landing, SweepDepth::Counts, &narrowing).await,
        of(&[("sweep_without_references", 1), ("sweep_without_references", 1)])
    );
    assert_eq!(
        codes(&mut landing, SweepDepth::EveryId, &narrowing).await,
        of(&[("sweep_without_references", 1), ("sweep_without_references", 1), ("sweep_without_updates", 1)])
    );
}
