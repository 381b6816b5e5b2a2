//! A certificate authority and what it signs.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::CertifiedKey;
use std::sync::Arc;

/// Signs certificates for any name.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// When a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// For decades around now.
    Now,
    /// It ended years ago.
    Past,
    /// It begins in many years.
    Future,
}

/// What a certificate is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// Nothing is said of it.
    Unsaid,
    /// To show who a client is, and for nothing else.
    Client,
}

/// A certificate and its key before they take the form that somebody wants.
struct Leaf {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    /// An authority of this common name.
    pub fn new(common_name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2070, 1, 1));
        let key = KeyPair::generate().expect("a key");
        Self { issuer: CertifiedIssuer::self_signed(params, key).expect("an authority") }
    }

    /// Its certificate, to be trusted.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for these names with its key.
    pub fn certify(&self, names: &[&str], validity: Validity) -> Arc<CertifiedKey> {
        self.leaf(names, validity, Purpose::Unsaid).certified()
    }

    /// A certificate for these names that only a client may show, with its key.
    pub fn certify_for_clients(&self, names: &[&str]) -> Arc<CertifiedKey> {
        self.leaf(names, Validity::Now, Purpose::Client).certified()
    }

    /// A client's certificate and its key as one PEM file.
    pub fn client_pem(&self, name: &str) -> String {
        let Leaf { certificate, key } = self.leaf(&[name], Validity::Now, Purpose::Client);
        certificate.pem() + &key.serialize_pem()
    }

    /// A server's certificate and its key as one PEM file.
    pub fn server_pem(&self, names: &[&str]) -> String {
        let Leaf { certificate, key } = self.leaf(names, Validity::Now, Purpose::Unsaid);
        certificate.pem() + &key.serialize_pem()
    }

    /// Itself as the only one that is believed.
    pub(super) fn roots(&self) -> rustls::RootCertStore {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("an authority");
        roots
    }

    fn leaf(&self, names: &[&str], validity: Validity, purpose: Purpose) -> Leaf {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        let year = |from, to| (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
        (params.not_before, params.not_after) = match validity {
            Validity::Now => year(2020, 2070),
            Validity::Past => year(2020, 2022),
            Validity::Future => year(2060, 2062),
        };
        if purpose == Purpose::Client {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        }
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Leaf { certificate, key }
    }
}

impl Leaf {
    fn certified(&self) -> Arc<CertifiedKey> {
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).expect("a key in DER");
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let certified = CertifiedKey::from_der(vec![self.certificate.der().clone()], key, &provider);
        Arc::new(certified.expect("a certificate and its key"))
    }
}
