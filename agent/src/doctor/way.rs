//! The way to the relay, step by step with the dialler's own steps, up to the relay's challenge. No hello is sent: the session of a
//! running agent goes on undisturbed.

use super::catalogue::{Check, Code};
use super::clock::{self, Told};
use super::health::{self, Answer, Kind};
use super::interception;
use super::network_team;
use super::peek::Met;
use super::report::Finding;
use super::upgrade;
use crate::clock::now_ms;
use crate::link::dial::{
    self, DialError, Dialled, Endpoint, Flaw, Lookup, Role, Route, Secured, Socket, Step, Transport,
    Untrusted,
};
use crate::link::greeting;
use crate::trust::Seen;

/// Everything up to the relay's challenge, in order.
pub(super) const CHECKS: [Check; 7] = [
    Check::RelayName,
    Check::Proxy,
    Check::RelayConnect,
    Check::RelayTls,
    Check::Clock,
    Check::RelayUpgrade,
    Check::RelayChallenge,
];

/// The way to one relay.
pub(super) struct Way<'a> {
    pub(super) route: Route<'a>,
}

/// A check failed, and it is among the findings.
struct Stopped;

/// Walks as far as it goes.
pub(super) async fn walk(way: &Way<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    // Whether it stopped is told by the findings.
    drop(way.steps(&mut findings).await);
    let failed = findings.iter().find(|finding| finding.failed()).map(|finding| finding.check);
    if let Some(failed) = failed {
        let unseen = CHECKS.iter().filter(|check| !findings.iter().any(|held| held.check == **check));
        let skipped: Vec<_> = unseen
            .filter(|check| **check != Check::Proxy)
            .map(|check| Finding::skipped(*check, way.subject(), format!("{} failed", failed.id())))
            .collect();
        findings.extend(skipped);
    }
    findings
}

