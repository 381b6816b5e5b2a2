//! The fields whose values are followed over time, and what they hold now.

use super::place;
use super::values::{Value, joined, listed};
use super::veil::Veil;
use crate::fields::{CustomType, IssueSchema, asked_name, column_name};
use crate::mask::Masking;
use crate::rows::RowBuffer;
use crate::tables::Table;
use serde::Deserialize;

/// What the history calls custom fields that say nothing about an issue's life.
const UNTOLD_CUSTOM: &[&str] = &["rank", "development"];

/// How the columns of `issues` hold the value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// An id and a text.
    Named,
    /// An id alone: the text is in another table.
    Id,
    /// A text, a number or a day.
    Plain,
    /// A day; the history adds a time to its text.
    Day,
    /// A JSON list of texts.
    Words,
    /// A JSON list of objects with id and name, of which the history tells one by one.
    Several,
    /// A JSON string.
    OneText,
    /// The sprints, which have rows of their own.
    Sprints,
}

/// A field that is followed.
#[derive(Debug)]
pub(super) struct Tracked {
    /// As in the column `field`.
    pub(super) name: String,
    pub(super) form: Form,
    pub(super) is_custom: bool,
    /// The columns of `issues`.
    id: usize,
    text: usize,
    id_veil: Veil,
    text_veil: Veil,
    /// The name under which the history of a custom field is kept.
    asked: String,
}

/// Name, the history's words in lower case, form, columns of `issues`.
type System = (&'static str, &'static [&'static str], Form, [&'static str; 2]);

const SYSTEM: &[System] = &[
    ("status", &["status"], Form::Named, ["status_id", "status_name"]),
    ("priority", &["priority"], Form::Named, ["priority_id", "priority_name"]),
    ("resolution", &["resolution"], Form::Named, ["resolution_id", "resolution_name"]),
    ("type", &["issuetype"], Form::Named, ["type_id", "type_name"]),
    ("security_level", &["security"], Form::Named, ["security_level_id", "security_level_name"]),
    (
        "parent",
        &["parent", "parent issue", "issueparentassociation"],
        Form::Named,
        ["parent_id", "parent_key"],
    ),
    ("project", &["project"], Form::Id, ["project_id", ""]),
    ("assignee", &["assignee"], Form::Id, ["assignee_id", ""]),
    ("reporter", &["reporter"], Form::Id, ["reporter_id", ""]),
    ("issue_key", &["key"], Form::Plain, ["", "issue_key"]),
    ("summary", &["summary"], Form::Plain, ["", "summary"]),
    ("due_date", &["duedate"], Form::Day, ["", "due_date"]),
    ("original_estimate_seconds", &["timeoriginalestimate"], Form::Plain, ["", "original_estimate_seconds"]),
    ("remaining_estimate_seconds", &["timeestimate"], Form::Plain, ["", "remaining_estimate_seconds"]),
    ("time_spent_seconds", &["timespent"], Form::Plain, ["", "time_spent_seconds"]),
    ("labels", &["labels"], Form::Words, ["", "labels"]),
    ("components", &["component"], Form::Several, ["", "components"]),
    ("fix_versions", &["fix version"], Form::Several, ["", "fix_versions"]),
    ("affects_versions", &["version"], Form::Several, ["", "affects_versions"]),
];

/// The place among Jira's own fields of the one that the history calls so.
pub(super) fn system_place(word: &str) -> Option<usize> {
    let word = word.to_lowercase();
    SYSTEM.iter().position(|(_, words, ..)| words.contains(&word.as_str()))
}

/// The name of a custom field's history; `None` for one that is not followed.
pub(super) fn custom_name(word: &str) -> Option<String> {
    let name = column_name(word);
    (!UNTOLD_CUSTOM.contains(&name.as_str())).then_some(name)
}

/// Jira's own fields.
pub(super) fn system(masking: &Masking) -> Vec<Tracked> {
    let tracked = |(name, words, form, [id, text]): &System| {
        let changes = words.iter().map(|word| Veil::of_mask(masking.of_change(word, "jira")));
        let changes = changes.fold(Veil::Clear, |one, other| one.and(&other).clone());
        let veil = |column: &str| Veil::of_column(masking, Table::Issues, column).and(&changes).clone();
        Tracked {
            name: (*name).to_owned(),
            form: *form,
            is_custom: false,
            id: place(Table::Issues, id),
            text: place(Table::Issues, text),
            id_veil: veil(id),
            text_veil: veil(text),
            asked: String::new(),
        }
    };
    SYSTEM.iter().map(tracked).collect()
}

