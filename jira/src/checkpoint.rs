//! How far a run has landed, as entries that only this engine reads.
//!
//! Each finished unit yields one entry; the caller stores it in one transaction with the unit's parts. Entries together with the parts
//! they stand for are enough to go on: the plan (start time on Jira's clock and the columns), what was read, and the ids read, so that a
//! resumed run can still prove itself complete. An entry larger than [`ENTRY_BYTES_MAX`] travels in pieces; only with the last piece,
//! which comes with the unit itself, does it count.

use crate::error::Error;
use crate::fields::IssueSchema;
use crate::mask::{Masks, fingerprint};
use crate::paging::ids;
use crate::paging::known::Known;
use crate::paging::range::Range;
use crate::tables::Table;
use crate::unit::UnitId;
use crate::warning::Warning;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Version of the entries' form; entries of another version are refused.
const VERSION: u32 = 1;
/// Most bytes of an entry as JSON text.
pub const ENTRY_BYTES_MAX: usize = 64 << 10;
/// Text of a piece: half of the limit, since quotes within it are escaped.
const PIECE_BYTES: usize = 30 << 10;

/// One entry of a run's checkpoint. Its content means nothing to anyone but this engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CheckpointEntry(pub serde_json::Value);

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Entry {
    /// The run has begun.
    Plan(Plan),
    /// A pass over what was updated has begun.
    Pass(Pass),
    /// A unit is finished.
    Unit(Box<Done>),
    /// Part of the text of a larger entry.
    Piece(Piece),
}

/// What every agent that goes on with the run must share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    version: u32,
    /// Jira's clock at the start, whole second, epoch milliseconds: the base pass reads what was created before it.
    pub(crate) started_ms: i64,
    pub(crate) schema: IssueSchema,
    /// By which agents see that they mask alike; empty: nothing is masked.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    masks: String,
}

/// A pass over issues by the time of their last update.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pass {
    pub(crate) number: u32,
    pub(crate) from: i64,
    /// Jira's clock when the pass began, whole second. The pass also reads that running second, but vouches only for what is before it.
    pub(crate) until: i64,
}

/// A finished unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Done {
    pub(crate) work: Work,
    pub(crate) stats: UnitStats,
    /// Issue ids that were read, packed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    ids: String,
    /// Their creation times in the same order, packed; only where the range does not tell.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    created: String,
    /// Issue ids that were found gone, packed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    gone: String,
    /// Issue ids whose links are to be read again after the pass, packed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    linked: String,
}

/// What a unit was.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub(crate) enum Work {
    /// Empty parts, so that every selected table exists.
    Tables,
    /// A table of the site's metadata.
    Metadata {
        /// Which.
        table: Table,
    },
    /// A slice of the base pass.
    Base {
        /// Of creation time.
        range: Range,
    },
    /// A slice of a later pass.
    CatchUp {
        /// The pass.
        pass: u32,
        /// Its generation, which may be a later one where the slice was read after a resume.
        generation: u32,
        /// Of update time.
        range: Range,
    },
    /// Slices of a sweep: what was gone, and what was missing and is read again.
    Sweep {
        /// Its generation.
        generation: u32,
        /// Of creation time.
        range: Range,
    },
    /// Issues that were gone or missing at the proof, or show the key of a moved one.
    Repair {
        /// Its generation.
        generation: u32,
        /// Of creation time.
        range: Range,
    },
}

/// What a unit adds to the run's result.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct UnitStats {
    pub(crate) rows: BTreeMap<String, u64>,
    pub(crate) bytes: BTreeMap<String, u64>,
    pub(crate) warnings: Vec<Warning>,
}

/// Part of the text of a larger entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Piece {
    unit: UnitId,
    at: usize,
    of: usize,
    text: String,
}

/// An issue as a later pass read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) id: i64,
    /// Epoch milliseconds.
    pub(crate) created_ms: i64,
    /// Epoch milliseconds.
    pub(crate) updated_ms: i64,
}

impl Plan {
    pub(crate) fn new(started_ms: i64, schema: IssueSchema) -> Self {
        Self { version: VERSION, started_ms, schema, masks: String::new() }
    }

