//! `pause` and `resume`: orders to the agent that runs with this state folder, now or later.

use crate::cli::{Common, Pause};
use crate::clock;
use crate::error::{EXIT_DONE, Error};
use crate::identity::Identity;
use crate::lock;
use crate::orders;
use crate::paths::Paths;
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

pub(super) fn resume(common: &Common, paths: &Paths) -> Result<u8, Error> {
    Identity::require(paths)?;
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
