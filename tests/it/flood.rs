//! A relay that asks without end for what is refused: every instruction is answered, none starts anything, and neither the audit log nor
//! the agent's own log grows with their number.

use crate::premises::{Premises, everything};
use protocol::control::{AgentMessage, RelayMessage};
use protocol::ids::{Lease, RunId};
use serde_json::Value;
use std::path::Path;
use tests::cluster::Binaries;

const INSTRUCTIONS: usize = 6_000;
/// Instructions between two looks at the answers.
const AT_ONCE: usize = 50;
/// Lines that instructions may take: those of a burst, and a few for the time that passes.
const LINES_MAX: usize = 2_000 + 200;

/// The bodies of an audit log that verifies.
fn audit(state: &Path) -> Vec<Value> {
    let agent = || std::process::Command::new(Binaries::built().path("uplink-agent"));
    let verified = agent().args(["audit", "verify", "--state"]).arg(state).output().unwrap();
    assert!(verified.status.success(), "{verified:?}");
    let mut files: Vec<_> =
        std::fs::read_dir(state.join("audit")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "jsonl"));
    files.sort();
    let text: String = files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_asks_without_end_fills_no_log() {
    let mut premises = Premises::new("https://jira.permitted.invalid").await;
    let connection = premises.connection("https://evil.invalid");
    for number in 0..INSTRUCTIONS {
        // Each is another line: nothing here is folded because it is the same again.
        let run = RunId(format!("run_{number}"));
        let message = if number % 2 == 0 {
            let (connection, extraction) = (connection.clone(), everything());
            RelayMessage::StartRun { run, lease: Lease(1), connection, extraction, resume_entries: 0 }
        } else {
            RelayMessage::CancelRun { run, lease: Lease(1) }
        };
        premises.link.send(&message).await;
        if number % AT_ONCE == AT_ONCE - 1 {
            let last = format!("run_{number}");
            let answered = |said| match said {
                AgentMessage::RunFailed { run, .. } => (run.as_str() == last).then_some(()),
                _ => None,
            };
            premises.link.expect(answered).await;
        }
    }
    let agent = premises.agent.pid().to_string();
    let asked = std::process::Command::new("kill").args(["-TERM", &agent]).status().unwrap();
    assert!(asked.success());
    premises.agent.wait_for("agent_stopped").await;

    let recorded = audit(&premises.state());
    let of = |event: &str| recorded.iter().filter(|line| line["event"] == event).collect::<Vec<_>>();
    let lines = of("instruction").len();
    assert!((2_000..=LINES_MAX).contains(&lines), "{lines} lines for {INSTRUCTIONS} instructions");
    let counted: u64 = of("instructions_counted").iter().filter_map(|line| line["times"].as_u64()).sum();
    let all = lines + usize::try_from(counted).unwrap();
    assert_eq!(all, INSTRUCTIONS, "some are neither recorded nor counted");
    let log = premises.agent.printed();
    let refused = log.matches("\"event\":\"refused\"").count();
    assert!((1..=LINES_MAX).contains(&refused), "{refused} lines in the agent's own log");
    assert!(log.contains("instructions_counted") && !log.contains("audit_full"), "{}", log.len());
}