    /// With the masks that every share of the run has to apply.
    pub(crate) fn masked(mut self, masks: &Masks) -> Self {
        self.masks = masks_name(masks);
        self
    }

    /// Whether the run was begun with the same masks.
    pub(crate) fn masks_alike(&self, masks: &Masks) -> bool {
        self.masks == masks_name(masks)
    }
}

impl Done {
    pub(crate) fn new(work: Work, stats: UnitStats) -> Self {
        Self {
            work,
            stats,
            ids: String::new(),
            created: String::new(),
            gone: String::new(),
            linked: String::new(),
        }
    }

    /// With the ids of a slice of the base pass.
    pub(crate) fn with_ids(mut self, read: &[Accepted]) -> Self {
        self.ids = ids::pack(read.iter().map(|issue| issue.id).collect());
        self
    }

    /// With ids and creation times of a later pass.
    pub(crate) fn with_issues(mut self, read: &[Accepted]) -> Self {
        let mut read = read.to_vec();
        read.sort_unstable_by_key(|issue| issue.id);
        self.ids = ids::pack_in_order(&read.iter().map(|issue| issue.id).collect::<Vec<_>>());
        self.created = ids::pack_in_order(&read.iter().map(|issue| issue.created_ms).collect::<Vec<_>>());
        self
    }

    /// With ids whose links are to be read again.
    pub(crate) fn with_linked(mut self, linked: &[i64]) -> Self {
        self.linked = ids::pack(linked.to_vec());
        self
    }

    /// With ids that are gone.
    pub(crate) fn with_gone(mut self, gone: impl IntoIterator<Item = i64>) -> Self {
        self.gone = ids::pack(gone.into_iter().collect());
        self
    }
}

impl Entry {
    /// The entries that carry this one, in order; the last comes with the unit itself.
    pub(crate) fn to_checkpoint(&self, unit: &UnitId) -> Result<Vec<CheckpointEntry>, Error> {
        let unusable = |error: serde_json::Error| Error::Checkpoint { detail: error.to_string() };
        let text = serde_json::to_string(self).map_err(unusable)?;
        if text.len() <= PIECE_BYTES {
            return Ok(vec![CheckpointEntry(serde_json::to_value(self).map_err(unusable)?)]);
        }
        let texts = split_text(&text);
        let of = texts.len();
        let piece = |(at, text): (usize, String)| {
            serde_json::to_value(Self::Piece(Piece { unit: unit.clone(), at, of, text }))
                .map(CheckpointEntry)
                .map_err(unusable)
        };
        texts.into_iter().enumerate().map(piece).collect()
    }
}

fn masks_name(masks: &Masks) -> String {
    if masks.is_empty() { String::new() } else { fingerprint(masks.identity().as_bytes()) }
}

fn split_text(text: &str) -> Vec<String> {
    let mut texts = vec![String::new()];
    for c in text.chars() {
        if texts.last().is_some_and(|last| last.len() + c.len_utf8() > PIECE_BYTES) {
            texts.push(String::new());
        }
        if let Some(last) = texts.last_mut() {
            last.push(c);
        }
    }
    texts
}

/// What a sweep has compared.
#[derive(Debug, Default)]
pub(crate) struct Swept {
    /// Ranges of creation time.
    pub(crate) done: Vec<Range>,
    /// Issues that were gone.
    pub(crate) gone: BTreeSet<i64>,
    /// Issues at the other ends of links of those that were missing.
    pub(crate) linked: BTreeSet<i64>,
}

/// What stored entries say together.
#[derive(Debug, Default)]
pub(crate) struct Resume {
    pub(crate) plan: Option<Plan>,
    pub(crate) tables_done: bool,
    pub(crate) metadata_done: BTreeSet<Table>,
    /// Slices of the base pass.
    pub(crate) base: Vec<Range>,
    pub(crate) known: Known,
    /// The last pass that had begun, and what of it is done.
    pub(crate) last_pass: Option<Pass>,
    pub(crate) last_pass_done: Vec<Range>,
    /// Issues whose links are to be read again after it.
    pub(crate) last_pass_linked: Vec<i64>,
    pub(crate) swept: Swept,
    /// Issues that passes and repairs read, with their creation times.
    pub(crate) read_again: BTreeMap<i64, i64>,
    /// Larger than every generation that entries name.
    pub(crate) next_generation: u32,
    pub(crate) stats: Vec<UnitStats>,
    pub(crate) entries: usize,
    pub(crate) issues_read: u64,
}

