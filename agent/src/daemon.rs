//! `run`: everything put together, from the configuration to the end of the process.

use crate::audit::{self, Audit, Entry};
use crate::breaker::Breaker;
use crate::cli::Run;
use crate::config::{Config, Place, Requests};
use crate::error::Error;
use crate::health::Health;
use crate::identity::{Identity, Rotation};
use crate::journal::Journal;
use crate::link::{KeepEnd, Supervisor};
use crate::lock;
use crate::logs::Control;
use crate::metrics::{self, Counters, Sources};
use crate::notify;
use crate::orders::{Gate, Orders};
use crate::paths::Paths;
use crate::policy::volume::Volume;
use crate::policy::{self, Policy, Rules};
use crate::private_file;
use crate::reach;
use crate::reload;
use crate::runs::Premises;
use crate::secrets::Opener;
use crate::signals::Signals;
use crate::signer::CurrentSigner;
use crate::status::{Board, Who};
use crate::tickets::Tickets;
use crate::vigil::Vigil;
use std::sync::Arc;

/// Why the agent starts anew, or ends.
enum RunEnd {
    Kept(KeepEnd),
    /// The configuration is another one.
    Reconfigured(Box<Config>),
}

/// Holds the link until the process is told to stop or the agent has left. An agent that is enrolled anew goes on as the new one, and one
/// whose configuration was changed and is to be read again goes on with the new one.
///
/// # Errors
/// When something of the premises cannot be used: then nothing was started.
pub(crate) async fn run(given: &Run, config: &Config, paths: &Paths, control: &Control) -> Result<(), Error> {
    let signals = Signals::listen()?;
    let mut config = Box::new(config.clone());
    loop {
        match run_as_enrolled(given, &config, paths, control, &signals).await? {
            RunEnd::Kept(KeepEnd::Stopped | KeepEnd::Left) => return Ok(()),
            RunEnd::Kept(KeepEnd::EnrolledAnew) => tracing::info!(
                event = "identity_changed",
                "the agent was enrolled anew and goes on with the new identity"
            ),
            RunEnd::Reconfigured(other) => {
                config = other;
                control.rebase(config.log.level);
                tracing::info!(
                    event = "config_reloaded",
                    "the agent goes on with the configuration as it is now"
                );
            }
        }
    }
}

async fn run_as_enrolled(
    given: &Run,
    config: &Config,
    paths: &Paths,
    control: &Control,
    signals: &Signals,
) -> Result<RunEnd, Error> {
    reload::forget(paths);
    let identity = Identity::require(paths)?;
    private_file::ensure_folder(&paths.state)?;
    let _lock = lock::hold(paths)?;
    forbid_core_dumps();
    let policy = Policy::new(
        policy::gather(config, paths, &given.premises)?,
        config.limits.clone(),
        config.requests.clone(),
    )
    .under(Rules::load(config, paths)?);
    let today = chrono::Local::now().date_naive();
    let volume = Volume::load(policy.rules().bytes_a_day, paths, today);
    let board = Board::new(who(&identity, &policy)?);
    let opener = Opener::new(&identity.seeds)?;
    identity.former.iter().try_for_each(|former| opener.add_older(former))?;
    let orders = Orders::new(paths, Gate { hours: policy.rules().hours.clone(), volume: volume.clone() });
    let health = Health::new(&policy, &config.health);
    let counters = Counters::default();
    let (audit, writer) = audit::start(paths, &config.audit, Box::new(told(&health, &counters)))?;
    note_start(&audit, &identity)?;
    let premises = Arc::new(Premises {
        policy,
        opener,
        limits: config.limits.clone(),
        board: board.clone(),
        standing: orders.subscribe(),
        audit: audit.clone(),
        signer: CurrentSigner::new(&identity)?,
        health: health.clone(),
        volume: volume.clone(),
        journal: Journal::new(paths),
        breaker: Breaker::new(paths),
        tickets: Tickets::load(paths, &identity.enrolment.agent_id)?,
        paths: paths.clone(),
        rotation: Rotation::after_days(config.identity.rotate_after_days),
    });
    let vigil = Vigil::new();
    let reach = reach::of_enrolled(&identity, config, paths)?;
    let supervisor = Supervisor::new(&identity, reach, Arc::clone(&premises), vigil.pulse())?;
    announce(&identity, &premises.policy);
    let stop = signals.stop.child_token();
    let mut reconfigured = None;
    let reconfigure = async {
        reconfigured = Some(reload::next(paths, &given.premises, &signals.hang_up).await);
        stop.cancel();
        std::future::pending::<()>().await;
    };
    let sources = Sources { counters, board: board.clone(), health, audit: audit.clone() };
    let kept = tokio::select! {
        kept = supervisor.keep(&stop) => kept,
        () = board.keep_written(paths) => Ok(KeepEnd::Stopped),
        () = orders.keep_looking(paths, &board, control) => Ok(KeepEnd::Stopped),
        () = notify::keep_told(&board, &vigil, &signals.stop) => Ok(KeepEnd::Stopped),
        () = reconfigure => Ok(KeepEnd::Stopped),
        () = control.keep_counting() => Ok(KeepEnd::Stopped),
        () = audit.keep_counting() => Ok(KeepEnd::Stopped),
        () = serve_metrics(config, &sources) => Ok(KeepEnd::Stopped),
        () = note_halts(&premises) => Ok(KeepEnd::Stopped),
        () = keep_healthy(&premises, &config.requests) => Ok(KeepEnd::Stopped),
    };
    audit.note_counted();
    audit.note_done(Entry::AgentStopped {});
    writer.finish().await;
    volume.keep(paths)?;
    board.write_end(paths)?;
    Ok(end(kept?, reconfigured.filter(|_| !signals.stop.is_cancelled())))
}

