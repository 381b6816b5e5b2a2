//! `doctor`: every check between the configuration and Jira, each with what was found and, where it fails, what to do about it. The
//! first part of it runs before an enrolment too, so that no token is spent on a way that is blocked.
//!
//! `catalogue` has every code; `premises`, `way` and `jira` look; `report` shows. A check passes only on proof: of the relay on its
//! challenge, of Jira on its server information.

mod bundle;
pub mod catalogue;
mod clock;
mod enrolment;
mod health;
mod interception;
mod jira;
mod network_team;
mod peek;
mod premises;
mod redact;
mod report;
mod upgrade;
mod way;

pub(crate) use bundle::write as write_bundle;
pub(crate) use report::Report;

use crate::audit::{self, Entry};
use crate::breaker::{Breaker, SecretMark};
use crate::cli::Doctor;
use crate::config::{self, Config};
use crate::error::Error;
use crate::identity::Identity;
use crate::link::dial::{Names, Route};
use crate::paths::Paths;
use crate::policy::{self, PermittedSite};
use crate::reach;
use crate::relay_address::RelayAddress;
use crate::secrets;
use ::jira::{Credential, Limits};
use catalogue::{Check, Code};
use jira::{LoginWith, Target};
use report::Finding;
use secrecy::SecretString;
use std::io::Read;
use std::time::Duration;
use way::Way;
use zeroize::Zeroizing;

/// A password is far shorter.
const MAX_PASSWORD_INPUT_BYTES: u64 = 64 * 1024;
/// Somebody waits for the report: a Jira that is silent for longer is reported as such.
const JIRA_READ_TIMEOUT: Duration = Duration::from_secs(20);
/// Server information and an account are far shorter.
const JIRA_ANSWER_BYTES_MAX: usize = 1 << 20;

/// A password that was given for this one look.
pub(crate) struct GivenPassword {
    /// Empty for a personal access token.
    pub(crate) username: String,
    pub(crate) password: SecretString,
}

/// What is known of this machine once its configuration was read.
struct Premises<'a> {
    config: &'a Config,
    paths: &'a Paths,
    sites: &'a [PermittedSite],
    enrolled: bool,
}

/// Reads the password of `--password-stdin`: the first line.
///
/// # Errors
/// When there is none.
pub(crate) fn read_password(given: &Doctor) -> Result<GivenPassword, Error> {
    let mut text = Zeroizing::new(String::new());
    let input = std::io::stdin().lock().take(MAX_PASSWORD_INPUT_BYTES).read_to_string(&mut text);
    input.map_err(Error::file("read", "standard input"))?;
    match text.lines().next().filter(|line| !line.is_empty()) {
        Some(line) => Ok(GivenPassword {
            username: given.username.clone().unwrap_or_default(),
            password: SecretString::from(line),
        }),
        None => Err(Error::Usage("standard input holds no password".to_owned())),
    }
}

/// Checks everything.
///
/// # Errors
/// When what was given on the command line cannot be used.
pub(crate) async fn examine(
    given: &Doctor,
    password: Option<GivenPassword>,
    paths: &Paths,
) -> Result<Report, Error> {
    let mut report = Report::new();
    let known = config::load(&paths.config)
        .and_then(|config| policy::gather(&config, paths, &given.premises).map(|sites| (config, sites)));
    let state = premises::state(paths);
    let state_failed = state.failed();
    report.add(state);
    let (config, sites) = match known {
        Ok(known) => {
            report.add(premises::config_is_right(paths));
            known
        }
        // What is wrong with the state folder is said there.
        Err(Error::LooseMode { .. } | Error::File { .. }) if state_failed => return Ok(report),
        Err(error) if error.exit_code() == crate::error::EXIT_USAGE && is_of_command_line(&error) => {
            return Err(error);
        }
        Err(error) => {
            report.add(premises::config_is_wrong(paths, &error));
            return Ok(report);
        }
    };
    let (finding, identity) = premises::identity(paths);
    if given.relay.is_none() || identity.is_some() {
        report.add(finding);
    }
    look_at_relay(given, &config, paths, identity.as_ref(), &mut report).await?;
    let premises = Premises { config: &config, paths, sites: &sites, enrolled: identity.is_some() };
    look_at_jiras(given, password, &premises, &mut report).await?;
    Ok(report)
}

fn is_of_command_line(error: &Error) -> bool {
    matches!(error, Error::Usage(_))
}

async fn look_at_relay(
    given: &Doctor,
    config: &Config,
    paths: &Paths,
    identity: Option<&Identity>,
    report: &mut Report,
) -> Result<(), Error> {
    let reach = match (&given.relay, identity) {
        (Some(address), _) => {
            let relay = RelayAddress::parse(address)?;
            reach::of(relay, given.relay_ca.as_deref(), config)
        }
        (None, Some(identity)) => reach::of_enrolled(identity, config, paths),
        (None, None) => {
            skip_relay(report, "no relay is known yet; name one with --relay URL");
            return Ok(());
        }
    };
    let reach = match reach {
        Ok(reach) => reach,
        Err(error) => {
            report.add_config_failure(premises::config_is_wrong(paths, &error));
            skip_relay(report, "config failed");
            return Ok(());
        }
    };
    let names = Names::default();
    for relay in &reach.relays {
        let limit = reach.timeouts.connect_timeout();
        let route = Route { relay, proxies: &reach.proxies, names: &names, trust: &reach.trust, limit };
        report.extend(way::walk(&Way { route }).await);
    }
    if let Some(identity) = identity.filter(|_| given.relay.is_none()) {
        report.add(enrolment::examine(identity, paths)?);
    }
    Ok(())
}