impl Resume {
    /// Reads stored entries, in the order in which they were stored.
    pub(crate) fn parse(entries: &[CheckpointEntry]) -> Result<Self, Error> {
        let mut resume = Self { entries: entries.len(), next_generation: 1, ..Self::default() };
        let mut pieces = BTreeMap::new();
        let mut later = Vec::new();
        for CheckpointEntry(value) in entries {
            let entry = Entry::deserialize(value).map_err(|error| unusable(&error.to_string()))?;
            let Some(entry) = assemble(entry, &mut pieces)? else { continue };
            resume.take(entry, &mut later)?;
        }
        if resume.plan.is_none() && (resume.tables_done || !resume.stats.is_empty()) {
            return Err(unusable("it has units but no plan"));
        }
        resume.apply(later)?;
        Ok(resume)
    }

    fn take(&mut self, entry: Entry, later: &mut Vec<Done>) -> Result<(), Error> {
        match entry {
            Entry::Plan(plan) if plan.version != VERSION => {
                return Err(unusable("it was written by another version of the agent"));
            }
            Entry::Plan(plan) => self.plan = Some(plan),
            Entry::Pass(pass) => self.begin_pass(pass),
            Entry::Unit(done) => {
                self.stats.push(done.stats.clone());
                self.take_unit(*done, later)?;
            }
            Entry::Piece(_) => {}
        }
        Ok(())
    }

    fn begin_pass(&mut self, pass: Pass) {
        if self.last_pass.is_none_or(|last| last.number < pass.number) {
            self.last_pass = Some(pass);
        }
    }

    fn take_unit(&mut self, done: Done, later: &mut Vec<Done>) -> Result<(), Error> {
        match done.work {
            Work::Tables => self.tables_done = true,
            Work::Metadata { table } => {
                self.metadata_done.insert(table);
            }
            Work::Base { range } => {
                let ids = unpacked(&done.ids)?;
                self.issues_read += u64::try_from(ids.len()).unwrap_or_default();
                self.base.push(range);
                self.known.add_slice(range, ids);
            }
            Work::CatchUp { generation, .. }
            | Work::Repair { generation, .. }
            | Work::Sweep { generation, .. } => {
                self.next_generation = self.next_generation.max(generation.saturating_add(1));
                later.push(done);
            }
        }
        Ok(())
    }

    /// Later passes and repairs count in the order of their generations, whatever the order in which they were acknowledged.
    fn apply(&mut self, mut later: Vec<Done>) -> Result<(), Error> {
        later.sort_by_key(|done| generation_of(done.work));
        for done in later {
            if let Work::CatchUp { pass, range, .. } = done.work
                && self.last_pass.is_some_and(|last| last.number == pass)
            {
                self.last_pass_done.push(range);
                self.last_pass_linked.extend(unpacked(&done.linked)?);
            }
            let gone: BTreeSet<i64> = unpacked(&done.gone)?.into_iter().collect();
            if let Work::Repair { range, .. } = done.work {
                self.known.remove(range, &gone);
            }
            if !gone.is_empty() {
                self.read_again.retain(|id, _| !gone.contains(id));
            }
            for (id, created_ms) in unpacked(&done.ids)?.into_iter().zip(unpacked(&done.created)?) {
                self.known.add(id, created_ms);
                self.read_again.insert(id, created_ms);
            }
            if let Work::Sweep { range, .. } = done.work {
                self.swept.done.push(range);
                self.swept.linked.extend(unpacked(&done.linked)?);
            }
            self.swept.gone.extend(gone);
        }
        Ok(())
    }
}

fn generation_of(work: Work) -> u32 {
    match work {
        Work::Tables | Work::Metadata { .. } | Work::Base { .. } => 0,
        Work::CatchUp { generation, .. }
        | Work::Repair { generation, .. }
        | Work::Sweep { generation, .. } => generation,
    }
}

