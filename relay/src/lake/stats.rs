//! Statistics of files: made from Parquet footers, written into the Delta log, read back to decide which files a delta load touches.

use super::columns::{ISSUE_ID, Kind};
use arrow_array::{Array, ArrayRef, BooleanArray, Int64Array, StructArray, TimestampMicrosecondArray};
use arrow_schema::{ArrowError, DataType, Field, Fields};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;
use serde::Deserialize;
use std::sync::Arc;

/// Columns of a file, from the first on, that get statistics: ids and times stand in front, custom fields behind.
const COLUMNS_MAX: usize = 64;

/// What is known of a file without reading its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileStats {
    pub(crate) rows: u64,
    columns: Vec<ColumnStats>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct ColumnStats {
    name: String,
    kind: Kind,
    nulls: i64,
    /// Smallest and largest value; `None` when all are null.
    range: Option<(i64, i64)>,
}

impl FileStats {
    pub(crate) fn of(meta: &ParquetMetaData) -> Self {
        let described = meta.file_metadata().schema_descr().columns();
        let numeric = described.iter().enumerate().take(COLUMNS_MAX).filter_map(|(leaf, column)| {
            let kind = Kind::of(column).filter(|kind| matches!(kind, Kind::I64 | Kind::Timestamp))?;
            let (nulls, range) = over_groups(meta, leaf)?;
            Some(ColumnStats { name: column.name().to_owned(), kind, nulls, range })
        });
        let rows = u64::try_from(meta.file_metadata().num_rows()).unwrap_or(0);
        Self { rows, columns: numeric.collect() }
    }

    /// Bounds of `issue_id`; `None` when unknown.
    pub(crate) fn issue_ids(&self) -> Option<(i64, i64)> {
        self.columns.iter().find(|column| column.name == ISSUE_ID).and_then(|column| column.range)
    }

    /// As the Delta log wants it: `numRecords`, `nullCount`, `minValues`, `maxValues`, `tightBounds`.
    pub(crate) fn to_array(&self) -> Result<StructArray, ArrowError> {
        let rows = i64::try_from(self.rows).map_err(|error| ArrowError::ComputeError(error.to_string()))?;
        let mut members: Vec<(&str, ArrayRef)> = vec![("numRecords", Arc::new(Int64Array::from(vec![rows])))];
        if !self.columns.is_empty() {
            let nulls = |column: &ColumnStats| -> ArrayRef { Arc::new(Int64Array::from(vec![column.nulls])) };
            members.push(("nullCount", self.per_column(nulls)?));
            members.push(("minValues", self.per_column(|c| c.array(c.range.map(|(min, _)| min)))?));
            members.push(("maxValues", self.per_column(|c| c.array(c.range.map(|(_, max)| max)))?));
        }
        members.push(("tightBounds", Arc::new(BooleanArray::from(vec![true]))));
        structure(members)
    }

    fn per_column(&self, value: impl Fn(&ColumnStats) -> ArrayRef) -> Result<ArrayRef, ArrowError> {
        let members = self.columns.iter().map(|column| (column.name.as_str(), value(column)));
        Ok(Arc::new(structure(members.collect())?))
    }
}

impl ColumnStats {
    fn array(&self, value: Option<i64>) -> ArrayRef {
        match self.kind {
            Kind::Timestamp => Arc::new(TimestampMicrosecondArray::from(vec![value]).with_timezone("UTC")),
            _ => Arc::new(Int64Array::from(vec![value])),
        }
    }
}

fn structure(members: Vec<(&str, ArrayRef)>) -> Result<StructArray, ArrowError> {
    let field = |(name, array): &(&str, ArrayRef)| {
        let data_type: DataType = array.data_type().clone();
        Field::new(*name, data_type, true)
    };
    let fields: Fields = members.iter().map(field).collect();
    StructArray::try_new(fields, members.into_iter().map(|(_, array)| array).collect(), None)
}

/// Nulls and bounds of a column over all row groups; `None` when one of them does not tell.
fn over_groups(meta: &ParquetMetaData, leaf: usize) -> Option<(i64, Option<(i64, i64)>)> {
    let (mut nulls, mut range) = (0_i64, None::<(i64, i64)>);
    for group in meta.row_groups() {
        let (group_nulls, group_range) = in_group(group, leaf)?;
        nulls = nulls.checked_add(group_nulls)?;
        range = match (range, group_range) {
            (Some((min, max)), Some((low, high))) => Some((min.min(low), max.max(high))),
            (known, new) => known.or(new),
        };
    }
    Some((nulls, range))
}

/// Nulls and bounds of a column in one row group; `None` when the footer does not tell.
fn in_group(group: &RowGroupMetaData, leaf: usize) -> Option<(i64, Option<(i64, i64)>)> {
    if group.num_rows() == 0 {
        return Some((0, None));
    }
    let Some(Statistics::Int64(stats)) = group.columns().get(leaf)?.statistics() else { return None };
    let nulls = i64::try_from(stats.null_count_opt()?).ok()?;
    match (stats.min_opt(), stats.max_opt()) {
        (Some(&min), Some(&max)) if min <= max => Some((nulls, Some((min, max)))),
        (None, None) if nulls == group.num_rows() => Some((nulls, None)),
        _ => None,
    }
}

/// Bounds of the values of a column in one row group; `None` when unknown.
pub(crate) fn group_range(group: &RowGroupMetaData, leaf: usize) -> Option<(i64, i64)> {
    in_group(group, leaf).and_then(|(_, range)| range)
}

/// The part of a log entry's statistics that matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LoggedStats {
    pub(crate) rows: Option<u64>,
    /// Bounds of `issue_id`.
    pub(crate) issue_ids: Option<(i64, i64)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LoggedJson {
    num_records: Option<u64>,
    #[serde(default)]
    min_values: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    max_values: serde_json::Map<String, serde_json::Value>,
}

impl LoggedStats {
    /// Statistics that cannot be understood count as absent.
    pub(crate) fn parse(json: Option<&str>) -> Self {
        let Some(Ok(stats)) = json.map(serde_json::from_str::<LoggedJson>) else { return Self::default() };
        let bound = |values: &serde_json::Map<String, serde_json::Value>| values.get(ISSUE_ID)?.as_i64();
        let issue_ids = bound(&stats.min_values).zip(bound(&stats.max_values));
        Self { rows: stats.num_records, issue_ids }
    }
}
