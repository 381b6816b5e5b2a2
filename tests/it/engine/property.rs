//! Random sites, random work in them between and during loads, random loads that are cut and go on: after the last delta load and sweep
//! every table of issues equals the truth, cell by cell.
//!
//! A seed names a whole history. `UPLINK_SEEDS=10000` runs the first so many of them, `UPLINK_SEEDS=2001-10000` those from one to another, and
//! `UPLINK_SEED=17` runs one again and tells it. Most seeds read with one lane and so in one order; those with several lanes (every fourth)
//! may need some tries to show the same.

use crate::engine::landing::{Landing, client_with, delta, full, limits, sweep};
use jira::{Credential, Error, JiraClient, Spec, SweepDepth, Table, Watermark};
use std::panic::AssertUnwindSafe;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use tests::jira_sim::{
    ClockSource, CloudConfig, Edit, Flavour, GeneratedSite, JiraSim, NewIssue, RunningSim, SimConfig,
    SimHandle, SiteSource,
};

const SEEDS: u64 = 100;
/// Changes made while a load reads; then the site rests, so that the load ends.
const CHANGES_DURING_A_LOAD: u64 = 9;

#[test]
fn after_the_last_delta_load_and_sweep_every_table_equals_the_truth_whatever_happened() {
    let (first, last) = seeds();
    let next = AtomicU64::new(first);
    let failed = Mutex::new(Vec::new());
    let lanes = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..lanes {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > last || failed.lock().unwrap().len() >= 5 {
                        break;
                    }
                    if seed.is_multiple_of(500) {
                        eprintln!("seed {seed}");
                    }
                    if let Err(panic) = std::panic::catch_unwind(AssertUnwindSafe(|| history(seed))) {
                        failed.lock().unwrap().push((seed, text_of(panic.as_ref())));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    let told: Vec<String> =
        failed.iter().map(|(seed, why)| format!("seed {seed} (UPLINK_SEED={seed}): {why}")).collect();
    assert!(told.is_empty(), "{} histories end wrong:\n{}", told.len(), told.join("\n"));
}

/// The first and the last seed.
fn seeds() -> (u64, u64) {
    let text = |name: &str| std::env::var(name).ok();
    let number = |text: &str| text.parse::<u64>().unwrap();
    if let Some(seed) = text("UPLINK_SEED") {
        return (number(&seed), number(&seed));
    }
    match text("UPLINK_SEEDS") {
        Some(range) => match range.split_once('-') {
            Some((first, last)) => (number(first), number(last)),
            None => (1, number(&range)),
        },
        None => (1, SEEDS),
    }
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words").to_owned()
}

/// A small generator of numbers; the same ones for a seed.
#[derive(Clone)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.roll() % end.max(1)
    }

    fn one_in(&mut self, so_many: u64) -> bool {
        self.below(so_many) == 0
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let at = usize::try_from(self.below(u64::try_from(from.len()).unwrap())).unwrap();
        from.get(at)
    }
}

fn history(seed: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(live_through(seed));
}

/// The loads of one history.
struct Story {
    dice: Dice,
    sim: RunningSim,
    landing: Landing,
    lanes: usize,
    watermark: Option<Watermark>,
    /// Whether something may have happened that counts alone cannot show.
    needs_every_id: bool,
}

async fn live_through(seed: u64) {
    let mut dice = Dice(seed);
    let sim = JiraSim::start(site(&mut dice, seed)).unwrap();
    let lanes = if seed.is_multiple_of(4) { 3 } else { 1 };
    let mut story =
        Story { dice, sim, landing: Landing::default(), lanes, watermark: None, needs_every_id: false };
    story.load(full_of_issues()).await;
    for _ in 0..=story.dice.below(3) {
        story.people_work();
        story.some_load().await;
    }
    story.people_work();
    story.last_loads().await;
    story.landing.assert_issue_tables_are_truth(&story.sim);
}

