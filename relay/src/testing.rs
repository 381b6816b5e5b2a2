//! A real relay for tests: real TLS, real WebSocket, a folder of its own, port 0; and an agent's end of the link without Jira.

use crate::config::{Config, Overrides};
use crate::node::Shared;
use crate::run::schedule;
use crate::server;
use crate::start::Relay;
use futures_util::{SinkExt, StreamExt};
use protocol::control::{AgentMessage, PartHeader, RelayMessage};
use protocol::enrol::EnrolRequest;
use protocol::handshake::{Established, ExpectChallenge, HandshakeError, Introduction};
use protocol::ids::{Lease, PartId};
use protocol::keys::{Fingerprint, SealingPublicKey, SigningKey};
use protocol::link::{AgentLink, LinkConfig, Transmit};
use protocol::seal::SealingKey;
use protocol::ticket::Ticket;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// Nothing in these tests takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// A relay that serves.
pub(crate) struct Bench {
    pub(crate) node: Shared,
    pub(crate) url: String,
    pub(crate) folder: Arc<tempfile::TempDir>,
    key: String,
    client: reqwest::Client,
    _relay_lock: Option<std::fs::File>,
}

/// An enrolled agent's keys.
#[derive(Clone)]
pub(crate) struct Keys {
    pub(crate) agent_id: String,
    seed: [u8; 32],
    /// The ticket that its machine holds; `None` before the first, and for an agent that keeps none.
    pub(crate) ticket: Option<Ticket>,
    /// What the machine can do beyond protocol v1.
    pub(crate) capabilities: Vec<String>,
}

impl Keys {
    /// The same agent with other keys.
    pub(crate) fn with_seed(&self, seed: u8) -> Self {
        Self { seed: [seed; 32], ..self.clone() }
    }

    pub(crate) fn signing(&self) -> SigningKey {
        SigningKey::from_seed(&self.seed).unwrap()
    }

    pub(crate) fn sealing(&self) -> SealingPublicKey {
        SealingKey::from_seed(&self.seed).public()
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.signing().public(), &self.sealing())
    }
}

type ClientSocket = WebSocketStream<tokio_rustls::client::TlsStream<TcpStream>>;

/// An agent's end of a link.
pub(crate) struct FakeAgent {
    link: AgentLink,
    socket: ClientSocket,
    started: Instant,
    pub(crate) session: u64,
}

impl Bench {
    pub(crate) async fn start() -> Self {
        Self::start_in(Arc::new(tempfile::tempdir().unwrap())).await
    }

    /// Starts a relay in a folder that another one may have left.
    pub(crate) async fn start_in(folder: Arc<tempfile::TempDir>) -> Self {
        let flags = Overrides {
            data: Some(folder.path().join("relay-data")),
            listen: "127.0.0.1:0".parse().ok(),
            ..Overrides::default()
        };
        let config = Config::load(None, &flags, Some(HashMap::new())).unwrap();
        let relay = Relay::open(&config).await.unwrap();
        let url = relay.url();
        let (node, listener, identity, lock) = relay.into_parts();
        schedule::recover(&node).await.unwrap();
        node.tasks.spawn(schedule::run(node.clone()));
        node.tasks.spawn(server::serve(node.clone(), listener, identity.acceptor, 64));
        let data = folder.path().join("relay-data");
        let read = |name: &str| std::fs::read_to_string(data.join(name)).unwrap();
        let authority = reqwest::Certificate::from_pem(read("ca.pem").as_bytes()).unwrap();
        let client = reqwest::Client::builder().tls_certs_only([authority]).no_proxy().build().unwrap();
        let key = read("admin.key").trim().to_owned();
        Self { node, url, folder, key, client, _relay_lock: Some(lock) }
    }

    /// Stops the relay as SIGTERM does; the folder stays.
    pub(crate) async fn stop(mut self) -> Arc<tempfile::TempDir> {
        self.node.stop.cancel();
        self.node.tasks.close();
        tokio::time::timeout(PATIENCE, self.node.tasks.wait()).await.unwrap();
        self.node.store.close().await;
        self._relay_lock = None;
        self.folder.clone()
    }

    pub(crate) async fn raw(&self, method: Method, path: &str, key: Option<&str>, body: &str) -> Response {
        let mut request = self.client.request(method, format!("{}{path}", self.url)).body(body.to_owned());
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        request.send().await.unwrap()
    }

