//! What a table is complete for. A full load says which issues and columns a table holds; a delta load that reads fewer of them brings
//! rows up to date, but must not move the watermark, or the next delta load would start behind what nobody has read.

use super::catalogue;
use crate::store::TableRow;
use protocol::control::Failure;
use protocol::spec::{ExtractionSpec, Load};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The choice of a table's full load, as far as its later delta loads must know it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Scope {
    projects: BTreeSet<String>,
    created_from_ms: Option<i64>,
    created_to_ms: Option<i64>,
    updated_from_ms: Option<i64>,
    jql: Option<String>,
    /// The chosen columns of the table; empty: all.
    columns: BTreeSet<String>,
    /// What was pseudonymised, in any table.
    pseudonyms: BTreeSet<String>,
}

impl Scope {
    /// What a run reads of a table.
    pub(crate) fn of(spec: &ExtractionSpec, table: &str) -> Self {
        let of_table = |name: &String| match name.split_once('.') {
            Some((of, column)) => (of == table).then(|| column.to_owned()),
            None => (table == "issues").then(|| name.clone()),
        };
        let pseudonyms = spec.pseudonyms.as_ref().map(|asked| asked.columns.iter().cloned().collect());
        Self {
            projects: spec.projects.iter().map(|key| key.to_ascii_uppercase()).collect(),
            created_from_ms: spec.created_from_ms,
            created_to_ms: spec.created_to_ms,
            updated_from_ms: spec.updated_from_ms,
            jql: spec.jql.as_ref().map(|jql| jql.trim().to_owned()),
            columns: spec.columns.iter().filter_map(of_table).collect(),
            pseudonyms: pseudonyms.unwrap_or_default(),
        }
    }

    /// Whether a run of this scope reads every issue that the other one has.
    fn covers(&self, other: &Self) -> bool {
        let from = |own: Option<i64>, other: Option<i64>| {
            own.is_none_or(|own| other.is_some_and(|other| own <= other))
        };
        let to = |own: Option<i64>, other: Option<i64>| {
            own.is_none_or(|own| other.is_some_and(|other| own >= other))
        };
        let projects = self.projects.is_empty()
            || (!other.projects.is_empty() && self.projects.is_superset(&other.projects));
        projects
            && from(self.created_from_ms, other.created_from_ms)
            && to(self.created_to_ms, other.created_to_ms)
            && from(self.updated_from_ms, other.updated_from_ms)
            && (self.jql.is_none() || self.jql == other.jql)
    }

    /// Refuses a delta load of other columns than the table holds: changed rows would lose values, or show what was hashed.
    ///
    /// # Errors
    /// When the columns differ.
    pub(crate) fn check_columns(&self, table: &str, held: &Self) -> Result<(), Failure> {
        let (own, was) = ((&self.columns, &self.pseudonyms), (&held.columns, &held.pseudonyms));
        if own == was {
            return Ok(());
        }
        let named = |(columns, pseudonyms): (&BTreeSet<String>, &BTreeSet<String>)| {
            let list = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(",");
            let columns = if columns.is_empty() {
                "all columns".to_owned()
            } else {
                format!("the columns {}", list(columns))
            };
            if pseudonyms.is_empty() {
                columns
            } else {
                format!("{columns}, with pseudonyms for {}", list(pseudonyms))
            }
        };
        Err(Failure {
            code: "columns_differ".to_owned(),
            message: format!(
                "{table} was loaded with {}, this delta load asks for {}",
                named(was),
                named(own)
            ),
            hint:
                "give the delta load the same --columns and --pseudonymise as the full load, or load in full"
                    .to_owned(),
        })
    }
}

/// The same choice for some of its tables.
pub(crate) fn of_tables(spec: &ExtractionSpec, tables: Vec<String>) -> ExtractionSpec {
    let is_of = |column: &&String| {
        let table = column.split_once('.').map_or("issues", |(table, _)| table);
        tables.iter().any(|name| name == table)
    };
    let columns = spec.columns.iter().filter(is_of).cloned().collect();
    ExtractionSpec { columns, tables, ..spec.clone() }
}

/// Refuses a delta load of other columns than its tables hold.
///
/// # Errors
/// When those of a table differ.
pub(crate) fn check_delta(spec: &ExtractionSpec, known: &[TableRow]) -> Result<(), Failure> {
    let wanted = catalogue::selected(&spec.tables);
    let tables =
        known.iter().filter(|row| wanted.contains(&row.table) && catalogue::is_issue_table(&row.table));
    for row in tables.filter(|row| row.watermark_ms.is_some()) {
        let held = row.scope.clone().unwrap_or_default();
        Scope::of(spec, &row.table).check_columns(&row.table, &held)?;
    }
    Ok(())
}

/// What a table knew before a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Before<'a> {
    pub(crate) watermark_ms: Option<i64>,
    /// `None`: the table is older than the notes about scopes, and counts as loaded without any choice.
    pub(crate) scope: Option<&'a Scope>,
}

