//! Every way an extraction can end early, by cause, with a stable code and a text that says what to do next.
//!
//! Errors are plain data (`Clone`), hold no secret and no address with user info, and quote Jira's own messages shortened.

use crate::refused::SpecError;
use crate::undecodable::DecodeError;

/// Why an extraction or a login ended.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// Jira refused the credential.
    #[error(
        "Jira at {site} refused the login ({reason}). Check the username and the password or token of the data connection; nothing was tried twice, \
         because every failed try counts towards Jira's lock. {hint}"
    )]
    LoginRefused {
        /// Base address.
        site: String,
        /// Jira's reason, for example `AUTHENTICATED_FAILED`.
        reason: String,
        /// What else may help, may be empty.
        hint: String,
    },
    /// This Jira takes no passwords over REST, right or wrong.
    #[error(
        "Jira at {site} takes no passwords over REST ({detail}), which is the default since Jira 11. Create a personal access token in Jira as this \
         account (profile picture, Profile, Personal Access Tokens) and give it in the place of the password, or let Jira's administrator allow basic \
         authentication (System, Authentication methods)."
    )]
    PasswordsOff {
        /// Base address.
        site: String,
        /// Jira's words.
        detail: String,
    },
    /// Jira wants a CAPTCHA solved; even the right password is refused until then.
    #[error(
        "Jira at {site} wants a CAPTCHA solved for this account after too many failed logins, and refuses the right password too. Log in once as this \
         account in a browser at {login_url}, then run again (or use a personal access token, which is not subject to CAPTCHA)."
    )]
    LoginCaptcha {
        /// Base address.
        site: String,
        /// Where a person logs in.
        login_url: String,
    },
    /// Jira answered as if nobody were logged in.
    #[error(
        "Jira at {site} answered as for an anonymous visitor although a login was sent ({detail}). Check the username and the password or token; a proxy \
         may also strip the Authorization header."
    )]
    LoginAnonymous {
        /// Base address.
        site: String,
        /// What gave it away.
        detail: String,
    },
    /// A single sign-on page stands in front of Jira.
    #[error(
        "A single sign-on page stands in front of Jira at {site} ({detail}). Use an address that reaches Jira's REST API without it, or let the \
         administrator exempt `/rest/` from it."
    )]
    LoginSso {
        /// Base address.
        site: String,
        /// Where it sends people, or what it showed.
        detail: String,
    },
    /// Later answers came for another account than the one that logged in.
    #[error(
        "Jira at {site} answered as account `{got}`, but `{want}` had logged in. Check for a proxy that shares sessions."
    )]
    LoginChanged {
        /// Base address.
        site: String,
        /// Account at login.
        want: String,
        /// Account of the answer.
        got: String,
    },
    /// What answers there is no Jira.
    #[error("What answers at {site} is not Jira ({detail}). Check the address of the data connection.")]
    NotJira {
        /// Base address.
        site: String,
        /// What came instead.
        detail: String,
    },
    /// A Jira may be there, under another path or scheme.
    #[error("No Jira REST API at {site} ({detail}). {}", suggestion(suggested.as_deref()))]
    WrongContextPath {
        /// Base address.
        site: String,
        /// What came instead.
        detail: String,
        /// The address that the answer points to, when it is on the same host.
        suggested: Option<String>,
    },
    /// No answer at all.
    #[error("Jira at {site} cannot be reached: {cause} ({detail}). {}", cause.hint())]
    Unreachable {
        /// Base address.
        site: String,
        /// Which step failed.
        cause: UnreachableCause,
        /// The system's words.
        detail: String,
    },
    /// The certificate is not trusted here.
    #[error(
        "The certificate of {site} is not trusted here ({detail}). If the site has a private authority, give its certificate with --jira-ca FILE \
         (on a direct connection: --ca FILE)."
    )]
    TlsUntrusted {
        /// Base address.
        site: String,
        /// What was wrong with it.
        detail: String,
    },
    /// Jira, or a proxy before it, wants a certificate of the client, or another than the one given.
    #[error(
        "{site} does not accept this client's TLS certificate, or wants one ({detail}). Give certificate and key with \
         client_certificate_file of this [[jira]]."
    )]
    ClientCertificate {
        /// Base address.
        site: String,
        /// What the other side said.
        detail: String,
    },
    /// The proxy before Jira does not let the request through.
    #[error(
        "The proxy on the way to {site} does not open the way ({detail}). Check proxy, proxy_username and proxy_password_file of this \
         [[jira]], or set proxy = \"none\" if there should be none."
    )]
    Proxy {
        /// Base address.
        site: String,
        /// What was wrong.
        detail: String,
    },
    /// The host name leads to an address where no Jira may be.
    #[error(
        "{site} was not called: {detail}. Ask who runs the name server why the name leads there; if that is right, name its network with \
         addresses of this [[jira]]."
    )]
    AddressNotPermitted {
        /// Base address.
        site: String,
        /// Where it leads, and where it may.
        detail: String,
    },
    /// Logged in, but not allowed.
    #[error(
        "Jira forbids {what} to this account ({detail}). Give the account the permission, or leave this out of the extraction."
    )]
    Forbidden {
        /// The read.
        what: String,
        /// Jira's words.
        detail: String,
    },
    /// Jira has no such thing (any more).
    #[error("Jira does not know {what} ({detail}).")]
    NotFound {
        /// The read.
        what: String,
        /// Jira's words.
        detail: String,
    },
    /// Jira kept saying 429.
    #[error(
        "Jira went on limiting the rate of {what} after {attempts} tries. Lower the connection's maximum number of parallel extractions, or run later."
    )]
    Throttled {
        /// The read.
        what: String,
        /// Tries made.
        attempts: u32,
    },
    /// Jira kept failing.
    #[error(
        "Jira failed {what} with status {status} after {attempts} tries ({detail}). Look at Jira's own log, then run again."
    )]
    ServerFailed {
        /// The read.
        what: String,
        /// The last HTTP status.
        status: u16,
        /// Tries made.
        attempts: u32,
        /// Start of the answer.
        detail: String,
    },
    /// An answer with a status that no read expects.
    #[error("Jira answered {what} with the unexpected status {status} ({detail}).")]
    Unexpected {
        /// The read.
        what: String,
        /// The HTTP status.
        status: u16,
        /// Start of the answer.
        detail: String,
    },
    /// Jira's search window; reading adapts to it, so a run ends with it only where one second of one project exceeds it.
    #[error("Jira refuses to page past its search window for {what} ({detail}).")]
    SearchWindow {
        /// The read.
        what: String,
        /// Jira's words.
        detail: String,
    },
    /// Jira refused a condition.
    #[error(
        "Jira refused the search condition: {detail}. Correct the projects or the JQL of the extraction."
    )]
    JqlRefused {
        /// Jira's messages.
        detail: String,
    },
    /// The run was begun with other masks.
    #[error(
        "The premises mask other columns than when this run began, or with another key; going on would mix the two. Extract again, and give all agents \
         of the uplink the same masks and the same key."
    )]
    MasksDiffer,
    /// The spec itself is wrong.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// An answer ended in the middle.
    #[error(
        "The answer to {what} was cut in the middle {attempts} times ({detail}). Check proxies between here and Jira."
    )]
    BodyTruncated {
        /// The read.
        what: String,
        /// Tries made.
        attempts: u32,
        /// What the transport said.
        detail: String,
    },
    /// An answer was no JSON.
    #[error(
        "The answer to {what} is not JSON: {detail}. Something between here and Jira answers in its place."
    )]
    BodyNotJson {
        /// The read.
        what: String,
        /// Its type and start.
        detail: String,
    },
    /// An answer was larger than a page may be.
    #[error(
        "The answer to {what} is larger than {limit_bytes} bytes even at the smallest page. Raise the page limit of the agent."
    )]
    BodyTooLarge {
        /// The read.
        what: String,
        /// The limit.
        limit_bytes: usize,
    },
    /// An answer was JSON of another shape than Jira's.
    #[error("{what} could not be understood: {detail}")]
    Undecodable {
        /// The read.
        what: String,
        /// The decoder's words.
        detail: String,
    },
    /// What was read cannot be shown to be all.
    #[error(
        "The issues of {slice} could not be read completely: {detail}. Nothing was committed; run again when the site is calmer."
    )]
    Incomplete {
        /// Which range.
        slice: String,
        /// Seen against counted.
        detail: String,
    },
    /// A stored checkpoint entry is not of this run or version.
    #[error("The stored checkpoint cannot be used: {detail}. Start the run again from the beginning.")]
    Checkpoint {
        /// What is wrong.
        detail: String,
    },
    /// What landed before cannot be compared.
    #[error("The sweep cannot compare what landed with Jira: {detail}")]
    Landed {
        /// Why.
        detail: String,
    },
    /// The HTTP client could not be made.
    #[error("The HTTP client for Jira could not be made: {detail}")]
    Client {
        /// Why.
        detail: String,
    },
    /// The request could not be recorded, so it was not sent.
    #[error(
        "No request was sent to Jira, because nobody keeps the record of it any more; the agent is ending or its audit log is broken."
    )]
    Unrecorded,
    /// The run was cancelled.
    #[error("The run was cancelled.")]
    Cancelled,
}

