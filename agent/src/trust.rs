//! Whom the agent believes to be the relay: one authority when the premises name one, otherwise those of the system.

use crate::error::Error;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::ConfigVerifierExt;
use std::path::PathBuf;
use std::sync::Arc;

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
    /// TLS for the link.
    ///
    /// # Errors
    /// When no certificate can be used.
    pub(crate) fn tls(&self) -> Result<Arc<ClientConfig>, Error> {
        let mut config = match self {
            Authority::System => ClientConfig::with_platform_verifier().map_err(|error| Error::System {
                action: "use the system's certificate authorities",
                reason: error.to_string(),
            })?,
            Authority::Own { path, pem } => {
                let unusable = |reason: String| Error::Certificate { path: path.clone(), reason };
                let mut roots = RootCertStore::empty();
                for certificate in CertificateDer::pem_slice_iter(pem) {
                    let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
                    roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
                }
                ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()
            }
        };
        // Without it an intermediary may choose HTTP/2, which knows no upgrade.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}