/// The custom fields of which an unchanged value is told: those with one short value.
pub(super) fn custom(masking: &Masking, schema: &IssueSchema) -> Vec<Tracked> {
    let first = Table::Issues.spec().columns.len();
    let tracked = |(column, field): (usize, &crate::fields::CustomColumn)| {
        let asked = asked_name(field).to_owned();
        let form = match field.custom_type {
            CustomType::Number | CustomType::Option | CustomType::Group => Form::Plain,
            CustomType::Date | CustomType::Timestamp => Form::Plain,
            CustomType::User => Form::Id,
            CustomType::EpicLink => Form::OneText,
            CustomType::Sprints if schema.only(CustomType::Sprints) == Some(field) => Form::Sprints,
            CustomType::Text
            | CustomType::Json
            | CustomType::Users
            | CustomType::List
            | CustomType::Cascade
            | CustomType::Sprints => return None,
        };
        let veil = Veil::of_place(masking, Table::Issues, column);
        let text_veil = match form {
            Form::Sprints => Veil::of_column(masking, Table::IssueSprints, "name").and(&veil).clone(),
            _ => veil.clone(),
        };
        Some(Tracked {
            name: field.name.clone(),
            form,
            is_custom: true,
            id: if form == Form::Id { column } else { usize::MAX },
            text: if form == Form::Id { usize::MAX } else { column },
            id_veil: veil,
            text_veil,
            asked,
        })
    };
    (first..).zip(schema.custom()).filter_map(tracked).collect()
}

impl Tracked {
    /// Whether the history of this issue may be about this field: fields of one name cannot be told apart in it.
    pub(super) fn is_called(&self, asked: &str) -> bool {
        self.asked == asked
    }

    /// The veils of id and text of the value that the issue holds.
    pub(super) fn veils(&self) -> (&Veil, &Veil) {
        (&self.id_veil, &self.text_veil)
    }

    /// What the issue holds now; its sprints come with it.
    pub(super) fn current(&self, issues: &RowBuffer, row: usize, sprints: &[Value]) -> Value {
        match self.form {
            Form::Sprints => listed(sprints.iter()),
            Form::Words => {
                let words: Vec<String> = self.parsed(issues, row);
                Value::new(None, Some(&words.join(" ")))
            }
            Form::Several => joined(&self.members(issues, row)),
            Form::OneText => {
                let text =
                    issues.text_at(self.text, row).and_then(|json| serde_json::from_str::<String>(json).ok());
                Value::new(None, text.as_deref())
            }
            Form::Named | Form::Id | Form::Plain | Form::Day => {
                let part = |column| {
                    let mut text = String::new();
                    issues.write_at(column, row, &mut text).then_some(text)
                };
                Value::new(part(self.id).as_deref(), part(self.text).as_deref())
            }
        }
    }

    /// The members of a field with several values.
    pub(super) fn members(&self, issues: &RowBuffer, row: usize) -> Vec<Value> {
        let members: Vec<Member> = self.parsed(issues, row);
        members.iter().map(|member| Value::new(member.id.as_deref(), member.name.as_deref())).collect()
    }

    fn parsed<T: for<'de> Deserialize<'de>>(&self, issues: &RowBuffer, row: usize) -> Vec<T> {
        let json = issues.text_at(self.text, row);
        json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
    }

    /// A value as the history tells it, in the form in which the issue holds it.
    pub(super) fn told(&self, id: Option<&str>, text: Option<&str>) -> Value {
        match self.form {
            Form::Plain if !self.is_custom => Value::new(None, text),
            Form::Words => Value::new(None, text),
            Form::Day => {
                let day =
                    id.filter(|day| !day.is_empty()).or(text).and_then(|text| text.get(..text.len().min(10)));
                Value::new(None, day)
            }
            Form::Named | Form::Id | Form::Plain | Form::Several | Form::OneText | Form::Sprints => {
                Value::new(id, text)
            }
        }
    }
}

#[derive(Deserialize)]
struct Member {
    id: Option<String>,
    name: Option<String>,
}