fn skip_relay(report: &mut Report, why: &str) {
    let checks = way::CHECKS.into_iter().filter(|check| *check != Check::Proxy);
    report.extend(checks.map(|check| Finding::skipped(check, "", why)));
}

async fn look_at_jiras(
    given: &Doctor,
    password: Option<GivenPassword>,
    premises: &Premises<'_>,
    report: &mut Report,
) -> Result<(), Error> {
    let Premises { config, paths, sites, enrolled } = *premises;
    let chosen = chosen_sites(given, sites)?;
    if password.is_some() && chosen.len() != 1 {
        return Err(Error::Usage(format!(
            "a password for {} permitted Jiras makes no sense: name one with --jira URL",
            chosen.len()
        )));
    }
    if chosen.is_empty() {
        report.add(Finding::of(Code::JiraNonePermitted, "", "no Jira is permitted, so nothing can be read"));
    }
    let limits = limits(config);
    let asked: Vec<_> = chosen.iter().map(|site| site.address.as_str()).collect();
    if enrolled && !asked.is_empty() {
        let order = Entry::order("doctor", &format!("asks {}", asked.join(", ")));
        if let Err(error) = audit::note_once(paths, &config.audit, order) {
            // As the agent itself: nothing is asked that cannot be recorded.
            report.add_state_failure(premises::audit_is_closed(paths, &error));
            let skipped = asked.iter().map(|site| Finding::skipped(Check::JiraApi, *site, "state failed"));
            report.extend(skipped);
            return Ok(());
        }
    }
    for site in chosen {
        for login in logins(site, password.as_ref()) {
            let breaker = enrolled.then(|| Breaker::new(paths));
            report.extend(jira::examine(Target { site, limits: limits.clone(), login, breaker }).await);
        }
    }
    Ok(())
}

/// One small answer at a time.
fn limits(config: &Config) -> Limits {
    Limits {
        max_parallel: 1,
        connect_timeout: Duration::from_millis(config.requests.connect_timeout_ms),
        read_timeout: Duration::from_millis(config.requests.read_timeout_ms).min(JIRA_READ_TIMEOUT),
        max_page_bytes: JIRA_ANSWER_BYTES_MAX,
        part_bytes: JIRA_ANSWER_BYTES_MAX,
        pace: None,
    }
}

fn chosen_sites<'a>(given: &Doctor, sites: &'a [PermittedSite]) -> Result<Vec<&'a PermittedSite>, Error> {
    let Some(wanted) = &given.jira else { return Ok(sites.iter().collect()) };
    let address = protocol::site::SiteAddress::parse(wanted)
        .map_err(|error| Error::Usage(format!("--jira: {error}")))?;
    match sites.iter().find(|site| site.address == address) {
        Some(site) => Ok(vec![site]),
        None => {
            Err(Error::Usage(format!("--jira: {address} is not permitted; permit it with --allow-jira too")))
        }
    }
}

/// One login for each account of the premises, or the one that was given.
fn logins(site: &PermittedSite, password: Option<&GivenPassword>) -> Vec<LoginWith> {
    if let Some(given) = password {
        let text = format!("standard input of process {}", std::process::id());
        return vec![account(&given.username, given.password.clone(), text)];
    }
    if site.accounts.is_empty() {
        return vec![LoginWith::Nothing];
    }
    let held = site.accounts.iter();
    held.map(|held| match secrets::read_local(&held.secret) {
        Ok(password) => account(&held.username, password, secrets::mark_of(&held.secret)),
        Err(error) => LoginWith::Unusable(error.to_string()),
    })
    .collect()
}

fn account(username: &str, password: SecretString, mark: String) -> LoginWith {
    let credential = if username.is_empty() {
        Credential::Token(password)
    } else {
        Credential::Password { username: username.to_owned(), password }
    };
    let mark = SecretMark { text: mark, is_local: true };
    LoginWith::Account { credential, username: username.to_owned(), mark }
}

/// The way to a relay before a token is spent on it.
///
/// # Errors
/// The first check that failed, with what to do and what to tell the network team.
pub(crate) async fn preflight(route: Route<'_>) -> Result<(), Error> {
    let mut report = Report::new();
    report.extend(way::walk(&Way { route }).await);
    match report.first_failure() {
        None => Ok(()),
        Some(failed) => Err(Error::Preflight {
            relay: route.relay.to_string(),
            check: failed.check.id(),
            code: failed.code,
            found: failed.found.clone(),
            next: [failed.remedy.map(str::to_owned), failed.network_team.clone()]
                .into_iter()
                .flatten()
                .collect(),
        }),
    }
}