/// Gives an entry once all its pieces are there.
fn assemble(
    entry: Entry,
    pieces: &mut BTreeMap<UnitId, BTreeMap<usize, String>>,
) -> Result<Option<Entry>, Error> {
    let Entry::Piece(piece) = entry else { return Ok(Some(entry)) };
    let texts = pieces.entry(piece.unit).or_default();
    texts.insert(piece.at, piece.text);
    if texts.len() < piece.of {
        return Ok(None);
    }
    let text: String = texts.values().map(String::as_str).collect();
    serde_json::from_str(&text).map(Some).map_err(|error| unusable(&error.to_string()))
}

fn unpacked(text: &str) -> Result<Vec<i64>, Error> {
    ids::unpack(text).ok_or_else(|| unusable("its ids cannot be unpacked"))
}

fn unusable(detail: &str) -> Error {
    Error::Checkpoint { detail: detail.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jql::Axis;

    fn accepted(ids: std::ops::Range<i64>) -> Vec<Accepted> {
        ids.map(|id| Accepted { id, created_ms: 5_000_000 + id, updated_ms: 0 }).collect()
    }

    fn plan() -> Entry {
        Entry::Plan(Plan::new(9_000, IssueSchema::default()))
    }

    fn unit(work: Work, read: &[Accepted]) -> Entry {
        let done = Done::new(work, UnitStats::default());
        let base = matches!(work, Work::Base { .. });
        Entry::Unit(Box::new(if base { done.with_ids(read) } else { done.with_issues(read) }))
    }

    fn stored(entries: &[Entry]) -> Vec<CheckpointEntry> {
        let named = entries
            .iter()
            .enumerate()
            .map(|(at, entry)| entry.to_checkpoint(&UnitId::new(format!("unit-{at}"))).unwrap());
        named.flatten().collect()
    }

    #[test]
    fn a_large_entry_travels_in_pieces_and_counts_only_when_whole() {
        let range = Range::new(Axis::Created, 0, 1_000);
        let sparse: Vec<Accepted> =
            (0..40_000).map(|at| Accepted { id: at * 1_000, created_ms: 0, updated_ms: 0 }).collect();
        let entries = stored(&[plan(), unit(Work::Base { range }, &sparse)]);
        assert!(entries.len() > 3);
        for entry in &entries {
            assert!(entry.0.to_string().len() <= ENTRY_BYTES_MAX);
        }
        let whole = Resume::parse(&entries).unwrap();
        assert_eq!((whole.base.clone(), whole.issues_read), (vec![range], 40_000));
        assert_eq!(Resume::parse(&entries[..entries.len() - 1]).unwrap().base, []);
    }

    #[test]
    fn later_generations_count_in_their_order() {
        let range = Range::new(Axis::Created, i64::MIN, i64::MAX);
        let slice = Range::new(Axis::Updated, 0, 1_000);
        let gone = Done::new(Work::Repair { generation: 2, range }, UnitStats::default()).with_gone([1, 2]);
        let again = unit(Work::CatchUp { pass: 2, generation: 3, range: slice }, &accepted(2..3));
        let first = unit(Work::CatchUp { pass: 1, generation: 1, range: slice }, &accepted(1..4));
        let pass = |number| Entry::Pass(Pass { number, from: 0, until: 1_000 });
        let resume =
            Resume::parse(&stored(&[plan(), pass(1), pass(2), again, Entry::Unit(Box::new(gone)), first]))
                .unwrap();
        assert_eq!(resume.known.count(range), 2);
        assert_eq!((resume.next_generation, resume.last_pass_done), (4, vec![slice]));
    }

    #[test]
    fn units_without_a_plan_are_refused() {
        let range = Range::new(Axis::Created, 0, 1_000);
        let entries = stored(&[unit(Work::Base { range }, &accepted(1..4))]);
        assert_eq!(Resume::parse(&entries).unwrap_err().code(), "checkpoint_unusable");
        assert_eq!(
            Resume::parse(&[CheckpointEntry(serde_json::json!({"kind": "x"}))]).unwrap_err().code(),
            "checkpoint_unusable"
        );
    }
}
