//! The password occurs nowhere outside the premises, and in no log on them: looked for in plain, base64 and URL encoding.

use crate::site::generated;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use std::path::Path;
use tests::cluster::{Cluster, PASSWORD, USERNAME};
use tests::jira_sim::{FaultKind, JiraSim};

/// Every way in which the password could be written.
fn spellings() -> Vec<Vec<u8>> {
    let url: String = url::form_urlencoded::byte_serialize(PASSWORD.as_bytes()).collect();
    let basic = format!("{USERNAME}:{PASSWORD}");
    let texts = [
        PASSWORD.to_owned(),
        STANDARD.encode(PASSWORD),
        URL_SAFE_NO_PAD.encode(PASSWORD),
        STANDARD.encode(basic),
        url.clone(),
        url.replace('+', "%20"),
        serde_json::to_string(PASSWORD).unwrap().trim_matches('"').to_owned(),
    ];
    texts.into_iter().map(String::into_bytes).collect()
}

fn occurs(bytes: &[u8]) -> bool {
    spellings().iter().any(|needle| bytes.windows(needle.len()).any(|window| window == needle.as_slice()))
}

fn files_with_password(dir: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            files_with_password(&entry.path(), found);
        } else if occurs(&std::fs::read(entry.path()).unwrap_or_default()) {
            found.push(entry.path().display().to_string());
        }
    }
}

/// The writable memory of a process, as a core dump would hold it (Linux).
fn memory_holds_password(pid: u32) -> bool {
    use std::io::{Read, Seek, SeekFrom};
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let mut memory = std::fs::File::open(format!("/proc/{pid}/mem")).unwrap();
    let ranges = maps.lines().filter(|line| line.contains(" rw")).filter_map(|line| {
        let (start, end) = line.split_whitespace().next()?.split_once('-')?;
        Some((u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?))
    });
    let mut read = 0;
    for (start, end) in ranges {
        let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
        if memory.seek(SeekFrom::Start(start)).is_ok() && memory.read_exact(&mut bytes).is_ok() {
            read += bytes.len();
            if occurs(&bytes) {
                return true;
            }
        }
    }
    assert!(read > 1 << 20, "hardly any memory of process {pid} could be read");
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_is_nowhere_but_in_the_agents_memory() {
    let sim = JiraSim::start(generated(400, 41)).unwrap();
    let cluster = Cluster::start(&sim.url()).await;
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    cluster.ok(&["connection", "test", "jira"]).await;
    cluster.extracted(&["--full"]).await;
    // And once through the error paths.
    sim.fail_next("/rest/api/2/myself", 100, FaultKind::SsoPage);
    let run = cluster.extract(&["--full"]).await;
    let document = cluster.ended(&run).await;
    assert_eq!(document["state"], "failed");

    assert!(!occurs(document.to_string().as_bytes()), "the password is in a run document");
    assert!(!occurs(cluster.relay_log().as_bytes()), "the password is in the relay's log");
    assert!(!occurs(cluster.agent_log().as_bytes()), "the password is in the agent's log");
    let shown = cluster.ok(&["connection", "show", "jira"]).await;
    assert!(!occurs(shown.to_string().as_bytes()), "the API gives the password");
    let mut found = Vec::new();
    files_with_password(cluster.dir.path(), &mut found);
    assert!(found.is_empty(), "the password is in {found:?}");
    assert!(!memory_holds_password(cluster.relay().pid()), "the password is in the relay's memory");
}

#[test]
fn the_search_finds_a_planted_password() {
    assert!(occurs(format!("x{PASSWORD}y").as_bytes()));
    assert!(occurs(format!("Basic {}", STANDARD.encode(format!("{USERNAME}:{PASSWORD}"))).as_bytes()));
    assert!(!occurs(b"nothing of the kind"));
}
