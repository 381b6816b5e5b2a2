//! Ten thousand generated instructions of a hostile relay, handled as they come over the link, against a Jira on the loopback interface
//! that writes down every request and sends people elsewhere: nothing leaves the policy.

use super::*;
use crate::config;
use crate::identity::tests::{identity, paths_in};
use crate::paths::{ConfigFile, Paths};
use crate::policy::{PermittedSite, Rules};
use crate::status::Who;
use protocol::ids::StreamId;
use protocol::seal::{SealContext, SealedSecret, seal};
use protocol::site::SiteAddress;
use serde_json::{Value, json};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const INSTRUCTIONS: u64 = 10_000;
/// Runs are ended now and then, so that those that were admitted get their turn.
const AT_ONCE: u64 = 40;
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(120);

/// A small generator, so that a seed gives the same instructions for ever.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(most).unwrap()).unwrap()
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    /// Mostly the honest value, so that hostile members meet otherwise honest instructions.
    fn mostly(&mut self, honest: Value, hostile: &[Value]) -> Value {
        if self.below(3) > 0 { honest } else { self.pick(hostile) }
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
struct Request {
    method: String,
    target: String,
    host: String,
    body: String,
}

/// A Jira that writes requests down; every seventh answer is a redirect to `elsewhere`.
async fn jira(elsewhere: String) -> (String, Arc<Mutex<Vec<Request>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (kept, count) = (Arc::clone(&seen), Arc::new(AtomicU64::new(0)));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&kept), Arc::clone(&count), elsewhere.clone()));
        }
    });
    (address, seen)
}

async fn serve(
    mut stream: TcpStream,
    seen: Arc<Mutex<Vec<Request>>>,
    count: Arc<AtomicU64>,
    elsewhere: String,
) {
    let mut bytes = Vec::new();
    loop {
        let Some(request) = read_request(&mut stream, &mut bytes).await else { return };
        let answer = if count.fetch_add(1, Ordering::Relaxed) % 7 == 6 {
            format!(
                "HTTP/1.1 307 Temporary Redirect\r\nlocation: {elsewhere}{}\r\ncontent-length: 0\r\n\r\n",
                request.target
            )
        } else {
            let body = answer_to(&request.target);
            format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-ausername: reader\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
        };
        seen.lock().unwrap().push(request);
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read_request(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<Request> {
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        let mut more = [0; 4096];
        let read = stream.read(&mut more).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&more[..read]);
    };
    let head = String::from_utf8(bytes.drain(..end).collect()).ok()?;
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
    };
    let length: usize = header("content-length").and_then(|text| text.parse().ok()).unwrap_or_default();
    while bytes.len() < length {
        let mut more = [0; 4096];
        let read = stream.read(&mut more).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&more[..read]);
    }
    let body = String::from_utf8(bytes.drain(..length).collect()).ok()?;
    let mut words = head.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    Some(Request { method, target, host: header("host").unwrap_or_default(), body })
}

fn answer_to(target: &str) -> String {
    let path = target.split('?').next().unwrap_or_default().trim_start_matches("/jira/rest/api/2/");
    let answer = match path {
        "serverInfo" => {
            json!({"version": "9.12.0", "versionNumbers": [9, 12, 0], "deploymentType": "Server", "serverTime": "2026-01-01T00:00:00.000+0000"})
        }
        "myself" => json!({"name": "reader", "key": "reader", "displayName": "Reader", "timeZone": "UTC"}),
        "project" => {
            json!([{"id": "1", "key": "OPEN"}, {"id": "2", "key": "SECRET"}, {"id": "3", "key": "OTHER"}])
        }
        "search" => json!({"startAt": 0, "maxResults": 100, "total": 0, "issues": []}),
        _ => json!([]),
    };
    answer.to_string()
}

/// Runs under a policy with a rule of every kind, and what is needed to play the relay.
struct Hostile {
    runs: Runs,
    said: mpsc::Receiver<FromRun>,
    site: String,
    sealed: Vec<Vec<SealedSecret>>,
    _place: tempfile::TempDir,
}