fn site(dice: &mut Dice, seed: u64) -> SimConfig {
    let flavours = [Flavour::V8_20, Flavour::V9_12, Flavour::V10_3, Flavour::Cloud];
    let flavour = *dice.pick(&flavours).unwrap();
    let small =
        |dice: &mut Dice, from: u64, to: u64| u32::try_from(from + dice.below(to - from + 1)).unwrap();
    let site = GeneratedSite {
        issues: small(dice, 5, 40),
        seed,
        projects: u16::try_from(dice.below(4) + 2).unwrap(),
        users: 6,
        large_description_every: 0,
        tie_size: small(dice, 0, 6),
        ..GeneratedSite::default()
    };
    let step_ms = [1_i64, 40, 700, 61_000][usize::try_from(dice.below(4)).unwrap()];
    let clock = ClockSource::Stepped { start_ms: site.base_time_ms + 86_400_000, step_ms };
    let base =
        if flavour == Flavour::Cloud { SimConfig::cloud(1, seed) } else { SimConfig::generated(1, seed) };
    SimConfig {
        flavour,
        source: SiteSource::Generated(site),
        clock,
        search_cap: 2 + dice.below(4),
        max_result_window: 120 + dice.below(100),
        embedded_worklog_cap: 3,
        nodes: 1 + u32::try_from(dice.below(2)).unwrap(),
        threads: 1,
        cloud: CloudConfig { embedded_comments: 2, ..CloudConfig::default() },
        ..base
    }
}

fn full_of_issues() -> Spec {
    Spec { tables: Table::defaults().filter(|table| table.is_issue_table()).collect(), ..full() }
}

fn delta_of_issues(watermark: Watermark) -> Spec {
    Spec { tables: full_of_issues().tables, ..delta(watermark) }
}

impl Story {
    fn client(&self) -> JiraClient {
        let (username, secret) = self.sim.login();
        let credential = if username.contains('@') {
            Credential::ApiToken { username, token: secret.into() }
        } else {
            Credential::Password { username, password: secret.into() }
        };
        client_with(&self.sim.url(), credential, limits(self.lanes))
    }

    /// One load to its end, perhaps cut on the way, perhaps while people work, and its commit.
    async fn load(&mut self, spec: Spec) {
        if self.dice.one_in(2) {
            self.needs_every_id = true;
            let (dice, every) = (Mutex::new(self.dice.clone()), 1 + self.dice.below(4));
            let made = AtomicU64::new(0);
            self.sim.on_request(move |sim, number| {
                if number.is_multiple_of(every)
                    && made.fetch_add(1, Ordering::Relaxed) < CHANGES_DURING_A_LOAD
                {
                    change(sim, &mut dice.lock().unwrap());
                }
            });
            self.dice.roll();
        }
        let mut ended = None;
        for _ in 0..self.dice.below(3) {
            let units = usize::try_from(self.dice.below(8)).unwrap();
            match self.landing.run(self.client(), spec.clone(), Some(units)).await {
                Ok(Some(summary)) => {
                    ended = Some(summary);
                    break;
                }
                Ok(None) | Err(Error::Incomplete { .. }) => {}
                Err(error) => panic!("a load failed: {error}"),
            }
        }
        let summary = match ended {
            Some(summary) => summary,
            None => match self.landing.run(self.client(), spec.clone(), None).await {
                Ok(summary) => summary.unwrap(),
                // It says so and commits nothing: the next try finds the site at rest.
                Err(Error::Incomplete { .. }) => {
                    self.sim.clear_hook();
                    self.landing.give_up();
                    self.landing.finish(self.client(), spec.clone()).await
                }
                Err(error) => panic!("a load failed: {error}"),
            },
        };
        self.sim.clear_hook();
        self.landing.commit(spec.mode == jira::Mode::Full);
        tell(&format!("landed {:?}; hidden {:?}", spec.mode, self.sim.hidden_ids()));
        self.watermark = summary.watermark.or(self.watermark);
    }

