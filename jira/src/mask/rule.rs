//! Which columns are masked and how, as the premises and the extraction say it.

use crate::fields::{CustomColumn, CustomType, IssueSchema};
use crate::mask::again;
use crate::mask::hash::Hasher;
use crate::refused::MaskError;
use crate::tables::{ColumnSpec, ColumnType, Table, Take};
use std::fmt;

/// The column by which the lake replaces rows of an issue.
const ISSUE_ID: &str = "issue_id";

/// Ends the name of a column that holds a document of Jira Cloud; what comes before names the column with its plain text.
const DOCUMENT_SUFFIX: &str = "_adf";

/// Which columns a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnSelector {
    /// The column of that name (or, of `issues`, the column of the custom field with that id) in one table or in all. A text of Jira
    /// Cloud is meant with the document beside it: `description` with `description_adf`.
    Column {
        /// The table; `None` means every table.
        table: Option<Table>,
        /// The column's name, or `customfield_N`.
        name: String,
    },
    /// Every column that names a person, in every table: user ids, names and addresses, custom fields of people, and what the history
    /// says of all these.
    People,
}

/// What happens to a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Mask {
    /// It does not leave.
    Drop,
    /// Its values leave hashed.
    Hash(Hasher),
}

/// One rule.
#[derive(Clone, Debug, PartialEq)]
pub struct MaskRule {
    /// Which columns.
    pub selector: ColumnSelector,
    /// What happens to them.
    pub mask: Mask,
}

/// Rules that can be carried out. Where several are about one column, dropping wins, then the first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Masks(Vec<MaskRule>);

impl ColumnSelector {
    /// Reads `TABLE.COLUMN`, `*.COLUMN` or `people`.
    ///
    /// # Errors
    /// When it has another form or names what no site can have.
    pub fn parse(text: &str) -> Result<Self, MaskError> {
        let text = text.trim();
        if text == "people" {
            return Ok(Self::People);
        }
        let form = || MaskError::Form(text.chars().take(64).collect());
        let (table, name) = text.split_once('.').ok_or_else(form)?;
        let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        if !plain {
            return Err(form());
        }
        let table = match table {
            "*" => None,
            named => {
                Some(Table::parse(named).ok_or_else(|| MaskError::Table(named.chars().take(64).collect()))?)
            }
        };
        // The columns of custom fields are known only when the site is read.
        if let Some(table) = table.filter(|table| *table != Table::Issues)
            && fixed(table, name).is_none()
        {
            return Err(MaskError::Column { table, name: name.to_owned() });
        }
        Ok(Self::Column { table, name: name.to_owned() })
    }

    fn is_about(&self, table: Table, column: &ColumnSpec) -> bool {
        match self {
            Self::Column { table: of, name } => {
                let is_named = name == column.name || text_beside(column) == Some(name);
                of.is_none_or(|of| of == table) && is_named
            }
            Self::People => column.take == Take::User || table.spec().people.contains(&column.name),
        }
    }

    fn is_about_custom(&self, column: &CustomColumn) -> bool {
        match self {
            Self::Column { table, name } => {
                table.is_none_or(|table| table == Table::Issues)
                    && (*name == column.name
                        || *name == column.field_id()
                        || (column.custom_type == CustomType::EpicLink && name == "epic_key"))
            }
            Self::People => matches!(column.custom_type, CustomType::User | CustomType::Users),
        }
    }
}

impl fmt::Display for ColumnSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Column { table: Some(table), name } => write!(f, "{table}.{name}"),
            Self::Column { table: None, name } => write!(f, "*.{name}"),
            Self::People => f.write_str("people"),
        }
    }
}

impl Masks {
    /// Takes rules that leave every row its key.
    ///
    /// # Errors
    /// When a rule would make rows indistinguishable.
    pub fn try_new(rules: Vec<MaskRule>) -> Result<Self, MaskError> {
        rules.iter().try_for_each(check)?;
        Ok(Self(rules))
    }

