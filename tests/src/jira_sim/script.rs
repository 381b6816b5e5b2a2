//! Random edits, creations, moves and deletions after every page, the same ones for a seed.

use std::sync::Mutex;

use super::change::{Edit, Editor};
use super::generate::NO_SLOT;
use super::rng::Rng;
use super::search::PageInfo;
use super::site::Site;

/// What the script did.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct ScriptLog {
    /// Pages after which it changed something.
    pub pages: u64,
    /// Ids that were edited.
    pub edited: Vec<u64>,
    /// Ids that were created.
    pub created: Vec<u64>,
    /// Ids that were moved to another project.
    pub moved: Vec<u64>,
    /// Ids that were deleted (not counting sub-tasks that went with them).
    pub deleted: Vec<u64>,
}

/// The script; `None` for stopped.
#[derive(Debug, Default)]
pub(crate) struct Script {
    rng: Mutex<Option<Rng>>,
    log: Mutex<ScriptLog>,
}

impl Script {
    pub(crate) fn start(&self, seed: u64) {
        *self.rng.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(Rng::new(seed, 0x5c));
    }

    pub(crate) fn stop(&self) {
        *self.rng.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = None;
    }

    pub(crate) fn log(&self) -> ScriptLog {
        self.log.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.rng.lock().unwrap_or_else(std::sync::PoisonError::into_inner).is_some()
    }

    /// Makes this page's changes; `tick` gives each its instant. Returns how many there were.
    pub(crate) fn after_page(&self, site: &mut Site, page: &PageInfo, tick: impl Fn() -> i64) -> u64 {
        let mut rng = self.rng.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Some(rng) = rng.as_mut() else { return 0 };
        let mut log = self.log.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        log.pages += 1;
        let mut changes = 0;
        // Always: an issue that has just been read is edited.
        if let Some(slot) = page.ids.get(rng.index(page.ids.len())).and_then(|id| site.find_id(*id)) {
            let mut editor = Editor { site, now_ms: tick() };
            log.edited.push(editor.site.slim(slot).id);
            changes += u64::from(edit(&mut editor, slot, rng));
        }
        for _ in 0..2 {
            let mut editor = Editor { site, now_ms: tick() };
            changes += u64::from(something(&mut editor, rng, &mut log));
        }
        changes
    }
}

fn edit(editor: &mut Editor<'_>, slot: u32, rng: &mut Rng) -> bool {
    let statuses = &editor.site.catalog.statuses;
    let status = (!statuses.is_empty()).then(|| rng.pick(statuses).name.clone());
    let summary = Some(format!("Edited while it was read, {}", rng.below(1_000_000)));
    editor.edit(slot, &Edit { summary, status, ..Edit::default() }).is_ok()
}

/// One change anywhere on the site.
fn something(editor: &mut Editor<'_>, rng: &mut Rng, log: &mut ScriptLog) -> bool {
    let kind = rng.below(10);
    if kind < 3 {
        return match editor.create_varied() {
            Ok(issue) => {
                log.created.push(issue.id);
                true
            }
            Err(_) => false,
        };
    }
    let Some(slot) = any_living(editor.site, rng) else { return false };
    let id = editor.site.slim(slot).id;
    match kind {
        3 | 4 => {
            log.deleted.push(id);
            editor.delete(slot);
            true
        }
        5 | 6 => {
            move_somewhere(editor, slot, rng) && {
                log.moved.push(id);
                true
            }
        }
        7 => editor.add_comment(slot, None, "Said while it was read \u{1f4ac}\r\n").is_ok(),
        8 => editor.add_worklog(slot, rng.below(7200) + 60, "worked").is_ok(),
        _ => {
            log.edited.push(id);
            edit(editor, slot, rng)
        }
    }
}

fn any_living(site: &Site, rng: &mut Rng) -> Option<u32> {
    (0..20)
        .map(|_| u32::try_from(rng.below(u64::from(site.slot_count()))).unwrap_or(0))
        .find(|slot| site.slim(*slot).alive)
}

fn move_somewhere(editor: &mut Editor<'_>, slot: u32, rng: &mut Rng) -> bool {
    let slim = editor.site.slim(slot);
    if slim.parent != NO_SLOT || editor.site.catalog.projects.len() < 2 {
        return false;
    }
    let count = editor.site.catalog.projects.len();
    let target = (usize::from(slim.project) + 1 + rng.index(count - 1)) % count;
    let key = editor.site.catalog.projects[target].key.clone();
    editor.relocate(slot, &key).is_ok()
}
