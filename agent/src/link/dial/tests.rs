use super::error::Step;
use super::*;
use crate::trust::Authority;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const LIMIT: Duration = Duration::from_secs(20);

struct Server {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    trust: Trust,
}

/// A TLS server for `localhost` and a client that trusts it.
async fn server() -> Server {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let trust = Authority::Own { path: "ca.pem".into(), pem: cert.pem().into_bytes() }.trust().unwrap();
    Server {
        listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        acceptor: TlsAcceptor::from(Arc::new(config)),
        trust,
    }
}

impl Server {
    fn address(&self, host: &str) -> RelayAddress {
        RelayAddress::parse(&format!("https://{host}:{}", self.listener.local_addr().unwrap().port()))
            .unwrap()
    }

    /// Accepts one TLS connection, reads the request's head and answers with `answer`.
    async fn answer(self, answer: &str) {
        let (tcp, _) = self.listener.accept().await.unwrap();
        let Ok(mut tls) = self.acceptor.accept(tcp).await else { return };
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(tokio::io::AsyncReadExt::read_u8(&mut tls).await.unwrap());
        }
        tls.write_all(answer.as_bytes()).await.unwrap();
        tls.shutdown().await.unwrap();
    }
}

async fn dial(relay: &RelayAddress, trust: &Trust, limit: Duration) -> Result<Dialled, DialError> {
    Route { relay, proxies: &Proxies::default(), names: &Names::default(), trust, limit }
        .dial(Lookup::Ask)
        .await
}

async fn failure_of(answer: &str) -> DialError {
    let server = server().await;
    let (address, trust) = (server.address("localhost"), server.trust.clone());
    let (result, ()) = tokio::join!(dial(&address, &trust, LIMIT), server.answer(answer));
    result.err().unwrap()
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_a_refusal() {
    let server = server().await;
    let (address, trust) = (server.address("127.0.0.1"), server.trust.clone());
    drop(server);
    let error = dial(&address, &trust, LIMIT).await.err().unwrap();
    assert!(matches!(error, DialError::Refused { .. }), "{error}");
    assert!(error.in_full().contains("check the port"));
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_a_name_error() {
    let server = server().await;
    let address = RelayAddress::parse("https://no-such-host.invalid:8443").unwrap();
    let error = dial(&address, &server.trust, LIMIT).await.err().unwrap();
    assert!(matches!(error, DialError::Name { .. }), "{error}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_a_timeout_of_that_step() {
    let server = server().await;
    let address = server.address("localhost");
    let error = dial(&address, &server.trust, Duration::from_millis(100)).await.err().unwrap();
    assert!(matches!(error, DialError::Timeout { step: Step::Tls, .. }), "{error}");
}

#[tokio::test]
async fn an_unknown_authority_is_not_trusted_and_the_remedy_is_named() {
    let (real, other) = (server().await, server().await);
    let address = real.address("localhost");
    let (result, ()) = tokio::join!(dial(&address, &other.trust, LIMIT), real.answer(""));
    let error = result.err().unwrap();
    assert!(matches!(error, DialError::Untrusted(_)), "{error}");
    assert!(error.in_full().contains("--relay-ca"), "{error}");
}

/// A chain as an intercepting proxy sends it: made by an authority of that name.
fn certificate_by(authority: &str) -> (ServerConfig, String) {
    use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair};
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, authority);
    let key = KeyPair::generate().unwrap();
    let root = params.self_signed(&key).unwrap().pem();
    let leaf_key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&leaf_key, &Issuer::new(params, key)).unwrap();
    let key = PrivateKeyDer::try_from(leaf_key.serialize_der()).unwrap();
    let config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![leaf.der().clone()], key);
    (config.unwrap(), root)
}

/// The failure at a server whose certificate was made by `met`, for an agent that expects `expected` (none: the system's).
async fn distrust(met: &str, expected: Option<&str>) -> DialError {
    let mut server = server().await;
    server.acceptor = TlsAcceptor::from(Arc::new(certificate_by(met).0));
    let address = server.address("localhost");
    let authority = expected.map_or(Authority::System, |expected| Authority::Own {
        path: "ca.pem".into(),
        pem: certificate_by(expected).1.into_bytes(),
    });
    let trust = authority.trust().unwrap();
    let (result, ()) = tokio::join!(dial(&address, &trust, LIMIT), server.answer(""));
    result.err().unwrap()
}

