//! What can go wrong in the lake, by cause. Each text says what failed, on what, why, and what to do next.

use delta_kernel::KernelError;
use parquet::errors::ParquetError;
use std::error::Error as _;
use std::io::ErrorKind;

/// Why the lake refused or failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LakeError {
    /// A name that must not become part of a path.
    #[error(
        "`{name}` is no name of a {what} that the lake accepts; names hold small letters, digits, `-` and `_`, at most 64 of them"
    )]
    Name {
        /// What it should have named.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// The bytes are not the announced part, or no part at all.
    #[error(
        "part {part} of table {table} is refused: {fault}; nothing was written, the run must read it again"
    )]
    Part {
        /// The part's name.
        part: String,
        /// The table.
        table: String,
        /// What is wrong with it.
        fault: PartFault,
    },
    /// The name of a landed part came again with other bytes.
    #[error(
        "{path} has landed before with other bytes; the earlier file stays, and the run that sent a name twice must be started again"
    )]
    NameReused {
        /// The file.
        path: String,
    },
    /// A column has another type than the table.
    #[error(
        "column `{column}` of table {table} holds {was} and the new rows hold {now}; the table is unchanged. Rename the Jira field (it then becomes a column of its own) or extract into a new data connection"
    )]
    ColumnType {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// The type in the table.
        was: String,
        /// The type in the new parts.
        now: String,
    },
    /// A column whose values were masked otherwise before.
    #[error(
        "column `{column}` of table {table} holds values {was} and the new rows hold values {now}; they are not mixed and the table is unchanged. \
         Extract into a new data connection, and remove the old table if it must not be kept"
    )]
    Mask {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// How the table's values are masked.
        was: String,
        /// How those of the new parts are.
        now: String,
    },
    /// A part named in a commit is not as it landed.
    #[error("{path} cannot be committed: {fault}; the table is unchanged, start the run again")]
    Committing {
        /// The file.
        path: String,
        /// What is wrong with it.
        fault: PartFault,
    },
    /// Another engine changed the table in a way that a delta load cannot carry on.
    #[error(
        "{file} of table {table} {what}, which another engine did; the table is unchanged. Run a full load, which replaces all files of the table"
    )]
    Foreign {
        /// The table.
        table: String,
        /// The file.
        file: String,
        /// What it has.
        what: &'static str,
    },
    /// Others committed to the table again and again.
    #[error(
        "table {table} could not be committed: {attempts} attempts met another writer or a failing store, the last one: {last}; stop other writers of this table, then start the run again"
    )]
    Contended {
        /// The table.
        table: String,
        /// How often it was tried.
        attempts: u32,
        /// What stopped the last attempt.
        last: String,
    },
    /// The object store failed.
    #[error("cannot {action} {path}: {source}; {}", storage_hint(source))]
    Storage {
        /// What was tried.
        action: &'static str,
        /// On which file or directory.
        path: String,
        /// The store's own words.
        source: object_store::Error,
    },
    /// The lake's directory cannot be used.
    #[error("cannot use {path} as the lake: {source}; {}", io_hint(source.kind()))]
    Root {
        /// The directory.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The Delta library failed.
    #[error(
        "cannot {action} of table {table}: {source}; if its `_delta_log` was changed by hand, restore it or delete the table's directory and run a full load"
    )]
    Delta {
        /// What was tried.
        action: &'static str,
        /// The table.
        table: String,
        /// The library's own words.
        source: Box<KernelError>,
    },
    /// A Parquet file of the lake cannot be read or rewritten.
    #[error(
        "cannot {action} {path}: {source}; if the file is damaged, run a full load, which replaces all files of the table"
    )]
    Parquet {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: String,
        /// The library's own words.
        source: ParquetError,
    },
    /// The lake runs on a single-threaded runtime, where the Delta library would wait for ever.
    #[error("the lake needs a multi-threaded tokio runtime; start the relay with one")]
    Runtime,
    /// A blocking task ended without a result.
    #[error(
        "could not {action}: the task ended early ({reason}); nothing became visible, start the run again and report it if it happens twice"
    )]
    Interrupted {
        /// What was tried.
        action: &'static str,
        /// The panic or cancellation.
        reason: String,
    },
}

