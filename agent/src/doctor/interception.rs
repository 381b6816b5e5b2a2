//! Whose certificate it is. An interceptor makes certificates on demand, a relay has one: so a name that nobody can own is asked
//! for, and whoever shows a certificate for it makes them on the way.

use super::catalogue::Code;
use super::health;
use super::network_team;
use super::peek::{self, Met};
use super::report::Finding;
use super::way::Way;
use crate::link::dial::{Flaw, Untrusted};
use crate::trust;

/// What a second look showed.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The certificate that was refused.
    met: Option<Met>,
    /// Whether certificates are made on demand; `None` when that could not be found out.
    makes_certificates: Option<bool>,
    /// The time that the answer to a plain request told, milliseconds since 1970.
    pub(super) date_ms: Option<i64>,
}

/// Looks again at somebody whose certificate was refused, without believing it.
pub(super) async fn investigate(way: &Way<'_>, untrusted: &Untrusted) -> Seen {
    let mut seen = Seen::default();
    let Ok(transport) = way.again().await else { return seen };
    let Some(glimpse) = peek::look(transport, way.route.relay.bare_host(), way.route.limit).await else {
        return seen;
    };
    seen.met = Some(glimpse.met);
    match untrusted.flaw {
        Flaw::Time => {
            let answer = health::ask(glimpse.stream, way.route.relay, way.route.limit).await;
            seen.date_ms = answer.ok().and_then(|answer| answer.date_ms);
        }
        Flaw::Authority | Flaw::Intercepted => seen.makes_certificates = makes_certificates(way).await,
        Flaw::Name | Flaw::Other => {}
    }
    seen
}

/// Asks for a name that nobody can own. `None`: nothing that could be judged came back.
pub(super) async fn makes_certificates(way: &Way<'_>) -> Option<bool> {
    let name = invented_name()?;
    let transport = way.again().await.ok()?;
    let glimpse = peek::look(transport, &name, way.route.limit).await?;
    Some(glimpse.met.carries(&name))
}

/// A name below the top-level domain that is reserved never to exist (RFC 6761).
fn invented_name() -> Option<String> {
    let mut random = [0_u8; 8];
    aws_lc_rs::rand::fill(&mut random).ok()?;
    Some(format!("uplink-doctor-{:016x}.invalid", u64::from_le_bytes(random)))
}

/// The finding about a refused certificate.
pub(super) fn refused(way: &Way<'_>, untrusted: &Untrusted, seen: &Seen) -> Finding {
    let met = untrusted.issuer_met.clone().unwrap_or_else(|| "an authority without a name".to_owned());
    let code = code_of(untrusted.flaw, seen, &met, crate::clock::now_ms() / 1000);
    let finding = Finding::of(code, way.subject(), sentence(code, untrusted, seen, &met));
    let finding = finding.with_issuers(met.clone(), untrusted.issuer_expected.clone());
    match code {
        Code::RelayTlsIntercepted => finding.for_network_team(network_team::about_interception(
            &way.relay(),
            &met,
            &untrusted.issuer_expected,
        )),
        _ => finding,
    }
}

fn code_of(flaw: Flaw, seen: &Seen, issuer: &str, now_s: i64) -> Code {
    match flaw {
        Flaw::Authority | Flaw::Intercepted => {
            let made_on_the_way = match seen.makes_certificates {
                Some(made) => made || trust::names_an_inspector(issuer),
                None => flaw == Flaw::Intercepted,
            };
            if made_on_the_way { Code::RelayTlsIntercepted } else { Code::RelayAuthorityUnknown }
        }
        Flaw::Time if seen.met.as_ref().is_some_and(|met| now_s < met.valid_s.0) => {
            Code::RelayCertificateEarly
        }
        Flaw::Time => Code::RelayCertificateExpired,
        Flaw::Name => Code::RelayCertificateName,
        Flaw::Other => Code::RelayCertificateBad,
    }
}

fn sentence(code: Code, untrusted: &Untrusted, seen: &Seen, issuer: &str) -> String {
    let expected = &untrusted.issuer_expected;
    let valid = |met: &Met| format!("it is valid from {} to {}", met.first_day(), met.last_day());
    match code {
        Code::RelayTlsIntercepted => {
            let proof = match seen.makes_certificates {
                Some(true) => ", who makes certificates for any name that is asked for",
                Some(false) | None => "",
            };
            format!(
                "something on the way inspects TLS and shows a certificate of its own (met: {issuer}{proof}; expected: {expected})"
            )
        }
        Code::RelayAuthorityUnknown if issuer == expected => {
            format!(
                "the certificate is issued by {issuer} with another key than the one of this name that is trusted here"
            )
        }
        Code::RelayAuthorityUnknown => {
            format!(
                "the certificate is issued by {issuer}, which is not trusted here; expected was {expected}"
            )
        }
        Code::RelayCertificateName => match &seen.met {
            Some(met) => {
                format!("the certificate is for {} and not for {}", met.names_shown(), untrusted.at.host)
            }
            None => untrusted.reason.clone(),
        },
        Code::RelayCertificateExpired | Code::RelayCertificateEarly => match &seen.met {
            Some(met) if seen.date_ms.is_some() => {
                format!("{}; {}, and this machine's clock is right", untrusted.reason, valid(met))
            }
            Some(met) => format!("{}; {}; nothing told the time there", untrusted.reason, valid(met)),
            None => untrusted.reason.clone(),
        },
        _ => untrusted.reason.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(makes_certificates: Option<bool>) -> Seen {
        Seen { makes_certificates, ..Seen::default() }
    }

    #[test]
    fn making_certificates_on_demand_is_interception_whatever_the_name() {
        for flaw in [Flaw::Authority, Flaw::Intercepted] {
            assert_eq!(code_of(flaw, &seen(Some(true)), "CN=Acme Root", 0), Code::RelayTlsIntercepted);
        }
    }

    #[test]
    fn one_certificate_for_every_name_is_an_unknown_authority() {
        for flaw in [Flaw::Authority, Flaw::Intercepted] {
            assert_eq!(code_of(flaw, &seen(Some(false)), "CN=Acme Root", 0), Code::RelayAuthorityUnknown);
        }
        assert_eq!(
            code_of(Flaw::Authority, &seen(Some(false)), "CN=Zscaler Root CA", 0),
            Code::RelayTlsIntercepted
        );
    }

    #[test]
    fn without_a_second_look_the_diallers_guess_counts() {
        assert_eq!(code_of(Flaw::Intercepted, &seen(None), "CN=x", 0), Code::RelayTlsIntercepted);
        assert_eq!(code_of(Flaw::Authority, &seen(None), "CN=x", 0), Code::RelayAuthorityUnknown);
    }

    #[test]
    fn a_certificate_of_the_future_is_not_an_expired_one() {
        let met = Met { issuer: String::new(), names: Vec::new(), valid_s: (100, 200) };
        let seen = Seen { met: Some(met), ..Seen::default() };
        assert_eq!(code_of(Flaw::Time, &seen, "", 99), Code::RelayCertificateEarly);
        assert_eq!(code_of(Flaw::Time, &seen, "", 201), Code::RelayCertificateExpired);
    }
}