    /// A call with the administrator's key.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let response = self.raw(method, path, Some(&self.key), &body).await;
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.call(Method::POST, path, body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.call(Method::GET, path, Value::Null).await.1
    }

    /// A stream that stays open.
    pub(crate) async fn open(&self, path: &str) -> Response {
        self.raw(Method::GET, path, Some(&self.key), "").await
    }

    /// Enrols an agent whose keys come from `seed`.
    pub(crate) async fn enrol(&self, uplink: &str, seed: u8) -> Keys {
        let (_, token) = self.post(&format!("/v1/uplinks/{uplink}/tokens"), Value::Null).await;
        let seed = [seed; 32];
        let request = EnrolRequest {
            token: token["token"].as_str().unwrap().to_owned(),
            name: "host".to_owned(),
            version: "0.1.0".to_owned(),
            signing_key: SigningKey::from_seed(&seed).unwrap().public(),
            sealing_key: SealingKey::from_seed(&seed).public(),
        };
        let body = serde_json::to_string(&request).unwrap();
        let answer: Value = self.raw(Method::POST, "/v1/enrol", None, &body).await.json().await.unwrap();
        let agent_id = answer["agent_id"].as_str().unwrap().to_owned();
        Keys { agent_id, seed, ticket: None, capabilities: Vec::new() }
    }

    /// Pool `sales`, uplink `hq`, one agent, connection `jira`.
    pub(crate) async fn furnish(&self) -> Keys {
        self.post("/v1/pools", json!({ "name": "sales" })).await;
        self.post("/v1/uplinks", json!({ "name": "hq" })).await;
        let keys = self.enrol("hq", 1).await;
        let uplink = self.get("/v1/uplinks/hq").await;
        let fingerprint = uplink["agents"][0]["fingerprint"].clone();
        let connection = json!({
            "name": "jira", "pool": "sales", "mode": "uplinked", "uplink": "hq", "url": "https://jira.example/",
            "username": "reader", "credential": "password", "max_parallel": 4,
            "sealed": [{ "agent": fingerprint, "sealed": "c2VhbGVk" }],
        });
        let (status, answer) = self.post("/v1/connections", connection).await;
        assert_eq!(status, 201, "{answer}");
        keys
    }

    /// Opens the WebSocket with these subprotocols.
    pub(crate) async fn dial(&self, subprotocols: &str) -> Result<ClientSocket, tungstenite::Error> {
        let address = self.url.trim_start_matches("https://").to_owned();
        let tcp = TcpStream::connect(&address).await.unwrap();
        let connector = connector(&self.folder.path().join("relay-data").join("ca.pem"));
        let name = "127.0.0.1".try_into().unwrap();
        let tls = connector.connect(name, tcp).await.unwrap();
        let mut request = format!("wss://{address}/v1/link").into_client_request().unwrap();
        let value = subprotocols.parse().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", value);
        Ok(client_async(request, tls).await?.0)
    }

    /// Shakes hands; `host` is what the agent believes to have dialled.
    pub(crate) async fn greet(&self, keys: &Keys, host: &str) -> Result<FakeAgent, HandshakeError> {
        let mut socket = self.dial("uplink.v1").await.unwrap();
        let introduction = Introduction {
            agent_id: keys.agent_id.as_str().into(),
            version: "0.2.0".to_owned(),
            capabilities: keys.capabilities.clone(),
            boot_id: "boot".to_owned(),
            relay_host: host.to_owned(),
            inspected_by: None,
            ticket: keys.ticket.clone(),
        };
        let key = SigningKey::from_seed(&keys.seed).unwrap();
        let challenge = text_of(&mut socket).await;
        let (hello, expect) = ExpectChallenge::new(introduction).handle_text(&challenge, &key)?;
        socket.send(Message::text(hello)).await.unwrap();
        let Established { welcome, .. } = expect.handle_text(&text_of(&mut socket).await)?;
        let link = AgentLink::new(LinkConfig::default(), Duration::ZERO);
        Ok(FakeAgent { link, socket, started: Instant::now(), session: welcome.session })
    }

    /// A welcomed agent.
    pub(crate) async fn agent(&self, keys: &Keys) -> FakeAgent {
        let mut agent = self.greet(keys, "127.0.0.1").await.unwrap();
        agent
            .say(&AgentMessage::Health {
                runs: 0,
                paused: None,
                jiras: vec![],
                last_error: None,
                mask_key: None,
            })
            .await;
        agent
    }

