//! The relay's certificate: the user's own, or one of a small authority that the relay makes at first start. The leaf is
//! made anew at every start, so that it always carries the configured names and is never close to its end.

use crate::config::Tls;
use crate::private_file;
use chrono::{Datelike, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// Agents pin the authority; it outlives a machine.
const AUTHORITY_YEARS: i32 = 10;
/// Longer than a relay runs between two starts.
const LEAF_YEARS: i32 = 2;

/// Why the relay has no certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or written.
    #[error("cannot use {file}: {source}")]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A PEM file holds something else.
    #[error("{file} holds no usable {what} in PEM form: {why}")]
    Pem {
        /// The file.
        file: PathBuf,
        /// What was looked for.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// A name cannot stand in a certificate.
    #[error("cannot make a certificate for {names:?}: {source}; check the names given with --name")]
    Make {
        /// All names.
        names: Vec<String>,
        /// Why.
        source: rcgen::Error,
    },
    /// Certificate and key do not fit, or the key's kind is not supported.
    #[error("cannot use certificate and key together: {0}")]
    Pair(#[from] rustls::Error),
}

/// What the listener needs, and what a user has to know.
pub(crate) struct Identity {
    pub(crate) acceptor: TlsAcceptor,
    /// The authority to trust, if it is the relay's own.
    pub(crate) authority: Option<PathBuf>,
}

/// The names under which the relay answers, without repetition.
pub(crate) fn names(listen: IpAddr, configured: &[String]) -> Vec<String> {
    let mut names: Vec<String> = configured.iter().map(|name| name.to_ascii_lowercase()).collect();
    if !listen.is_unspecified() {
        names.push(listen.to_string());
    }
    names.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

/// Loads or makes the certificate.
pub(crate) fn identity(data: &Path, own: &Tls, names: &[String]) -> Result<Identity, TlsError> {
    let (cert_file, key_file, authority) = if own.cert.as_os_str().is_empty() {
        let ca_file = data.join("ca.pem");
        let files = (data.join("server.pem"), data.join("server-key.pem"));
        issue(data, names, &files)?;
        (files.0, files.1, Some(ca_file))
    } else {
        (own.cert.clone(), own.key.clone(), None)
    };
    let chain = read_chain(&cert_file)?;
    let key = PrivateKeyDer::from_pem_file(&key_file).map_err(|error| TlsError::Pem {
        file: key_file,
        what: "private key",
        why: error.to_string(),
    })?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    // A WebSocket upgrade needs HTTP/1.1; an intermediary must not choose anything else.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Identity { acceptor: TlsAcceptor::from(Arc::new(config)), authority })
}

fn read_chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bad = |why: String| TlsError::Pem { file: file.to_owned(), what: "certificate", why };
    let chain = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| bad(error.to_string()))?;
    if chain.is_empty() {
        return Err(bad("there is none".to_owned()));
    }
    Ok(chain)
}

fn issue(data: &Path, names: &[String], (cert, key): &(PathBuf, PathBuf)) -> Result<(), TlsError> {
    let make = |source| TlsError::Make { names: names.to_vec(), source };
    let authority_key = authority(data)?;
    let issuer = Issuer::new(authority_params().map_err(make)?, &authority_key);
    let mut leaf = CertificateParams::new(names.to_vec()).map_err(make)?;
    leaf.distinguished_name.push(DnType::CommonName, "uplink-relay");
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf.use_authority_key_identifier_extension = true;
    validity(&mut leaf, LEAF_YEARS);
    let leaf_key = KeyPair::generate().map_err(make)?;
    let signed = leaf.signed_by(&leaf_key, &issuer).map_err(make)?;
    let written = private_file::write(key, leaf_key.serialize_pem().as_bytes());
    written.map_err(|source| TlsError::File { file: key.clone(), source })?;
    let written = private_file::write_public(cert, signed.pem().as_bytes());
    written.map_err(|source| TlsError::File { file: cert.clone(), source })
}

/// The authority's key, made together with its certificate at first start.
fn authority(data: &Path) -> Result<KeyPair, TlsError> {
    let (cert_file, key_file) = (data.join("ca.pem"), data.join("ca-key.pem"));
    let make = |source| TlsError::Make { names: Vec::new(), source };
    if cert_file.exists() && key_file.exists() {
        let text = std::fs::read_to_string(&key_file)
            .map_err(|source| TlsError::File { file: key_file.clone(), source })?;
        return KeyPair::from_pem(&text).map_err(|error| TlsError::Pem {
            file: key_file,
            what: "private key",
            why: error.to_string(),
        });
    }
    let key = KeyPair::generate().map_err(make)?;
    let cert = authority_params().and_then(|params| params.self_signed(&key)).map_err(make)?;
    private_file::write(&key_file, key.serialize_pem().as_bytes())
        .map_err(|source| TlsError::File { file: key_file, source })?;
    private_file::write_public(&cert_file, cert.pem().as_bytes())
        .map_err(|source| TlsError::File { file: cert_file, source })?;
    Ok(key)
}

/// The same at every start but for the dates: a leaf names its issuer by these and by the key.
fn authority_params() -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Uplink relay authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    validity(&mut params, AUTHORITY_YEARS);
    Ok(params)
}

/// From yesterday's month on, because clocks differ.
fn validity(params: &mut CertificateParams, years: i32) {
    let now = Utc::now();
    let month = u8::try_from(now.month()).unwrap_or(1);
    let before = if month == 1 { (now.year() - 1, 12) } else { (now.year(), month - 1) };
    params.not_before = date_time_ymd(before.0, before.1, 1);
    params.not_after = date_time_ymd(now.year() + years, month, 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none() -> Tls {
        Tls { cert: PathBuf::new(), key: PathBuf::new() }
    }

    #[test]
    fn the_authority_stays_and_the_leaf_is_new_at_every_start() {
        let folder = tempfile::tempdir().unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        identity(folder.path(), &none(), &names("127.0.0.1".parse().unwrap(), &[])).unwrap();
        let (authority, leaf) = (read("ca.pem"), read("server.pem"));
        let more = names("0.0.0.0".parse().unwrap(), &["Relay.Example.com".to_owned()]);
        assert_eq!(more, ["relay.example.com", "localhost", "127.0.0.1", "::1"]);
        identity(folder.path(), &none(), &more).unwrap();
        assert_eq!(read("ca.pem"), authority);
        assert_ne!(read("server.pem"), leaf);
    }

    #[test]
    fn a_file_without_certificate_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("own.pem");
        std::fs::write(&file, "nothing").unwrap();
        let own = Tls { cert: file.clone(), key: file };
        let Err(error) = identity(folder.path(), &own, &[]) else { panic!("was accepted") };
        assert!(error.to_string().contains("own.pem"), "{error}");
    }
}
