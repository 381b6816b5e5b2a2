//! The columns that an extraction chooses. A table of which none is named comes with all of its columns; of the others the named ones
//! come, and those without which rows could not be told apart or replaced.
//!
//! This is a choice, not a rule: what is not chosen here may stand in another table. What may not leave is said by [`crate::Masks`].

use crate::fields::IssueSchema;
use crate::refused::SpecError;
use crate::tables::Table;
use std::collections::{BTreeMap, BTreeSet};

/// The column by which the lake replaces rows of an issue.
const ISSUE_ID: &str = "issue_id";
/// Most columns that one extraction may name: three times as many as the largest sites have fields.
const COLUMNS_MAX: usize = 10_000;
/// A name farther from every known one than this was hardly meant so.
const TYPING_MISTAKES_MAX: usize = 3;

/// Chosen columns by table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns(BTreeMap<Table, BTreeSet<String>>);

/// Per table, which of its columns were not chosen, by their places.
pub(crate) type Unchosen = BTreeMap<Table, Vec<bool>>;

impl Columns {
    /// Reads `TABLE.COLUMN` and, for columns of `issues`, `COLUMN` or `customfield_N`.
    ///
    /// # Errors
    /// When a name has another form, or names a table or a fixed column that does not exist. Columns of custom fields are known only
    /// when the site is read.
    pub fn parse<'n>(names: impl IntoIterator<Item = &'n str>) -> Result<Self, SpecError> {
        let mut chosen: BTreeMap<Table, BTreeSet<String>> = BTreeMap::new();
        for (at, name) in names.into_iter().enumerate() {
            if at >= COLUMNS_MAX {
                return Err(SpecError::TooManyColumns(COLUMNS_MAX));
            }
            let (table, column) = split(name.trim())?;
            if table != Table::Issues && !table.spec().columns.iter().any(|spec| spec.name == column) {
                return Err(unknown(table, column, None));
            }
            chosen.entry(table).or_default().insert(column.to_owned());
        }
        Ok(Self(chosen))
    }

    /// Whether nothing is chosen, and so everything comes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tables of which some columns are chosen.
    pub fn tables(&self) -> impl Iterator<Item = Table> {
        self.0.keys().copied()
    }

    /// What is left out of the columns that this site has.
    pub(crate) fn unchosen(&self, schema: &IssueSchema) -> Result<Unchosen, SpecError> {
        self.0.iter().map(|(table, chosen)| Ok((*table, left_out(*table, chosen, schema)?))).collect()
    }
}

fn split(name: &str) -> Result<(Table, &str), SpecError> {
    let (table, column) = match name.split_once('.') {
        None => (Table::Issues, name),
        Some((table, column)) => {
            let named = Table::parse(table).ok_or_else(|| SpecError::ColumnOfNoTable(short(name)))?;
            (named, column)
        }
    };
    let plain = !column.is_empty() && column.chars().all(|c| c.is_alphanumeric() || c == '_');
    if plain { Ok((table, column)) } else { Err(SpecError::ColumnForm(short(name))) }
}

fn left_out(table: Table, chosen: &BTreeSet<String>, schema: &IssueSchema) -> Result<Vec<bool>, SpecError> {
    let spec = table.spec();
    let custom = if table == Table::Issues { schema.custom() } else { &[] };
    let is_known = |name: &String| {
        spec.columns.iter().any(|column| column.name == *name)
            || custom.iter().any(|column| column.name == *name || column.field_id() == *name)
    };
    if let Some(name) = chosen.iter().find(|name| !is_known(name)) {
        return Err(unknown(table, name, Some(schema)));
    }
    let fixed = spec.columns.iter().map(|column| {
        let is_needed = spec.key.contains(&column.name) || column.name == ISSUE_ID;
        !is_needed && !chosen.contains(column.name)
    });
    let custom =
        custom.iter().map(|column| !chosen.contains(&column.name) && !chosen.contains(&column.field_id()));
    Ok(fixed.chain(custom).collect())
}

fn unknown(table: Table, name: &str, schema: Option<&IssueSchema>) -> SpecError {
    let custom = schema.filter(|_| table == Table::Issues).map_or(&[][..], IssueSchema::custom);
    let fixed = table.spec().columns.iter().map(|column| column.name);
    let known = fixed.chain(custom.iter().map(|column| column.name.as_str()));
    let distance = |known: &str| strsim::damerau_levenshtein(known, name);
    let nearest = known
        .map(|known| (distance(known), known))
        .filter(|(distance, _)| *distance <= TYPING_MISTAKES_MAX)
        .min()
        .map(|(_, known)| known.to_owned());
    SpecError::Column { table, name: short(name), nearest }
}

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> IssueSchema {
        let field =
            r#"[{"id":"customfield_10016","name":"Story Points","custom":true,"schema":{"type":"number"}}]"#;
        IssueSchema::from_field_answer(field).unwrap()
    }

    fn kept(names: &[&str], table: Table) -> Vec<String> {
        let unchosen = Columns::parse(names.iter().copied()).unwrap().unchosen(&schema()).unwrap();
        let (schema, spec) = (schema(), table.spec());
        let custom = if table == Table::Issues { schema.custom() } else { &[] };
        let all = spec.columns.iter().map(|column| column.name.to_owned());
        let all = all.chain(custom.iter().map(|column| column.name.clone()));
        all.zip(&unchosen[&table]).filter(|(_, left_out)| !**left_out).map(|(name, _)| name).collect()
    }

    #[test]
    fn the_keys_of_a_table_come_with_whatever_is_chosen() {
        assert_eq!(kept(&["summary"], Table::Issues), ["issue_id", "summary"]);
        assert_eq!(kept(&["customfield_10016"], Table::Issues), ["issue_id", "story_points"]);
        assert_eq!(kept(&["issues.story_points"], Table::Issues), ["issue_id", "story_points"]);
        let comments = kept(&["issue_comments.body"], Table::IssueComments);
        assert_eq!(comments, ["comment_id", "issue_id", "body"]);
        assert!(
            !Columns::parse(["summary"]).unwrap().unchosen(&schema()).unwrap().contains_key(&Table::Users)
        );
    }

    #[test]
    fn a_name_that_nothing_has_is_refused_with_the_nearest_right_one() {
        let refused = |name: &str| match Columns::parse([name]) {
            Ok(columns) => columns.unchosen(&schema()).unwrap_err().to_string(),
            Err(error) => error.to_string(),
        };
        for (wrong, right) in
            [("sumary", "summary"), ("issue_comments.bdy", "body"), ("story_point", "story_points")]
        {
            assert!(refused(wrong).contains(&format!("did you mean `{right}`")), "{}", refused(wrong));
        }
        assert!(refused("customfield_7").contains("has no column `customfield_7`"));
        assert!(refused("isues.summary").contains("isues.summary"));
        assert!(refused("summary; drop").contains("names no column"));
        assert!(refused("").contains("names no column"));
    }
}