#[tokio::test]
async fn an_intercepting_proxy_is_told_from_an_unknown_authority() {
    let ours = "Uplink relay authority";
    let error = distrust("Example Corp Web Gateway", Some(ours)).await;
    assert_eq!(error.code(), "relay_tls_intercepted");
    let text = error.in_full();
    assert!(text.contains("met: CN=Example Corp Web Gateway; expected: CN=Uplink relay authority"), "{text}");
    assert!(text.contains("exempt localhost:") && text.contains("from TLS inspection"), "{text}");
    assert_eq!(distrust("mitmproxy", None).await.code(), "relay_tls_intercepted");
    for (met, expected) in [(ours, None), (ours, Some(ours)), (ours, Some("Other CA")), ("Acme CA", None)] {
        let error = distrust(met, expected).await;
        assert_eq!(error.code(), "relay_certificate_untrusted", "{met} for {expected:?}: {error}");
        assert!(error.to_string().contains(&format!("met: CN={met}")), "{error}");
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not_trusted_and_the_remedy_differs() {
    let server = server().await;
    let (address, trust) = (server.address("127.0.0.1"), server.trust.clone());
    let (result, ()) = tokio::join!(dial(&address, &trust, LIMIT), server.answer(""));
    let error = result.err().unwrap();
    assert!(matches!(error, DialError::Untrusted(_)), "{error}");
    assert!(error.in_full().contains("host name that the certificate is made for"), "{error}");
}

#[tokio::test]
async fn a_server_without_tls_is_told_from_an_untrusted_one() {
    let server = server().await;
    let (address, trust) = (server.address("localhost"), server.trust.clone());
    let plain = async {
        let (mut tcp, _) = server.listener.accept().await.unwrap();
        tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        tcp.shutdown().await.unwrap();
    };
    let (result, ()) = tokio::join!(dial(&address, &trust, LIMIT), plain);
    let error = result.err().unwrap();
    assert!(matches!(error, DialError::Tls { .. }), "{error}");
}

#[tokio::test]
async fn a_refused_upgrade_carries_status_reason_and_when_to_come_back() {
    let answer = "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Type: application/problem+json\r\nContent-Length: 22\r\n\r\n{\"detail\":\"too many\"}\n";
    let error = failure_of(answer).await;
    assert!(matches!(error, DialError::Upgrade { status: 503, .. }), "{error}");
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn a_time_to_come_back_at_is_read_by_the_clock_of_whoever_names_it() {
    for (headers, seconds) in [
        ("Date: Sun, 06 Nov 1994 08:49:30 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 GMT", Some(7)),
        ("Date: Sun, 06 Nov 1994 08:49:30 GMT\r\nRetry-After: Sunday, 06-Nov-94 08:49:29 GMT", Some(0)),
        ("Retry-After: Sun Nov  6 08:49:37 1994", Some(0)),
        ("Retry-After: soon", None),
    ] {
        let answer = format!("HTTP/1.1 429 Slow down\r\n{headers}\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(failure_of(&answer).await.retry_after(), seconds.map(Duration::from_secs), "{headers}");
    }
}

#[tokio::test]
async fn a_proxy_that_wants_a_login_is_named() {
    let error = failure_of("HTTP/1.1 407 Proxy\r\nContent-Length: 0\r\n\r\n").await;
    assert!(error.in_full().contains("proxy on the way wants a login"), "{error}");
}

#[tokio::test]
async fn a_server_without_our_subprotocol_is_no_relay() {
    let server = server().await;
    let (address, trust) = (server.address("localhost"), server.trust.clone());
    let accept = async {
        let (tcp, _) = server.listener.accept().await.unwrap();
        let tls = server.acceptor.accept(tcp).await.unwrap();
        drop(tokio_tungstenite::accept_async(tls).await);
    };
    let (result, ()) = tokio::join!(dial(&address, &trust, LIMIT), accept);
    let error = result.err().unwrap();
    assert!(matches!(error, DialError::Subprotocol { .. }), "{error}");
}