/// Which step of reaching Jira failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnreachableCause {
    /// The host name has no address here.
    #[error("the host name cannot be resolved")]
    Dns,
    /// Nothing listens there.
    #[error("the connection was refused")]
    Refused,
    /// No answer in time.
    #[error("no answer came in time")]
    Timeout,
    /// The connection broke.
    #[error("the connection broke")]
    Broken,
}

impl UnreachableCause {
    fn hint(self) -> &'static str {
        match self {
            Self::Dns => "Check the host name, and the name server of this machine.",
            Self::Refused => "Check the port, and that Jira runs.",
            Self::Timeout => {
                "Check firewalls between this machine and Jira, and that Jira is not overloaded."
            }
            Self::Broken => "Check proxies and firewalls between this machine and Jira.",
        }
    }
}

fn suggestion(suggested: Option<&str>) -> String {
    match suggested {
        Some(address) => format!("The answer points to {address}: use that address."),
        None => "Check the address; many sites need a context path such as /jira at its end.".to_owned(),
    }
}

impl Error {
    /// A stable name of the cause, snake_case, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::LoginRefused { .. } => "login_refused",
            Self::PasswordsOff { .. } => "login_passwords_off",
            Self::LoginCaptcha { .. } => "login_captcha",
            Self::LoginAnonymous { .. } => "login_anonymous",
            Self::LoginSso { .. } => "login_sso",
            Self::LoginChanged { .. } => "login_changed",
            Self::NotJira { .. } => "not_jira",
            Self::WrongContextPath { .. } => "wrong_context_path",
            Self::Unreachable { .. } => "unreachable",
            Self::TlsUntrusted { .. } => "tls_untrusted",
            Self::ClientCertificate { .. } => "client_certificate_refused",
            Self::Proxy { .. } => "jira_proxy_refused",
            Self::AddressNotPermitted { .. } => "jira_address_not_permitted",
            Self::Forbidden { .. } => "forbidden",
            Self::NotFound { .. } => "not_found",
            Self::Throttled { .. } => "throttled",
            Self::ServerFailed { .. } => "server_failed",
            Self::Unexpected { .. } => "unexpected_answer",
            Self::SearchWindow { .. } => "search_window",
            Self::JqlRefused { .. } => "jql_refused",
            Self::MasksDiffer => "masks_differ",
            Self::Spec(_) => "spec_refused",
            Self::BodyTruncated { .. } => "body_truncated",
            Self::BodyNotJson { .. } => "body_not_json",
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::Undecodable { .. } => "undecodable",
            Self::Incomplete { .. } => "incomplete",
            Self::Checkpoint { .. } => "checkpoint_unusable",
            Self::Landed { .. } => "sweep_impossible",
            Self::Client { .. } => "client_failed",
            Self::Unrecorded => "unrecorded",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the same run may succeed later with nobody changing anything: the site was busy, down or unreachable.
    pub fn is_retryable_later(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Throttled { .. }
                | Self::ServerFailed { .. }
                | Self::BodyTruncated { .. }
                | Self::Incomplete { .. }
                | Self::Unrecorded
        )
    }

    /// Whether Jira refused who we are. Such an error is final for the client that met it: no further request is sent.
    pub(crate) fn is_login(&self) -> bool {
        matches!(
            self,
            Self::LoginRefused { .. }
                | Self::PasswordsOff { .. }
                | Self::LoginCaptcha { .. }
                | Self::LoginAnonymous { .. }
                | Self::LoginSso { .. }
                | Self::LoginChanged { .. }
        )
    }

    pub(crate) fn undecodable(what: impl Into<String>, error: &DecodeError) -> Self {
        let (what, detail) = (what.into(), error.to_string());
        match error {
            DecodeError::NotJson { .. } => Self::BodyNotJson { what, detail },
            DecodeError::Truncated { .. } | DecodeError::Shape { .. } | DecodeError::Encode { .. } => {
                Self::Undecodable { what, detail }
            }
        }
    }
}