fn hostile(address: &str) -> Hostile {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("agent.toml");
    let text = "[policy]\nprojects = [\"OPEN\"]\ndeny_tables = [\"users\", \"issue_comments\"]\naccounts = [\"reader\"]\n\
                [limits]\nmax_parallel = 2\n[[mask]]\ncolumns = [\"people\"]\nwith = \"sha256\"\n";
    std::fs::write(&file, text).unwrap();
    let paths = Paths { config: ConfigFile::Named(file), ..paths_in(place.path()) };
    let config = config::load(&paths.config).unwrap();
    let site = SiteAddress::parse(&format!("http://{address}/jira")).unwrap();
    let identity = identity();
    let own = identity.seeds.fingerprint().unwrap();
    let seal_for = |site: &SiteAddress, username: &str| {
        let context = SealContext { agent: &own, site, username };
        vec![seal("secret", &identity.seeds.sealing_key().public(), context, &[1; 32]).unwrap()]
    };
    let elsewhere = SiteAddress::parse("https://evil.invalid").unwrap();
    let sealed =
        vec![seal_for(&site, "reader"), seal_for(&site, "admin"), seal_for(&elsewhere, "reader"), Vec::new()];
    let sites = vec![PermittedSite {
        address: site.clone(),
        ca_pem: None,
        way: Default::default(),
        accounts: Vec::new(),
    }];
    let text = String::new;
    let who = Who {
        agent_id: text(),
        name: text(),
        uplink: text(),
        relay: text(),
        fingerprint: text(),
        permitted: Vec::new(),
    };
    let policy = Policy::new(sites, config.limits.clone(), config.requests.clone())
        .under(Rules::load(&config, &paths).unwrap());
    let premises = Premises {
        health: Health::new(&policy, &config.health),
        policy,
        audit: Audit::forgetful(),
        signer: CurrentSigner::new(&identity).unwrap(),
        tickets: crate::tickets::tests::none(),
        paths: paths_in(std::path::Path::new("/nonexistent")),
        rotation: Rotation::default(),
        opener: Opener::new(&identity.seeds).unwrap(),
        limits: config.limits,
        board: Board::new(who),
        standing: watch::Sender::new(Standing::default()).subscribe(),
        volume: Volume::load(None, &paths, chrono::NaiveDate::default()),
        journal: Journal::new(&paths),
        breaker: Breaker::new(&paths),
    };
    let (runs, said) = Runs::new(Arc::new(premises));
    Hostile { runs, said, site: site.to_string(), sealed, _place: place }
}

/// What it would have read.
fn extraction(dice: &mut Dice) -> Value {
    let texts = |texts: &[&str]| texts.iter().map(|text| json!(text)).collect::<Vec<_>>();
    let tables = [
        json!([]),
        json!(["issues"]),
        json!(["users"]),
        json!(["issues", "users"]),
        json!(["issue_comments"]),
        json!(["projects", "issue_links"]),
        json!(["../admin"]),
        json!("issues"),
    ];
    let projects = [
        json!([]),
        json!(["OPEN"]),
        json!(["SECRET"]),
        json!(["OPEN", "SECRET"]),
        json!(["OTHER"]),
        json!(["OPEN\") OR project in (\"SECRET"]),
        json!(["open"]),
    ];
    let conditions = texts(&[
        "project = SECRET",
        "1=1) OR (project = SECRET",
        "assignee = bob",
        "project = SECRET ORDER BY key",
        "\"",
        "",
    ]);
    json!({
        "tables": dice.pick(&tables), "projects": dice.pick(&projects),
        "load": dice.mostly(json!({"mode": "full"}), &[json!({"mode": "delta", "since_ms": 0}), json!({"mode": "delta", "since_ms": i64::MAX}), json!({"mode": "purge"})]),
        "created_from_ms": dice.mostly(Value::Null, &[json!(0), json!(i64::MIN), json!("now")]),
        "created_to_ms": dice.mostly(Value::Null, &[json!(1), json!(i64::MAX)]),
        "jql": dice.mostly(Value::Null, &conditions),
    })
}

