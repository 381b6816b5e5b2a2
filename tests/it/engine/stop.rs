//! An extraction ends when it is told to.

use crate::engine::landing::{client, full};
use jira::{Error, Event, LandedAnswer};
use std::time::Duration;
use tests::jira_sim::{JiraSim, SimConfig};
use tokio_util::sync::CancellationToken;

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_ends_with_that_word_while_jira_does_not_answer() {
    let sim = JiraSim::start(SimConfig::generated(200, 1)).unwrap();
    let _held = sim.hold("/search");
    let cancel = CancellationToken::new();
    let mut extraction = jira::extract(client(&sim), full(), Vec::new(), cancel.clone());
    sim.wait_for(Duration::from_secs(10), |stats| stats.held > 0).await.unwrap();
    cancel.cancel();
    let mut last = None;
    while let Some(event) = extraction.next().await {
        last = Some(event);
    }
    assert!(matches!(last, Some(Err(Error::Cancelled))), "{last:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_extraction_asks_nothing_more() {
    let sim = JiraSim::start(SimConfig::generated(200, 1)).unwrap();
    let held = sim.hold("/search");
    let extraction = jira::extract(client(&sim), full(), Vec::new(), CancellationToken::new());
    sim.wait_for(Duration::from_secs(10), |stats| stats.held > 0).await.unwrap();
    drop(extraction);
    sim.wait_for(Duration::from_secs(10), |stats| stats.held == 0 && stats.in_flight == 0).await.unwrap();
    held.release();
    assert_eq!(sim.stats().issue_pages, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_does_not_ask_stops_the_reading() {
    let sim = JiraSim::start(SimConfig::generated(20_000, 1)).unwrap();
    let mut extraction = jira::extract(client(&sim), full(), Vec::new(), CancellationToken::new());
    // The first part of issues stays unanswered for; Jira comes to rest with most of the site unread.
    loop {
        match extraction.next().await.unwrap().unwrap() {
            Event::Landed(ask) => ask.answer(LandedAnswer::Columns(Vec::new())),
            Event::Part(part) if part.table == "issues" && part.rows > 0 => break,
            _ => {}
        }
    }
    let mut pages = sim.stats().issue_pages;
    // Each wait ends by its limit once nothing is asked any more.
    while sim.wait_for(Duration::from_millis(300), |stats| stats.issue_pages > pages).await.is_ok() {
        pages = sim.stats().issue_pages;
    }
    // One slice of each reader, of 14, and a few events that wait.
    assert!(sim.stats().issues_sent < 10_000, "{} issues were read for nobody", sim.stats().issues_sent);
}
