//! Whom the agent believes to be the relay: one authority when the premises name one, otherwise those of the system.

mod names;

use crate::error::Error;
use rustls::client::Resumption;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// Words in the names of authorities by which proxies that inspect TLS are known.
const INSPECTORS: [&str; 18] = [
    "barracuda",
    "blue coat",
    "bluecoat",
    "check point",
    "cisco umbrella",
    "forcepoint",
    "fortigate",
    "fortinet",
    "mcafee",
    "mitmproxy",
    "netskope",
    "palo alto",
    "proxy",
    "sophos",
    "squid",
    "ssl inspection",
    "watchguard",
    "zscaler",
];
/// The beginning of the names of authorities that relays make for themselves.
const RELAYS_OWN: &str = "Uplink";

/// The authority of the relay.
#[derive(Clone, Debug)]
pub(crate) enum Authority {
    /// Those of the system.
    System,
    /// Only the certificates of this file.
    Own {
        /// Where they came from, for messages.
        path: PathBuf,
        /// The certificates.
        pem: Vec<u8>,
    },
}

impl Authority {
    /// Trust in this authority alone.
    ///
    /// # Errors
    /// When no certificate can be used.
    pub(crate) fn trust(&self) -> Result<Trust, Error> {
        let failed = |reason: String| Error::System { action: "use certificate authorities", reason };
        let provider = CryptoProvider::get_default()
            .cloned()
            .unwrap_or_else(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
        match self {
            Authority::System => {
                let verifier = rustls_platform_verifier::Verifier::new(provider)
                    .map_err(|error| failed(error.to_string()))?;
                let expected = "an authority that this system trusts".to_owned();
                Ok(Trust { verifier: Arc::new(verifier), expected, names_one: false, inspector: None })
            }
            Authority::Own { path, pem } => {
                let unusable = |reason: String| Error::Certificate { path: path.clone(), reason };
                let mut roots = RootCertStore::empty();
                let mut subjects = Vec::new();
                for certificate in CertificateDer::pem_slice_iter(pem) {
                    let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
                    subjects.extend(names::of(&certificate).map(|names| names.subject));
                    roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
                }
                let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
                    .build()
                    .map_err(|error| unusable(error.to_string()))?;
                Ok(Trust { verifier, expected: subjects.join(" or "), names_one: true, inspector: None })
            }
        }
    }
}

/// How a certificate is judged.
#[derive(Clone, Debug)]
pub(crate) struct Trust {
    verifier: Arc<dyn ServerCertVerifier>,
    expected: String,
    /// Whether certain authorities are expected, and not just any that the system knows.
    names_one: bool,
    /// A proxy that may inspect the line; trusted beside the relay's authority, and told from it.
    inspector: Option<Arc<dyn ServerCertVerifier>>,
}

/// Who vouched for the other side of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The authority that signed, as it names itself; `None` when it could not be read.
    pub(crate) issuer: Option<String>,
    /// Whether that is the authority of a proxy that inspects the line.
    pub(crate) is_inspected: bool,
}

impl Trust {
    /// Trusts the authority of an inspecting proxy as well.
    ///
    /// # Errors
    /// When no certificate of the file can be used.
    pub(crate) fn and_inspector(mut self, file: Option<&Path>) -> Result<Self, Error> {
        if let Some(path) = file {
            let authority = Authority::Own { path: path.to_owned(), pem: read_certificates(path)? };
            self.inspector = Some(authority.trust()?.verifier);
        }
        Ok(self)
    }

    /// The authorities that are trusted, in words.
    pub(crate) fn expected(&self) -> &str {
        &self.expected
    }

    /// Whether an unknown authority of this name is most likely a proxy's: it has the name of one, or certain others are expected
    /// and it is no relay's own.
    pub(crate) fn is_interception(&self, issuer: &str) -> bool {
        let is_expected = self.names_one && self.expected.contains(issuer);
        let is_other = self.names_one && !is_expected && !issuer.contains(RELAYS_OWN);
        is_other || names_an_inspector(issuer)
    }

    /// TLS for one connection, and who will have seen its certificate.
    pub(crate) fn client(&self) -> (Arc<ClientConfig>, Arc<Witness>) {
        let witness = Arc::new(Witness {
            trust: self.clone(),
            issuer: OnceLock::new(),
            inspected: AtomicBool::new(false),
        });
        let verifier: Arc<dyn ServerCertVerifier> = witness.clone();
        let mut config = ClientConfig::builder()
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        // Without it an intermediary may choose HTTP/2, which knows no upgrade.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Every handshake shows the certificate, so that a change of its authority is seen.
        config.resumption = Resumption::disabled();
        (Arc::new(config), witness)
    }
}

/// The authority that signed a certificate, as it names itself, and its validity in seconds since 1970.
pub(crate) fn issuer_and_validity(certificate: &[u8]) -> Option<(String, (i64, i64))> {
    names::of(certificate).map(|names| (names.issuer, names.valid_s))
}

/// Whether an authority has the name of one that proxies use.
pub(crate) fn names_an_inspector(issuer: &str) -> bool {
    let lower = issuer.to_lowercase();
    INSPECTORS.iter().any(|name| lower.contains(name))
}

/// Judges the certificate of one connection as [`Trust`] says, and remembers who signed it.
#[derive(Debug)]
pub(crate) struct Witness {
    trust: Trust,
    issuer: OnceLock<String>,
    inspected: AtomicBool,
}

impl Witness {
    /// What was seen.
    pub(crate) fn seen(&self) -> Seen {
        Seen { issuer: self.issuer.get().cloned(), is_inspected: self.inspected.load(Ordering::Relaxed) }
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        // The authority at the end of the chain that was sent says more than an intermediate one.
        let last = intermediates.last().unwrap_or(end_entity);
        if let Some(names) = names::of(last) {
            self.issuer.get_or_init(|| names.issuer);
        }
        let judge = |verifier: &dyn ServerCertVerifier| {
            verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        };
        let Err(error) = judge(self.trust.verifier.as_ref()) else {
            return Ok(ServerCertVerified::assertion());
        };
        let Some(Ok(verified)) = self.trust.inspector.as_deref().map(judge) else { return Err(error) };
        self.inspected.store(true, Ordering::Relaxed);
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.trust.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.trust.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trust.verifier.supported_verify_schemes()
    }
}

/// Reads a PEM file and proves that it holds certificates.
pub(crate) fn read_certificates(path: &Path) -> Result<Vec<u8>, Error> {
    let bytes = std::fs::read(path).map_err(Error::file("read", path))?;
    let unusable = |reason: String| Error::Certificate { path: path.to_owned(), reason };
    let found = CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>();
    match found {
        Ok(found) if found.is_empty() => Err(unusable("there is no certificate in it".to_owned())),
        Ok(_) => Ok(bytes),
        Err(error) => Err(unusable(error.to_string())),
    }
}
