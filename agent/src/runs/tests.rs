use super::*;
use crate::config;
use crate::identity::tests::identity;
use crate::paths::ConfigFile;
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
}

/// Runs of an agent that may read one address where nobody answers.
fn bench() -> Bench {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let defaults = config::load(&ConfigFile::Standard("/nonexistent/agent.toml".into())).unwrap();
    let (identity, site) = (identity(), SiteAddress::parse(PERMITTED).unwrap());
    let own = identity.seeds.fingerprint().unwrap();
    let context = SealContext { agent: &own, site: &site, username: "reader" };
    let sealed = vec![seal("secret", &identity.seeds.sealing_key().public(), context, &[1; 32]).unwrap()];
    let sites = vec![PermittedSite { address: site, ca_pem: None, accounts: Vec::new() }];
    let text = String::new;
    let who = Who {
        agent_id: text(),
        name: text(),
        uplink: text(),
        relay: text(),
        fingerprint: text(),
        permitted: Vec::new(),
    };
    let premises = Premises {
        policy: Policy::new(sites, defaults.limits.clone(), defaults.requests),
        opener: Opener::new(&identity.seeds).unwrap(),
        limits: defaults.limits,
        board: Board::new(who),
        standing: watch::Sender::new(Standing::default()).subscribe(),
    };
    let (runs, said) = Runs::new(Arc::new(premises));
    Bench { runs, said, sealed }
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
        let extraction = ExtractionSpec {
            tables: Vec::new(),
            load: Load::Full,
            projects: Vec::new(),
            created_from_ms: None,
            created_to_ms: None,
            jql: None,
        };
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

fn code(answer: Option<AgentMessage>) -> String {
    match answer {
        Some(AgentMessage::RunFailed { failure, .. }) => failure.code,
        other => panic!("no refusal: {other:?}"),
    }
}

#[tokio::test]
async fn a_run_at_an_address_that_is_not_permitted_is_refused_before_anything_starts() {
    let mut bench = bench();
    let start = bench.start("https://evil.invalid/jira", 1);
    assert_eq!(code(bench.runs.handle(start)), "site_not_permitted");
    assert_eq!(bench.runs.count(), 0);
}

#[tokio::test]
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

#[tokio::test]
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

#[tokio::test]
async fn a_cancelled_run_says_so_also_when_it_is_unknown() {
    let mut bench = bench();
    let start = bench.start(PERMITTED, 1);
    bench.runs.handle(start);
    bench.runs.handle(RelayMessage::CancelRun { run: RunId::from("run_1"), lease: Lease(1) });
    assert_eq!(bench.failure().await.code, "cancelled");
    let unknown = RelayMessage::CancelRun { run: RunId::from("run_9"), lease: Lease(1) };
    assert_eq!(code(bench.runs.handle(unknown)), "cancelled");
}

#[tokio::test]
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

#[tokio::test]
async fn a_run_whose_checkpoints_did_not_all_arrive_is_refused() {
    let mut bench = bench();
    let RelayMessage::StartRun { run, lease, connection, extraction, .. } = bench.start(PERMITTED, 1) else {
        unreachable!()
    };
    let start = RelayMessage::StartRun { run, lease, connection, extraction, resume_entries: 3 };
    assert_eq!(code(bench.runs.handle(start)), "resume_incomplete");
}

#[tokio::test]
async fn a_secret_for_other_agents_refuses_the_run() {
    let mut bench = bench();
    bench.sealed.clear();
    let start = bench.start(PERMITTED, 1);
    assert_eq!(code(bench.runs.handle(start)), "secret_missing");
}

#[tokio::test]
async fn a_relay_that_hands_out_too_much_gets_it_back() {
    let mut bench = bench();
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
