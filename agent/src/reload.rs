//! Reading the configuration again while the agent runs: asked for by `uplink-agent reload`, which leaves a small file in the state
//! folder, or by SIGHUP. One that cannot be used changes nothing. With another one the agent starts anew inside its process: runs are
//! handed back and go on from their checkpoints.

use crate::cli::Premises;
use crate::clock;
use crate::config::{self, Config};
use crate::error::Error;
use crate::identity::Identity;
use crate::paths::Paths;
use crate::policy::{self, PermittedSite, Rules};
use crate::private_file::{self, Durability};
use crate::reach;
use crate::secrets;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::Notify;

/// The order takes effect within this time.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A configuration that `run` could work with.
pub(crate) struct Usable {
    pub(crate) config: Config,
    pub(crate) sites: Vec<PermittedSite>,
    /// Whether there is an identity to run with.
    pub(crate) is_enrolled: bool,
}

/// Reads the configuration and everything that it names, without starting anything.
///
/// # Errors
/// The first thing that `run` could not work with.
pub(crate) fn read(paths: &Paths, given: &Premises) -> Result<Usable, Error> {
    let config = config::load(&paths.config)?;
    let sites = policy::gather(&config, paths, given)?;
    for account in sites.iter().flat_map(|site| &site.accounts) {
        secrets::read_local(&account.secret).map_err(|error| Error::BadValue {
            key: "jira[]".to_owned(),
            place: paths.config.path().display().to_string(),
            reason: error.to_string(),
        })?;
    }
    Rules::load(&config, paths)?;
    let identity = Identity::load(paths)?;
    if let Some(identity) = &identity {
        reach::of_enrolled(identity, &config, paths)?;
    }
    Ok(Usable { config, sites, is_enrolled: identity.is_some() })
}

/// Asks the agent that runs with this state folder to read its configuration again.
///
/// # Errors
/// When the order cannot be written.
pub(crate) fn order(paths: &Paths) -> Result<(), Error> {
    private_file::write(&place(paths), clock::text(clock::now_ms()).as_bytes(), Durability::Volatile)
}

/// An order that was given before the start has been followed by it.
pub(crate) fn forget(paths: &Paths) {
    if let Err(error) = private_file::remove_if_there(&place(paths)) {
        tracing::warn!(event = "reload_order_kept", %error, "the order to reload could not be removed");
    }
}

/// Waits for a configuration that was asked for and can be used.
pub(crate) async fn next(paths: &Paths, given: &Premises, hang_up: &Notify) -> Config {
    loop {
        // Either is a reason to look; the sooner the better.
        let is_signalled = tokio::time::timeout(LOOK_EVERY, hang_up.notified()).await.is_ok();
        let is_ordered = matches!(private_file::read(&place(paths)), Ok(Some(_)));
        if !is_signalled && !is_ordered {
            continue;
        }
        forget(paths);
        match read(paths, given) {
            Ok(usable) => return usable.config,
            Err(error) => {
                tracing::error!(event = "reload_refused", %error, "the configuration cannot be used; the agent goes on with the one that it has");
            }
        }
    }
}

fn place(paths: &Paths) -> PathBuf {
    paths.state.join("reload")
}
