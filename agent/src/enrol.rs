//! Enrolment: a one-time token goes in, the public halves of the keys go out, and the relay's answer makes the identity. Safe to
//! repeat: an attempt without an answer is tried again with the same keys, and the same command given twice changes nothing.

use crate::cli::{Enroll, TokenSource};
use crate::clock;
use crate::config::Config;
use crate::doctor;
use crate::error::Error;
use crate::identity::{self, Enrolment, Identity, Seeds};
use crate::link::call::{self, Answer};
use crate::link::dial::{Lookup, Names, Proxies, Route};
use crate::paths::Paths;
use crate::policy;
use crate::private_file::{self, Durability};
use crate::reach;
use crate::relay_address::RelayAddress;
use crate::trust::Authority;
use protocol::enrol::{EnrolAnswer, EnrolRequest, EnrolmentToken};
use serde::Deserialize;
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A token is far shorter; whoever pipes a file in by mistake is told soon.
const MAX_TOKEN_INPUT_BYTES: u64 = 16 * 1024;
/// The variable in which systemd names the folder of a service's credentials.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
/// The name of the credential that holds the token.
const CREDENTIAL: &str = "enrolment-token";
/// A clock that is off by more than this is told.
const CLOCK_TOLERANCE_S: i64 = 5 * 60;

/// How an enrolment ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The agent is enrolled now.
    Enrolled(Box<Identity>),
    /// It was enrolled with this very token before; only what is permitted may have been added to.
    AlreadyDone(Box<Identity>),
}

/// Enrols this agent.
///
/// # Errors
/// When something that was given cannot be used, the relay cannot be reached, or it refuses.
pub(crate) async fn enrol(given: &Enroll, config: &Config, paths: &Paths) -> Result<Outcome, Error> {
    let relay = RelayAddress::parse(&given.relay)?;
    policy::parse_given(&given.premises)?;
    let authority = reach::authority_of(given.relay_ca.as_deref(), config)?;
    let token = read_token(&given.token)?;
    private_file::ensure_folder(&paths.state)?;
    if let Some(known) = Identity::load(paths)? {
        if known.enrolment.relay == relay.to_string() && known.enrolment.token_digest == token.hash() {
            policy::remember(paths, &given.premises)?;
            return Ok(Outcome::AlreadyDone(Box::new(known)));
        }
        if !given.force {
            let Enrolment { relay, agent_id, uplink, .. } = known.enrolment;
            return Err(Error::AlreadyEnrolled { agent: agent_id.to_string(), uplink, relay });
        }
    }
    let name = given.name.clone().unwrap_or_else(host_name);
    let mut seeds = identity::pending_seeds(paths, &relay.to_string())?;
    let mut answer = ask(&relay, &authority, config, &request(&seeds, &token, &name)?).await;
    // An earlier attempt succeeded, and its answer was lost for so long that its token no longer repeats it.
    if matches!(&answer, Err(Error::EnrolRefused { code, .. }) if code == "key_enrolled") {
        identity::drop_pending(paths)?;
        seeds = identity::pending_seeds(paths, &relay.to_string())?;
        answer = ask(&relay, &authority, config, &request(&seeds, &token, &name)?).await;
    }
    let answer = answer?;
    let enrolment = Enrolment {
        relay: relay.to_string(),
        relay_id: answer.relay_id,
        agent_id: answer.agent_id,
        uplink: answer.uplink,
        name,
        token_digest: token.hash(),
        own_authority: matches!(authority, Authority::Own { .. }),
    };
    let identity = Identity { seeds, enrolment, keys_made_ms: clock::now_ms(), former: None };
    keep(&identity, &authority, given, paths)?;
    Ok(Outcome::Enrolled(Box::new(identity)))
}

/// The identity is written last: before it nothing has changed for a running agent.
fn keep(identity: &Identity, authority: &Authority, given: &Enroll, paths: &Paths) -> Result<(), Error> {
    policy::remember(paths, &given.premises)?;
    match authority {
        Authority::Own { pem, .. } => private_file::write(&paths.relay_ca(), pem, Durability::Synced)?,
        Authority::System => private_file::remove_if_there(&paths.relay_ca())?,
    }
    identity.store(paths)
}

