//! Logs are written by the journal and then spoilt in every way; the verifier has to find it.

use super::journal::{Journal, JournalLimits, files};
use super::*;
use std::fs;

const LARGE: JournalLimits =
    JournalLimits { file_bytes: 1 << 20, keep_files: 100, max_age: Duration::from_secs(3600) };
/// A line or two a file.
const SMALL: JournalLimits = JournalLimits { file_bytes: 300, ..LARGE };

fn order(n: usize) -> (i64, Entry) {
    (1_700_000_000_000, Entry::order("pause", &format!("number {n}")))
}

/// A log of so many orders and its folder.
fn log(limits: JournalLimits, orders: usize) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(place.path(), limits).unwrap();
    for n in 0..orders {
        journal.append(&[order(n)]).unwrap();
    }
    journal.sync().unwrap();
    place
}

fn judge(folder: &Path) -> Findings {
    verify::folder(folder, &mut |_, _| {}).unwrap()
}

fn broken(folder: &Path) -> Broken {
    judge(folder).broken.expect("the verifier calls a spoilt log intact")
}

fn only_file(folder: &Path) -> PathBuf {
    let mut all = files(folder).unwrap();
    assert_eq!(all.len(), 1);
    all.pop().unwrap().1
}

#[test]
fn a_log_is_intact_over_files_and_restarts() {
    let place = log(SMALL, 20);
    let mut again = Journal::open(place.path(), SMALL).unwrap();
    again.append(&[order(20), order(21)]).unwrap();
    let findings = judge(place.path());
    assert_eq!((findings.broken, findings.events["order"]), (None, 22));
    assert!(findings.files > 5, "{}", findings.files);
    assert_eq!(findings.head.as_ref(), Some(again.head()));
    for (_, path) in files(place.path()).unwrap() {
        assert_eq!(verify::file(&path, &mut |_, _| {}).unwrap().broken, None, "a file cannot be read alone");
    }
}

#[test]
fn two_writers_share_one_chain() {
    let place = tempfile::tempdir().unwrap();
    let mut agent = Journal::open(place.path(), SMALL).unwrap();
    let mut command = Journal::open(place.path(), SMALL).unwrap();
    for n in 0..10 {
        agent.append(&[order(n)]).unwrap();
        command.append(&[order(n), order(n)]).unwrap();
    }
    assert_eq!((judge(place.path()).broken, judge(place.path()).events["order"]), (None, 30));
}

#[test]
fn every_flipped_byte_is_found() {
    let place = log(LARGE, 3);
    let path = only_file(place.path());
    let good = fs::read(&path).unwrap();
    for at in 0..good.len() {
        for mask in [0x01, 0x20, 0x80] {
            let mut bad = good.clone();
            bad[at] ^= mask;
            fs::write(&path, bad).unwrap();
            broken(place.path());
        }
    }
    fs::write(&path, good).unwrap();
    assert_eq!(judge(place.path()).broken, None);
}

#[test]
fn a_line_that_is_taken_out_put_in_twice_or_moved_is_found_with_its_place() {
    let place = log(LARGE, 6);
    let path = only_file(place.path());
    let good: Vec<String> = fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
    for n in 0..good.len() {
        let mut without = good.clone();
        without.remove(n);
        let mut twice = good.clone();
        twice.insert(n, good[n].clone());
        let mut moved = good.clone();
        moved.swap(n, (n + 1) % good.len());
        for (bad, line) in
            [(without, n + 1), (twice, n + 2), (moved, if n + 1 == good.len() { 1 } else { n + 1 })]
        {
            fs::write(&path, bad.join("\n") + "\n").unwrap();
            let found = broken(place.path());
            // What is missing at the end shows only against the remembered end.
            let expected = if line > bad.len() { 0 } else { line };
            assert_eq!(
                (found.file == path, found.line),
                (true, u64::try_from(expected).unwrap()),
                "{found:?}"
            );
        }
    }
}

#[test]
fn a_log_whose_end_was_cut_off_is_found_by_the_remembered_end() {
    let place = log(LARGE, 6);
    let path = only_file(place.path());
    let good = fs::read_to_string(&path).unwrap();
    for keep in 0..good.len() {
        fs::write(&path, good.get(..keep).unwrap()).unwrap();
        broken(place.path());
    }
}

#[test]
fn an_agent_that_starts_on_a_log_whose_end_was_cut_off_does_not_hide_it() {
    let place = log(LARGE, 6);
    let path = only_file(place.path());
    let good = fs::read_to_string(&path).unwrap();
    let cut: String = good.lines().take(4).map(|line| format!("{line}\n")).collect();
    // A whole line less, a piece of the last line less, everything gone.
    for spoilt in [cut.as_str(), good.get(..good.len() - 9).unwrap(), ""] {
        let copy = tempfile::tempdir().unwrap();
        fs::copy(place.path().join("head.json"), copy.path().join("head.json")).unwrap();
        fs::write(copy.path().join(path.file_name().unwrap()), spoilt).unwrap();
        for entry in fs::read_dir(copy.path()).unwrap() {
            private(&entry.unwrap().path());
        }
        let mut journal = Journal::open(copy.path(), LARGE).unwrap();
        journal.append(&[order(99)]).unwrap();
        journal.sync().unwrap();
        broken(copy.path());
    }
}

