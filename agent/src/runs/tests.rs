use super::*;
use crate::audit;
use crate::config;
use crate::identity::tests::identity;
use crate::paths::{ConfigFile, Paths};
use crate::policy::PermittedSite;
use crate::status::Who;
use protocol::seal::{SealContext, seal};
use protocol::site::SiteAddress;
use protocol::spec::{CredentialKind, Load};

const PERMITTED: &str = "https://jira.invalid/jira";

struct Bench {
    runs: Runs,
    said: mpsc::Receiver<FromRun>,
    sealed: Vec<protocol::seal::SealedSecret>,
    writer: audit::Writer,
    paths: Paths,
    _place: tempfile::TempDir,
}

/// Runs of an agent that may read one address where nobody answers.
fn bench() -> Bench {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let defaults = config::load(&ConfigFile::Standard("/nonexistent/agent.toml".into())).unwrap();
    let (identity, site) = (identity(), SiteAddress::parse(PERMITTED).unwrap());
    let own = identity.seeds.fingerprint().unwrap();
    let context = SealContext { agent: &own, site: &site, username: "reader" };
    let sealed = vec![seal("secret", &identity.seeds.sealing_key().public(), context, &[1; 32]).unwrap()];
    let sites =
        vec![PermittedSite { address: site, ca_pem: None, way: jira::Way::default(), accounts: Vec::new() }];
    let text = String::new;
    let who = Who {
        agent_id: text(),
        name: text(),
        uplink: text(),
        relay: text(),
        fingerprint: text(),
        permitted: Vec::new(),
    };
    let place = tempfile::tempdir().unwrap();
    let paths = crate::identity::tests::paths_in(place.path());
    let (audit, writer) = audit::start(&paths, &defaults.audit, Box::new(|_| {})).unwrap();
    let policy = Policy::new(sites, defaults.limits.clone(), defaults.requests);
    let premises = Premises {
        health: Health::new(&policy, &defaults.health),
        policy,
        opener: Opener::new(&identity.seeds).unwrap(),
        limits: defaults.limits,
        board: Board::new(who),
        standing: watch::Sender::new(Standing::default()).subscribe(),
        audit: audit.clone(),
        volume: Volume::load(None, &paths, chrono::NaiveDate::default()),
        journal: Journal::new(&paths),
        breaker: Breaker::new(&paths),
        signer: CurrentSigner::new(&identity).unwrap(),
        tickets: crate::tickets::tests::none(),
        paths: crate::identity::tests::paths_in(std::path::Path::new("/nonexistent")),
        rotation: Rotation::default(),
    };
    let (runs, said) = Runs::new(Arc::new(premises));
    Bench { runs, said, sealed, writer, paths, _place: place }
}

impl Bench {
    fn connection(&self, site: &str) -> ConnectionSpec {
        ConnectionSpec {
            name: "jira".to_owned(),
            site: SiteAddress::parse(site).unwrap(),
            username: "reader".to_owned(),
            credential: CredentialKind::Password,
            sealed: self.sealed.clone(),
            max_parallel: 2,
        }
    }

    fn start(&self, site: &str, lease: u32) -> RelayMessage {
        let extraction = ExtractionSpec::all(Load::Full);
        let connection = self.connection(site);
        RelayMessage::StartRun {
            run: RunId::from("run_1"),
            lease: Lease(lease),
            connection,
            extraction,
            resume_entries: 0,
        }
    }

    /// The first failure that a run tells.
    async fn failure(&mut self) -> Failure {
        loop {
            match self.said.recv().await.unwrap() {
                FromRun::Message(AgentMessage::RunFailed { failure, .. }) => return failure,
                FromRun::Message(_) => {}
                FromRun::Part(header, _) => panic!("a part came from nowhere: {header:?}"),
            }
        }
    }

    async fn ended(&mut self) {
        std::future::poll_fn(|context| self.runs.poll_ended(context)).await;
    }
}

impl Bench {
    /// The bodies of the audit log, after its end.
    async fn recorded(self) -> Vec<serde_json::Value> {
        let Self { runs, said, writer, paths, _place, .. } = self;
        drop((runs, said));
        writer.finish().await;
        let mut bodies = Vec::new();
        let findings =
            audit::verify(&paths, None, &mut |_, body| bodies.push(serde_json::from_str(body).unwrap()));
        assert_eq!(findings.unwrap().broken, None);
        bodies
    }
}