fn read_token(source: &TokenSource) -> Result<EnrolmentToken, Error> {
    let credential =
        if source.token_credential { Some(credential_file(std::env::var_os(CREDENTIALS))?) } else { None };
    let (place, text) = match source.token_file.as_ref().or(credential.as_ref()) {
        Some(path) => (
            path.display().to_string(),
            read_limited(std::fs::File::open(path).map_err(Error::file("read", path))?, path)?,
        ),
        None => {
            ("standard input".to_owned(), read_limited(std::io::stdin().lock(), Path::new("standard input"))?)
        }
    };
    if text.trim().is_empty() {
        return Err(Error::TokenMissing { place });
    }
    EnrolmentToken::parse(&text).map_err(|error| Error::TokenUnusable { place, reason: error.to_string() })
}

/// Where systemd puts the credential for this process.
fn credential_file(folder: Option<OsString>) -> Result<PathBuf, Error> {
    match folder {
        Some(folder) => Ok(Path::new(&folder).join(CREDENTIAL)),
        None => Err(Error::TokenMissing {
            place: format!("the systemd credential `{CREDENTIAL}` ({CREDENTIALS} is not set)"),
        }),
    }
}

fn read_limited(source: impl Read, name: &Path) -> Result<Zeroizing<String>, Error> {
    let mut text = Zeroizing::new(String::new());
    source.take(MAX_TOKEN_INPUT_BYTES).read_to_string(&mut text).map_err(Error::file("read", name))?;
    Ok(text)
}

fn request(seeds: &Seeds, token: &EnrolmentToken, name: &str) -> Result<EnrolRequest, Error> {
    Ok(EnrolRequest {
        token: token.to_text(),
        name: name.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        signing_key: seeds.signing_key()?.public(),
        sealing_key: seeds.sealing_key().public(),
    })
}

async fn ask(
    relay: &RelayAddress,
    authority: &Authority,
    config: &Config,
    request: &EnrolRequest,
) -> Result<EnrolAnswer, Error> {
    let body = serde_json::to_vec(request)
        .map_err(|error| Error::System { action: "write the enrolment", reason: error.to_string() })?;
    let Answer { status, date, body } = post(relay, authority, config, ("/v1/enrol", body)).await?;
    let ahead_s = date.as_deref().and_then(clock_ahead_s);
    if let Some(ahead_s) = ahead_s {
        tracing::warn!(event = "clock_differs", ahead_s, "{}", clock_advice(ahead_s));
    }
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(|error| Error::NoRelay {
            relay: relay.to_string(),
            reason: format!("its answer to the enrolment cannot be read ({error})"),
        });
    }
    Err(match (refusal(relay, status.as_u16(), &body), ahead_s) {
        (Error::EnrolRefused { relay, code, message, next }, Some(ahead_s)) => {
            Error::EnrolRefused { relay, code, message, next: format!("{next}; {}", clock_advice(ahead_s)) }
        }
        (error, _) => error,
    })
}

/// How far this machine's clock is ahead of the time in an answer of the relay, if that is worth telling.
fn clock_ahead_s(date: &str) -> Option<i64> {
    let theirs = chrono::DateTime::parse_from_rfc2822(date).ok()?.timestamp();
    let ahead_s = (clock::now_ms() / 1000).saturating_sub(theirs);
    (ahead_s.saturating_abs() > CLOCK_TOLERANCE_S).then_some(ahead_s)
}

fn clock_advice(ahead_s: i64) -> String {
    let side = if ahead_s > 0 { "ahead of" } else { "behind" };
    let minutes = ahead_s.saturating_abs() / 60;
    format!(
        "this machine's clock is {minutes} minutes {side} the relay's: set it right, since certificates are judged by it"
    )
}

/// One call to the relay, on the same way and with the same trust as the link, after the way was checked.
///
/// # Errors
/// When something of the premises cannot be used, or the relay cannot be asked.
pub(crate) async fn post(
    relay: &RelayAddress,
    authority: &Authority,
    config: &Config,
    (path, body): (&str, Vec<u8>),
) -> Result<Answer, Error> {
    let unreachable = |reason: String| Error::RelayUnreachable { relay: relay.to_string(), reason };
    let trust = authority.trust()?.and_inspector(config.relay.inspection_ca_file.get())?;
    let proxies = Proxies::load(&config.proxy)?;
    let (names, limit) = (Names::default(), config.link.connect_timeout());
    let route = Route { relay, proxies: &proxies, names: &names, trust: &trust, limit };
    doctor::preflight(route).await?;
    let line = route.secure(Lookup::Ask).await.map_err(|error| unreachable(error.in_full()))?;
    call::post_json(line, relay, path, body).await.map_err(|error| unreachable(error.to_string()))
}

