//! Everything that ends a command without success: one message that says what failed, on which thing, why, and what to do next,
//! and one exit code. Failures of a run or of the link never end the agent; they have types of their own.

use std::io;
use std::path::PathBuf;

/// Why a command ended without success.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the agent could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// `read`, `write`, `create`, ...
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others may read or change something that holds keys.
    #[error("{} has mode {mode:04o}, so other users of this machine can reach it; run `chmod {wanted:04o} {}`", path.display(), path.display())]
    LooseMode {
        /// The file or folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// What they should be.
        wanted: u32,
    },
    /// No place for state or configuration could be found.
    #[error(
        "this user has no home folder, so there is no standard place for the {what}; name one with {flag}"
    )]
    NoHome {
        /// `state` or `configuration`.
        what: &'static str,
        /// The flag that names one.
        flag: &'static str,
    },
    /// The configuration file does not parse.
    #[error("the configuration {place} cannot be read: {reason}")]
    ConfigSyntax {
        /// File or environment.
        place: String,
        /// What the parser said.
        reason: String,
    },
    /// A key that does not exist.
    #[error("unknown key `{key}` in {place}{}", nearest_hint(nearest.as_deref()))]
    UnknownKey {
        /// The key as met.
        key: String,
        /// File and line, or the environment variable.
        place: String,
        /// The known key that is most like it.
        nearest: Option<String>,
    },
    /// A key whose value cannot be used.
    #[error("key `{key}` in {place}: {reason}")]
    BadValue {
        /// The key.
        key: String,
        /// File and line, or the environment variable.
        place: String,
        /// Why, and what is expected.
        reason: String,
    },
    /// The command line was used wrongly in a way that the parser cannot see.
    #[error("{0}")]
    Usage(String),
    /// The agent has no identity yet.
    #[error("this agent is not enrolled (nothing in {}); create an uplink on the relay and run `uplink-agent enroll`", state.display())]
    NotEnrolled {
        /// The state folder looked at.
        state: PathBuf,
    },
    /// The identity file cannot be used.
    #[error("the identity in {} is damaged ({reason}); restore it from a backup or run `uplink-agent enroll --force` with a new token", path.display())]
    IdentityDamaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A second enrolment would replace the first.
    #[error(
        "this agent is already enrolled as {agent} of uplink {uplink} at {relay}; nothing was changed. To enrol it anew with new keys, \
         repeat with --force and an unused token"
    )]
    AlreadyEnrolled {
        /// The agent's id.
        agent: String,
        /// Its uplink.
        uplink: String,
        /// Its relay.
        relay: String,
    },
    /// Another process uses the state folder.
    #[error("another uplink-agent runs with the state folder {} (process {pid}); stop it first, or give this one its own --state", state.display())]
    AlreadyRunning {
        /// The folder.
        state: PathBuf,
        /// Its process id, or `unknown`.
        pid: String,
    },
    /// The agent is not running, so there is no status.
    #[error("{0}")]
    NotRunning(String),
    /// The relay's address cannot be used.
    #[error("`{address}` is no relay address: {reason}; give it like https://relay.example.com:8443")]
    RelayAddress {
        /// As typed.
        address: String,
        /// Why not.
        reason: String,
    },
    /// A certificate file holds no certificate.
    #[error("{} is no usable certificate file: {reason}; it must hold PEM blocks `BEGIN CERTIFICATE`", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// What came in is no enrolment token.
    #[error("{place}: {reason}")]
    TokenUnusable {
        /// Where it came from.
        place: String,
        /// Why not.
        reason: String,
    },
    /// No enrolment token came in.
    #[error(
        "{place} holds no enrolment token; make one with `uplinkctl uplink create NAME --token-only` and pass it with --token-stdin or --token-file"
    )]
    TokenMissing {
        /// Where it was looked for.
        place: String,
    },
    /// The relay refused the enrolment.
    #[error("{relay} refused the enrolment: {message} [{code}]; {next}")]
    EnrolRefused {
        /// The relay.
        relay: String,
        /// The relay's code.
        code: String,
        /// The relay's reason.
        message: String,
        /// What to do.
        next: String,
    },
    /// The relay could not be asked.
    #[error("cannot reach the relay {relay}: {reason}")]
    RelayUnreachable {
        /// The relay.
        relay: String,
        /// What failed, and what to look at.
        reason: String,
    },
    /// A check of the way to the relay failed before the token was used.
    #[error("the check {check} of the way to {relay} failed, and the token was not used: {found} [{code}]\n  {}", next.join("\n  "))]
    Preflight {
        /// The relay.
        relay: String,
        /// The check, as `doctor` names it.
        check: &'static str,
        /// Its code.
        code: &'static str,
        /// What was found.
        found: String,
        /// What to do, and a sentence for the network team.
        next: Vec<String>,
    },
    /// The relay could not be told that this agent leaves.
    #[error(
        "cannot tell the relay {relay} that this agent leaves: {reason}; nothing was removed. Try again, or repeat with --force and have \
         the relay's administrator remove the agent"
    )]
    NotTold {
        /// The relay.
        relay: String,
        /// What failed.
        reason: String,
    },
    /// Something answered that is no relay.
    #[error("{relay} does not answer like a relay: {reason}; check the address and the port")]
    NoRelay {
        /// The address.
        relay: String,
        /// What was wrong.
        reason: String,
    },
    /// The service could not be installed, removed, started or asked.
    #[error(transparent)]
    Service(#[from] crate::service::error::ServiceError),
    /// A manifest proves nothing.
    #[error("{reason}; get it again with `uplinkctl run manifest RUN`, and if it stays so, do not trust it")]
    Manifest {
        /// What is wrong with it.
        reason: String,
    },
    /// The system refused something that the agent cannot do without.
    #[error("cannot {action}: {reason}")]
    System {
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        reason: String,
    },
}

/// The command did what was asked.
pub const EXIT_DONE: u8 = 0;
/// The command failed; the reason is on standard error.
pub const EXIT_FAILED: u8 = 1;
/// The command line or the configuration is wrong; nothing was done.
pub const EXIT_USAGE: u8 = 2;

impl Error {
    /// The process's exit code: 2 when the command line or the configuration must be changed first, otherwise 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::ConfigSyntax { .. }
            | Error::UnknownKey { .. }
            | Error::BadValue { .. }
            | Error::Usage(_)
            | Error::NoHome { .. }
            | Error::RelayAddress { .. } => EXIT_USAGE,
            Error::File { .. }
            | Error::LooseMode { .. }
            | Error::NotEnrolled { .. }
            | Error::IdentityDamaged { .. }
            | Error::AlreadyEnrolled { .. }
            | Error::AlreadyRunning { .. }
            | Error::NotRunning(_)
            | Error::Certificate { .. }
            | Error::TokenMissing { .. }
            | Error::TokenUnusable { .. }
            | Error::EnrolRefused { .. }
            | Error::RelayUnreachable { .. }
            | Error::Preflight { .. }
            | Error::NotTold { .. }
            | Error::NoRelay { .. }
            | Error::Service(_)
            | Error::Manifest { .. }
            | Error::System { .. } => EXIT_FAILED,
        }
    }

    pub(crate) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Error::File { action, path, source }
    }
}

fn nearest_hint(nearest: Option<&str>) -> String {
    nearest
        .map(|key| format!("; did you mean `{key}`?"))
        .unwrap_or_else(|| "; `uplink-agent config defaults` prints every key".to_owned())
}