fn end(kept: KeepEnd, reconfigured: Option<Config>) -> RunEnd {
    match reconfigured {
        Some(config) if kept == KeepEnd::Stopped => RunEnd::Reconfigured(Box::new(config)),
        _ => {
            tell_end(kept);
            RunEnd::Kept(kept)
        }
    }
}

/// Who hears of each request to a Jira.
fn told(health: &Health, counters: &Counters) -> impl Fn(&jira::RequestRecord) + Send + Sync + 'static {
    let (health, counters) = (health.clone(), counters.clone());
    move |record| {
        health.handle_request(record);
        counters.handle_request(record);
    }
}

fn tell_end(end: KeepEnd) {
    match end {
        KeepEnd::Left => tracing::warn!(
            event = "agent_left",
            "this agent has left its uplink: it has no keys any more and ends"
        ),
        KeepEnd::Stopped | KeepEnd::EnrolledAnew => {
            tracing::info!(event = "agent_stopped", "the agent ends");
        }
    }
}

/// Serves figures where the configuration says so. Work goes on when nobody can read them.
async fn serve_metrics(config: &Config, sources: &Sources) {
    // The configuration was checked when it was read.
    if let Ok(Some(place)) = Place::parse(&config.metrics.listen)
        && let Err(error) = metrics::serve(place, sources).await
    {
        tracing::error!(event = "metrics_unavailable", %error, "no figures for Prometheus; see `[metrics]` of the configuration");
    }
    std::future::pending().await
}

/// Notes in the audit log when work stops and when it goes on.
async fn note_halts(premises: &Premises) {
    let mut standing = premises.standing.clone();
    let mut was_halted = false;
    loop {
        let halt = standing.borrow_and_update().halt.clone();
        match &halt {
            Some(halt) => premises.audit.note_done(Entry::order(halt.code, &halt.reason)),
            None if was_halted => premises.audit.note_done(Entry::order("resumed", "")),
            None => {}
        }
        was_halted = halt.is_some();
        if standing.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Probes each Jira now and then, and notes on the board what is found.
async fn keep_healthy(premises: &Premises, requests: &Requests) {
    let may_ask = || premises.standing.borrow().halt.is_none() && premises.audit_trouble().is_none();
    let probing = premises.health.keep_probing(&premises.policy, requests, &premises.audit, &may_ask);
    let noting = async {
        let mut found = premises.health.subscribe();
        loop {
            premises.board.health(found.borrow_and_update().clone(), premises.audit_trouble());
            if found.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::join!(probing, noting);
}

fn note_start(audit: &Audit, identity: &Identity) -> Result<(), Error> {
    let fingerprint = identity.seeds.fingerprint()?.to_string();
    audit.note_done(Entry::AgentStarted {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        agent: identity.enrolment.agent_id.to_string(),
        fingerprint,
    });
    Ok(())
}

fn who(identity: &Identity, policy: &Policy) -> Result<Who, Error> {
    Ok(Who {
        agent_id: identity.enrolment.agent_id.to_string(),
        name: identity.enrolment.name.clone(),
        uplink: identity.enrolment.uplink.clone(),
        relay: identity.enrolment.relay.clone(),
        fingerprint: identity.seeds.fingerprint()?.to_string(),
        permitted: policy.sites().iter().map(|site| site.address.to_string()).collect(),
    })
}

fn announce(identity: &Identity, policy: &Policy) {
    let enrolment = &identity.enrolment;
    tracing::info!(event = "agent_started", version = env!("CARGO_PKG_VERSION"), agent = %enrolment.agent_id, uplink = enrolment.uplink,
        relay = enrolment.relay, "the agent starts");
    for site in policy.sites() {
        tracing::info!(event = "permitted", site = %site.address, local_accounts = site.accounts.len(), "this Jira may be read");
        if site.address.as_str().starts_with("http://") {
            tracing::warn!(event = "permitted_in_clear", site = %site.address, "without https the password travels in clear between here and Jira");
        }
    }
    if policy.sites().is_empty() {
        tracing::warn!(
            event = "nothing_permitted",
            "no Jira is permitted, so every extraction will be refused; name one with --allow-jira or allow_jira"
        );
    }
}

/// A core file would hold passwords and Jira's data.
#[cfg(unix)]
fn forbid_core_dumps() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    // A service manager may have done it, and may forbid the call.
    if getrlimit(Resource::Core).maximum == Some(0) {
        return;
    }
    if let Err(error) = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }) {
        tracing::warn!(event = "core_dumps_possible", %error, "core dumps could not be turned off");
    }
}

#[cfg(not(unix))]
fn forbid_core_dumps() {}
