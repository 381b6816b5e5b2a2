//! Ten thousand generated instructions of a hostile relay over a real link, against a Jira on the loopback interface that writes down
//! every request and sends people elsewhere: nothing leaves the policy.

use crate::premises::Premises;
use protocol::control::{AgentMessage, RelayMessage};
use protocol::ids::{Lease, RequestId, RunId};
use protocol::seal::SealedSecret;
use protocol::site::SiteAddress;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tests::jira_sim::rng::Rng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const INSTRUCTIONS: u64 = 10_000;
/// Answers are waited for now and then, so that the runs that were admitted get their turn.
const AT_ONCE: u64 = 40;
/// A rule of every kind.
const POLICY: &str = r#"
[policy]
projects = ["OPEN"]
deny_tables = ["users", "issue_comments"]
accounts = ["reader"]
[limits]
max_parallel = 2
[[mask]]
columns = ["people"]
with = "sha256"
"#;

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

/// The permitted address, and secrets that fit it or do not.
struct Bait {
    site: String,
    sealed: Vec<Vec<SealedSecret>>,
}

impl Bait {
    fn new(premises: &Premises, address: &str) -> Self {
        let site = SiteAddress::parse(&format!("http://{address}/jira")).unwrap();
        let elsewhere = SiteAddress::parse("https://evil.invalid").unwrap();
        let seal = |site: &SiteAddress, username: &str| vec![premises.link.sealed("secret", site, username)];
        let sealed =
            vec![seal(&site, "reader"), seal(&site, "admin"), seal(&elsewhere, "reader"), Vec::new()];
        Self { site: site.to_string(), sealed }
    }
}

/// Mostly the honest value, so that hostile members meet otherwise honest instructions.
fn mostly(dice: &mut Rng, honest: Value, hostile: &[Value]) -> Value {
    if dice.one_in(3) { dice.pick(hostile).clone() } else { honest }
}

/// What it would have read.
fn extraction(dice: &mut Rng) -> Value {
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
        "tables": dice.pick(&tables).clone(), "projects": dice.pick(&projects).clone(),
        "load": mostly(dice, json!({"mode": "full"}), &[json!({"mode": "delta", "since_ms": 0}), json!({"mode": "delta", "since_ms": i64::MAX}), json!({"mode": "purge"})]),
        "created_from_ms": mostly(dice, Value::Null, &[json!(0), json!(i64::MIN), json!("now")]),
        "created_to_ms": mostly(dice, Value::Null, &[json!(1), json!(i64::MAX)]),
        "jql": mostly(dice, Value::Null, &conditions),
    })
}

/// One instruction as text, as it would come over the link.
fn instruction(dice: &mut Rng, bait: &Bait, trap: &str, number: u64) -> String {
    let texts = |texts: &[&str]| texts.iter().map(|text| json!(text)).collect::<Vec<_>>();
    let site = bait.site.as_str();
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
        "name": mostly(dice, json!("jira"), &texts(&["", "../../etc", "x\u{1b}[2J"])),
        "site": mostly(dice, json!(site), &sites),
        "username": mostly(dice, json!("reader"), &texts(&["admin", "", "reader:x", "reader\r\nX-Evil: 1"])),
        "credential": mostly(dice, json!("password"), &texts(&["api_token", "none"])),
        "sealed": dice.pick(&bait.sealed).clone(),
        "max_parallel": mostly(dice, json!(2), &[json!(0), json!(4_000_000_000_u32), json!(-1)]),
        "method": "DELETE", "headers": {"X-Evil": "1"},
    });
    let extraction = extraction(dice);
    let run = mostly(dice, json!(format!("run_{number}")), &texts(&["run_1", "../../x", ""]));
    let lease = mostly(dice, json!(1), &[json!(0), json!(u32::MAX), json!(-1)]);
    let message = match dice.below(9) {
        0 => json!({"type": "test_connection", "request": run, "connection": connection}),
        1 => json!({"type": "cancel_run", "run": run, "lease": lease}),
        2 => {
            json!({"type": "resume_entries", "run": run, "lease": lease, "entries": [{"kind": "plan", "version": 1, "started_ms": 0, "schema": [], "masks": ""}]})
        }
        3 => json!({"type": "run_closed", "run": run, "lease": lease}),
        _ => {
            json!({"type": "start_run", "run": run, "lease": lease, "connection": connection, "extraction": extraction, "resume_entries": dice.pick(&[0, 0, 0, 1]).clone()})
        }
    };
    message.to_string()
}

/// What the agent still owes an answer to.
#[derive(Default)]
struct Owed {
    runs: BTreeSet<RunId>,
    tests: BTreeSet<RequestId>,
    /// The newest lease of each run. A lease is used once: whether the same again is followed or passed over as stale, is open.
    leases: BTreeMap<RunId, Lease>,
}

impl Owed {
    fn note(&mut self, asked: RelayMessage) {
        match asked {
            RelayMessage::StartRun { run, lease, .. }
                if self.leases.get(&run).is_none_or(|known| *known < lease) =>
            {
                self.leases.insert(run.clone(), lease);
                self.runs.insert(run);
            }
            RelayMessage::TestConnection { request, .. } => drop(self.tests.insert(request)),
            _ => {}
        }
    }

    fn settle(&mut self, said: &AgentMessage) {
        match said {
            AgentMessage::RunFinished { run, .. } | AgentMessage::RunFailed { run, .. } => {
                self.runs.remove(run);
            }
            AgentMessage::TestResult { request, .. } => {
                self.tests.remove(request);
            }
            _ => {}
        }
    }

    fn is_settled(&self) -> bool {
        self.runs.is_empty() && self.tests.is_empty()
    }
}

/// Plays the rest of an honest relay until everything is answered.
async fn settle(premises: &mut Premises, owed: &mut Owed) {
    while !owed.is_settled() {
        let said = premises.link.expect(Some).await;
        owed.settle(&said);
        if let Some(answer) = honest_answer(said) {
            premises.link.send(&answer).await;
        }
    }
}

fn honest_answer(said: AgentMessage) -> Option<RelayMessage> {
    match said {
        AgentMessage::Checkpoint { run, lease, sequence, .. } => {
            Some(RelayMessage::CheckpointStored { run, lease, sequence })
        }
        AgentMessage::RunFinished { run, lease, .. } => Some(RelayMessage::RunClosed { run, lease }),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_instructions_cause_no_request_outside_the_policy() {
    let trap = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let trap_url = format!("http://{}", trap.local_addr().unwrap());
    let (address, seen) = jira(trap_url.clone()).await;
    let mut premises = Premises::configured(&format!("http://{address}/jira"), POLICY, &[]).await;
    let bait = Bait::new(&premises, &address);
    let (mut dice, mut owed) = (Rng::new(20_261_127, 0), Owed::default());
    let (mut number, mut understood) = (0, 0);
    while understood < INSTRUCTIONS {
        number += 1;
        let text = instruction(&mut dice, &bait, &trap_url, number);
        // What is no message at all ends the link, which is another test's matter.
        let Ok(message) = serde_json::from_str::<RelayMessage>(&text) else { continue };
        understood += 1;
        owed.note(message);
        premises.link.send_raw(&text).await;
        if understood % AT_ONCE == 0 {
            settle(&mut premises, &mut owed).await;
        }
    }
    settle(&mut premises, &mut owed).await;

    let seen = seen.lock().unwrap().clone();
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
