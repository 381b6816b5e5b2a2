//! Rows from resources that each issue has, and what Jira held back of them.

use super::Sink;
use crate::decode::{ElementRules, IssueNotes, OfIssuePage, RowList, keep_with_id, read_of_issue};
use crate::rows::RowBuffer;
use crate::tables::Table;
use crate::undecodable::DecodeError;
use crate::warning::Warnings;

impl Sink {
    /// Reads the answer of a table's resource for one issue; nothing is kept when the table is not selected. What Jira counts and does
    /// not show becomes a warning.
    ///
    /// # Errors
    /// When the answer is cut, no JSON, or has no rows where they belong, or the table has no such resource.
    pub(crate) fn of_issue(
        &mut self,
        table: Table,
        issue_id: i64,
        json: &str,
    ) -> Result<OfIssuePage, DecodeError> {
        let spec = table.spec();
        let (Some(of_issue), Some(lists), Some(shape)) =
            (&spec.of_issue, &spec.children, self.trees.shape(table))
        else {
            let detail = format!("{table} has no resource of its own");
            return Err(DecodeError::Shape { what: "what belongs to an issue", detail });
        };
        let mut nowhere = RowBuffer::new(std::iter::empty());
        let buffer = self.buffers.of_mut(table).unwrap_or(&mut nowhere);
        let base = buffer.rows();
        let mut without_id = 0;
        let keep: ElementRules<'_> = &mut |buffer, row| {
            let is_again =
                lists.is_distinct && (base..row).any(|other| buffer.is_equal(lists.key_column, other, row));
            !is_again && keep_with_id(buffer, lists.key_column, row, &mut without_id)
        };
        let page = read_of_issue(json, of_issue.answer, RowList { shape, buffer, base, keep })?;
        buffer.fill(spec.issue_column, base, issue_id);
        self.notes.without_id += without_id;
        let hidden = page.total.unwrap_or_default().saturating_sub(page.count);
        if hidden > 0 {
            let message = format!("Jira counts entries of {table} that it does not show to this account");
            self.warnings.add(&format!("{table}_hidden"), message, hidden);
        }
        self.settle()?;
        Ok(page)
    }

    /// Jira refused a table's resource for one issue.
    pub(crate) fn note_refused(&mut self, table: Table) {
        let message =
            format!("issues for which Jira refuses what the table {table} holds, or has nothing there");
        self.warnings.add(&format!("{table}_withheld"), message, 1);
    }
}

/// Issues that came without what tells whether their resource is to be asked, or without what a search was asked to show.
pub(super) fn count_unsent(notes: &IssueNotes, warnings: &mut Warnings) {
    let asked = |table: &&Table| table.spec().of_issue.is_some() || table.spec().expands.is_some();
    for table in Table::all().iter().filter(|table| table.is_issue_table()).filter(asked) {
        let message = format!(
            "Jira sent issues without what the table {table} needs although asked: the feature may be off, or hidden from the account"
        );
        warnings.add(
            &format!("{table}_unsent"),
            message,
            notes.unsent.of(*table).copied().unwrap_or_default(),
        );
    }
}
