//! Why something that a person asks for is refused before any Jira is asked.

use crate::tables::Table;

/// Why a spec is refused before anything is asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Not the form of a project key.
    #[error(
        "`{0}` is no project key: it must start with a letter and hold only letters, digits and underscores"
    )]
    ProjectKey(String),
    /// No table chosen.
    #[error("the extraction names no table; name at least one")]
    NoTable,
    /// The user's JQL could change the meaning of the rest.
    #[error("the JQL of the extraction is refused: {0}")]
    Jql(String),
    /// None of the projects that may be read is there.
    #[error("no project that this account sees is permitted; nothing can be read")]
    NoProjectPermitted,
    /// A table of which the masks leave nothing.
    #[error("the masks leave nothing of the table {0}; leave it out")]
    Masked(Table),
    /// Bounds that no issue can meet.
    #[error("{0}-from is not before {0}-to: no issue can match")]
    EmptyRange(&'static str),
    /// Not the form of a column's name.
    #[error("`{0}` names no column; write TABLE.COLUMN, or the name of a column of issues")]
    ColumnForm(String),
    /// A column of a table that does not exist.
    #[error("`{0}` names a column of a table that does not exist")]
    ColumnOfNoTable(String),
    /// A column of a table that is not read.
    #[error("columns of {0} are chosen, but the extraction does not read that table")]
    ColumnOfOtherTable(Table),
    /// A column that does not exist.
    #[error("table {table} has no column `{name}`{}", nearest.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    Column {
        /// The table.
        table: Table,
        /// The column.
        name: String,
        /// The column that was probably meant.
        nearest: Option<String>,
    },
    /// More columns than any Jira has.
    #[error("more than {0} columns are chosen; leave the choice out to get all of them")]
    TooManyColumns(usize),
    /// Not a rule that can be carried out.
    #[error("the pseudonyms of the extraction are refused: {0}")]
    Pseudonyms(#[from] MaskError),
}

/// Why a rule cannot be carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MaskError {
    /// Not the form of a selector.
    #[error("`{0}` names no column; write TABLE.COLUMN, *.COLUMN for every table, or `people`")]
    Form(String),
    /// A table that does not exist.
    #[error("there is no table `{0}`")]
    Table(String),
    /// A column that does not exist.
    #[error("table {table} has no column `{name}`")]
    Column {
        /// The table.
        table: Table,
        /// The column.
        name: String,
    },
    /// Rows could not be told apart without the column.
    #[error(
        "`{table}.{name}` tells rows apart, so it cannot be {what}; mask the columns that describe the row instead"
    )]
    Key {
        /// The table.
        table: Table,
        /// The column.
        name: String,
        /// `dropped` or `hashed`.
        what: &'static str,
    },
}
