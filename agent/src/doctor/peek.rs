//! A look at the certificate of whoever answers, without believing it. Nothing is sent over such a line but a request for the
//! relay's public health document; it exists to say who stands in the way.

use crate::link::dial::Transport;
use crate::trust;
use chrono::DateTime;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Names of a certificate that are shown.
const NAMES_SHOWN: usize = 8;
/// A name that no certificate carries: it is reserved never to exist.
const NOBODY: &str = "nobody.invalid";

/// The certificate of whoever answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Met {
    /// Who signed the chain, as it names itself.
    pub(super) issuer: String,
    /// The names that the certificate is for.
    pub(super) names: Vec<String>,
    /// First and last second of its validity, since 1970.
    pub(super) valid_s: (i64, i64),
}

/// A line to somebody who may be anybody.
pub(super) struct Glimpse {
    pub(super) stream: TlsStream<Transport>,
    pub(super) met: Met,
}

/// Shakes hands with whoever answers, asking for `name`; `None` when no TLS comes about or the certificate cannot be read.
pub(super) async fn look(transport: Transport, name: &str, limit: Duration) -> Option<Glimpse> {
    let name = ServerName::try_from(name.to_owned()).ok()?;
    let connector = TlsConnector::from(Arc::new(unbelieving()?));
    let stream = tokio::time::timeout(limit, connector.connect(name, transport)).await.ok()?.ok()?;
    let met = Met::read(stream.get_ref().1.peer_certificates()?)?;
    Some(Glimpse { stream, met })
}

impl Met {
    /// Reads a chain, the certificate of the server first.
    pub(super) fn read(chain: &[CertificateDer<'_>]) -> Option<Self> {
        let (_, valid_s) = trust::issuer_and_validity(chain.first()?)?;
        let (issuer, _) = trust::issuer_and_validity(chain.last()?)?;
        Some(Self { issuer, names: names_of(chain.first()?)?, valid_s })
    }

    /// Whether the certificate is for this very name.
    pub(super) fn carries(&self, name: &str) -> bool {
        self.names.iter().any(|held| held.eq_ignore_ascii_case(name))
    }

    /// The names, for people.
    pub(super) fn names_shown(&self) -> String {
        if self.names.is_empty() {
            return "no name at all".to_owned();
        }
        let more = if self.names.len() > NAMES_SHOWN { ", ..." } else { "" };
        let shown: Vec<_> = self.names.iter().take(NAMES_SHOWN).map(String::as_str).collect();
        format!("{}{more}", shown.join(", "))
    }

    pub(super) fn first_day(&self) -> String {
        day(self.valid_s.0)
    }

    pub(super) fn last_day(&self) -> String {
        day(self.valid_s.1)
    }
}

fn day(second: i64) -> String {
    DateTime::from_timestamp(second, 0)
        .map_or_else(|| "an unreadable date".to_owned(), |time| time.format("%Y-%m-%d").to_string())
}

/// The verifier lists a certificate's names when it is asked for one that is not among them.
fn names_of(certificate: &CertificateDer<'_>) -> Option<Vec<String>> {
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    let nobody = ServerName::try_from(NOBODY).ok()?;
    match verify_server_name(&parsed, &nobody) {
        Err(rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext {
            presented,
            ..
        })) => Some(presented.iter().map(|name| usual(safe(plain(name)))).collect()),
        Ok(()) | Err(_) => Some(Vec::new()),
    }
}

/// `DnsName("relay")` and `IpAddress(127.0.0.1)` without their kind.
fn plain(name: &str) -> &str {
    let inside = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inside.unwrap_or(name).trim_matches('"')
}

/// An address as everybody writes it; the verifier has a spelling of its own for `::1`.
fn usual(name: String) -> String {
    name.parse::<IpAddr>().map_or(name, |address| address.to_string())
}

/// Foreign text, safe to show.
fn safe(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// TLS that takes any certificate: only to look at it.
fn unbelieving() -> Option<ClientConfig> {
    let provider = CryptoProvider::get_default()?.clone();
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .ok()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Onlooker { provider }))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::disabled();
    Some(config)
}

/// Judges nothing.
#[derive(Debug)]
struct Onlooker {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Onlooker {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, CertifiedIssuer, DnType, KeyPair, date_time_ymd};

    fn chain() -> Vec<CertificateDer<'static>> {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.distinguished_name.push(DnType::CommonName, "Some\u{7} Authority");
        let issuer = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let names = ["relay.example.com".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        let mut leaf = CertificateParams::new(names.to_vec()).unwrap();
        leaf.not_before = date_time_ymd(2026, 1, 2);
        leaf.not_after = date_time_ymd(2027, 3, 4);
        vec![leaf.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap().der().clone()]
    }

    #[test]
    fn a_certificate_tells_its_issuer_names_and_days() {
        let met = Met::read(&chain()).unwrap();
        assert!(met.issuer.contains("Some") && !met.issuer.contains('\u{7}'), "{}", met.issuer);
        assert_eq!(met.names, ["relay.example.com", "127.0.0.1", "::1"]);
        assert_eq!((met.first_day().as_str(), met.last_day().as_str()), ("2026-01-02", "2027-03-04"));
        assert!(met.carries("Relay.Example.com") && !met.carries("example.com"));
    }

    #[test]
    fn what_is_no_certificate_is_not_read() {
        assert_eq!(Met::read(&[CertificateDer::from(vec![0x30, 0x03, 1, 2, 3])]), None);
        assert_eq!(Met::read(&[]), None);
    }
}