/// What a table knows after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct After {
    pub(crate) watermark_ms: Option<i64>,
    pub(crate) scope: Option<Scope>,
    /// Whether the watermark stays because the run read fewer issues than the table holds.
    pub(crate) stays: bool,
}

/// Up to when a table is complete after a run that read until `until_ms` on Jira's clock.
pub(crate) fn after(spec: &ExtractionSpec, table: &str, until_ms: Option<i64>, before: Before<'_>) -> After {
    let own = Scope::of(spec, table);
    // What was updated at or after the bound was not read.
    let bounded = |until: i64| spec.updated_to_ms.map_or(until, |bound| until.min(whole_second(bound)));
    if spec.load == Load::Full {
        return After { watermark_ms: until_ms.map(bounded), scope: Some(own), stays: false };
    }
    let held = before.scope.cloned().unwrap_or_default();
    let covers = own.covers(&held);
    let read = until_ms.map(bounded).filter(|_| covers);
    After {
        watermark_ms: read.max(before.watermark_ms),
        scope: before.scope.cloned(),
        stays: !covers && until_ms.is_some(),
    }
}

fn whole_second(ms: i64) -> i64 {
    ms.div_euclid(1000).saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> ExtractionSpec {
        ExtractionSpec::all(Load::Full)
    }

    fn delta() -> ExtractionSpec {
        ExtractionSpec::all(Load::Delta { since_ms: 5_000 })
    }

    fn watermark(spec: &ExtractionSpec, held: &ExtractionSpec) -> (Option<i64>, bool) {
        let scope = Scope::of(held, "issues");
        let before = Before { watermark_ms: Some(5_000), scope: Some(&scope) };
        let after = after(spec, "issues", Some(9_000), before);
        (after.watermark_ms, after.stays)
    }

    #[test]
    fn a_delta_load_of_fewer_issues_than_the_table_holds_leaves_the_watermark() {
        let narrow = [
            ExtractionSpec { projects: vec!["A".to_owned()], ..delta() },
            ExtractionSpec { jql: Some("x = 1".to_owned()), ..delta() },
            ExtractionSpec { created_from_ms: Some(1), ..delta() },
            ExtractionSpec { created_to_ms: Some(1), ..delta() },
            ExtractionSpec { updated_from_ms: Some(6_000), ..delta() },
        ];
        for spec in narrow {
            assert_eq!(watermark(&spec, &full()), (Some(5_000), true), "{spec:?}");
            let held = ExtractionSpec { load: Load::Full, ..spec.clone() };
            assert_eq!(watermark(&spec, &held), (Some(9_000), false), "the same choice: {spec:?}");
            assert_eq!(watermark(&delta(), &held), (Some(9_000), false), "a wider one: {spec:?}");
        }
        let two = ExtractionSpec { projects: vec!["a".to_owned(), "B".to_owned()], ..full() };
        let one = ExtractionSpec { projects: vec!["B".to_owned()], ..delta() };
        assert_eq!(watermark(&one, &two), (Some(5_000), true));
    }

    #[test]
    fn a_load_up_to_a_time_of_change_is_complete_up_to_that_time() {
        let up_to = |spec: ExtractionSpec, ms| ExtractionSpec { updated_to_ms: Some(ms), ..spec };
        assert_eq!(watermark(&up_to(full(), 7_999), &full()), (Some(7_000), false));
        assert_eq!(watermark(&up_to(delta(), 7_000), &full()), (Some(7_000), false));
        assert_eq!(watermark(&up_to(delta(), 3_000), &full()), (Some(5_000), false));
        assert_eq!(watermark(&up_to(full(), 3_000), &full()), (Some(3_000), false));
    }

    #[test]
    fn a_delta_load_of_other_columns_is_refused() {
        let some = ExtractionSpec { columns: vec!["summary".to_owned()], ..full() };
        let (all, some) = (Scope::of(&full(), "issues"), Scope::of(&some, "issues"));
        assert!(some.check_columns("issues", &some).is_ok());
        let refused = all.check_columns("issues", &some).unwrap_err();
        assert!(refused.message.contains("summary") && refused.code == "columns_differ", "{refused:?}");
        // The choice of one table says nothing of another.
        let of_links = ExtractionSpec { columns: vec!["issue_links.type_name".to_owned()], ..full() };
        assert!(all.check_columns("issues", &Scope::of(&of_links, "issues")).is_ok());
    }

    #[test]
    fn a_table_from_before_the_notes_counts_as_loaded_whole() {
        let before = Before { watermark_ms: Some(5_000), scope: None };
        let narrow = ExtractionSpec { jql: Some("x = 1".to_owned()), ..delta() };
        assert!(after(&narrow, "issues", Some(9_000), before).stays);
        assert_eq!(after(&delta(), "issues", Some(9_000), before).watermark_ms, Some(9_000));
    }
}
