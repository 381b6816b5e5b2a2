//! Commands about who this agent is and whom it trusts: `rotate-key`, `peers`, `confirm`, `leave`.

use crate::cli::{Common, Confirm, Leave};
use crate::error::{EXIT_DONE, Error};
use crate::identity::Identity;
use crate::leave::{self, Farewell};
use crate::lock;
use crate::paths::Paths;
use crate::peers;
use protocol::keys::Fingerprint;
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

/// How long a running agent is given to change its keys before the command says that it will.
const ROTATION_WAIT: Duration = Duration::from_secs(20);
/// Between two looks at the identity.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Makes new keys; a running agent takes them within seconds, another one when it is linked next.
pub(super) async fn rotate_key(common: &Common, paths: &Paths) -> Result<u8, Error> {
    let identity = Identity::require(paths)?;
    let (old, new) = (identity.seeds.fingerprint()?, identity.draw_next(paths)?.fingerprint()?);
    let taken = lock::is_held(paths)? && is_taken(paths, &new).await?;
    if common.json {
        println!("{}", json!({ "old_fingerprint": old, "new_fingerprint": new, "in_use": taken }));
    } else if taken {
        println!("New keys are in use: {new} (before: {old})");
    } else {
        println!(
            "New keys are made: {new} (now: {old}); the agent takes them as soon as it is linked to the relay"
        );
    }
    Ok(EXIT_DONE)
}

async fn is_taken(paths: &Paths, new: &Fingerprint) -> Result<bool, Error> {
    let until = Instant::now() + ROTATION_WAIT;
    while Instant::now() < until {
        if Identity::require(paths)?.seeds.fingerprint()? == *new {
            return Ok(true);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(false)
}

/// Lists the other agents of the uplink, as the relay named them last.
pub(super) fn list_peers(common: &Common, paths: &Paths) -> Result<u8, Error> {
    Identity::require(paths)?;
    let (known, confirmed) = (peers::list(paths)?, peers::confirmed(paths)?);
    if common.json {
        let documents: Vec<_> = known
            .iter()
            .map(|peer| {
                json!({ "agent_id": peer.agent_id, "name": peer.name, "fingerprint": peer.fingerprint,
                    "confirmed": confirmed.contains(&peer.fingerprint), "lacks": peer.lacks })
            })
            .collect();
        println!("{}", json!({ "peers": documents, "confirmed": confirmed }));
        return Ok(EXIT_DONE);
    }
    if known.is_empty() {
        println!("The relay named no other agent of this uplink");
    }
    for peer in &known {
        let state = match (confirmed.contains(&peer.fingerprint), peer.lacks) {
            (true, 0) => "confirmed".to_owned(),
            (true, lacks) => format!("confirmed, {lacks} secrets are being sealed for it"),
            (false, 0) => "not confirmed, nothing to seal for it".to_owned(),
            (false, lacks) => format!("NOT CONFIRMED, cannot open {lacks} secrets"),
        };
        println!("{}  {} ({})  {state}", peer.fingerprint, peer.name, peer.agent_id);
    }
    if known.iter().any(|peer| peer.lacks > 0 && !confirmed.contains(&peer.fingerprint)) {
        println!(
            "If `uplink-agent status` shows the same fingerprint on that machine: uplink-agent confirm FINGERPRINT"
        );
    }
    Ok(EXIT_DONE)
}

/// Confirms another agent, or takes that back.
pub(super) fn confirm(given: &Confirm, common: &Common, paths: &Paths) -> Result<u8, Error> {
    let identity = Identity::require(paths)?;
    let fingerprint = Fingerprint::parse(&given.fingerprint)
        .map_err(|error| Error::Usage(format!("`{}` is no fingerprint: {error}", given.fingerprint)))?;
    if identity.seeds.fingerprint()? == fingerprint {
        return Err(Error::Usage(
            "this is the fingerprint of this very agent; confirm that of the other one".to_owned(),
        ));
    }
    let changed = if given.withdraw {
        peers::withdraw(paths, &fingerprint)?
    } else {
        peers::confirm(paths, fingerprint.clone())?
    };
    if common.json {
        println!(
            "{}",
            json!({ "fingerprint": fingerprint, "confirmed": !given.withdraw, "changed": changed })
        );
        return Ok(EXIT_DONE);
    }
    match (given.withdraw, changed) {
        (false, true) => {
            println!("Confirmed {fingerprint}: this agent seals the secrets that it holds for that one")
        }
        (false, false) => println!("{fingerprint} was confirmed before"),
        (true, true) => {
            println!("Nothing is sealed for {fingerprint} any more; what was sealed stays sealed for it")
        }
        (true, false) => println!("{fingerprint} was not confirmed"),
    }
    Ok(EXIT_DONE)
}

/// Gives the identity up.
pub(super) async fn leave(given: &Leave, common: &Common, paths: &Paths) -> Result<u8, Error> {
    let (config, _) = super::load(common, paths)?;
    let (enrolment, farewell) = leave::leave(&config, paths, given.force).await?;
    let told = farewell == Farewell::Told;
    if common.json {
        println!(
            "{}",
            json!({ "agent_id": enrolment.agent_id, "uplink": enrolment.uplink, "relay": enrolment.relay, "relay_told": told })
        );
        return Ok(EXIT_DONE);
    }
    println!(
        "Agent {} has left uplink {} at {}; its keys are removed",
        enrolment.agent_id, enrolment.uplink, enrolment.relay
    );
    if let Farewell::NotTold(reason) = farewell {
        println!("The relay was not told: {reason}");
        println!(
            "Have its administrator run: uplinkctl uplink agent remove {} {}",
            enrolment.uplink, enrolment.agent_id
        );
    }
    println!("Settings and permitted addresses stay in {}", paths.state.display());
    Ok(EXIT_DONE)
}