/// What is wrong with a part.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PartFault {
    /// Fewer or more bytes than announced.
    #[error("{got} bytes came and {announced} were announced")]
    Length {
        /// Bytes announced.
        announced: u64,
        /// Bytes that came.
        got: u64,
    },
    /// Other bytes than announced.
    #[error("its bytes have another SHA-256 digest than announced")]
    Digest,
    /// It belongs to another table or run than the place where it should land.
    #[error("it is announced for {announced} and should land in {place}")]
    Elsewhere {
        /// From the announcement.
        announced: String,
        /// Where it should land.
        place: String,
    },
    /// No Parquet footer.
    #[error("it is no Parquet file that can be read ({0})")]
    Footer(String),
    /// Other rows than announced.
    #[error("its footer counts {got} rows and {announced} were announced")]
    Rows {
        /// Rows announced.
        announced: u64,
        /// Rows in the footer.
        got: u64,
    },
    /// A column of a type that tables do not have.
    #[error("column `{column}` has the type {found}, which tables do not have")]
    ColumnType {
        /// The column.
        column: String,
        /// Its Parquet type.
        found: String,
    },
    /// A column's name that a Delta table cannot have, or two columns of one name.
    #[error(
        "`{0}` cannot be the name of a column here (empty, too long, taken, or with a character that Delta refuses)"
    )]
    ColumnName(String),
    /// The description of the columns in the footer does not fit the columns.
    #[error("its `uplink.columns` entry does not describe its columns ({0})")]
    ColumnNotes(String),
    /// The footer points outside the file.
    #[error("its footer places column data outside the file")]
    Bounds,
}

impl LakeError {
    /// A stable word for the cause, for the API and for scripts.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Name { .. } => "name_refused",
            Self::Part { .. } => "part_refused",
            Self::NameReused { .. } => "part_name_reused",
            Self::ColumnType { .. } => "column_type_changed",
            Self::Mask { .. } => "column_mask_changed",
            Self::Committing { .. } => "part_changed",
            Self::Foreign { .. } => "table_changed_elsewhere",
            Self::Contended { .. } => "table_contended",
            Self::Storage { source: object_store::Error::NotFound { .. }, .. } => "file_missing",
            Self::Storage { source, .. } => match io_kind(source) {
                Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => "lake_full",
                _ => "lake_unwritable",
            },
            Self::Root { .. } => "lake_unwritable",
            Self::Delta { .. } => "delta_failed",
            Self::Parquet { .. } => "part_unreadable",
            Self::Runtime | Self::Interrupted { .. } => "internal",
        }
    }

    pub(crate) fn delta(action: &'static str, table: &str, source: KernelError) -> Self {
        match source {
            KernelError::ObjectStore(source) => {
                Self::Storage { action, path: format!("table {table}"), source }
            }
            source => Self::Delta { action, table: table.to_owned(), source: Box::new(source) },
        }
    }

    pub(crate) fn parquet(action: &'static str, path: &str, source: ParquetError) -> Self {
        match store_failure(source) {
            Ok(source) => Self::Storage { action, path: path.to_owned(), source },
            Err(source) => Self::Parquet { action, path: path.to_owned(), source },
        }
    }
}

/// The store's error that the Parquet library passed through, if it is one.
fn store_failure(error: ParquetError) -> Result<object_store::Error, ParquetError> {
    let ParquetError::External(inner) = error else { return Err(error) };
    let io = inner.downcast::<std::io::Error>().map_err(ParquetError::External)?;
    let kind = io.kind();
    let Some(inner) = io.into_inner() else { return Err(ParquetError::General(kind.to_string())) };
    inner.downcast::<object_store::Error>().map(|source| *source).map_err(ParquetError::External)
}

/// The operating system's reason behind a store's error.
fn io_kind(error: &object_store::Error) -> Option<ErrorKind> {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            return Some(io.kind());
        }
        cause = inner.source();
    }
    None
}

fn storage_hint(error: &object_store::Error) -> &'static str {
    if matches!(error, object_store::Error::NotFound { .. }) {
        return "the file was deleted by hand or swept; run a full load, which replaces all files of the table";
    }
    io_kind(error).map_or("check that the lake's store is reachable, then start the run again", io_hint)
}

fn io_hint(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "free space on the lake's disk, then start the run again"
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "let the relay's user write to the lake's directory, then start the run again"
        }
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            "a file is in the way of a directory of the lake; move it"
        }
        _ => "check the lake's disk, then start the run again",
    }
}
