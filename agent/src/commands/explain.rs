//! `policy explain`: which rules are in force and where they stand, and what they did to a run.

use crate::cli::{Common, Premises};
use crate::config::Config;
use crate::error::{EXIT_DONE, Error};
use crate::journal;
use crate::paths::Paths;
use crate::policy::{self, Rules};
use serde_json::json;

pub(super) fn run(run: Option<&str>, common: &Common, config: &Config, paths: &Paths) -> Result<u8, Error> {
    match run {
        None => rules(common, config, paths),
        Some(run) => of_run(run, common, paths),
    }
}

fn rules(common: &Common, config: &Config, paths: &Paths) -> Result<u8, Error> {
    let rules = Rules::load(config, paths)?;
    let sites = policy::gather(config, paths, &Premises::default())?;
    let mut all: Vec<(String, String)> = vec![(
        "only reads: no request but those of the closed list is ever made".to_owned(),
        "built into the agent".to_owned(),
    )];
    all.extend(sites.iter().map(|site| {
        let text = format!("{} may be read", site.address);
        let listed = config.allow_jira.iter().any(|given| given.contains(site.address.as_str()));
        let place = match config.jira.iter().position(|entry| entry.url.contains(site.address.as_str())) {
            _ if listed => rules.place_of("allow_jira"),
            Some(at) => rules.place_of(&format!("jira[{at}]")),
            None => paths.permitted().display().to_string(),
        };
        (text, place)
    }));
    all.extend(rules.explained());
    all.push((
        format!("requests in flight for one run: {}", config.limits.max_parallel),
        rules.place_of("limits.max_parallel"),
    ));
    if common.json {
        let rules: Vec<_> = all.iter().map(|(rule, place)| json!({"rule": rule, "place": place})).collect();
        println!("{}", json!({ "rules": rules }));
        return Ok(EXIT_DONE);
    }
    for (rule, place) in all {
        println!("{rule}   ({place})");
    }
    Ok(EXIT_DONE)
}

fn of_run(run: &str, common: &Common, paths: &Paths) -> Result<u8, Error> {
    let entries = journal::of_run(paths, run)?;
    if entries.is_empty() {
        return Err(Error::Usage(format!(
            "this agent has decided nothing of {run}, or so long ago that it is forgotten; the relay names a run like run_17"
        )));
    }
    if common.json {
        println!("{}", json!({ "run": run, "decisions": entries }));
        return Ok(EXIT_DONE);
    }
    for entry in entries {
        let verdict = if entry.followed { "followed" } else { "refused" };
        println!(
            "{}: {run} under lease {} for connection {} at {}: {verdict}",
            entry.at, entry.lease, entry.connection, entry.site
        );
        if entry.decisions.is_empty() {
            println!("  as asked, with the columns that the masks leave");
        }
        for decision in entry.decisions {
            println!("  {} [{}; {}]", decision.message, decision.code, decision.place);
        }
    }
    Ok(EXIT_DONE)
}
