//! `pause`, `resume` and `reload`: orders to the agent that runs with this state folder, now or later.

use crate::audit::{self, Entry};
use crate::breaker;
use crate::cli::{Common, Pause, Resume};
use crate::clock;
use crate::error::{EXIT_DONE, Error};
use crate::identity::Identity;
use crate::lock;
use crate::orders;
use crate::paths::Paths;
use crate::reload;
use protocol::site::SiteAddress;
use serde_json::json;

pub(super) fn pause(given: &Pause, common: &Common, paths: &Paths) -> Result<u8, Error> {
    Identity::require(paths)?;
    let pause = orders::pause(paths, &given.reason)?;
    let running = lock::is_held(paths)?;
    if common.json {
        println!(
            "{}",
            json!({"paused": true, "reason": pause.reason, "since": clock::text(pause.since_ms), "by": pause.by, "running": running})
        );
        return Ok(EXIT_DONE);
    }
    let effect = if running {
        "the agent stops its work within a second; its runs go on from their checkpoints later"
    } else {
        "the agent is not running; it will take no work when it starts"
    };
    println!("Paused: {} ({effect})", pause.reason);
    println!("Next: uplink-agent resume");
    Ok(EXIT_DONE)
}

/// A configuration that cannot be used is refused here, before the running agent hears of it.
pub(super) fn reload(common: &Common, paths: &Paths) -> Result<u8, Error> {
    Identity::require(paths)?;
    let usable = reload::read(paths, &crate::cli::Premises::default())?;
    let running = lock::is_held(paths)?;
    if running {
        audit::note_once(paths, &usable.config.audit, Entry::order("reload", ""))?;
        reload::order(paths)?;
    }
    let file = paths.config.path();
    if common.json {
        println!("{}", json!({"reload": running, "file": file, "running": running}));
    } else if running {
        println!(
            "The configuration is right; the running agent takes it within a second: {}",
            file.display()
        );
    } else {
        println!(
            "The configuration is right; no agent runs that would have to read it again: {}",
            file.display()
        );
    }
    Ok(EXIT_DONE)
}

pub(super) fn resume(given: &Resume, common: &Common, paths: &Paths) -> Result<u8, Error> {
    Identity::require(paths)?;
    if let Some(account) = &given.account {
        return forgive(account, given.site.as_deref(), common, paths);
    }
    let was_paused = orders::resume(paths)?;
    if common.json {
        println!("{}", json!({"paused": false, "was_paused": was_paused}));
    } else if was_paused {
        println!("Resumed: the agent takes work again within a second");
    } else {
        println!("The agent was not paused");
    }
    Ok(EXIT_DONE)
}

fn forgive(account: &str, site: Option<&str>, common: &Common, paths: &Paths) -> Result<u8, Error> {
    let site = site.map(SiteAddress::parse).transpose();
    let site = site.map_err(|error| Error::Usage(format!("--site: {error}")))?;
    let forgiven = breaker::forgive(paths, account, site.as_ref())?;
    if common.json {
        println!("{}", json!({"account": account, "forgiven": forgiven}));
    } else if forgiven > 0 {
        println!("The refused logins of {account} are forgotten; the next run tries again");
    } else {
        println!("No login of {account} was refused");
    }
    Ok(EXIT_DONE)
}