impl Way<'_> {
    async fn steps(&self, findings: &mut Vec<Finding>) -> Result<(), Stopped> {
        let transport = self.transport(findings).await?;
        let secured = self.secured(transport, findings).await?;
        let met = secured.stream.get_ref().1.peer_certificates().and_then(Met::read);
        let health = health::ask(secured.stream, self.route.relay, self.route.limit).await;
        findings.push(self.trusted(secured.seen, met).await);
        let date = health.as_ref().ok().and_then(|answer| answer.date_ms).map(Told::Date);
        let socket = self.upgraded(&health, findings).await;
        let Ok(mut socket) = socket else {
            findings.push(clock::judge(date, now_ms(), &self.subject()));
            return Err(Stopped);
        };
        let challenge = self.challenge(&mut socket, findings).await;
        let told = challenge.as_ref().ok().copied().map(Told::Challenge).or(date);
        findings.push(clock::judge(told, now_ms(), &self.subject()));
        challenge.map(drop)
    }

    /// Name and port, or the proxy in their place.
    async fn transport(&self, findings: &mut Vec<Finding>) -> Result<Transport, Stopped> {
        let (relay, limit) = (self.relay(), self.route.limit);
        let proxy = self.route.proxies.towards(&relay);
        let first = proxy.map_or(&relay, |proxy| &proxy.at);
        let addresses = match self.route.names.resolve(first, Lookup::Ask, limit).await {
            Ok(addresses) => addresses,
            Err(error) => return Err(self.stop(&error, findings)),
        };
        if proxy.is_none() {
            let shown: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
            findings.push(self.pass(Check::RelayName, format!("it is {}", shown.join(", "))));
        }
        let tcp = match dial::connect(first, &addresses, limit).await {
            Ok(tcp) => tcp,
            Err(error) => return Err(self.stop(&error, findings)),
        };
        let Some(proxy) = proxy else {
            let peer = tcp.peer_addr().map(|peer| peer.to_string()).unwrap_or_default();
            findings.push(self.pass(Check::RelayConnect, format!("{peer} accepts connections")));
            return Ok(Box::new(tcp));
        };
        // That the tunnel leads to the relay is proven by TLS alone, so nothing passes yet.
        dial::tunnel(tcp, proxy, &relay, limit).await.map_err(|error| self.stop(&error, findings))
    }

    /// One more line of the same way, for a second look.
    pub(super) async fn again(&self) -> Result<Transport, DialError> {
        self.route.transport(Lookup::Remember).await
    }

    async fn secured(&self, transport: Transport, findings: &mut Vec<Finding>) -> Result<Secured, Stopped> {
        let (relay, trust) = (self.relay(), self.route.trust);
        let shaken = dial::encrypt(transport, &relay, trust, self.route.limit).await;
        if matches!(shaken, Ok(_) | Err(DialError::Untrusted(_))) {
            findings.extend(self.tunnel_is_real());
        }
        match shaken {
            Ok(secured) => Ok(secured),
            Err(DialError::Untrusted(untrusted)) => {
                findings.extend(self.untrusted(&untrusted).await);
                Err(Stopped)
            }
            Err(error) => Err(self.stop(&error, findings)),
        }
    }

    /// Whoever speaks TLS behind a proxy is not the proxy itself.
    fn tunnel_is_real(&self) -> Vec<Finding> {
        let Some(proxy) = self.route.proxies.towards(&self.relay()) else { return Vec::new() };
        let open = format!("{} (named by {}) opens a tunnel to the relay", proxy.at, proxy.named_by);
        vec![
            Finding::skipped(Check::RelayName, self.subject(), "the proxy looks it up"),
            Finding::pass(Check::Proxy, self.subject(), open),
            self.pass(Check::RelayConnect, "the proxy reaches it"),
        ]
    }

    async fn untrusted(&self, untrusted: &Untrusted) -> Vec<Finding> {
        let seen = interception::investigate(self, untrusted).await;
        let off = seen.date_ms.filter(|date_ms| clock::is_off(*date_ms, now_ms()));
        match off {
            Some(date_ms) if untrusted.flaw == Flaw::Time => {
                let why = format!("{}; it cannot be judged with a wrong clock", untrusted.reason);
                vec![
                    clock::judge(Some(Told::Date(date_ms)), now_ms(), &self.subject()),
                    Finding::skipped(Check::RelayTls, self.subject(), why),
                ]
            }
            _ => vec![interception::refused(self, untrusted, &seen)],
        }
    }

    /// The certificate is trusted; whether it was made on the way is another question.
    async fn trusted(&self, seen: Seen, met: Option<Met>) -> Finding {
        let issuer = seen.issuer.unwrap_or_else(|| "an authority without a name".to_owned());
        if seen.is_inspected || interception::makes_certificates(self).await == Some(true) {
            let found = format!(
                "TLS is inspected on the way: certificates are made for any name that is asked for, by {issuer}, which is trusted here"
            );
            let finding = Finding::of(Code::RelayTlsInspected, self.subject(), found);
            return finding.with_issuers(issuer, self.route.trust.expected());
        }
        let until = met.map(|met| format!(", valid until {}", met.last_day())).unwrap_or_default();
        self.pass(Check::RelayTls, format!("the certificate is trusted: signed by {issuer}{until}"))
    }

    async fn upgraded(
        &self,
        health: &Result<Answer, String>,
        findings: &mut Vec<Finding>,
    ) -> Result<Socket, Stopped> {
        match self.route.dial(Lookup::Remember).await {
            Ok(Dialled { socket, .. }) => {
                let version = match health {
                    Ok(Answer { kind: Kind::Relay { version }, .. }) => format!(" of version {version}"),
                    Ok(_) | Err(_) => String::new(),
                };
                findings.push(self.pass(Check::RelayUpgrade, format!("WebSockets reach a server{version}")));
                Ok(socket)
            }
            Err(error) => {
                let (code, found) = upgrade::judge(&error, health);
                findings.push(self.blame(code, &found));
                Err(Stopped)
            }
        }
    }

    /// The relay's time if its challenge came.
    async fn challenge(&self, socket: &mut Socket, findings: &mut Vec<Finding>) -> Result<i64, Stopped> {
        let heard = tokio::time::timeout(self.route.limit, greeting::hear_challenge(socket)).await;
        let (code, found) = match heard {
            Ok(Ok(challenge)) => {
                let found = "the relay sends its challenge over the WebSocket".to_owned();
                findings.push(self.pass(Check::RelayChallenge, found));
                return Ok(challenge.relay_time_ms);
            }
            Ok(Err(error)) => upgrade::judge_challenge(&error),
            Err(_) => {
                let found = format!("no challenge came within {} ms", self.route.limit.as_millis());
                (Code::RelaySilent, found)
            }
        };
        findings.push(self.blame(code, &found));
        Err(Stopped)
    }

    /// A failure of name, port, proxy or plain TLS.
    fn stop(&self, error: &DialError, findings: &mut Vec<Finding>) -> Stopped {
        let relay = self.relay();
        let proxy = self.route.proxies.towards(&relay);
        let code = code_of(error, proxy.is_some());
        let found = match proxy {
            Some(proxy) if code.check() == Check::Proxy => format!("{error} (named by {})", proxy.named_by),
            Some(_) | None => error.to_string(),
        };
        findings.push(self.blame(code, &found));
        Stopped
    }

    fn blame(&self, code: Code, found: &str) -> Finding {
        let finding = Finding::of(code, self.subject(), crate::policy::shortened_line(found));
        match network_team::sentence(code, &self.relay()) {
            Some(sentence) => finding.for_network_team(sentence),
            None => finding,
        }
    }

    fn pass(&self, check: Check, found: impl Into<String>) -> Finding {
        Finding::pass(check, self.subject(), found)
    }

    pub(super) fn subject(&self) -> String {
        self.route.relay.to_string()
    }

    pub(super) fn relay(&self) -> Endpoint {
        Endpoint::relay(self.route.relay)
    }
}

