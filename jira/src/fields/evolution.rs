//! How the columns of custom fields change from run to run without a value being lost or two fields being mixed.
//!
//! A column that landed keeps its name, its field and its type for ever. A field that is new, has another name or another type gets a column
//! of its own; where the name that it asks for is taken, its number is appended, as it is where two fields of one site have one name.

use super::{CustomType, IssueSchema};
use crate::landed::LandedColumn;

/// The columns of custom fields that landed before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Landed(Vec<LandedColumn>);

/// What is new about a field, as a warning says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldChange {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Landed {
    pub(crate) fn new(columns: Vec<LandedColumn>) -> Self {
        Self(columns)
    }

    /// Whether a column of that name holds another field, or values of another type.
    pub(super) fn is_taken(&self, name: &str, number: u64, custom_type: CustomType) -> bool {
        let field_id = format!("customfield_{number}");
        let same_name =
            |column: &&LandedColumn| column.name == name || column.name.to_lowercase() == name.to_lowercase();
        self.0
            .iter()
            .filter(same_name)
            .any(|column| column.field_id != field_id || differs(column, custom_type))
    }

    /// The fields that landed under other names or types than they have now.
    pub(crate) fn changes(&self, schema: &IssueSchema) -> Vec<FieldChange> {
        let mut changes = Vec::new();
        for column in schema.custom() {
            let field_id = column.field_id();
            let mut before = self.0.iter().filter(|landed| landed.field_id == field_id).peekable();
            if before.peek().is_none() || before.clone().any(|landed| landed.name == column.name) {
                continue;
            }
            let retyped = before.clone().find(|landed| differs(landed, column.custom_type));
            let (now, kind) = (&column.name, column.custom_type.column_type().name());
            changes.extend(match (retyped, before.next()) {
                (Some(was), _) => Some(FieldChange {
                    code: "column_type_changed",
                    message: format!(
                        "the field {field_id} holds {kind} where it held {}: its values go on in the column {now}, beside {}",
                        was.column_type, was.name
                    ),
                }),
                (None, Some(was)) => Some(FieldChange {
                    code: "field_renamed",
                    message: format!(
                        "the field {field_id} has another name: its values go on in the column {now}, earlier ones stay in {}",
                        was.name
                    ),
                }),
                (None, None) => None,
            });
        }
        changes
    }
}

/// A column that was hashed tells no type.
fn differs(column: &LandedColumn, custom_type: CustomType) -> bool {
    !column.column_type.is_empty() && column.column_type != custom_type.column_type().name()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn landed(columns: &[(&str, &str, u64)]) -> Landed {
        let column = |(name, column_type, number): &(&str, &str, u64)| LandedColumn {
            name: (*name).to_owned(),
            column_type: (*column_type).to_owned(),
            field_id: format!("customfield_{number}"),
        };
        Landed::new(columns.iter().map(column).collect())
    }

    fn field(number: u64, name: &str, kind: &str) -> String {
        format!(
            r#"{{"id":"customfield_{number}","name":"{name}","custom":true,"schema":{{"type":"{kind}"}}}}"#
        )
    }

    fn read(fields: &[String], landed: &Landed) -> (Vec<String>, Vec<&'static str>) {
        let schema = IssueSchema::beside(&format!("[{}]", fields.join(",")), landed).unwrap();
        let names = schema.custom().iter().map(|column| column.name.clone()).collect();
        (names, landed.changes(&schema).iter().map(|change| change.code).collect())
    }

    #[test]
    fn a_field_that_landed_keeps_its_column_and_a_new_one_gets_one() {
        let before = landed(&[("points", "f64", 7)]);
        let now = read(&[field(7, "Points", "number"), field(8, "Team", "string")], &before);
        assert_eq!(now, (vec!["points".to_owned(), "team".to_owned()], vec![]));
    }

    #[test]
    fn a_renamed_field_goes_on_in_a_new_column_and_never_in_that_of_another_field() {
        let before = landed(&[("alpha", "text", 7), ("beta", "text", 8)]);
        // The two exchange their names.
        let now = read(&[field(7, "Beta", "string"), field(8, "Alpha", "string")], &before);
        assert_eq!(now, (vec!["beta_7".to_owned(), "alpha_8".to_owned()], vec!["field_renamed"; 2]));
        let later = landed(&[
            ("alpha", "text", 7),
            ("beta", "text", 8),
            ("beta_7", "text", 7),
            ("alpha_8", "text", 8),
        ]);
        assert_eq!(read(&[field(7, "Beta", "string"), field(8, "Alpha", "string")], &later), (now.0, vec![]));
    }

    #[test]
    fn a_changed_type_is_a_new_column_beside_the_old_and_said() {
        let before = landed(&[("points", "f64", 7)]);
        let (names, changes) = read(&[field(7, "Points", "string")], &before);
        assert_eq!((names, changes), (vec!["points_7".to_owned()], vec!["column_type_changed"]));
        let twice = landed(&[("points", "f64", 7), ("points_7", "text", 7)]);
        assert_eq!(read(&[field(7, "Points", "date")], &twice).0, ["points_7_7"]);
        assert_eq!(read(&[field(7, "Points", "number")], &twice), (vec!["points".to_owned()], vec![]));
    }

    #[test]
    fn a_hashed_column_is_known_by_its_field_alone() {
        let before = landed(&[("points", "", 7)]);
        assert_eq!(read(&[field(7, "Points", "number")], &before), (vec!["points".to_owned()], vec![]));
    }
}
