use super::*;
use crate::trust::Authority;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const LIMIT: Duration = Duration::from_secs(20);

struct Server {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    trust: Arc<ClientConfig>,
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
    let trust = Authority::Own { path: "ca.pem".into(), pem: cert.pem().into_bytes() }.tls().unwrap();
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
    async fn answer(self, answer: &'static str) {
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

async fn failure_of(answer: &'static str) -> DialError {
    let server = server().await;
    let (address, trust) = (server.address("localhost"), Arc::clone(&server.trust));
    let (result, ()) = tokio::join!(dial(&address, trust, LIMIT), server.answer(answer));
    result.err().unwrap()
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_a_refusal() {
    let server = server().await;
    let (address, trust) = (server.address("127.0.0.1"), Arc::clone(&server.trust));
    drop(server);
    let error = dial(&address, trust, LIMIT).await.err().unwrap();
    assert!(matches!(error, DialError::Refused { .. }), "{error}");
    assert!(error.to_string().contains("check the port"));
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_a_name_error() {
    let server = server().await;
    let address = RelayAddress::parse("https://no-such-host.invalid:8443").unwrap();
    let error = dial(&address, Arc::clone(&server.trust), LIMIT).await.err().unwrap();
    assert!(matches!(error, DialError::Dns { .. }), "{error}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_a_timeout_of_that_step() {
    let server = server().await;
    let address = server.address("localhost");
    let error = dial(&address, Arc::clone(&server.trust), Duration::from_millis(100)).await.err().unwrap();
    assert!(matches!(error, DialError::Timeout { what: "the TLS handshake", .. }), "{error}");
}

#[tokio::test]
async fn an_unknown_authority_is_not_trusted_and_the_remedy_is_named() {
    let (real, other) = (server().await, server().await);
    let address = real.address("localhost");
    let (result, ()) = tokio::join!(dial(&address, other.trust, LIMIT), real.answer(""));
    let error = result.err().unwrap();
    assert!(matches!(error, DialError::Untrusted { .. }), "{error}");
    assert!(error.to_string().contains("--relay-ca"), "{error}");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not_trusted_and_the_remedy_differs() {
    let server = server().await;
    let (address, trust) = (server.address("127.0.0.1"), Arc::clone(&server.trust));
    let (result, ()) = tokio::join!(dial(&address, trust, LIMIT), server.answer(""));
    let error = result.err().unwrap();
    assert!(matches!(error, DialError::Untrusted { .. }), "{error}");
    assert!(error.to_string().contains("host name that the certificate is made for"), "{error}");
}

#[tokio::test]
async fn a_server_without_tls_is_told_from_an_untrusted_one() {
    let server = server().await;
    let (address, trust) = (server.address("localhost"), Arc::clone(&server.trust));
    let plain = async {
        let (mut tcp, _) = server.listener.accept().await.unwrap();
        tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        tcp.shutdown().await.unwrap();
    };
    let (result, ()) = tokio::join!(dial(&address, trust, LIMIT), plain);
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
async fn a_proxy_that_wants_a_login_is_named() {
    let error = failure_of("HTTP/1.1 407 Proxy\r\nContent-Length: 0\r\n\r\n").await;
    assert!(error.to_string().contains("proxy on the way wants a login"), "{error}");
}

#[tokio::test]
async fn a_server_without_our_subprotocol_is_no_relay() {
    let server = server().await;
    let (address, trust) = (server.address("localhost"), Arc::clone(&server.trust));
    let accept = async {
        let (tcp, _) = server.listener.accept().await.unwrap();
        let tls = server.acceptor.accept(tcp).await.unwrap();
        drop(tokio_tungstenite::accept_async(tls).await);
    };
    let (result, ()) = tokio::join!(dial(&address, trust, LIMIT), accept);
    let error = result.err().unwrap();
    assert!(matches!(error, DialError::Subprotocol { .. }), "{error}");
}
