//! Why there is no socket: each failure with its own code, its sentence and the next step, because the person who reads it sits
//! behind a firewall and cannot see the other side.

use rustls::CertificateError;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// A party that the agent opens a TCP connection to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The relay.
    Relay,
    /// A proxy on the way to it.
    Proxy,
}

/// Where a party listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Who is expected there.
    pub(crate) role: Role,
    /// Name or IP address; an IPv6 one without brackets.
    pub(crate) host: String,
    /// Port.
    pub(crate) port: u16,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Relay => "relay",
            Role::Proxy => "proxy",
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// A step of the way to the relay, in the order in which they are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// The name becomes addresses.
    Resolve,
    /// One of the addresses takes a TCP connection.
    Connect,
    /// The proxy opens the way to the relay.
    Proxy,
    /// The certificate is trusted and the line encrypted.
    Tls,
    /// HTTP becomes a WebSocket.
    Upgrade,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Resolve => "name resolution",
            Step::Connect => "the TCP connection",
            Step::Proxy => "the proxy's answer",
            Step::Tls => "the TLS handshake",
            Step::Upgrade => "the WebSocket upgrade",
        })
    }
}

/// A certificate that is not trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Untrusted {
    /// Whose it is said to be.
    pub(crate) at: Endpoint,
    /// What is wrong with it.
    pub(crate) flaw: Flaw,
    /// The details, in words.
    pub(crate) reason: String,
    /// The authority that signed the certificate met, as it names itself.
    pub(crate) issuer_met: Option<String>,
    /// The authorities that would have been trusted.
    pub(crate) issuer_expected: String,
}

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Signed by an authority that is not trusted.
    Authority,
    /// As `Authority`, and everything says that a proxy on the way made it.
    Intercepted,
    /// Made for another name.
    Name,
    /// Not valid now.
    Time,
    /// Something else.
    Other,
}

impl Flaw {
    /// The kind of flaw that the verifier met; an intercepting proxy is told apart elsewhere.
    pub(crate) fn of(error: &CertificateError) -> Self {
        match error {
            // A bad signature is that of an authority which has the name of a trusted one and another key.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Flaw::Authority,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Flaw::Name,
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Flaw::Time,
            _ => Flaw::Other,
        }
    }
}

/// Why there is no socket.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DialError {
    #[error("the name of the {}, {}, cannot be resolved ({reason})", at.role, at.host)]
    Name { at: Endpoint, reason: String },
    #[error("{address} ({}) refuses the connection", at.role)]
    Refused { at: Endpoint, address: SocketAddr },
    #[error("{step} at {at} ({}) took longer than {} ms", at.role, limit.as_millis())]
    Timeout { at: Endpoint, step: Step, limit: Duration },
    #[error("cannot connect to {at} ({}): {reason}", at.role)]
    Connect { at: Endpoint, reason: String },
    #[error("the certificate of {} is not trusted: {}{}", .0.at, .0.reason, issuers(.0))]
    Untrusted(Box<Untrusted>),
    #[error("no TLS with {at} ({}): {reason}", at.role)]
    Tls { at: Endpoint, reason: String },
    #[error("the proxy {at} {} (it offers: {schemes})", if *given { "refuses the login" } else { "wants a login" })]
    ProxyLogin { at: Endpoint, given: bool, schemes: String },
    #[error("the proxy {at} does not open the way to {target}: {reason}")]
    ProxyRefused { at: Endpoint, target: Endpoint, reason: String, forbidden: bool },
    #[error("{at} does not answer like a proxy: {reason}")]
    ProxyUnfit { at: Endpoint, reason: String },
    #[error("{host} answered the WebSocket upgrade with HTTP status {status}{}", shown(detail))]
    Upgrade { host: String, status: u16, code: String, detail: String, retry_after: Option<Duration> },
    #[error("{host} does not speak {subprotocol}")]
    Subprotocol { host: String, subprotocol: &'static str },
    #[error("the WebSocket upgrade at {host} failed: {reason}")]
    Handshake { host: String, reason: String },
}

