//! The level of the log, ordered for a while by a small file in the state folder that the running agent looks at.

use crate::cli::LogLevel;
use crate::error::Error;
use crate::paths::Paths;
use crate::private_file::{self, Durability};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// An order for the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LevelOrder {
    pub(crate) level: LogLevel,
    /// UTC milliseconds since 1970.
    pub(crate) until_ms: i64,
}

/// Orders a level for a while.
///
/// # Errors
/// When the order cannot be written.
pub(crate) fn order_level(paths: &Paths, level: LogLevel, keep: Duration) -> Result<LevelOrder, Error> {
    let ms = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
    let order = LevelOrder { level, until_ms: crate::clock::now_ms().saturating_add(ms) };
    let text = serde_json::to_vec(&order).map_err(|error| Error::System {
        action: "write the order for the log",
        reason: error.to_string(),
    })?;
    private_file::write(&place(paths), &text, Durability::Volatile)?;
    Ok(order)
}

/// The level that is ordered now. An order whose time is over, or that cannot be read, is none.
pub(super) fn ordered(paths: &Paths, now_ms: i64) -> Option<LogLevel> {
    let bytes = private_file::read(&place(paths)).ok()??;
    let order: LevelOrder = serde_json::from_slice(&bytes).ok()?;
    if order.until_ms > now_ms {
        return Some(order.level);
    }
    // Left behind, it is looked at in vain the next time too.
    private_file::remove_if_there(&place(paths)).ok();
    None
}

fn place(paths: &Paths) -> PathBuf {
    paths.state.join("log-level.json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::tests::paths_in;

    #[test]
    fn a_level_is_in_force_for_its_time_and_leaves_nothing_behind() {
        let place_of_state = tempfile::tempdir().unwrap();
        let paths = paths_in(place_of_state.path());
        assert_eq!(ordered(&paths, 0), None);
        let order = order_level(&paths, LogLevel::Debug, Duration::from_secs(600)).unwrap();
        assert_eq!(ordered(&paths, order.until_ms - 1), Some(LogLevel::Debug));
        assert_eq!(ordered(&paths, order.until_ms), None);
        assert!(!place(&paths).exists());
    }

    #[test]
    fn an_order_that_cannot_be_read_changes_nothing() {
        let place_of_state = tempfile::tempdir().unwrap();
        let paths = paths_in(place_of_state.path());
        private_file::write(&place(&paths), b"{", Durability::Volatile).unwrap();
        assert_eq!(ordered(&paths, 0), None);
    }
}
