//! Why a command failed, for the person who typed it: what, on which thing, why, what to do next.

use std::path::PathBuf;

/// Exit code of a command that failed.
pub(crate) const EXIT_FAILED: u8 = 1;
/// Exit code of wrong use.
pub(crate) const EXIT_USAGE: u8 = 2;

/// Everything that ends a command without success.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The words do not make sense together.
    #[error("{0}")]
    Usage(String),
    /// The configuration file cannot be used.
    #[error("the configuration file {path} cannot be used: {reason}", path = path.display())]
    Config { path: PathBuf, reason: String },
    /// The relay's address cannot be used.
    #[error("`{text}` is no address of a relay: {reason}")]
    RelayAddress { text: String, reason: String },
    /// No administrator's key is known.
    #[error("no administrator's key is given for {relay}")]
    NoKey { relay: String },
    /// A file cannot be read.
    #[error("{what} {path} cannot be read: {reason}", path = path.display())]
    File { what: &'static str, path: PathBuf, reason: String },
    /// No answer at all.
    #[error("the relay {relay} cannot be reached: {reason}")]
    Unreachable { relay: String, reason: String },
    /// The relay's certificate comes from an authority that is not trusted.
    #[error("the certificate of the relay {relay} is not trusted: {reason}")]
    Untrusted { relay: String, reason: String, ca_given: bool },
    /// The certificate is for another name.
    #[error("the certificate of the relay {relay} is for another name: {reason}")]
    OtherName { relay: String, reason: String },
    /// The key is not the relay's.
    #[error("the relay {relay} refuses the key of {key_file}", key_file = key_file.display())]
    KeyRefused { relay: String, key_file: PathBuf },
    /// The relay answered with a problem document.
    #[error("{detail}")]
    Problem { status: u16, code: String, detail: String, hint: Option<String> },
    /// The answer is not one of a relay.
    #[error("{relay} does not answer like a relay: {reason}")]
    Answer { relay: String, reason: String },
    /// The secret cannot be had.
    #[error("{0}")]
    Secret(String),
    /// A file cannot be written.
    #[error("{what} {path} cannot be written: {reason}", path = path.display())]
    Write { what: &'static str, path: PathBuf, reason: String },
    /// The rows of a table ended before their end.
    #[error("the relay broke off the rows of table `{table}`")]
    BrokenOff { table: String },
    /// Nobody could open the secret.
    #[error("uplink `{uplink}` has no agent yet, so there is no key to seal the secret to")]
    NoAgent { uplink: String },
    /// Sealing failed.
    #[error("the secret cannot be sealed to agent {agent}: {reason}")]
    Seal { agent: String, reason: String },
    /// A name was given that the relay does not have, or has several times.
    #[error("{message}")]
    Pick { message: String, hint: String },
    /// The run ended without success.
    #[error("{run} {state}: {message}")]
    RunEnded { run: String, state: String, message: String, hint: Option<String> },
    /// The connection test found a fault.
    #[error("{message}")]
    TestFailed { message: String, hint: String },
    /// Ctrl-C while following.
    #[error("stopped following; {run} goes on")]
    Interrupted { run: String },
    /// Standard output is gone.
    #[error("standard output cannot be written: {0}")]
    Output(#[from] std::io::Error),
}

impl Error {
    /// What to do next.
    pub(crate) fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Usage(_) => "see `uplinkctl help`",
            Self::Config { .. } => "it may hold the keys relay, key_file and ca, each a text",
            Self::RelayAddress { .. } => {
                "give it like https://relay.example.com:8443 with --relay or UPLINK_RELAY"
            }
            Self::NoKey { .. } => {
                "give --key-file or UPLINK_KEY_FILE; the relay made the key at its first start: admin.key in its data folder"
            }
            Self::File { .. } => "check the path and who may read it",
            Self::Write { .. } => "check the folder, who may write there, and the room on its disk",
            Self::BrokenOff { .. } => "try again; the relay's log says why",
            Self::Unreachable { .. } => {
                "check that it runs (`uplink-relay run`) and that --relay or UPLINK_RELAY names it"
            }
            Self::Untrusted { ca_given: true, .. } => {
                "the file of --ca or UPLINK_CA is not the authority of this relay: take ca.pem from its data folder again"
            }
            Self::Untrusted { ca_given: false, .. } => {
                "give --ca or UPLINK_CA; a relay with an authority of its own keeps it as ca.pem in its data folder"
            }
            Self::OtherName { .. } => {
                "call it by a name that its certificate holds, or start it with the name you use"
            }
            Self::KeyRefused { .. } => {
                "take admin.key from the data folder of this relay (--key-file, UPLINK_KEY_FILE)"
            }
            Self::Answer { .. } => {
                "check that --relay or UPLINK_RELAY names an Uplink relay of the same version"
            }
            Self::NoAgent { uplink } => {
                return Some(format!(
                    "enrol an agent first: `uplinkctl uplink token {uplink}` prints the line to paste on the premises"
                ));
            }
            Self::Seal { agent, .. } => {
                return Some(format!(
                    "revoke that agent (`uplinkctl uplink revoke UPLINK {agent}`) and enrol it again"
                ));
            }
            Self::Interrupted { run } => {
                return Some(format!(
                    "watch it again: `uplinkctl run follow {run}`; stop it: `uplinkctl run cancel {run}`"
                ));
            }
            Self::Problem { hint, .. } | Self::RunEnded { hint, .. } => {
                return hint.clone().filter(|hint| !hint.is_empty());
            }
            Self::Pick { hint, .. } | Self::TestFailed { hint, .. } => {
                return Some(hint.clone()).filter(|hint| !hint.is_empty());
            }
            Self::Secret(_) | Self::Output(_) => return None,
        };
        Some(text.to_owned())
    }

    /// The exit code that scripts may rely on.
    pub(crate) fn exit_code(&self) -> u8 {
        if matches!(self, Self::Usage(_)) { EXIT_USAGE } else { EXIT_FAILED }
    }

    /// Whether the reader of standard output has gone (`| head`), which is no failure.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(e) if e.kind() == std::io::ErrorKind::BrokenPipe)
    }

    /// Whether a stream that ended so is worth another try: the relay restarts, the network comes back.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Problem { status, .. } => *status == 429 || *status >= 500,
            _ => false,
        }
    }

    /// The lines for standard error. `action` says what was tried (`create pool sales`).
    pub(crate) fn render(&self, action: &str) -> String {
        let reason = crate::output::clean_lines(&self.to_string());
        let mut text = match self {
            Self::Interrupted { .. } | Self::RunEnded { .. } => format!("uplinkctl: {reason}\n"),
            _ => format!("uplinkctl: cannot {action}: {reason}\n"),
        };
        if let Some(hint) = self.hint() {
            text.push_str(&format!("  next: {}\n", crate::output::clean_lines(&hint)));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_what_failed_why_and_what_to_do_next() {
        let error = Error::Unreachable {
            relay: "https://127.0.0.1:8443".into(),
            reason: "connection refused".into(),
        };
        assert_eq!(
            error.render("create pool `sales`"),
            "uplinkctl: cannot create pool `sales`: the relay https://127.0.0.1:8443 cannot be reached: connection refused\n  \
             next: check that it runs (`uplink-relay run`) and that --relay or UPLINK_RELAY names it\n"
        );
    }

    #[test]
    fn the_relays_own_detail_and_hint_are_passed_on() {
        let error = Error::Problem {
            status: 409,
            code: "exists".into(),
            detail: "a data pool `sales` exists already".into(),
            hint: Some("choose another name".into()),
        };
        let text = error.render("create pool `sales`");
        assert!(text.contains(
            "cannot create pool `sales`: a data pool `sales` exists already\n  next: choose another name\n"
        ));
        assert_eq!(error.exit_code(), 1);
    }

    #[test]
    fn an_untrusted_certificate_asks_for_the_authority_that_is_missing_or_wrong() {
        let error = |ca_given| Error::Untrusted {
            relay: "https://r".into(),
            reason: "unknown issuer".into(),
            ca_given,
        };
        assert!(error(false).render("list pools").contains("give --ca or UPLINK_CA"));
        assert!(error(true).render("list pools").contains("is not the authority of this relay"));
    }

    #[test]
    fn a_run_goes_on_when_following_is_interrupted_and_the_message_says_how_to_stop_it() {
        let text = Error::Interrupted { run: "run_3".into() }.render("follow run_3");
        assert!(text.contains("run_3 goes on") && text.contains("uplinkctl run cancel run_3"), "{text}");
    }

    #[test]
    fn text_of_the_other_side_cannot_steer_the_terminal() {
        let error = Error::Problem {
            status: 400,
            code: String::new(),
            detail: "bad \u{1b}[2Jname".into(),
            hint: None,
        };
        assert!(!error.render("x").contains('\u{1b}'));
    }

    #[test]
    fn wrong_use_and_failure_have_different_exit_codes() {
        assert_eq!(Error::Usage("x".into()).exit_code(), 2);
        assert_eq!(Error::NoAgent { uplink: "hq".into() }.exit_code(), 1);
    }
}
