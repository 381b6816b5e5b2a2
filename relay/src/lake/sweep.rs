//! Sweeping: files that no commit names, and files that a commit removed long ago.

use super::error::LakeError;
use super::files::Files;
use super::place::{TablePlace, is_part};
use super::table::{self, LOG_DIR, Live};
use serde::Deserialize;
use std::collections::{BTreeSet, HashSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Readers of an older version may still be at work on files that a commit removed less than this ago.
const RETENTION: Duration = Duration::from_hours(7 * 24);
/// Clocks of the store and of the writer of the log may differ by this.
const CLOCK_SLACK: Duration = Duration::from_hours(24);

pub(crate) fn sweep(files: &Files, place: &TablePlace, keep: &BTreeSet<String>) -> Result<u64, LakeError> {
    place.check()?;
    let dir = place.dir();
    let listed = files.list(&dir)?;
    let mut needed: HashSet<String> =
        keep.iter().filter_map(|path| place.part_name(path).ok().map(str::to_owned)).collect();
    let engine = files.engine();
    if let Some(snapshot) = table::open(files, &engine, place)? {
        let live = Live::read(files, &engine, &snapshot, place)?;
        needed.extend(live.files.into_iter().filter_map(|file| file.name));
        needed.extend(recently_removed(files, place)?);
    }
    let unneeded =
        listed.into_iter().map(|file| file.name).filter(|name| is_part(name) && !needed.contains(name));
    let mut swept = files.delete(&dir, unneeded.collect())?;
    swept += files.remove_staging(&dir)?;
    swept += files.remove_staging(&format!("{dir}/{LOG_DIR}"))?;
    Ok(swept)
}

/// Files that commits of the retention removed. The log's files of that time tell, and nobody deletes those.
fn recently_removed(files: &Files, place: &TablePlace) -> Result<Vec<String>, LakeError> {
    let log_dir = format!("{}/{LOG_DIR}", place.dir());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let removed_since = millis(now.saturating_sub(RETENTION));
    let written_since = millis(now.saturating_sub(RETENTION + CLOCK_SLACK));
    let mut names = Vec::new();
    for file in files.list(&log_dir)? {
        if !file.name.ends_with(".json") || file.modified_ms < written_since {
            continue;
        }
        let text = files.read(&format!("{log_dir}/{}", file.name))?;
        for line in text.split(|byte| *byte == b'\n') {
            let Ok(LogLine { remove: Some(remove) }) = serde_json::from_slice::<LogLine>(line) else {
                continue;
            };
            if remove.deletion_timestamp.is_none_or(|at| at >= removed_since) {
                names.extend(table::name_in_table(files, place, &remove.path)?);
            }
        }
    }
    Ok(names)
}

#[derive(Deserialize)]
struct LogLine {
    remove: Option<Remove>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Remove {
    path: String,
    deletion_timestamp: Option<i64>,
}