fn code(answer: Option<AgentMessage>) -> String {
    match answer {
        Some(AgentMessage::RunFailed { failure, .. }) => failure.code,
        other => panic!("no refusal: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_at_an_address_that_is_not_permitted_is_refused_before_anything_starts() {
    let mut bench = bench();
    let start = bench.start("https://evil.invalid/jira", 1);
    assert_eq!(code(bench.runs.handle(start)), "site_not_permitted");
    assert_eq!(bench.runs.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_test_at_an_address_that_is_not_permitted_is_refused() {
    let mut bench = bench();
    let question = RelayMessage::TestConnection {
        request: RequestId::from("r"),
        connection: bench.connection("http://169.254.169.254"),
    };
    let Some(AgentMessage::TestResult { report: TestReport::Failed { failure }, .. }) =
        bench.runs.handle(question)
    else {
        panic!("no refusal")
    };
    assert_eq!(failure.code, "site_not_permitted");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_jira_fails_the_run_with_its_name_and_frees_its_place() {
    let mut bench = bench();
    let start = bench.start(PERMITTED, 1);
    assert!(bench.runs.handle(start).is_none());
    assert_eq!(bench.runs.count(), 1);
    let failure = bench.failure().await;
    assert_eq!(failure.code, "unreachable");
    assert!(failure.message.contains("jira.invalid"), "{}", failure.message);
    bench.ended().await;
    assert_eq!(bench.runs.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_says_so_also_when_it_is_unknown() {
    let mut bench = bench();
    let start = bench.start(PERMITTED, 1);
    bench.runs.handle(start);
    bench.runs.handle(RelayMessage::CancelRun { run: RunId::from("run_1"), lease: Lease(1) });
    assert_eq!(bench.failure().await.code, "cancelled");
    let unknown = RelayMessage::CancelRun { run: RunId::from("run_9"), lease: Lease(1) };
    assert_eq!(code(bench.runs.handle(unknown)), "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_lease_has_no_effect_on_a_newer_one() {
    let mut bench = bench();
    let (first, second) = (bench.start(PERMITTED, 2), bench.start(PERMITTED, 1));
    assert!(bench.runs.handle(first).is_none());
    assert!(bench.runs.handle(second).is_none());
    assert!(
        bench.runs.handle(RelayMessage::CancelRun { run: RunId::from("run_1"), lease: Lease(1) }).is_none()
    );
    assert!(!bench.runs.is_superseded(&RunId::from("run_1"), Lease(2)));
    assert!(bench.runs.is_superseded(&RunId::from("run_1"), Lease(3)));
    assert_eq!(bench.runs.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_checkpoints_did_not_all_arrive_is_refused() {
    let mut bench = bench();
    let RelayMessage::StartRun { run, lease, connection, extraction, .. } = bench.start(PERMITTED, 1) else {
        unreachable!()
    };
    let start = RelayMessage::StartRun { run, lease, connection, extraction, resume_entries: 3 };
    assert_eq!(code(bench.runs.handle(start)), "resume_incomplete");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_for_other_agents_refuses_the_run() {
    let mut bench = bench();
    bench.sealed.clear();
    let start = bench.start(PERMITTED, 1);
    assert_eq!(code(bench.runs.handle(start)), "secret_missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_hands_out_too_much_gets_it_back() {
    let mut bench = bench();
    // An account that has logged in before: the breaker holds none of its runs up.
    let connection = bench.connection(PERMITTED);
    let premises = Arc::clone(&bench.runs.premises);
    let site = premises.policy.admit(&connection).unwrap();
    bench.runs.open("before", site, &connection).unwrap().1.accepted();
    let mut refused = 0;
    for n in 0..MAX_HELD + 3 {
        let RelayMessage::StartRun { lease, connection, extraction, resume_entries, .. } =
            bench.start(PERMITTED, 1)
        else {
            unreachable!()
        };
        let start = RelayMessage::StartRun {
            run: RunId(format!("run_{n}")),
            lease,
            connection,
            extraction,
            resume_entries,
        };
        refused += usize::from(bench.runs.handle(start).is_some());
    }
    assert_eq!(refused, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_instruction_is_in_the_audit_log_with_its_answer() {
    let mut bench = bench();
    let (evil, good) = (bench.start("https://evil.invalid/jira", 1), bench.start(PERMITTED, 2));
    bench.runs.handle(evil);
    bench.runs.handle(good);
    assert_eq!(bench.failure().await.code, "unreachable");
    bench.ended().await;
    bench.runs.handle(RelayMessage::CancelRun { run: RunId::from("run_9"), lease: Lease(1) });
    let away = RelayMessage::GoAway { retry_after_ms: 5, reason: "a\nb".to_owned() };
    bench.runs.handle(away);
    bench.runs.handle(RelayMessage::RunClosed { run: RunId::from("run_9"), lease: Lease(1) });
    let recorded = bench.recorded().await;
    let told: Vec<_> = recorded
        .iter()
        .filter(|line| line["event"] == "instruction")
        .map(|line| {
            (
                line["instruction"].as_str().unwrap(),
                line["accepted"].as_bool().unwrap(),
                line["code"].as_str(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("start_run", false, Some("site_not_permitted")),
            ("start_run", true, None),
            ("cancel_run", true, None),
            ("go_away", true, None)
        ]
    );
    assert_eq!(recorded[1]["site"], "https://evil.invalid/jira");
    let request = recorded.iter().find(|line| line["event"] == "jira_request").unwrap();
    assert_eq!((request["about"].as_str(), request["error"].as_str()), (Some("run_1"), Some("unreachable")));
    let ended: Vec<_> = recorded.iter().filter(|line| line["event"] == "run_ended").collect();
    assert_eq!((ended.len(), ended[0]["code"].as_str()), (1, Some("unreachable")));
}

#[tokio::test(flavor = "multi_thread")]
async fn instructions_without_end_are_judged_and_what_is_refused_of_them_is_counted() {
    let mut bench = bench();
    let mut written = bench.runs.premises.audit.state();
    // More than have lines of their own.
    for number in 0..2_500_u64 {
        let evil = bench.start("https://evil.invalid/jira", 1);
        bench.runs.hear(&evil);
        let Some(AgentMessage::RunFailed { failure, .. }) = bench.runs.handle(evil) else {
            panic!("an instruction was not answered")
        };
        assert_eq!(failure.code, "site_not_permitted");
        if number % 500 == 0 {
            // The queue to the writer is shorter than that.
            written.wait_for(|state| state.head.seq >= number.min(2_000)).await.unwrap();
        }
    }
    let good = bench.start(PERMITTED, 2);
    assert!(!bench.runs.hear(&good));
    assert!(bench.runs.handle(good).is_none(), "a permitted run was refused for what was refused before");
    assert_eq!(bench.failure().await.code, "unreachable");
    bench.ended().await;
    while bench.runs.premises.audit.may_begin() {}
    let good = bench.start(PERMITTED, 3);
    let Some(AgentMessage::RunFailed { failure, .. }) = bench.runs.handle(good) else {
        panic!("a run was begun that has no line in the audit log")
    };
    assert_eq!((failure.code.as_str(), bench.runs.count()), ("agent_busy", 0));
    bench.runs.note_unknown("x\nchosen by the relay");
    bench.runs.premises.audit.note_counted();
    let recorded = bench.recorded().await;
    let lines = recorded.iter().filter(|line| line["event"] == "instruction").count();
    assert!((2_001..2_010).contains(&lines), "{lines} lines");
    let counted = recorded.iter().find(|line| line["event"] == "instructions_counted").unwrap();
    let all = usize::try_from(counted["times"].as_u64().unwrap()).unwrap();
    assert_eq!(lines + all, 2_503, "some are neither recorded nor counted: {counted:#}");
    let kinds: Vec<_> =
        counted["kinds"].as_array().unwrap().iter().map(|kind| kind["code"].as_str()).collect();
    assert_eq!(kinds, [Some("site_not_permitted"), Some("agent_busy"), Some("unknown_message")]);
    assert!(!counted.to_string().contains("chosen"), "{counted:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_done_that_cannot_be_recorded() {
    let mut bench = bench();
    let (other, writer) = {
        let place = tempfile::tempdir().unwrap();
        let paths = crate::identity::tests::paths_in(place.path());
        let limits = config::load(&ConfigFile::Standard("/nonexistent/agent.toml".into())).unwrap().audit;
        audit::start(&paths, &limits, Box::new(|_| {})).unwrap()
    };
    writer.finish().await;
    // A log that takes no more lines, as behind a full disk.
    Arc::get_mut(&mut bench.runs.premises).unwrap().audit = other;
    let start = bench.start(PERMITTED, 1);
    assert_eq!(code(bench.runs.handle(start)), "audit_unwritable");
    let question = RelayMessage::TestConnection {
        request: RequestId::from("r"),
        connection: bench.connection(PERMITTED),
    };
    let Some(AgentMessage::TestResult { report: TestReport::Failed { failure }, .. }) =
        bench.runs.handle(question)
    else {
        panic!("no refusal")
    };
    assert_eq!((failure.code.as_str(), bench.runs.count()), ("audit_unwritable", 0));
}
