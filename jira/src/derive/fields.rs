//! `field_history`: the values of each field of an issue, end to end from its creation on.
//!
//! What held at first is what the first change says that it was changed from. A change that the history dates before the issue's creation
//! (an import, a clock that was wrong) counts from the creation on. Changes of one instant stay in the order of their entries' ids and of
//! the items in an entry; a value that was replaced within its instant has an empty interval, so that no value is lost and none overlaps.

use super::tracked::{self, Form, Tracked, custom_name, system_place};
use super::values::{Step, Value, of_several, of_single};
use super::veil::{Rows, Veil, of_columns};
use super::{IssueRow, List, place};
use crate::fields::IssueSchema;
use crate::mask::Masking;
use crate::rows::RowBuffer;
use crate::tables::{Table, changelog, field_history as told};
use std::ops::Range;
use std::sync::Arc;

const CHANGES: Table = Table::IssueChangelog;

/// Makes the rows of `field_history`.
#[derive(Debug)]
pub(super) struct FieldDeriver {
    pub(super) rows: RowBuffer,
    masking: Arc<Masking>,
    columns: Vec<Veil>,
    system: Vec<Tracked>,
    custom: Vec<Tracked>,
    issue: Moment,
    change: Moment,
    /// From id, from text, to id, to text.
    values: [usize; 4],
    /// Id and name of a sprint.
    sprint: [usize; 2],
    /// Of ids and texts that the history tells.
    id_veil: Veil,
    text_veil: Veil,
}

/// Where a table says when and by whom a value was set.
#[derive(Debug)]
struct Moment {
    time: usize,
    author: usize,
    time_veil: Veil,
    author_veil: Veil,
}

impl Moment {
    fn of(masking: &Masking, table: Table, author: &str) -> Self {
        Self {
            time: place(table, "created"),
            author: place(table, author),
            time_veil: Veil::of_column(masking, table, "created"),
            author_veil: Veil::of_column(masking, table, author),
        }
    }
}

/// A change of a followed field, in the order in which they are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Change {
    slot: usize,
    micros: i64,
    history_id: i64,
    item: i64,
    row: usize,
}

/// A field that is being told: what its rows share.
struct Field<'f> {
    name: &'f str,
    is_custom: bool,
    id_veil: &'f Veil,
    text_veil: &'f Veil,
}

impl FieldDeriver {
    pub(super) fn new(masking: &Arc<Masking>, schema: &IssueSchema, rows: RowBuffer) -> Self {
        let either = |one: &str, other: &str| {
            let veil = |name| Veil::of_column(masking, CHANGES, name);
            veil(one).and(&veil(other)).clone()
        };
        Self {
            rows,
            masking: Arc::clone(masking),
            columns: of_columns(masking, Table::FieldHistory),
            system: tracked::system(masking),
            custom: tracked::custom(masking, schema),
            issue: Moment::of(masking, Table::Issues, "creator_id"),
            change: Moment::of(masking, CHANGES, "author_id"),
            values: ["from_id", "from_text", "to_id", "to_text"].map(|name| place(CHANGES, name)),
            sprint: ["sprint_id", "name"].map(|name| place(Table::IssueSprints, name)),
            id_veil: either("from_id", "to_id"),
            text_veil: either("from_text", "to_text"),
        }
    }

    /// Tells every followed field of an issue; a field that never had a value has no row.
    pub(super) fn tell(&mut self, issue: IssueRow<'_>, history: Option<List<'_>>, sprints: Option<List<'_>>) {
        let mut names = Vec::new();
        let changes = history.map(|(buffer, range)| (buffer, self.changes(issue, buffer, range, &mut names)));
        let mut rows = std::mem::replace(&mut self.rows, RowBuffer::new(std::iter::empty()));
        let mut out = Rows::new(&mut rows, &self.columns);
        let (buffer, changes) = match &changes {
            Some((buffer, changes)) => (*buffer, changes.as_slice()),
            None => (issue.buffer, &[][..]),
        };
        for run in changes.chunk_by(|one, other| one.slot == other.slot) {
            self.tell_changed(&mut out, issue, (buffer, run), &names);
        }
        let changed = |slot: usize| changes.binary_search_by_key(&slot, |change| change.slot).is_ok();
        let system =
            self.system.iter().enumerate().filter(|(slot, _)| !changed(*slot)).map(|(_, field)| field);
        let sprints: Vec<Value> = sprints.map_or(Vec::new(), |(buffer, range)| {
            let text = |column, row| {
                let mut text = String::new();
                buffer.write_at(column, row, &mut text).then_some(text)
            };
            let [id, name] = self.sprint;
            range.map(|row| Value::new(text(id, row).as_deref(), text(name, row).as_deref())).collect()
        });
        let custom = self.custom.iter().filter(|field| !names.iter().any(|name| field.is_called(name)));
        for field in system.chain(custom) {
            self.tell_unchanged(&mut out, issue, field, &sprints);
        }
        self.rows = rows;
    }

