//! A generated site: what each issue is like follows from the seed and its number alone.
//!
//! Only the few numbers of [`Slim`] are held per issue; its JSON is made when somebody asks for it.

use super::catalog::Catalog;
use super::catalog_generated::SUBTASK;
use super::config::GeneratedSite;
use super::doc::Doc;
use super::rng::Rng;

mod custom;
pub(crate) mod history;
mod members;

/// No parent.
pub(crate) const NO_SLOT: u32 = u32::MAX;

const DAY_MS: i64 = 86_400_000;
/// The first issue is created so long before the base time.
const SPAN_MS: i64 = 6 * 365 * DAY_MS;
/// Ids that one issue may use for its history entries.
const HISTORY_BLOCK: u64 = 512;
const COMMENT_BLOCK: u64 = 256;
const WORKLOG_BLOCK: u64 = 128;

/// What is held of every issue: enough to search and count.
#[derive(Debug, Clone)]
pub(crate) struct Slim {
    pub(crate) id: u64,
    pub(crate) created_ms: i64,
    pub(crate) updated_ms: i64,
    pub(crate) number: u32,
    pub(crate) parent: u32,
    pub(crate) project: u16,
    pub(crate) kind: u8,
    pub(crate) status: u8,
    pub(crate) priority: u8,
    /// False once deleted.
    pub(crate) alive: bool,
    /// Whether it was changed after the start, so that links must show its present state.
    pub(crate) dirty: bool,
}

/// A link of a generated site, outward from `source`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SeedLink {
    pub(crate) id: u64,
    pub(crate) link_type: usize,
    pub(crate) source: u32,
    pub(crate) target: u32,
}

/// The recipe of a generated site.
#[derive(Debug)]
pub(crate) struct Generator {
    pub(crate) site: GeneratedSite,
}

/// The streams of random numbers of one issue; each part has its own.
#[derive(Debug, Clone, Copy)]
enum Stream {
    Slim = 1,
    Summary = 2,
    Members = 3,
    Custom = 4,
    Children = 5,
    Links = 6,
}

impl Generator {
    fn rng(&self, slot: u32, stream: Stream) -> Rng {
        Rng::new(self.site.seed, u64::from(slot) * 16 + stream as u64)
    }

    /// The numbers of every issue, in creation order but for some disorder.
    pub(crate) fn slims(&self, catalog: &Catalog) -> Vec<Slim> {
        let mut numbers = vec![0_u32; catalog.projects.len()];
        let mut slims: Vec<Slim> = Vec::with_capacity(self.site.issues as usize);
        for slot in 0..self.site.issues {
            let mut slim = self.draw(slot, catalog);
            if slim.kind == SUBTASK {
                self.adopt(slot, &mut slim, &slims);
            }
            let counter = &mut numbers[usize::from(slim.project)];
            // Keys have gaps where issues were deleted long ago.
            *counter += if slot % 37 == 36 { 2 } else { 1 };
            slim.number = *counter;
            slims.push(slim);
        }
        slims
    }

    /// Makes a sub-task a child of an issue just before it, or an ordinary issue when there is none.
    fn adopt(&self, slot: u32, slim: &mut Slim, before: &[Slim]) {
        let mut rng = self.rng(slot, Stream::Links);
        for _ in 0..8 {
            let back = u32::try_from(rng.below(40) + 1).unwrap_or(1);
            let Some(parent) = slot.checked_sub(back) else { continue };
            let Some(candidate) = before.get(parent as usize) else { continue };
            if candidate.kind != SUBTASK {
                slim.parent = parent;
                slim.project = candidate.project;
                return;
            }
        }
        slim.kind = 0;
    }

