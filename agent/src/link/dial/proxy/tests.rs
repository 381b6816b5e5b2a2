use super::super::error::Role;
use super::*;
use crate::trust::Authority;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use std::future::Future;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const LIMIT: Duration = Duration::from_secs(20);

fn target() -> Endpoint {
    Endpoint { role: Role::Relay, host: "relay.test".to_owned(), port: 8443 }
}

fn login(username: &str, password: &str) -> Option<Login> {
    Some(Login { username: username.to_owned(), password: SecretString::from(password) })
}

/// Runs the step against a peer that the test plays.
async fn opened<F: Future<Output = ()>>(
    speaks: Speaks,
    login: Option<Login>,
    peer: impl FnOnce(TcpStream) -> F,
) -> Result<Transport, DialError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let at = Endpoint { role: Role::Proxy, host: address.ip().to_string(), port: address.port() };
    let proxy = Proxy { at, speaks, login, named_by: "proxy.url" };
    let near = TcpStream::connect(address).await.unwrap();
    let (far, _) = listener.accept().await.unwrap();
    let target = target();
    tokio::join!(tunnel(near, &proxy, &target, LIMIT), peer(far)).0
}

/// Says it all at once, and hears the other side out: a socket closed with unread bytes would throw away what was said.
async fn say(mut tcp: TcpStream, bytes: &[u8]) {
    tcp.write_all(bytes).await.unwrap();
    drop(tcp.read_to_end(&mut Vec::new()).await);
}

async fn head_of(tcp: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tcp.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

async fn answered(answer: &'static str, login: Option<Login>) -> DialError {
    let peer = |mut tcp: TcpStream| async move {
        head_of(&mut tcp).await;
        tcp.write_all(answer.as_bytes()).await.unwrap();
    };
    opened(Speaks::Http, login, peer).await.err().unwrap()
}

#[tokio::test]
async fn what_follows_the_proxys_answer_belongs_to_the_relay() {
    let peer = |mut tcp: TcpStream| async move {
        let head = head_of(&mut tcp).await;
        assert!(head.starts_with("CONNECT relay.test:8443 HTTP/1.1\r\nHost: relay.test:8443\r\n"), "{head}");
        assert!(head.contains("\r\nProxy-Authorization: Basic YWdlbnQ6cDp3LzE=\r\n"), "{head}");
        tcp.write_all(b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\nfirst bytes").await.unwrap();
    };
    let mut line = opened(Speaks::Http, login("agent", "p:w/1"), peer).await.ok().unwrap();
    let mut rest = String::new();
    line.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "first bytes");
}

#[tokio::test]
async fn a_proxy_over_tls_is_trusted_by_its_own_authority_only() {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = &TlsAcceptor::from(Arc::new(config));
    let peer = |tcp: TcpStream| async move {
        let Ok(mut tls) = acceptor.accept(tcp).await else { return };
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(tls.read_u8().await.unwrap());
        }
        assert!(head.starts_with(b"CONNECT relay.test:8443 "));
        tls.write_all(b"HTTP/1.1 200 OK\r\n\r\nfirst bytes").await.unwrap();
        tls.shutdown().await.unwrap();
    };
    let own = Authority::Own { path: "ca.pem".into(), pem: cert.pem().into_bytes() };
    let mut line = opened(Speaks::Https(own.trust().unwrap()), None, peer).await.ok().unwrap();
    let mut rest = String::new();
    line.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "first bytes");
    let strangers = Authority::System.trust().unwrap();
    let error = opened(Speaks::Https(strangers), None, peer).await.err().unwrap();
    assert_eq!(error.code(), "proxy_certificate_untrusted", "{error}");
}