    /// The changes of followed fields, those of one field together and in the order of time. Custom fields get the slots behind Jira's own,
    /// in the order of `names`.
    fn changes(
        &self,
        issue: IssueRow<'_>,
        history: &RowBuffer,
        range: Range<usize>,
        names: &mut Vec<String>,
    ) -> Vec<Change> {
        let created = issue.buffer.i64_at(self.issue.time, issue.row).unwrap_or(i64::MIN);
        let mut changes = Vec::new();
        for row in range {
            let Some(word) = history.text_at(changelog::FIELD, row) else { continue };
            let field_type = history.text_at(changelog::FIELD_TYPE, row).unwrap_or_default();
            let slot = if field_type.eq_ignore_ascii_case("custom") {
                let Some(name) = custom_name(word) else { continue };
                let known = names.iter().position(|known| *known == name);
                self.system.len()
                    + known.unwrap_or_else(|| {
                        names.push(name);
                        names.len() - 1
                    })
            } else {
                let Some(slot) = system_place(word) else { continue };
                slot
            };
            let number = |column| history.i64_at(column, row).unwrap_or_default();
            let micros = history.i64_at(self.change.time, row).unwrap_or(created).max(created);
            changes.push(Change {
                slot,
                micros,
                history_id: number(changelog::HISTORY_ID),
                item: number(changelog::ITEM_INDEX),
                row,
            });
        }
        changes.sort_unstable();
        changes
    }

    fn tell_changed(
        &self,
        out: &mut Rows<'_>,
        issue: IssueRow<'_>,
        (history, run): (&RowBuffer, &[Change]),
        names: &[String],
    ) {
        let Some(first) = run.first() else { return };
        let field = self.system.get(first.slot);
        let steps: Vec<Step> = run.iter().map(|change| self.step(history, change.row, field)).collect();
        let values = match field {
            Some(field) if field.form == Form::Several => {
                of_several(field.members(issue.buffer, issue.row), &steps)
            }
            Some(_) | None => of_single(steps),
        };
        let name = match field {
            Some(field) => field.name.as_str(),
            None => names.get(first.slot - self.system.len()).map_or("", String::as_str),
        };
        let text = |column| history.text_at(column, first.row).unwrap_or_default();
        let mask = Veil::of_mask(self.masking.of_change(text(changelog::FIELD), text(changelog::FIELD_TYPE)));
        let (of_id, of_text) = field.map_or((&mask, &mask), Tracked::veils);
        let field = Field {
            name,
            is_custom: field.is_none(),
            id_veil: self.id_veil.and(of_id).and(&mask),
            text_veil: self.text_veil.and(of_text).and(&mask),
        };
        self.write(out, issue, &field, (history, run, &values));
    }

    fn step(&self, history: &RowBuffer, row: usize, field: Option<&Tracked>) -> Step {
        let [from_id, from_text, to_id, to_text] = self.values.map(|column| history.text_at(column, row));
        match field {
            Some(field) => Step { from: field.told(from_id, from_text), to: field.told(to_id, to_text) },
            None => Step { from: Value::new(from_id, from_text), to: Value::new(to_id, to_text) },
        }
    }

    fn tell_unchanged(&self, out: &mut Rows<'_>, issue: IssueRow<'_>, field: &Tracked, sprints: &[Value]) {
        let value = field.current(issue.buffer, issue.row, sprints);
        if value.is_none() {
            return;
        }
        let (id_veil, text_veil) = field.veils();
        let field = Field { name: &field.name, is_custom: field.is_custom, id_veil, text_veil };
        self.write(out, issue, &field, (issue.buffer, &[], &[value]));
    }

    /// Writes one row per value: the first holds from the creation on, each other one from its change on, until the next change.
    fn write(
        &self,
        out: &mut Rows<'_>,
        issue: IssueRow<'_>,
        field: &Field<'_>,
        (history, run, values): (&RowBuffer, &[Change], &[Value]),
    ) {
        let created = issue.buffer.i64_at(self.issue.time, issue.row);
        let changed = |change: &Change| {
            // At the creation, the time of a change may be that of the issue.
            let veil = if Some(change.micros) == created { &self.issue.time_veil } else { &Veil::Clear };
            (self.change.time_veil.and(veil).clone(), change.micros)
        };
        let entries = std::iter::once(None).chain(run.iter().map(Some));
        for ((ordinal, value), entry) in (0..).zip(values).zip(entries) {
            out.number(told::ISSUE_ID, issue.id());
            out.text(told::FIELD_TYPE, &Veil::Clear, Some(if field.is_custom { "custom" } else { "jira" }));
            out.text(told::FIELD, &Veil::Clear, Some(field.name));
            out.number(told::ORDINAL, Some(ordinal));
            out.text(told::VALUE_ID, field.id_veil, value.id.as_deref());
            out.text(told::VALUE_TEXT, field.text_veil, value.text.as_deref());
            out.flag(told::IS_INITIAL, entry.is_none());
            match entry {
                None => {
                    out.time(told::VALID_FROM, &self.issue.time_veil, created);
                    let author = issue.buffer.text_at(self.issue.author, issue.row);
                    out.text(told::AUTHOR_ID, &self.issue.author_veil, author);
                }
                Some(change) => {
                    let (veil, micros) = changed(change);
                    out.time(told::VALID_FROM, &veil, Some(micros));
                    let author = history.text_at(self.change.author, change.row);
                    out.text(told::AUTHOR_ID, &self.change.author_veil, author);
                    out.number(told::HISTORY_ID, Some(change.history_id));
                }
            }
            let place = usize::try_from(ordinal).unwrap_or(usize::MAX);
            if let Some(next) = run.get(place) {
                let (veil, micros) = changed(next);
                out.time(told::VALID_TO, &veil, Some(micros));
            }
            out.end();
        }
    }
}