impl DialError {
    /// The stable code of the failure.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            DialError::Name { at, .. } => by_role(at.role, "relay_name_unknown", "proxy_name_unknown"),
            DialError::Refused { at, .. } => {
                by_role(at.role, "relay_refuses_connection", "proxy_refuses_connection")
            }
            DialError::Timeout { at, .. } => by_role(at.role, "relay_timeout", "proxy_timeout"),
            DialError::Connect { at, .. } => by_role(at.role, "relay_unreachable", "proxy_unreachable"),
            DialError::Untrusted(untrusted) => match (untrusted.at.role, untrusted.flaw) {
                (Role::Relay, Flaw::Intercepted) => "relay_tls_intercepted",
                (Role::Relay, Flaw::Time) => "relay_certificate_time",
                (Role::Relay, Flaw::Name) => "relay_certificate_name",
                (Role::Relay, Flaw::Authority | Flaw::Other) => "relay_certificate_untrusted",
                (Role::Proxy, _) => "proxy_certificate_untrusted",
            },
            DialError::Tls { at, .. } => by_role(at.role, "relay_no_tls", "proxy_no_tls"),
            DialError::ProxyLogin { given: false, .. } => "proxy_login_missing",
            DialError::ProxyLogin { given: true, .. } => "proxy_login_refused",
            DialError::ProxyRefused { forbidden: true, .. } => "proxy_forbids",
            DialError::ProxyRefused { forbidden: false, .. } => "proxy_cannot_reach_relay",
            DialError::ProxyUnfit { .. } => "proxy_unfit",
            DialError::Upgrade { status: 426, .. } => "relay_upgrade_stripped",
            DialError::Upgrade { .. } => "relay_upgrade_refused",
            DialError::Subprotocol { .. } => "relay_subprotocol",
            DialError::Handshake { .. } => "relay_upgrade_failed",
        }
    }

    /// The step that failed.
    pub(crate) fn step(&self) -> Step {
        match self {
            DialError::Name { .. } => Step::Resolve,
            DialError::Refused { .. } | DialError::Connect { .. } => Step::Connect,
            DialError::Timeout { step, .. } => *step,
            DialError::ProxyLogin { .. } | DialError::ProxyRefused { .. } | DialError::ProxyUnfit { .. } => {
                Step::Proxy
            }
            DialError::Untrusted(_) | DialError::Tls { .. } => Step::Tls,
            DialError::Upgrade { .. } | DialError::Subprotocol { .. } | DialError::Handshake { .. } => {
                Step::Upgrade
            }
        }
    }

    /// What a person should do next.
    pub(crate) fn next_step(&self) -> String {
        match self {
            DialError::Name { at, .. } => {
                format!("check the name of the {}, and this machine's name servers", at.role)
            }
            DialError::Refused { at, .. } => format!("check the port, and that the {} runs", at.role),
            DialError::Timeout { at, .. } => {
                format!("check that the firewall lets this machine reach {at}")
            }
            DialError::Connect { at, .. } => format!("check that this machine has a route to {at}"),
            DialError::Untrusted(untrusted) => untrusted.next_step(),
            DialError::Tls { at, .. } => format!("check that the port is the {}'s TLS port", at.role),
            DialError::ProxyLogin { schemes, .. } => login_hint(schemes).to_owned(),
            DialError::ProxyRefused { target, forbidden: true, .. } => {
                format!("ask the network team to allow CONNECT to {target} for this machine or account")
            }
            DialError::ProxyRefused { target, forbidden: false, .. } => {
                format!("ask the network team whether the proxy can resolve and reach {target}")
            }
            DialError::ProxyUnfit { .. } => {
                "check address, port and scheme of the proxy: http, https (TLS to the proxy itself) or socks5"
                    .to_owned()
            }
            DialError::Upgrade { status, code, .. } => upgrade_hint(*status, code).to_owned(),
            DialError::Subprotocol { .. } => {
                "check that the address is the relay's, and that agent and relay are of matching versions"
                    .to_owned()
            }
            DialError::Handshake { .. } => {
                "check that the address is the relay's, and that proxies on the way let WebSockets through"
                    .to_owned()
            }
        }
    }

    /// Whether nobody answered, as when the network is gone: then there is nothing to be polite to, and asking again at once may help.
    pub(crate) fn is_silence(&self) -> bool {
        match self {
            DialError::Name { .. }
            | DialError::Timeout { .. }
            | DialError::Connect { .. }
            | DialError::ProxyRefused { forbidden: false, .. } => true,
            DialError::Refused { .. }
            | DialError::Untrusted(_)
            | DialError::Tls { .. }
            | DialError::ProxyLogin { .. }
            | DialError::ProxyRefused { forbidden: true, .. }
            | DialError::ProxyUnfit { .. }
            | DialError::Upgrade { .. }
            | DialError::Subprotocol { .. }
            | DialError::Handshake { .. } => false,
        }
    }

    /// Sentence and next step, as a log shows them.
    pub(crate) fn in_full(&self) -> String {
        format!("{self}; {}", self.next_step())
    }

    /// When the other side said to come back.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            DialError::Upgrade { retry_after, .. } => *retry_after,
            DialError::Name { .. }
            | DialError::Refused { .. }
            | DialError::Timeout { .. }
            | DialError::Connect { .. }
            | DialError::Untrusted(_)
            | DialError::Tls { .. }
            | DialError::ProxyLogin { .. }
            | DialError::ProxyRefused { .. }
            | DialError::ProxyUnfit { .. }
            | DialError::Subprotocol { .. }
            | DialError::Handshake { .. } => None,
        }
    }
}

