//! A relay that somebody modified: it enrols agents and speaks the protocol, and then says whatever a test wants.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use protocol::control::{AgentMessage, PartHeader, RelayMessage};
use protocol::enrol::{EnrolAnswer, EnrolRequest, EnrolmentToken};
use protocol::frame::Frame;
use protocol::handshake::{ExpectHello, Welcome};
use protocol::ids::StreamId;
use protocol::keys::Fingerprint;
use protocol::landed::LandedPiece;
use protocol::limits::LinkLimits;
use protocol::seal::{SealContext, SealedSecret, seal};
use protocol::site::SiteAddress;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

const PATIENCE: Duration = Duration::from_secs(60);

/// A listening hostile relay.
pub struct HostileRelay {
    /// Its address.
    pub url: String,
    /// Its authority, to be trusted by the agent.
    pub ca_pem: String,
    listener: TcpListener,
    acceptor: TlsAcceptor,
    enrolled: Option<EnrolRequest>,
}

/// A link that an agent opened to it.
pub struct HostileLink {
    socket: WebSocketStream<TlsStream<TcpStream>>,
    enrolled: EnrolRequest,
    arriving: HashMap<StreamId, PartHeader>,
}

impl HostileRelay {
    /// Starts listening on a free port of the loopback interface.
    pub async fn start() -> Self {
        let (ca_pem, acceptor) = tls();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("https://127.0.0.1:{}", listener.local_addr().expect("an address").port());
        Self { url, ca_pem, listener, acceptor, enrolled: None }
    }

    /// A token in the right form; this relay takes any.
    pub fn token(&self) -> String {
        EnrolmentToken::from_bytes([9; 32]).to_text()
    }

    /// Answers one enrolment.
    pub async fn enrol_one(&mut self) {
        let (mut stream, head, mut body) = self.request().await;
        let length =
            header(&head, "content-length").and_then(|text| text.parse::<usize>().ok()).unwrap_or_default();
        while body.len() < length {
            let mut buffer = [0; 4096];
            let read = stream.read(&mut buffer).await.expect("the agent sends its request");
            body.extend_from_slice(&buffer[..read]);
        }
        self.enrolled = Some(serde_json::from_slice(&body).expect("an enrolment request"));
        let answer =
            EnrolAnswer { agent_id: "agent_1".into(), uplink: "hq".into(), relay_id: "hostile".into() };
        let json = serde_json::to_string(&answer).expect("JSON");
        answer_json(&mut stream, &json).await;
    }

    /// Waits for the agent's link and welcomes it, whoever it claims to be.
    pub async fn next_link(&mut self) -> HostileLink {
        tokio::time::timeout(PATIENCE, self.link()).await.expect("the agent dials in time")
    }

    async fn link(&mut self) -> HostileLink {
        let (stream, head, _) = self.request().await;
        let mut socket = upgrade(stream, &head).await;
        let (challenge, expect) = ExpectHello::begin([3; 32], chrono::Utc::now().timestamp_millis());
        socket.send(Message::Text(challenge.into())).await.expect("the agent reads");
        let hello = next_text(&mut socket).await;
        let enrolled = self.enrolled.clone().expect("the agent enrolled before");
        let claimed = expect.handle_text(&hello).expect("a hello");
        let agent =
            claimed.verify(&enrolled.signing_key, &["127.0.0.1".to_owned()]).expect("a good signature");
        let welcome = Welcome {
            session: 1,
            heartbeat_ms: 5_000,
            reconnect_spread_ms: 100,
            limits: LinkLimits::default(),
            relay_version: "0.0.0-hostile".into(),
        };
        socket.send(Message::Text(agent.welcome(welcome).into())).await.expect("the agent reads");
        HostileLink { socket, enrolled, arriving: HashMap::new() }
    }

    /// The next connection that brings a request. Agents also look whether a relay is there before they enrol: they hang up, ask
    /// for its health, or open a link and leave after the challenge.
    async fn request(&self) -> (TlsStream<TcpStream>, String, Vec<u8>) {
        loop {
            let (tcp, _) = self.listener.accept().await.expect("a connection");
            let mut stream = self.acceptor.accept(tcp).await.expect("the agent trusts this authority");
            let Some((head, body)) = read_head(&mut stream).await else { continue };
            if head.starts_with("GET /v1/health") {
                answer_json(&mut stream, r#"{"status":"ok","version":"0.0.0-hostile"}"#).await;
            } else if head.starts_with("GET /v1/link") && self.enrolled.is_none() {
                let mut socket = upgrade(stream, &head).await;
                let (challenge, _) = ExpectHello::begin([3; 32], chrono::Utc::now().timestamp_millis());
                socket.send(Message::Text(challenge.into())).await.expect("the agent reads");
                while let Some(Ok(_)) = socket.next().await {}
            } else {
                return (stream, head, body);
            }
        }
    }
}

/// Answers a request and closes.
async fn answer_json(stream: &mut TlsStream<TcpStream>, json: &str) {
    let text = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{json}",
        json.len()
    );
    stream.write_all(text.as_bytes()).await.expect("the agent reads");
    stream.shutdown().await.expect("the agent closes");
}

