//! Start, serve, stop: the story of a relay process.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what a user sees at start and on failure is printed here"
)]

use crate::auth::{self, AdminKey};
use crate::cli::{Cli, Command, ConfigCommand, Run, Settings};
use crate::config::{Config, ConfigError};
use crate::direct::{Direct, DirectKeys};
use crate::error::RelayError;
use crate::lake::Lake;
use crate::node::{Node, Shared};
use crate::run::schedule;
use crate::store::Store;
use crate::{allocator, logs, private_file, server, tls};
use std::fs::File;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// How long the end waits for requests, sessions and commits.
const STOP_WAIT: Duration = Duration::from_secs(10);

/// Handshakes under way at once: a whole fleet that comes back after a restart passes in waves of this size.
const GREETINGS_MAX: usize = 256;

/// Runs a command to its end.
pub fn main(cli: Cli) -> ExitCode {
    let done = match cli.command {
        Command::Run(run) => serve(&run),
        Command::Config { command: ConfigCommand::Check(settings) } => check(&settings),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("uplink-relay: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn load(settings: &Settings) -> Result<Config, RelayError> {
    Ok(Config::load(settings.config.as_deref(), &settings.overrides(), None)?)
}

fn check(settings: &Settings) -> Result<(), RelayError> {
    let config = load(settings)?;
    println!("the configuration is good");
    println!("  data    {}", config.data.display());
    println!("  listen  {}", config.listen);
    println!("  names   {}", tls::names(config.listen.ip(), &config.names).join(", "));
    Ok(())
}

fn serve(run: &Run) -> Result<(), RelayError> {
    allocator::share_one_arena();
    let config = load(&run.settings)?;
    logs::start(&config.log).map_err(|why| ConfigError::Value {
        key: "log.filter".to_owned(),
        why,
        hint: String::new(),
    })?;
    no_core_dumps();
    // One provider for everything; a second call in one process changes nothing.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider was installed before");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run_relay(config, run.json))
}

async fn run_relay(config: Config, json: bool) -> Result<(), RelayError> {
    let signals = Signals::new()?;
    let relay = Relay::open(&config).await?;
    relay.announce(json);
    let (node, listener, identity, _lock) = relay.into_parts();
    schedule::recover(&node).await?;
    node.tasks.spawn(schedule::run(node.clone()));
    let serving =
        node.tasks.spawn(server::serve(node.clone(), listener, identity.acceptor, config.limits.sockets));
    signals.wait().await;
    tracing::info!("stopping");
    node.stop.cancel();
    node.tasks.close();
    if tokio::time::timeout(STOP_WAIT, node.tasks.wait()).await.is_err() {
        tracing::warn!(
            tasks = node.tasks.len(),
            "stopping with work under way; the next start goes on with it"
        );
    }
    serving.abort();
    node.store.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// A relay that is ready to serve.
pub(crate) struct Relay {
    node: Shared,
    listener: TcpListener,
    identity: tls::Identity,
    data: PathBuf,
    address: SocketAddr,
    /// Held as long as the relay lives; the system gives it back whatever ends the process.
    lock: File,
}

impl Relay {
    /// Opens the data folder and the port.
    pub(crate) async fn open(config: &Config) -> Result<Self, RelayError> {
        let data = config.data.clone();
        private_file::create_folder(&data)
            .map_err(|source| RelayError::Data { path: data.clone(), source })?;
        let lock = lock(&data)?;
        let names = tls::names(config.listen.ip(), &config.names);
        let identity = tls::identity(&data, &config.tls, &names)?;
        let key_file = data.join("admin.key");
        let admin = AdminKey::load_or_create(&key_file)
            .map_err(|source| RelayError::Data { path: key_file, source })?;
        let direct_file = data.join("direct.key");
        let direct_keys = DirectKeys::load_or_create(&direct_file)
            .map_err(|source| RelayError::Data { path: direct_file, source })?;
        let database = data.join("relay.db");
        if !database.exists() {
            // SQLite gives its other files the mode of the first one.
            private_file::write(&database, b"")
                .map_err(|source| RelayError::Data { path: database.clone(), source })?;
        }
        let store = Store::open(&database).await?;
        let fresh = auth::random_text()?;
        let relay_id = store.setting("relay_id", || fresh).await?;
        let lake = Lake::open(&data.join("lake"))?;
        let listener = TcpListener::bind(config.listen)
            .await
            .map_err(|source| RelayError::Listen { address: config.listen, source })?;
        let address = listener.local_addr()?;
        let node = Arc::new(Node {
            store,
            lake,
            uplinks: Default::default(),
            landed: Default::default(),
            board: Default::default(),
            direct: Direct::new(direct_keys, config.limits.direct_runs),
            admin,
            relay_id,
            names,
            runs_per_agent: config.limits.runs_per_agent,
            heartbeat: Duration::from_millis(config.link.heartbeat_ms),
            wake: Default::default(),
            greetings: Arc::new(Semaphore::new(GREETINGS_MAX)),
            sweeping: Default::default(),
            tasks: Default::default(),
            stop: Default::default(),
        });
        Ok(Self { node, listener, identity, data, address, lock })
    }

    /// What serving takes; the file is the lock of the folder.
    pub(crate) fn into_parts(self) -> (Shared, TcpListener, tls::Identity, File) {
        (self.node, self.listener, self.identity, self.lock)
    }

    /// Where people reach it.
    pub(crate) fn url(&self) -> String {
        let host = match self.address.ip() {
            ip if ip.is_unspecified() => self.node.names.first().cloned().unwrap_or_default(),
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        format!("https://{host}:{}", self.address.port())
    }

    fn announce(&self, json: bool) {
        let (url, data) = (self.url(), absolute(&self.data));
        let key_file = data.join("admin.key");
        let ca = self.identity.authority.as_deref().map(absolute);
        if json {
            println!("{}", serde_json::json!({ "url": url, "data": data, "ca": ca, "key_file": key_file }));
            return;
        }
        println!("uplink-relay listening on {url}");
        println!("  data               {}", data.display());
        println!("  administrator key  {}", key_file.display());
        if let Some(ca) = &ca {
            println!("  authority          {}", ca.display());
        }
        println!("To talk to it from another shell:");
        println!("  export UPLINK_RELAY={url}");
        match &ca {
            Some(ca) => {
                println!("  export UPLINK_KEY_FILE={} UPLINK_CA={}", key_file.display(), ca.display())
            }
            None => println!("  export UPLINK_KEY_FILE={}", key_file.display()),
        }
    }
}

fn absolute(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// A core would hold keys and what users sent by mistake.
#[cfg(unix)]
fn no_core_dumps() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    if let Err(error) = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }) {
        tracing::warn!(%error, "cannot switch core dumps off");
    }
}

#[cfg(not(unix))]
fn no_core_dumps() {}

/// Two relays in one folder would each drive the other's runs.
fn lock(data: &Path) -> Result<File, RelayError> {
    let path = data.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|source| RelayError::Data { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(RelayError::DataInUse(data.to_owned())),
        Err(std::fs::TryLockError::Error(source)) => Err(RelayError::Data { path, source }),
    }
}

/// What ends the relay politely.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> Result<Self, RelayError> {
        Ok(Self {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?,
        })
    }

    #[cfg(unix)]
    async fn wait(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    }

    #[cfg(not(unix))]
    async fn wait(self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