#[tokio::test]
async fn a_proxy_that_wants_a_login_is_told_from_one_that_refuses_it() {
    let missing = answered("HTTP/1.1 407 Proxy\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n", None).await;
    assert_eq!(missing.code(), "proxy_login_missing");
    assert!(missing.next_step().contains("proxy.password_file"), "{missing}");
    let refused = answered(
        "HTTP/1.1 407 Proxy\r\nProxy-Authenticate: Negotiate\r\nproxy-authenticate: NTLM\r\n\r\n",
        login("agent", "hunter2"),
    )
    .await;
    assert_eq!(refused.code(), "proxy_login_refused");
    assert!(
        refused.to_string().contains("Negotiate, NTLM") && !refused.in_full().contains("hunter2"),
        "{refused}"
    );
    assert!(refused.next_step().contains("cntlm"), "{refused}");
}

#[tokio::test]
async fn a_proxy_that_forbids_is_told_from_one_that_cannot() {
    let forbids = answered("HTTP/1.1 403 Forbidden\r\n\r\n", None).await;
    assert_eq!(forbids.code(), "proxy_forbids");
    assert!(forbids.next_step().contains("allow CONNECT to relay.test:8443"), "{forbids}");
    let cannot = answered("HTTP/1.1 503 Service Unavailable\r\n\r\n", None).await;
    assert_eq!(cannot.code(), "proxy_cannot_reach_relay");
}

#[tokio::test]
async fn what_does_not_answer_like_a_proxy_is_named() {
    let peer = |tcp: TcpStream| say(tcp, b"SSH-2.0-OpenSSH_9.2\r\n");
    assert_eq!(opened(Speaks::Http, None, peer).await.err().unwrap().code(), "proxy_unfit");
    let endless = |mut tcp: TcpStream| async move {
        let flood = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(1 << 20));
        drop(tcp.write_all(flood.as_bytes()).await);
    };
    assert!(opened(Speaks::Http, None, endless).await.err().unwrap().to_string().contains("no end"));
    let silent = |tcp: TcpStream| async move { drop(tcp) };
    assert_eq!(opened(Speaks::Socks5, None, silent).await.err().unwrap().code(), "proxy_unfit");
}

#[tokio::test]
async fn socks_logs_in_and_leaves_the_name_to_the_proxy() {
    let peer = |mut tcp: TcpStream| async move {
        let mut hello = [0; 4];
        tcp.read_exact(&mut hello).await.unwrap();
        assert_eq!(hello, [5, 2, 0, 2]);
        tcp.write_all(&[5, 2]).await.unwrap();
        let mut account = [0; 10];
        tcp.read_exact(&mut account).await.unwrap();
        assert_eq!(&account, b"\x01\x05agent\x02pw");
        tcp.write_all(&[1, 0]).await.unwrap();
        let mut request = [0; 17];
        tcp.read_exact(&mut request).await.unwrap();
        assert_eq!(&request, b"\x05\x01\x00\x03\x0arelay.test\x20\xfb");
        tcp.write_all(b"\x05\x00\x00\x03\x03abc\x00\x01first bytes").await.unwrap();
    };
    let mut line = opened(Speaks::Socks5, login("agent", "pw"), peer).await.ok().unwrap();
    let mut rest = String::new();
    line.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "first bytes");
}

#[tokio::test]
async fn refusals_of_a_socks_proxy_have_codes_of_their_own() {
    let unwanted = |tcp: TcpStream| say(tcp, &[5, 0xff]);
    assert_eq!(opened(Speaks::Socks5, None, unwanted).await.err().unwrap().code(), "proxy_login_missing");
    let wrong = |tcp: TcpStream| say(tcp, &[5, 2, 1, 1]);
    let error = opened(Speaks::Socks5, login("agent", "hunter2"), wrong).await.err().unwrap();
    assert!(error.code() == "proxy_login_refused" && !error.in_full().contains("hunter2"), "{error}");
    for (answer, code) in [
        (&[5, 0, 5, 2, 0, 1], "proxy_forbids"),
        (&[5, 0, 5, 5, 0, 1], "proxy_cannot_reach_relay"),
        (&[5, 0, 5, 99, 0, 1], "proxy_cannot_reach_relay"),
    ] {
        let refuses = |tcp: TcpStream| say(tcp, answer);
        assert_eq!(opened(Speaks::Socks5, None, refuses).await.err().unwrap().code(), code);
    }
}