/// Agrees to a WebSocket.
async fn upgrade(mut stream: TlsStream<TcpStream>, head: &str) -> WebSocketStream<TlsStream<TcpStream>> {
    let accept = derive_accept_key(header(head, "sec-websocket-key").expect("a key").as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
         sec-websocket-accept: {accept}\r\nsec-websocket-protocol: uplink.v1\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await.expect("the agent reads");
    WebSocketStream::from_raw_socket(stream, Role::Server, None).await
}

impl HostileLink {
    /// Sends an ordinary message.
    pub async fn send(&mut self, message: &RelayMessage) {
        self.send_raw(&serde_json::to_string(message).expect("JSON")).await;
    }

    /// Sends any text.
    pub async fn send_raw(&mut self, text: &str) {
        self.socket.send(Message::Text(text.to_owned().into())).await.expect("the agent reads");
    }

    /// Sends any bytes.
    pub async fn send_bytes(&mut self, bytes: &'static [u8]) {
        self.socket.send(Message::Binary(Bytes::from_static(bytes))).await.expect("the agent reads");
    }

    /// The next message that `wanted` takes; beats are answered, parts are landed nowhere and acknowledged, the rest is passed over.
    pub async fn expect<T>(&mut self, mut wanted: impl FnMut(AgentMessage) -> Option<T>) -> T {
        let search = async {
            loop {
                if let Some(found) = self.next_message().await.and_then(&mut wanted) {
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, search).await.expect("the agent answers in time")
    }

    /// The next message, unless it is the link's own matter.
    async fn next_message(&mut self) -> Option<AgentMessage> {
        let text = match self.socket.next().await.expect("the agent stays").expect("a WebSocket message") {
            Message::Text(text) => text,
            Message::Binary(bytes) => {
                self.take_chunk(bytes).await;
                return None;
            }
            Message::Close(frame) => panic!("the agent closed the link: {frame:?}"),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => return None,
        };
        match serde_json::from_str::<AgentMessage>(&text).expect("a message of an agent") {
            AgentMessage::Beat { sequence } => self.send(&RelayMessage::BeatAck { sequence }).await,
            AgentMessage::PartBegin { stream, part } => drop(self.arriving.insert(stream, part)),
            AgentMessage::AskLanded { run, lease, ask, .. } => {
                // Nothing landed here.
                let piece = LandedPiece::Columns { columns: Vec::new() };
                self.send(&RelayMessage::LandedAnswer { run, lease, ask, piece, last: true }).await;
            }
            other => return Some(other),
        }
        None
    }

    async fn take_chunk(&mut self, bytes: Bytes) {
        let Ok(Frame::Chunk { stream, fin: true, .. }) = Frame::decode(bytes) else { return };
        let part = self.arriving.remove(&stream).expect("a part begins before its bytes");
        self.send(&RelayMessage::PartLanded { stream, run: part.run, part: part.part }).await;
    }

    /// Whether the agent ends the link (instead of living with what it was sent).
    pub async fn is_closed_by_agent(mut self) -> bool {
        let search = async {
            loop {
                match self.socket.next().await {
                    None | Some(Err(_) | Ok(Message::Close(_))) => return true,
                    Some(Ok(_)) => {}
                }
            }
        };
        tokio::time::timeout(PATIENCE, search).await.unwrap_or(false)
    }

    /// A secret sealed to the agent for a site and user, as `uplinkctl` makes it.
    pub fn sealed(&self, secret: &str, site: &SiteAddress, username: &str) -> SealedSecret {
        let agent = Fingerprint::of(&self.enrolled.signing_key, &self.enrolled.sealing_key);
        let context = SealContext { agent: &agent, site, username };
        seal(secret, &self.enrolled.sealing_key, context, &[42; 32]).expect("a secret can be sealed")
    }
}

async fn next_text(socket: &mut WebSocketStream<TlsStream<TcpStream>>) -> Utf8Bytes {
    loop {
        match socket.next().await.expect("the agent stays").expect("a WebSocket message") {
            Message::Text(text) => return text,
            Message::Close(frame) => panic!("the agent closed the link: {frame:?}"),
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }
}

/// The head of a request and what came of its body; nothing when the peer hangs up before.
async fn read_head(stream: &mut TlsStream<TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 1024];
        let read = stream.read(&mut buffer).await.unwrap_or_default();
        if read == 0 {
            return None;
        }
        bytes.extend_from_slice(&buffer[..read]);
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let body = bytes.split_off(end + 4);
            return Some((String::from_utf8(bytes).expect("ASCII"), body));
        }
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
}

fn tls() -> (String, TlsAcceptor) {
    let mut authority = CertificateParams::new(Vec::new()).expect("parameters");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let issuer =
        CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key")).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()])
        .expect("parameters")
        .signed_by(&key, &issuer)
        .expect("a leaf");
    let key_der = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).expect("a key in DER");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key_der)
        .expect("a certificate and its key");
    (issuer.pem(), TlsAcceptor::from(Arc::new(config)))
}