    /// Hashes columns with SHA-256 and a salt: what a user may ask for who is not the owner of the Jira.
    ///
    /// # Errors
    /// When a selector names nothing, or a column that cannot be hashed.
    pub fn pseudonyms<'n>(
        columns: impl IntoIterator<Item = &'n str>,
        salt: &[u8],
    ) -> Result<Self, MaskError> {
        let mask = Mask::Hash(Hasher::sha256(salt));
        let rule = |column| Ok(MaskRule { selector: ColumnSelector::parse(column)?, mask: mask.clone() });
        Self::try_new(columns.into_iter().map(rule).collect::<Result<_, MaskError>>()?)
    }

    /// Whether nothing is masked.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rules.
    pub fn rules(&self) -> &[MaskRule] {
        &self.0
    }

    /// These rules and more: the stricter holds.
    #[must_use]
    pub fn and(mut self, more: Self) -> Self {
        self.0.extend(more.0);
        self
    }

    /// Whether a table cannot be read under these rules, since nothing would be left of its rows.
    pub fn excludes(&self, table: Table) -> bool {
        let spec = table.spec();
        let mut keys = spec.columns.iter().filter(|column| spec.key.contains(&column.name));
        let is_of_people = keys.any(|column| ColumnSelector::People.is_about(table, column));
        (is_of_people && self.of_people() == Some(&Mask::Drop)) || again::tells(self, table)
    }

    /// What the rules come to, as a text by which two agents see that they mask alike.
    pub fn identity(&self) -> String {
        let rule = |rule: &MaskRule| match &rule.mask {
            Mask::Drop => format!("{} drop", rule.selector),
            Mask::Hash(hasher) => format!("{} {}", rule.selector, hasher.label()),
        };
        let mut rules: Vec<String> = self.0.iter().map(rule).collect();
        rules.sort();
        rules.dedup();
        rules.join("\n")
    }

    pub(crate) fn of_fixed(&self, table: Table, column: &ColumnSpec) -> Option<&Mask> {
        self.strictest(|selector| selector.is_about(table, column))
    }

    pub(crate) fn of_custom(&self, column: &CustomColumn) -> Option<&Mask> {
        self.strictest(|selector| selector.is_about_custom(column))
    }

    pub(crate) fn of_people(&self) -> Option<&Mask> {
        self.strictest(|selector| *selector == ColumnSelector::People)
    }

    fn strictest(&self, about: impl Fn(&ColumnSelector) -> bool) -> Option<&Mask> {
        let mut masks = self.0.iter().filter(|rule| about(&rule.selector)).map(|rule| &rule.mask);
        let first = masks.next()?;
        if *first == Mask::Drop {
            Some(first)
        } else {
            Some(masks.find(|mask| **mask == Mask::Drop).unwrap_or(first))
        }
    }

    /// Rules that are about no column of this site.
    pub(crate) fn unmatched(&self, schema: &IssueSchema) -> Vec<String> {
        let matches = |rule: &&MaskRule| {
            let fixed = Table::all().iter().any(|&table| {
                table.spec().columns.iter().any(|column| rule.selector.is_about(table, column))
            });
            fixed || schema.custom().iter().any(|column| rule.selector.is_about_custom(column))
        };
        self.0.iter().filter(|rule| !matches(rule)).map(|rule| rule.selector.to_string()).collect()
    }
}

/// The column that holds the same as plain text, of a column that holds the document of Jira Cloud: who masks the text means both.
fn text_beside(column: &ColumnSpec) -> Option<&'static str> {
    column.name.strip_suffix(DOCUMENT_SUFFIX)
}

fn fixed(table: Table, name: &str) -> Option<&'static ColumnSpec> {
    table.spec().columns.iter().find(|column| column.name == name)
}

fn check(rule: &MaskRule) -> Result<(), MaskError> {
    for &table in Table::all() {
        let columns = table.spec().columns.iter().filter(|column| rule.selector.is_about(table, column));
        for column in columns {
            let is_key = table.key_columns().contains(&column.name) || column.name == ISSUE_ID;
            let keeps_rows_apart = match rule.mask {
                // A hash of a text tells rows apart as the text did.
                Mask::Hash(_) => column.column_type == ColumnType::Text,
                // Without people there is no table of people at all: see `Masks::excludes`.
                Mask::Drop => rule.selector == ColumnSelector::People,
            };
            if is_key && !keeps_rows_apart {
                let what = if rule.mask == Mask::Drop { "dropped" } else { "hashed" };
                return Err(MaskError::Key { table, name: column.name.to_owned(), what });
            }
        }
    }
    Ok(())
}
