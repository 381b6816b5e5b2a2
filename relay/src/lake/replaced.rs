//! Which issues a run has read again, and in which generation: their rows in files of earlier generations are out of date.

use super::columns::ISSUE_ID;
use super::error::{LakeError, PartFault};
use super::files::Files;
use super::footer::{Footer, issue_id_leaf};
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;

/// Issue ids in order, each once, with the last generation that replaced it. 16 bytes an issue.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReplacedIds {
    ids: Vec<(i64, u32)>,
    last_generation: u32,
}

impl ReplacedIds {
    pub(crate) fn new(mut ids: Vec<(i64, u32)>) -> Self {
        // Ascending by id, later generations first: of one id the last generation stays.
        ids.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
        ids.dedup_by_key(|(id, _)| *id);
        let last_generation = ids.iter().map(|(_, generation)| *generation).max().unwrap_or(0);
        Self { ids, last_generation }
    }

    /// Whether rows of an issue are out of date in a file of that generation.
    pub(crate) fn drops(&self, issue_id: i64, generation: u32) -> bool {
        let found = self.ids.binary_search_by_key(&issue_id, |(id, _)| *id);
        found.ok().and_then(|at| self.ids.get(at)).is_some_and(|(_, replaced_in)| *replaced_in > generation)
    }

    /// Whether a file of that generation, whose issue ids lie within the bounds (unknown: anywhere), may hold rows that are out of date.
    pub(crate) fn may_touch(&self, bounds: Option<(i64, i64)>, generation: u32) -> bool {
        if self.last_generation <= generation {
            return false;
        }
        let (min, max) = bounds.unwrap_or((i64::MIN, i64::MAX));
        let from = self.ids.partition_point(|(id, _)| *id < min);
        let within = self.ids.iter().skip(from).take_while(|(id, _)| *id <= max);
        within.into_iter().any(|(_, replaced_in)| *replaced_in > generation)
    }
}

/// Appends the ids of one landed `_replaced` part.
pub(crate) fn read_ids(
    files: &Files,
    path: &str,
    generation: u32,
    into: &mut Vec<(i64, u32)>,
) -> Result<u64, LakeError> {
    let bytes = files.read(path)?;
    let committing = |fault| LakeError::Committing { path: files.display(path), fault };
    let footer = Footer::parse(&bytes).map_err(committing)?;
    let leaf = issue_id_leaf(&footer.meta)
        .ok_or_else(|| committing(PartFault::ColumnName(format!("{ISSUE_ID} (missing)"))))?;
    let before = into.len();
    let failed = |source| LakeError::parquet("read", &files.display(path), source);
    let read = || -> Result<(), ParquetError> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
        let only_ids = ProjectionMask::leaves(builder.parquet_schema(), [leaf]);
        for batch in builder.with_projection(only_ids).build()? {
            let batch = batch?;
            let ids = batch.column(0).as_primitive_opt::<Int64Type>();
            let ids = ids.ok_or_else(|| ParquetError::General(format!("{ISSUE_ID} is no 64-bit integer")))?;
            into.extend(ids.iter().flatten().map(|id| (id, generation)));
        }
        Ok(())
    };
    read().map_err(failed)?;
    Ok(u64::try_from(into.len().saturating_sub(before)).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_replaced_twice_counts_with_its_last_generation() {
        let replaced = ReplacedIds::new(vec![(7, 1), (3, 2), (7, 2), (9, 1)]);
        assert!(replaced.drops(7, 0) && replaced.drops(7, 1) && !replaced.drops(7, 2));
        assert!(replaced.drops(9, 0) && !replaced.drops(9, 1) && !replaced.drops(8, 0));
    }

    #[test]
    fn only_files_whose_bounds_hold_an_id_are_touched() {
        let replaced = ReplacedIds::new(vec![(10, 1), (20, 2)]);
        assert!(replaced.may_touch(Some((10, 10)), 0) && replaced.may_touch(Some((11, 20)), 0));
        assert!(!replaced.may_touch(Some((11, 19)), 0), "no id between the bounds");
        assert!(!replaced.may_touch(Some((0, 15)), 1), "the id in the bounds is of no later generation");
        assert!(replaced.may_touch(None, 1), "a file without statistics counts as touched");
        assert!(!replaced.may_touch(None, 2) && !ReplacedIds::default().may_touch(None, 0));
    }
}