    async fn some_load(&mut self) {
        let watermark = self.watermark.unwrap();
        let depth = if self.dice.one_in(3) { SweepDepth::EveryId } else { SweepDepth::Counts };
        let spec = match self.dice.below(4) {
            0 | 1 => delta_of_issues(watermark),
            2 => sweep(watermark, depth, false),
            _ => sweep(watermark, depth, true),
        };
        self.load(spec).await;
    }

    /// The site rests.
    async fn last_loads(&mut self) {
        // What happens in the second of the last change is not vouched for before that second is over, and the feeds of work logs are blind
        // for a minute.
        self.sim.advance_clock(62_000);
        let watermark = self.watermark.unwrap();
        let depth = if self.needs_every_id { SweepDepth::EveryId } else { SweepDepth::Counts };
        if self.dice.one_in(2) {
            self.landing.finish(self.client(), sweep(watermark, depth, true)).await;
            return self.landing.commit(false);
        }
        let summary = self.landing.finish(self.client(), delta_of_issues(watermark)).await;
        self.landing.commit(false);
        self.landing.finish(self.client(), sweep(summary.watermark.unwrap(), depth, false)).await;
        self.landing.commit(false);
    }

    fn people_work(&mut self) {
        let hidden = self.sim.hidden_ids();
        for _ in 0..self.dice.below(8) {
            change(&self.sim, &mut self.dice);
            if self.dice.one_in(4) {
                self.sim.advance_clock(i64::try_from(self.dice.below(400_000)).unwrap());
            }
        }
        // What was shown again may stand in a slice for what was hidden.
        let still = self.sim.hidden_ids();
        self.needs_every_id |= hidden.iter().any(|id| !still.contains(id));
    }
}

/// Tells the history that is run alone.
fn tell(what: &str) {
    if std::env::var_os("UPLINK_SEED").is_some() {
        eprintln!("{what}");
    }
}

/// One change of the site; what Jira would refuse is left undone.
fn change(sim: &SimHandle, dice: &mut Dice) {
    let keys = sim.keys();
    let number = dice.below(1_000);
    let kind = dice.below(17);
    if kind < 2 || keys.is_empty() {
        return drop(sim.create_issues(1));
    }
    let key = dice.pick(&keys).unwrap().clone();
    let other = dice.pick(&keys).unwrap().clone();
    tell(&format!("  change {kind} ({number}) of {key}, beside {other}"));
    let child = |ids: &[u64], dice: &mut Dice| dice.pick(ids).copied().unwrap_or_default();
    let (comments, worklogs) = sim.child_ids(&key).unwrap_or_default();
    match kind {
        2 | 3 => {
            let edit = Edit { summary: Some(format!("changed {number}")), ..Edit::default() };
            drop(sim.edit_issue(&key, &edit));
        }
        4 => drop(sim.add_comment(&key, None, &format!("said {number}"))),
        5 if number < 500 => drop(sim.edit_comment(&key, child(&comments, dice), "said otherwise")),
        5 => drop(sim.delete_comment(&key, child(&comments, dice))),
        6 => drop(sim.add_worklog(&key, 60 + number, "worked")),
        7 if key != other => drop(sim.add_link(&key, &other, "Blocks")),
        8 => drop(sim.delete_link(child(&sim.link_ids(), dice))),
        9 | 10 => {
            let projects = sim.project_list();
            let project = dice.pick(&projects).and_then(|project| project["key"].as_str());
            drop(sim.move_issue(&key, project.unwrap_or_default()));
        }
        11 => drop(sim.delete_issue(&key)),
        15 => drop(sim.delete_worklog(&key, child(&worklogs, dice))),
        16 => drop(sim.amend_worklog(&key, child(&worklogs, dice), &format!("worked on {number}"))),
        12 if number < 120 => drop(sim.hide_project(key.split('-').next().unwrap_or_default())),
        12 => drop(sim.hide_issue(&key)),
        13 => drop(sim.show_issue(child(&sim.hidden_ids(), dice))),
        _ => {
            let new =
                NewIssue { summary: format!("part {number}"), parent: Some(key), ..NewIssue::default() };
            drop(sim.create_issue(&new));
        }
    }
}
