//! The TLS step: who answered, who vouches for it, and whether that is whom the premises expect.

use super::error::{DialError, Endpoint, Flaw, Role, Step, Untrusted};
use super::{Secured, Transport};
use crate::trust::{Trust, Witness};
use rustls::CertificateError;
use rustls::pki_types::ServerName;
use std::io;
use std::time::Duration;
use tokio_rustls::TlsConnector;

/// Encrypts the line to `at`.
///
/// # Errors
/// When no TLS comes about, or the certificate is not trusted: then with the authority that was met.
pub(crate) async fn encrypt(
    transport: Transport,
    at: &Endpoint,
    trust: &Trust,
    limit: Duration,
) -> Result<Secured, DialError> {
    let name = ServerName::try_from(at.host.clone())
        .map_err(|error| DialError::Name { at: at.clone(), reason: error.to_string() })?;
    let (config, witness) = trust.client();
    let shaken = tokio::time::timeout(limit, TlsConnector::from(config).connect(name, transport)).await;
    let stream = shaken
        .map_err(|_| DialError::Timeout { at: at.clone(), step: Step::Tls, limit })?
        .map_err(|error| judge(at, trust, &witness, &error))?;
    Ok(Secured { stream, seen: witness.seen() })
}

fn judge(at: &Endpoint, trust: &Trust, witness: &Witness, error: &io::Error) -> DialError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(flaw)) => untrusted(at, trust, witness.seen().issuer, flaw),
        _ => DialError::Tls { at: at.clone(), reason: error.to_string() },
    }
}

fn untrusted(at: &Endpoint, trust: &Trust, met: Option<String>, error: &CertificateError) -> DialError {
    let flaw = match Flaw::of(error) {
        Flaw::Authority
            if at.role == Role::Relay && met.as_deref().is_some_and(|met| trust.is_interception(met)) =>
        {
            Flaw::Intercepted
        }
        flaw => flaw,
    };
    let reason = match flaw {
        Flaw::Authority => "it is signed by an authority that is not trusted here".to_owned(),
        Flaw::Intercepted => "a proxy on the way inspects TLS and shows a certificate of its own".to_owned(),
        Flaw::Name | Flaw::Time | Flaw::Other => error.to_string(),
    };
    DialError::Untrusted(Box::new(Untrusted {
        at: at.clone(),
        flaw,
        reason,
        issuer_met: met,
        issuer_expected: trust.expected().to_owned(),
    }))
}