    /// Follows a run until its document is as wanted.
    pub(crate) async fn follow_until(&self, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let search = async {
            let mut answer = self.open(&format!("/v1/runs/{id}/follow")).await;
            let mut text = Vec::new();
            while let Some(chunk) = answer.chunk().await.unwrap() {
                text.extend_from_slice(&chunk);
                let whole =
                    text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
                if let Some(document) = whole.into_iter().find(|document| wanted(document)) {
                    return document;
                }
            }
            panic!("the run ended: {}", String::from_utf8_lossy(&text));
        };
        tokio::time::timeout(PATIENCE, search).await.unwrap()
    }

    /// Follows a run to its end and gives the last document.
    pub(crate) async fn follow_to_end(&self, id: &str) -> Value {
        let text = self.open(&format!("/v1/runs/{id}/follow")).await.text();
        let text = tokio::time::timeout(PATIENCE, text).await.unwrap().unwrap();
        serde_json::from_str(text.lines().last().unwrap()).unwrap()
    }
}

fn connector(authority: &Path) -> tokio_rustls::TlsConnector {
    use rustls::pki_types::pem::PemObject;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(rustls::pki_types::CertificateDer::from_pem_file(authority).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    tokio_rustls::TlsConnector::from(Arc::new(config))
}

async fn text_of(socket: &mut ClientSocket) -> String {
    loop {
        let message = tokio::time::timeout(PATIENCE, socket.next()).await.unwrap().unwrap().unwrap();
        if let Message::Text(text) = message {
            return text.as_str().to_owned();
        }
    }
}

impl FakeAgent {
    pub(crate) async fn say(&mut self, message: &AgentMessage) {
        self.link.send(message).unwrap();
        self.flush().await;
    }

    /// Sends a part of bytes that the caller made.
    pub(crate) async fn part(&mut self, header: PartHeader, bytes: bytes::Bytes) {
        self.link.open_stream(header, bytes).unwrap();
        self.flush().await;
    }

    async fn flush(&mut self) {
        while let Some(transmit) = self.link.poll_transmit() {
            let message = match transmit {
                Transmit::Text(text) => Message::text(text),
                Transmit::Binary(bytes) => Message::binary(bytes),
            };
            self.socket.send(message).await.unwrap();
        }
    }

    /// The next message of the relay. `Err`: how the link ended.
    pub(crate) async fn hear(&mut self) -> Result<RelayMessage, String> {
        loop {
            if let Some(message) = self.link.poll_event() {
                return Ok(message);
            }
            let now = self.started.elapsed();
            match tokio::time::timeout(PATIENCE, self.socket.next()).await.map_err(|_| "silence")? {
                Some(Ok(Message::Text(text))) => self.link.handle_text(text.as_str(), now).unwrap(),
                Some(Ok(Message::Close(frame))) => return Err(format!("{frame:?}")),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.to_string()),
                None => return Err("closed".to_owned()),
            }
            self.flush().await;
        }
    }

    /// Waits for `start_run`; gives the lease and the resume entries that came before.
    pub(crate) async fn started(&mut self) -> (Lease, Vec<Value>) {
        let mut entries = Vec::new();
        loop {
            match self.hear().await.unwrap() {
                RelayMessage::ResumeEntries { entries: more, .. } => entries.extend(more),
                RelayMessage::StartRun { lease, resume_entries, .. } => {
                    assert_eq!(u64::try_from(entries.len()), Ok(resume_entries));
                    return (lease, entries);
                }
                other => panic!("unexpected {other:?}"),
            }
        }
    }
}

/// A part of `issues` with these ids as rows, as the engine would make it.
pub(crate) fn issues_part(lease: Lease, sequence: u64, ids: &[i64]) -> (PartHeader, bytes::Bytes) {
    use arrow_array::{ArrayRef, Int64Array, RecordBatch};
    let column: ArrayRef = Arc::new(Int64Array::from(ids.to_vec()));
    let batch = RecordBatch::try_from_iter([("issue_id", column)]).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    let bytes = writer.into_inner().unwrap();
    let digest = crate::auth::sha256(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let header = PartHeader {
        run: "run_1".into(),
        lease,
        part: PartId::new(lease, sequence),
        table: "issues".to_owned(),
        generation: 0,
        rows: u64::try_from(ids.len()).unwrap(),
        bytes: u64::try_from(bytes.len()).unwrap(),
        digest,
    };
    (header, bytes.into())
}
