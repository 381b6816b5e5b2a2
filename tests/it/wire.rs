//! What a relay does with peers that do not speak its language: a named refusal, no hang, and the next honest agent is served.

use futures_util::{SinkExt, StreamExt};
use std::sync::Arc;
use std::time::Duration;
use tests::cluster::Cluster;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

const PATIENCE: Duration = Duration::from_secs(60);

async fn tls(cluster: &Cluster) -> TlsStream<TcpStream> {
    use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(cluster.relay_data().join("ca.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = builder.with_root_certificates(roots).with_no_client_auth();
    let address = cluster.relay_url.trim_start_matches("https://");
    let tcp = TcpStream::connect(address).await.unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(ServerName::try_from("127.0.0.1").unwrap(), tcp)
        .await
        .unwrap()
}

/// Asks the relay for a WebSocket.
pub(crate) async fn upgrade(
    cluster: &Cluster,
    subprotocol: Option<&str>,
) -> Result<WebSocketStream<TlsStream<TcpStream>>, Error> {
    let stream = tls(cluster).await;
    let mut request =
        format!("{}/v1/link", cluster.relay_url.replace("https", "wss")).into_client_request().unwrap();
    if let Some(name) = subprotocol {
        request.headers_mut().insert("sec-websocket-protocol", name.parse().unwrap());
    }
    client_async(request, stream).await.map(|(socket, _)| socket)
}

/// Everything that the relay says until it closes.
async fn said(mut socket: WebSocketStream<TlsStream<TcpStream>>) -> String {
    let mut texts = String::new();
    let read = async {
        while let Some(Ok(message)) = socket.next().await {
            match message {
                Message::Text(text) => texts.push_str(&text),
                Message::Close(frame) => texts.push_str(&format!("{frame:?}")),
                _ => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, read).await.expect("the relay closes in time");
    texts
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_protocol_version_is_refused_by_name() {
    let cluster = Cluster::relay_only().await;
    match upgrade(&cluster, Some("uplink.v9")).await {
        Err(Error::Http(response)) => {
            assert!(response.status().is_client_error(), "{response:?}");
            let body = String::from_utf8_lossy(response.body().as_deref().unwrap_or_default()).into_owned();
            assert!(body.contains("uplink.v1"), "the answer does not name what is spoken: {body}");
        }
        Err(error) => panic!("refused without an answer: {error}"),
        Ok(socket) => assert!(said(socket).await.contains("unknown_protocol")),
    }
    let Err(Error::Http(response)) = upgrade(&cluster, None).await else {
        panic!("no subprotocol was accepted")
    };
    assert!(response.status().is_client_error());
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_hellos_are_rejected_with_a_code() {
    let cluster = Cluster::relay_only().await;
    let forged = r#"{"type":"hello","agent_id":"agent_1","version":"1","protocol":"uplink.v1","boot_id":"b","relay_host":"127.0.0.1","signature":"AAAA"}"#;
    for hello in ["{", "[]", r#"{"type":"run_finished"}"#, "\u{0}", forged] {
        let mut socket = upgrade(&cluster, Some("uplink.v1")).await.unwrap();
        socket.send(Message::Text(hello.into())).await.unwrap();
        let text = said(socket).await;
        assert!(text.contains("reject") && text.contains("\"code\""), "{hello}: {text}");
    }
    let mut socket = upgrade(&cluster, Some("uplink.v1")).await.unwrap();
    socket.send(Message::Binary(vec![0xff; 64].into())).await.unwrap();
    said(socket).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_says_nothing_is_cut_at_the_deadline() {
    let cluster = Cluster::relay_only().await;
    let socket = upgrade(&cluster, Some("uplink.v1")).await.unwrap();
    let text = said(socket).await;
    assert!(text.contains("too_slow"), "{text}");
}
