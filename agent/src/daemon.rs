//! `run`: everything put together, from the configuration to the end of the process.

use crate::audit::{self, Audit, Entry};
use crate::breaker::Breaker;
use crate::cli::Run;
use crate::config::{Config, Place, Requests};
use crate::error::Error;
use crate::health::Health;
use crate::identity::{Identity, Rotation};
use crate::journal::Journal;
use crate::link::dial::Proxies;
use crate::link::{KeepEnd, Reach, Supervisor};
use crate::lock;
use crate::logs::Control;
use crate::metrics::{self, Counters, Sources};
use crate::notify;
use crate::orders::{Gate, Orders};
use crate::paths::Paths;
use crate::policy::volume::Volume;
use crate::policy::{self, Policy, Rules};
use crate::private_file;
use crate::relay_address::RelayAddress;
use crate::runs::Premises;
use crate::secrets::Opener;
use crate::signer::CurrentSigner;
use crate::status::{Board, Who};
use crate::tickets::Tickets;
use crate::trust::{Authority, read_certificates};
use crate::vigil::Vigil;
use std::path::Path;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Holds the link until the process is told to stop or the agent has left. An agent that is enrolled anew goes on as the new one.
///
/// # Errors
/// When something of the premises cannot be used: then nothing was started.
pub(crate) async fn run(given: &Run, config: &Config, paths: &Paths, control: &Control) -> Result<(), Error> {
    while run_as_enrolled(given, config, paths, control).await? == KeepEnd::EnrolledAnew {
        tracing::info!(
            event = "identity_changed",
            "the agent was enrolled anew and goes on with the new identity"
        );
    }
    Ok(())
}

async fn run_as_enrolled(
    given: &Run,
    config: &Config,
    paths: &Paths,
    control: &Control,
) -> Result<KeepEnd, Error> {
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
    let observed = health.clone();
    let counters = Counters::default();
    let counted = counters.clone();
    let told = Box::new(move |record: &jira::RequestRecord| {
        observed.handle_request(record);
        counted.handle_request(record);
    });
    let (audit, writer) = audit::start(paths, &config.audit, told)?;
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
    let reach = reach(&identity, config, paths)?;
    let supervisor = Supervisor::new(&identity, reach, Arc::clone(&premises), vigil.pulse())?;
    announce(&identity, &premises.policy);
    let stop = stop_on_signal()?;
    let sources = Sources { counters, board: board.clone(), health, audit: audit.clone() };
    let kept = tokio::select! {
        kept = supervisor.keep(&stop) => kept,
        () = board.keep_written(paths) => Ok(KeepEnd::Stopped),
        () = orders.keep_looking(paths, &board, control) => Ok(KeepEnd::Stopped),
        () = notify::keep_told(&board, &vigil, &stop) => Ok(KeepEnd::Stopped),
        () = control.keep_counting() => Ok(KeepEnd::Stopped),
        () = serve_metrics(config, &sources) => Ok(KeepEnd::Stopped),
        () = note_halts(&premises) => Ok(KeepEnd::Stopped),
        () = keep_healthy(&premises, &config.requests) => Ok(KeepEnd::Stopped),
    };
    audit.note_done(Entry::AgentStopped {});
    writer.finish().await;
    volume.keep(paths)?;
    board.write_end(paths)?;
    tell_end(kept.as_ref().ok());
    kept
}

fn tell_end(end: Option<&KeepEnd>) {
    match end {
        Some(KeepEnd::Left) => tracing::warn!(
            event = "agent_left",
            "this agent has left its uplink: it has no keys any more and ends"
        ),
        Some(KeepEnd::Stopped | KeepEnd::EnrolledAnew) | None => {
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

/// How the relay is reached: its addresses, the proxies on the way, and whom to trust.
pub(crate) fn reach(identity: &Identity, config: &Config, paths: &Paths) -> Result<Reach, Error> {
    let enrolled_at = std::iter::once(&identity.enrolment.relay);
    let relays = enrolled_at.chain(&config.relay.addresses).map(|text| RelayAddress::parse(text));
    let trust = authority(identity, config, paths)?.trust()?;
    Ok(Reach {
        relays: relays.collect::<Result<_, _>>()?,
        trust: trust.and_inspector(config.relay.inspection_ca_file.get())?,
        proxies: Proxies::load(&config.proxy)?,
        timeouts: config.link.clone(),
    })
}

/// Whom the link trusts: the configuration, then what `enroll` was given, then the system.
pub(crate) fn authority(identity: &Identity, config: &Config, paths: &Paths) -> Result<Authority, Error> {
    let own = |path: std::path::PathBuf| read_certificates(&path).map(|pem| Authority::Own { path, pem });
    match config.relay.ca_file.get() {
        Some(path) => own(path.to_owned()),
        None if identity.enrolment.own_authority => own(paths.relay_ca()),
        None => Ok(Authority::System),
    }
}

/// How a relay is reached that the agent is not enrolled at.
pub(crate) fn reach_of(relay: RelayAddress, ca: Option<&Path>, config: &Config) -> Result<Reach, Error> {
    let trust = authority_of(ca, config)?.trust()?;
    Ok(Reach {
        relays: vec![relay],
        trust: trust.and_inspector(config.relay.inspection_ca_file.get())?,
        proxies: Proxies::load(&config.proxy)?,
        timeouts: config.link.clone(),
    })
}

/// Whom to believe to be a relay that is not enrolled at yet.
pub(crate) fn authority_of(given: Option<&Path>, config: &Config) -> Result<Authority, Error> {
    match given.or(config.relay.ca_file.get()) {
        Some(path) => Ok(Authority::Own { path: path.to_owned(), pem: read_certificates(path)? }),
        None => Ok(Authority::System),
    }
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

/// A token that is cancelled when the process is asked to end.
#[cfg(unix)]
fn stop_on_signal() -> Result<CancellationToken, Error> {
    use tokio::signal::unix::{SignalKind, signal};
    let unable =
        |error: std::io::Error| Error::System { action: "listen for signals", reason: error.to_string() };
    let mut terminate = signal(SignalKind::terminate()).map_err(unable)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(unable)?;
    let stop = CancellationToken::new();
    let heard = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!(event = "stop_asked", "the process was asked to end");
        heard.cancel();
    });
    Ok(stop)
}

#[cfg(not(unix))]
fn stop_on_signal() -> Result<CancellationToken, Error> {
    let stop = CancellationToken::new();
    let heard = stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            heard.cancel();
        }
    });
    Ok(stop)
}
