//! Names: which table, and what its files are called. Every name that reaches a path passes here.

use super::error::LakeError;
use protocol::ids::{PartId, RunId};

/// Longest name of a pool, connection or table.
const NAME_BYTES_MAX: usize = 64;

/// A table of a data connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TablePlace {
    /// The data pool.
    pub pool: String,
    /// The data connection.
    pub connection: String,
    /// The table, or `_replaced`.
    pub table: String,
}

impl TablePlace {
    /// The table's directory, relative to the lake's root.
    pub(crate) fn dir(&self) -> String {
        format!("{}/{}/{}", self.pool, self.connection, self.table)
    }

    /// The application id of the table's Delta transactions.
    pub(crate) fn app_id(&self) -> String {
        format!("uplink/{}/{}", self.connection, self.table)
    }

    /// Refuses names that could mean another directory.
    pub(crate) fn check(&self) -> Result<(), LakeError> {
        check_name("data pool", &self.pool)?;
        check_name("data connection", &self.connection)?;
        check_name("table", &self.table)
    }

    /// The file name of a path of this table, if the path lies directly in it and is a part.
    pub(crate) fn part_name<'a>(&self, path: &'a str) -> Result<&'a str, LakeError> {
        let name = path.strip_prefix(&self.dir()).and_then(|rest| rest.strip_prefix('/'));
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        name.filter(|name| is_part(name) && name.bytes().all(plain))
            .ok_or_else(|| LakeError::Name { what: "part", name: path.to_owned() })
    }
}

/// The file name of a landed part.
pub(crate) fn landed_name(run: &RunId, part: &PartId) -> Result<String, LakeError> {
    let run_is_plain = !run.0.is_empty()
        && run.0.len() <= NAME_BYTES_MAX
        && run.0.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !run_is_plain {
        return Err(LakeError::Name { what: "run", name: run.0.clone() });
    }
    if !part.is_well_formed() {
        return Err(LakeError::Name { what: "part", name: part.0.clone() });
    }
    Ok(format!("part-{run}-{part}.parquet"))
}

/// The file name of the copy of `source` that a run wrote without the rows that it replaced. The same run and source give the same
/// name and bytes, so a repeated commit overwrites its own copy.
pub(crate) fn rewritten_name(run_number: i64, source: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, source.as_bytes());
    let hash: String = digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("part-run_{run_number}-rw-{hash}.parquet")
}

/// Whether a file of a table's directory holds rows.
pub(crate) fn is_part(name: &str) -> bool {
    name.starts_with("part-") && name.ends_with(".parquet")
}

fn check_name(what: &'static str, name: &str) -> Result<(), LakeError> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    let good = !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.bytes().all(plain);
    if good { Ok(()) } else { Err(LakeError::Name { what, name: name.to_owned() }) }
}