/// One instruction as text, as it would come over the link.
fn instruction(dice: &mut Dice, hostile: &Hostile, trap: &str, number: u64) -> String {
    let texts = |texts: &[&str]| texts.iter().map(|text| json!(text)).collect::<Vec<_>>();
    let site = hostile.site.as_str();
    let sites = texts(&[
        trap,
        "https://evil.invalid",
        "http://169.254.169.254",
        &site.replace("/jira", ""),
        &site.replace("/jira", "/jira/rest"),
        &site.replace("127.0.0.1", "localhost"),
        &site.replace("http:", "https:"),
        &site.replace("http://", "http://reader@"),
        &format!("{site}/../admin"),
        &format!("{site}?x="),
        &format!("{site}#"),
        "file:///etc/passwd",
        "",
    ]);
    let connection = json!({
        "name": dice.mostly(json!("jira"), &texts(&["", "../../etc", "x\u{1b}[2J"])),
        "site": dice.mostly(json!(site), &sites),
        "username": dice.mostly(json!("reader"), &texts(&["admin", "", "reader:x", "reader\r\nX-Evil: 1"])),
        "credential": dice.mostly(json!("password"), &texts(&["api_token", "none"])),
        "sealed": dice.pick(&hostile.sealed),
        "max_parallel": dice.mostly(json!(2), &[json!(0), json!(4_000_000_000_u32), json!(-1)]),
        "method": "DELETE", "headers": {"X-Evil": "1"},
    });
    let extraction = extraction(dice);
    let run = dice.mostly(json!(format!("run_{number}")), &texts(&["run_1", "../../x", ""]));
    let lease = dice.mostly(json!(1), &[json!(0), json!(u32::MAX), json!(-1)]);
    let message = match dice.below(10) {
        0 => json!({"type": "test_connection", "request": run, "connection": connection}),
        1 => json!({"type": "cancel_run", "run": run, "lease": lease}),
        2 => {
            json!({"type": "resume_entries", "run": run, "lease": lease, "entries": [{"kind": "plan", "version": 1, "started_ms": 0, "schema": [], "masks": ""}]})
        }
        3 => json!({"type": "run_closed", "run": run, "lease": lease}),
        4 => {
            json!({"type": dice.pick(&["http_request", "exec", "config", "start"]), "url": trap, "method": "PUT"})
        }
        _ => {
            json!({"type": "start_run", "run": run, "lease": lease, "connection": connection, "extraction": extraction, "resume_entries": dice.pick(&[0, 0, 0, 1])})
        }
    };
    message.to_string()
}

/// Plays the rest of an honest relay until every task has ended.
async fn drain(hostile: &mut Hostile) {
    let Hostile { runs, said, .. } = hostile;
    let emptied = async {
        while !runs.tasks.is_empty() {
            tokio::select! {
                said = said.recv() => {
                    if let Some(word) = said.and_then(acknowledged) {
                        drop(runs.handle(word));
                    }
                }
                _ended = std::future::poll_fn(|context| runs.poll_ended(context)) => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, emptied).await.expect("the runs end");
}

fn acknowledged(said: FromRun) -> Option<RelayMessage> {
    match said {
        FromRun::Part(header, _) => {
            Some(RelayMessage::PartLanded { stream: StreamId(0), run: header.run, part: header.part })
        }
        FromRun::Message(AgentMessage::Checkpoint { run, lease, sequence, .. }) => {
            Some(RelayMessage::CheckpointStored { run, lease, sequence })
        }
        FromRun::Message(AgentMessage::RunFinished { run, lease, .. }) => {
            Some(RelayMessage::RunClosed { run, lease })
        }
        FromRun::Message(_) => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_instructions_cause_no_request_outside_the_policy() {
    let trap = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let trap_url = format!("http://{}", trap.local_addr().unwrap());
    let (address, seen) = jira(trap_url.clone()).await;
    let mut hostile = hostile(&address);
    let mut dice = Dice(20_261_127);
    let mut understood = 0;
    for number in 0..INSTRUCTIONS {
        let text = instruction(&mut dice, &hostile, &trap_url, number);
        if let Ok(message) = serde_json::from_str::<RelayMessage>(&text) {
            understood += 1;
            drop(hostile.runs.handle(message));
        }
        if number % AT_ONCE == AT_ONCE - 1 {
            drain(&mut hostile).await;
        }
    }
    drain(&mut hostile).await;

    let seen = seen.lock().unwrap().clone();
    assert!(understood > 3000, "only {understood} instructions were understood at all");
    let searches = seen.iter().filter(|request| request.method == "POST").count();
    assert!(
        searches > 40,
        "too few instructions were followed to show anything: {} requests, {searches} searches",
        seen.len()
    );
    for request in &seen {
        let path = request.target.strip_prefix("/jira").unwrap_or("outside the context path");
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        assert!(jira::permits(&request.method, path, query), "no read of the closed list: {request:?}");
        assert_eq!(request.host, address, "another host was asked for: {request:?}");
        assert!(
            !path.contains("user/search") && !path.contains("comment"),
            "a denied table was read: {request:?}"
        );
        assert!(!request.body.contains("SECRET") && !request.body.contains("OTHER"), "{request:?}");
        if request.method == "POST" {
            assert!(
                request.body.contains(r#"project in (\"OPEN\")"#)
                    || request.body.contains(r#"project in (\"open\")"#),
                "a search of every project: {request:?}"
            );
        }
    }
    let knocked = trap.into_std().unwrap().accept();
    assert!(knocked.is_err(), "a redirect was followed, or an address that is not permitted was dialled");
}