/// The code of a failure before the upgrade.
fn code_of(error: &DialError, behind_a_proxy: bool) -> Code {
    match error {
        DialError::Name { at, .. } => by_role(at.role, Code::RelayNameUnknown, Code::ProxyNameUnknown),
        DialError::Timeout { at, step: Step::Resolve, .. } => {
            by_role(at.role, Code::RelayNameTimeout, Code::ProxyNameUnknown)
        }
        DialError::Timeout { at, step: Step::Tls, .. } => {
            by_role(at.role, Code::RelayTlsTimeout, Code::ProxyUnreachable)
        }
        DialError::Timeout { at, .. } => by_role(at.role, Code::RelayTimeout, Code::ProxyUnreachable),
        DialError::Refused { at, .. } => by_role(at.role, Code::RelayRefused, Code::ProxyRefused),
        DialError::Connect { at, .. } => by_role(at.role, Code::RelayUnreachable, Code::ProxyUnreachable),
        DialError::Tls { at, .. } if at.role == Role::Relay && behind_a_proxy => Code::ProxyNoTunnel,
        DialError::Tls { at, .. } => by_role(at.role, Code::RelayNoTls, Code::ProxyUnfit),
        DialError::Untrusted(untrusted) => {
            by_role(untrusted.at.role, Code::RelayCertificateBad, Code::ProxyUntrusted)
        }
        DialError::ProxyLogin { given: true, .. } => Code::ProxyLoginRefused,
        DialError::ProxyLogin { given: false, .. } => Code::ProxyLoginMissing,
        DialError::ProxyRefused { forbidden: true, .. } => Code::ProxyForbids,
        DialError::ProxyRefused { forbidden: false, .. } => Code::ProxyCannotReach,
        DialError::ProxyUnfit { .. } => Code::ProxyUnfit,
        DialError::Upgrade { .. } | DialError::Subprotocol { .. } | DialError::Handshake { .. } => {
            Code::RelayNotARelay
        }
    }
}

fn by_role(role: Role, relay: Code, proxy: Code) -> Code {
    match role {
        Role::Relay => relay,
        Role::Proxy => proxy,
    }
}