/// The relay's problem document.
#[derive(Deserialize)]
struct Problem {
    code: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    hint: String,
}

fn refusal(relay: &RelayAddress, status: u16, body: &[u8]) -> Error {
    let Ok(problem) = serde_json::from_slice::<Problem>(body) else {
        return Error::NoRelay {
            relay: relay.to_string(),
            reason: format!("it answered the enrolment with HTTP status {status}"),
        };
    };
    let first =
        |texts: [&str; 2]| texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default().to_owned();
    Error::EnrolRefused {
        relay: relay.to_string(),
        next: first([&problem.hint, next_step(&problem.code)]),
        message: first([&problem.detail, &problem.title]),
        code: policy::shortened(&problem.code),
    }
}

/// What to do about a refusal whose relay gives no hint.
fn next_step(code: &str) -> &'static str {
    match code {
        "token_used" => {
            "a token works once: make a new one with `uplinkctl uplink create NAME` or for an uplink that exists, and use it on this machine only"
        }
        "token_expired" => "tokens live a short time: make a new one and use it at once",
        "token_foreign" => {
            "give --relay the address of the relay that made the token, or have a new one made on this relay"
        }
        "token_unknown" => {
            "the token is of another relay, or was withdrawn: check --relay, or make a new one"
        }
        "token_malformed" | "token_mistyped" => "copy the whole token again; it is not used up",
        _ => "ask the operator of the relay, whose log has the reason",
    }
}

#[cfg(unix)]
fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn host_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| "agent".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relay() -> RelayAddress {
        RelayAddress::parse("https://relay:8443").unwrap()
    }

    #[test]
    fn each_refusal_has_its_own_message_and_next_step() {
        let message = |code: &str| {
            refusal(&relay(), 403, format!(r#"{{"code":"{code}","detail":"no"}}"#).as_bytes()).to_string()
        };
        let codes = [
            "token_used",
            "token_expired",
            "token_unknown",
            "token_foreign",
            "token_mistyped",
            "something_new",
        ];
        let messages: std::collections::BTreeSet<String> = codes.iter().map(|code| message(code)).collect();
        assert_eq!(messages.len(), codes.len());
        assert!(message("token_expired").contains("[token_expired]"));
    }

    #[test]
    fn the_relays_own_hint_comes_first() {
        let text =
            refusal(&relay(), 403, br#"{"code":"token_used","title":"used","hint":"do this"}"#).to_string();
        assert!(text.contains("used") && text.ends_with("do this"), "{text}");
    }

    #[test]
    fn an_answer_that_is_no_problem_document_is_no_relay() {
        let text = refusal(&relay(), 404, b"<html>").to_string();
        assert!(text.contains("does not answer like a relay") && text.contains("404"), "{text}");
    }

    #[test]
    fn an_empty_token_file_and_a_wrong_token_are_told_apart_and_not_repeated() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("token");
        let read = |text: &str| {
            std::fs::write(&file, text).unwrap();
            read_token(&TokenSource { token_file: Some(file.clone()), ..TokenSource::default() })
                .unwrap_err()
                .to_string()
        };
        assert!(read("\n").contains("holds no enrolment token"));
        let wrong = read("upl1.hunter2hunter2");
        assert!(!wrong.contains("hunter2"), "{wrong}");
    }

    #[test]
    fn the_credential_lies_where_systemd_says_or_its_lack_is_told() {
        assert_eq!(credential_file(Some("/run/c".into())).unwrap(), Path::new("/run/c/enrolment-token"));
        let missing = credential_file(None).unwrap_err().to_string();
        assert!(missing.contains("CREDENTIALS_DIRECTORY is not set"), "{missing}");
    }

    #[test]
    fn a_clock_that_is_off_is_told_and_one_that_is_right_is_not() {
        let date = |ahead_s: i64| {
            let theirs = chrono::Utc::now() - chrono::TimeDelta::seconds(ahead_s);
            theirs.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
        };
        assert_eq!(clock_ahead_s(&date(60)), None);
        assert!(clock_ahead_s(&date(86_400)).is_some_and(|ahead_s| (86_390..86_410).contains(&ahead_s)));
        assert!(clock_advice(clock_ahead_s(&date(-7200)).unwrap()).contains("120 minutes behind"));
        assert_eq!(clock_ahead_s("yesterday"), None);
    }
}