impl Untrusted {
    fn next_step(&self) -> String {
        match self.flaw {
            Flaw::Authority => {
                "if the relay has its own authority, give its ca.pem with `uplink-agent enroll --relay-ca FILE` (or relay.ca_file); if a \
                 proxy inspects TLS here, give that proxy's authority as relay.inspection_ca_file"
                    .to_owned()
            }
            Flaw::Intercepted => format!(
                "ask the network team to exempt {} from TLS inspection; if that cannot be, give the authority of the inspecting proxy \
                 as relay.inspection_ca_file",
                self.at
            ),
            Flaw::Name => "use the host name that the certificate is made for".to_owned(),
            Flaw::Time => {
                "check this machine's clock, and ask the relay's operator for a new certificate".to_owned()
            }
            Flaw::Other => "ask the relay's operator for a certificate that follows the rules".to_owned(),
        }
    }
}

fn by_role(role: Role, relay: &'static str, proxy: &'static str) -> &'static str {
    match role {
        Role::Relay => relay,
        Role::Proxy => proxy,
    }
}

fn issuers(untrusted: &Untrusted) -> String {
    match (&untrusted.issuer_met, untrusted.flaw) {
        (Some(met), Flaw::Authority | Flaw::Intercepted) => {
            format!(" (met: {met}; expected: {})", untrusted.issuer_expected)
        }
        _ => String::new(),
    }
}

/// This agent knows Basic and no other scheme.
fn login_hint(schemes: &str) -> &'static str {
    let lower = schemes.to_lowercase();
    if lower.is_empty() || lower.contains("basic") || lower.contains("password") {
        "set proxy.username and proxy.password_file to an account that the proxy lets through"
    } else {
        "ask the network team for Basic authentication or an exemption for this machine, or put a helper like cntlm in between that logs in \
         with the proxy's own scheme"
    }
}

fn shown(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!(" ({detail})") }
}

/// Our relay says with 426 that the words of the upgrade did not arrive.
fn upgrade_hint(status: u16, code: &str) -> &'static str {
    match (status, code) {
        (407, _) => "a proxy on the way wants a login",
        (426, _) => {
            "a proxy on the way removes the WebSocket upgrade: ask the network team to let it pass to the relay"
        }
        (_, "unknown_protocol") => "agent and relay are of versions that do not match",
        (429 | 503, _) => "the relay is busy, the agent comes back by itself",
        _ => "check that the address is the relay's, and that proxies on the way let WebSockets through",
    }
}
