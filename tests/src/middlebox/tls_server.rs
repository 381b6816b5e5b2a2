//! A TLS listener: with one certificate as servers have it, or with one made for whatever name is asked for, as interceptors do.

use super::authority::{Authority, Validity};
use super::read_head;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{ConfigBuilder, ServerConfig, WantsVerifier};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Which certificate is shown.
#[derive(Clone, Copy, Debug)]
pub enum Certificates<'a> {
    /// One for these names, whatever is asked for.
    One(&'a [&'a str], Validity),
    /// As `One`, but of the kind that only clients may show.
    ForClients(&'a [&'a str]),
    /// A new one for the name that is asked for.
    OnDemand,
}

/// Changes or answers the head of a message.
pub type Head = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// Answers a request, given its head.
pub type Reply = Arc<dyn Fn(&str) -> Vec<u8> + Send + Sync>;

/// What is done with a connection once it is encrypted.
#[derive(Clone)]
pub enum Conduct {
    /// Each request is answered with what the function makes of its head; an empty answer closes without one. After an answer that
    /// says 101 the connection stays open in silence.
    Answer(Reply),
    /// Everything is passed on to the relay at `address`, whose authority is in the file, with both heads changed. A request whose
    /// changed head starts with `HTTP/` is not passed on: that head is the answer.
    PassOn {
        /// Where the relay listens.
        address: SocketAddr,
        /// Its authority.
        relay_ca: PathBuf,
        /// What becomes of the request's head.
        request: Head,
        /// What becomes of the answer's head.
        answer: Head,
    },
}

/// A listener of this kind; it ends when dropped.
pub struct TlsServer {
    /// Its address.
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl TlsServer {
    /// Starts listening on a free port of the loopback interface.
    pub async fn start(authority: Authority, certificates: Certificates<'_>, conduct: Conduct) -> Self {
        let resolver: Arc<dyn ResolvesServerCert> = match certificates {
            Certificates::One(names, validity) => Arc::new(One(authority.certify(names, validity))),
            Certificates::ForClients(names) => Arc::new(One(authority.certify_for_clients(names))),
            Certificates::OnDemand => Arc::new(OnDemand(authority)),
        };
        Self::listen(versions().with_no_client_auth().with_cert_resolver(resolver), conduct).await
    }

    /// The same with a certificate for the loopback address, and only clients with a certificate of the same authority are let in.
    pub async fn start_for_clients_of(authority: &Authority, conduct: Conduct) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let roots = Arc::new(authority.roots());
        let clients = WebPkiClientVerifier::builder_with_provider(roots, provider).build().expect("roots");
        let own = Arc::new(One(authority.certify(&["127.0.0.1"], Validity::Now)));
        Self::listen(versions().with_client_cert_verifier(clients).with_cert_resolver(own), conduct).await
    }

    async fn listen(config: ServerConfig, conduct: Conduct) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let task = tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (acceptor, conduct) = (acceptor.clone(), conduct.clone());
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(tcp).await {
                        // A peer that hangs up in the middle is what these tests are about.
                        drop(serve(stream, &conduct).await);
                    }
                });
            }
        });
        Self { address, task }
    }

    /// Its address as a relay's.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }
}

fn versions() -> ConfigBuilder<ServerConfig, WantsVerifier> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions")
}

async fn serve(mut stream: TlsStream<TcpStream>, conduct: &Conduct) -> std::io::Result<()> {
    let Some(head) = read_head(&mut stream).await else { return Ok(()) };
    match conduct {
        Conduct::Answer(answer) => {
            let answer = answer(&head);
            stream.write_all(&answer).await?;
            if answer.starts_with(b"HTTP/1.1 101") {
                stream.flush().await?;
                // Until the other side hangs up.
                while stream.read_u8().await.is_ok() {}
            }
            stream.shutdown().await
        }
        Conduct::PassOn { address, relay_ca, request, answer } => {
            let head = request(&head);
            if head.starts_with("HTTP/") {
                stream.write_all(head.as_bytes()).await?;
                return stream.shutdown().await;
            }
            let mut relay = connect(*address, relay_ca).await?;
            relay.write_all(head.as_bytes()).await?;
            // The body of the request goes on while the answer is awaited: only its head was held.
            let (mut from_relay, mut to_relay) = tokio::io::split(relay);
            let (mut from_agent, mut to_agent) = tokio::io::split(stream);
            let upwards = async {
                let copied = tokio::io::copy(&mut from_agent, &mut to_relay).await;
                copied.and(to_relay.shutdown().await)
            };
            let downwards = async {
                if let Some(head) = read_head(&mut from_relay).await {
                    to_agent.write_all(answer(&head).as_bytes()).await?;
                }
                tokio::io::copy(&mut from_relay, &mut to_agent).await?;
                to_agent.shutdown().await
            };
            tokio::select! {
                ended = downwards => ended,
                ended = async { upwards.await?; std::future::pending().await } => ended,
            }
        }
    }
}

async fn connect(
    address: SocketAddr,
    relay_ca: &std::path::Path,
) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(relay_ca).expect("the relay's authority")).expect("an authority");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::from(address.ip());
    TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect(address).await?).await
}

struct One(Arc<CertifiedKey>);

impl fmt::Debug for One {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("One")
    }
}

impl ResolvesServerCert for One {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

struct OnDemand(Authority);

impl fmt::Debug for OnDemand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnDemand")
    }
}

impl ResolvesServerCert for OnDemand {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // Without a name it is an address that was dialled: the one that this listens on.
        Some(self.0.certify(&[hello.server_name().unwrap_or("127.0.0.1")], Validity::Now))
    }
}