    fn draw(&self, slot: u32, catalog: &Catalog) -> Slim {
        let mut rng = self.rng(slot, Stream::Slim);
        let created_ms = self.created_ms(slot, &mut rng);
        let left = self.site.base_time_ms - created_ms;
        let updated_ms = match rng.below(10) {
            0 => created_ms,
            1..=5 => {
                created_ms
                    + i64::try_from(rng.below(u64::try_from((left / 20).max(1)).unwrap_or(1))).unwrap_or(0)
            }
            _ => created_ms + i64::try_from(rng.below(u64::try_from(left.max(1)).unwrap_or(1))).unwrap_or(0),
        };
        let byte = |rng: &mut Rng, len: usize| u8::try_from(rng.index(len)).unwrap_or(0);
        Slim {
            // Ids come in blocks per cluster node, so they are not quite in the order of creation.
            id: 10_000 + u64::from(slot ^ ((slot >> 4 & 1) * 7)),
            created_ms,
            updated_ms,
            number: 0,
            parent: NO_SLOT,
            project: u16::try_from(rng.index(catalog.projects.len())).unwrap_or(0),
            kind: byte(&mut rng, catalog.types.len()),
            status: byte(&mut rng, catalog.statuses.len()),
            priority: byte(&mut rng, catalog.priorities.len()),
            alive: true,
            dirty: false,
        }
    }

    /// Issues of the bulk import share one second; the others are spread with some disorder.
    fn created_ms(&self, slot: u32, rng: &mut Rng) -> i64 {
        let issues = i64::from(self.site.issues.max(1));
        let start = self.site.base_time_ms - SPAN_MS;
        let step = ((SPAN_MS - DAY_MS) / issues).max(1);
        let tie_from = self.site.issues / 3;
        if slot >= tie_from && slot - tie_from < self.site.tie_size {
            let at = start + i64::from(tie_from) * step;
            return at - at.rem_euclid(1000) + i64::from(slot * 7 % 1000);
        }
        let jitter = i64::try_from(rng.below(u64::try_from(step * 3).unwrap_or(1))).unwrap_or(0);
        // Nothing is created after the site was recorded.
        let at = (start + i64::from(slot) * step + jitter).min(self.site.base_time_ms - 1);
        // Small ties everywhere: databases without milliseconds and scripts that create several issues.
        if slot.is_multiple_of(5) { at - at.rem_euclid(1000) } else { at }
    }

    /// The links between the issues; about every second issue has one.
    pub(crate) fn links(&self, slims: &[Slim], types: usize) -> Vec<SeedLink> {
        let mut links = Vec::new();
        for slot in 1..u32::try_from(slims.len()).unwrap_or(u32::MAX) {
            let mut rng = self.rng(slot, Stream::Links);
            let count = match rng.below(400) {
                0 => 30,
                1..=120 => 1,
                121..=150 => 3,
                _ => 0,
            };
            let mut seen = Vec::new();
            for _ in 0..count {
                let target = u32::try_from(rng.below(u64::from(slot))).unwrap_or(0);
                if !seen.contains(&target) {
                    seen.push(target);
                    let id = 500_000 + links.len() as u64;
                    links.push(SeedLink { id, link_type: rng.index(types), source: slot, target });
                }
            }
        }
        links
    }

    /// The summary as a JSON string.
    pub(crate) fn summary(&self, slot: u32) -> String {
        let mut rng = self.rng(slot, Stream::Summary);
        let mut out = String::with_capacity(80);
        super::words::push_line(&mut out, &mut rng, 12);
        out
    }

    /// The whole issue as the seed makes it.
    pub(crate) fn doc(&self, slot: u32, slim: &Slim, catalog: &Catalog) -> Doc {
        let mut doc = Doc::empty();
        let maker = Maker { generator: self, catalog, slot, slim };
        maker.members(&mut doc);
        maker.custom(&mut doc);
        maker.children(&mut doc);
        doc
    }
}

/// Makes the JSON of one issue.
struct Maker<'a> {
    generator: &'a Generator,
    catalog: &'a Catalog,
    slot: u32,
    slim: &'a Slim,
}

impl Maker<'_> {
    /// An instant between creation and the last update, `part` of `parts` of the way.
    fn instant(&self, part: u64, parts: u64) -> i64 {
        let span = self.slim.updated_ms - self.slim.created_ms;
        let part = i64::try_from(part).unwrap_or(0);
        let parts = i64::try_from(parts.max(1)).unwrap_or(1);
        self.slim.created_ms + span / parts * part
    }
}