#[cfg(unix)]
fn private(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[cfg(not(unix))]
fn private(_: &Path) {}

#[test]
fn a_file_that_is_taken_away_is_found() {
    for (which, at_the_beginning) in [(0, true), (2, false)] {
        let place = log(SMALL, 20);
        let (_, path) = files(place.path()).unwrap().remove(which);
        fs::remove_file(path).unwrap();
        let found = broken(place.path());
        assert_eq!(found.reason.contains("beginning"), at_the_beginning, "{found:?}");
    }
}

#[test]
fn files_beyond_the_limit_go_and_the_rest_is_intact() {
    let place = log(JournalLimits { keep_files: 3, ..SMALL }, 30);
    let findings = judge(place.path());
    assert_eq!((findings.broken, findings.files), (None, 3));
    assert!(findings.first.unwrap() > 20);
    assert!(findings.events["files_removed"] > 0);
}

#[test]
fn files_beyond_their_age_go() {
    let place = log(SMALL, 10);
    let young = JournalLimits { max_age: Duration::ZERO, ..SMALL };
    let mut journal = Journal::open(place.path(), young).unwrap();
    for n in 0..3 {
        journal.append(&[order(n)]).unwrap();
    }
    let findings = judge(place.path());
    assert_eq!(findings.broken, None);
    assert!(findings.files <= 2, "{}", findings.files);
}

#[test]
fn a_line_that_a_crash_cut_is_marked_at_the_next_start_wherever_it_was_cut() {
    let place = log(LARGE, 3);
    let path = only_file(place.path());
    let good = fs::read(&path).unwrap();
    // A fourth line whose writing is cut at each place; it was never synced, so the remembered end is before it.
    let mut journal = Journal::open(place.path(), LARGE).unwrap();
    journal.append(&[order(4)]).unwrap();
    let whole = fs::read(&path).unwrap();
    for keep in good.len() + 1..whole.len() {
        fs::write(&path, &whole[..keep]).unwrap();
        assert!(judge(place.path()).broken.is_some(), "a torn line is intact before it is marked");
        let mut next = Journal::open(place.path(), LARGE).unwrap();
        next.append(&[order(5)]).unwrap();
        let findings = judge(place.path());
        // Where only the line feed is missing, nothing was lost.
        let torn = u64::from(keep + 1 < whole.len());
        assert_eq!((findings.broken, findings.torn), (None, torn), "cut after {keep} bytes");
        assert_eq!(findings.events["order"], 5 - torn, "cut after {keep} bytes");
    }
}

#[test]
fn a_torn_line_is_only_what_was_marked() {
    let place = log(LARGE, 3);
    let path = only_file(place.path());
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend_from_slice(b"{\"seq\":5,\"at");
    fs::write(&path, &bytes).unwrap();
    let mut journal = Journal::open(place.path(), LARGE).unwrap();
    journal.append(&[order(5)]).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("{\"seq\":5,\"at\n", "{\"seq\":6,\"at\n", 1)).unwrap();
    broken(place.path());
    fs::write(&path, text.replacen("{\"seq\":5,\"at\n", "", 1)).unwrap();
    assert_eq!(judge(place.path()).broken, None, "what a crash left is no line and may go");
}

#[test]
fn a_crash_while_a_file_begins_loses_nothing() {
    for rest in ["", "{\"seq\":"] {
        let place = log(LARGE, 3);
        let next = place.path().join("audit-000000000005.jsonl");
        fs::write(&next, rest).unwrap();
        private(&next);
        let mut journal = Journal::open(place.path(), LARGE).unwrap();
        journal.append(&[order(5)]).unwrap();
        let findings = judge(place.path());
        assert_eq!((findings.broken, findings.events["order"]), (None, 4), "rest `{rest}`");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_noted_is_on_disk_when_the_writer_has_finished() {
    let place = tempfile::tempdir().unwrap();
    let paths = crate::identity::tests::paths_in(place.path());
    let limits = config::Audit { max_mib: 1, keep_files: 2, max_days: 1 };
    let (audit, writer) = start(&paths, &limits, Box::new(|_| {})).unwrap();
    for n in 0..500 {
        audit.note(Entry::order("pause", &n.to_string())).unwrap();
    }
    writer.finish().await;
    let findings = verify(&paths, None, &mut |_, _| {}).unwrap();
    assert_eq!((findings.broken, findings.events["order"]), (None, 500));
    assert_eq!(findings.head.as_ref(), Some(&audit.state().borrow().head));
    assert_eq!(audit.note(Entry::order("pause", "late")), Err(Full), "a line was taken that nobody writes");
}
