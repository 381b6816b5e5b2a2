//! What a search must ask Jira for so that the columns which leave can be filled, and nothing else: a field that feeds only columns
//! that are not chosen, or that may not leave, is not even read.

use crate::fields::{CustomColumn, CustomType, IssueSchema};
use crate::mask::Masking;
use crate::tables::{Table, Take, issues, read_for};
use std::collections::BTreeSet;

/// What every issue is asked with: which project it is of decides whether it may leave, and its times order the walk.
const ALWAYS: [&str; 3] = ["project", "created", "updated"];

/// What a search asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asks {
    /// The `fields` of the search.
    pub(crate) fields: Vec<String>,
    /// Whether the histories of the issues are wanted.
    pub(crate) histories: bool,
}

impl Asks {
    /// What the selected tables need of the columns that leave.
    pub(crate) fn settle(schema: &IssueSchema, masking: &Masking, selection: &BTreeSet<Table>) -> Self {
        let need = Need { masking, selection };
        let read = read_for(selection);
        let mut fields: BTreeSet<String> = ALWAYS.map(str::to_owned).into();
        let fixed = issues::SPEC.columns.iter().enumerate().filter(|(place, _)| need.column(*place));
        for (_, column) in fixed {
            fields.extend(field_of((column.take, column.path), schema.is_cloud()).map(str::to_owned));
        }
        for (table, lists) in Table::children() {
            let is_counted = lists.count_column.is_some_and(|place| need.column(place));
            if read.contains(&table) || is_counted {
                let members = lists.members.iter().filter_map(|member| member.strip_prefix("fields."));
                fields.extend(members.map(str::to_owned));
            }
        }
        fields.extend(read.iter().flat_map(|table| table.spec().asks).map(|field| (*field).to_owned()));
        let epic = schema.only(CustomType::EpicLink).filter(|_| need.column(issues::EPIC_KEY));
        fields.extend(epic.map(CustomColumn::field_id));
        let first = issues::SPEC.columns.len();
        let custom = (first..).zip(schema.custom()).filter(|(place, custom)| {
            let is_dropped = masking.drops(Table::Issues, *place);
            let again = match custom.custom_type {
                CustomType::Sprints => read.contains(&Table::IssueSprints),
                several => several.holds_several() && read.contains(&Table::IssueCustomValues) && !is_dropped,
            };
            again || need.column(*place)
        });
        fields.extend(custom.map(|(_, custom)| custom.field_id()));
        let histories = read.contains(&Table::IssueChangelog) || need.column(issues::CHANGELOG_COUNT);
        Self { fields: fields.into_iter().collect(), histories }
    }
}

/// Which cells of `issues` are needed.
struct Need<'a> {
    masking: &'a Masking,
    selection: &'a BTreeSet<Table>,
}

impl Need<'_> {
    fn column(&self, place: usize) -> bool {
        if self.masking.drops(Table::Issues, place) {
            return false;
        }
        // What is derived from the row of an issue needs more of it than the columns that were chosen.
        let is_derived_from =
            self.selection.iter().any(|table| table.spec().derived_from.contains(&Table::Issues));
        is_derived_from
            || (self.selection.contains(&Table::Issues) && self.masking.leaves(Table::Issues, place))
    }
}

/// The field of Jira that fills a column of `issues` by itself.
fn field_of((take, path): (Take, &'static str), is_cloud: bool) -> Option<&'static str> {
    let below = path.strip_prefix("fields.")?;
    // Jira Cloud's document beside a text is made of the same field; what else is made comes from lists and custom fields.
    let is_document = is_cloud && take == Take::Made && below.contains(',');
    (take != Take::Made || is_document).then(|| below.split(['.', ',']).next()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::Columns;
    use crate::mask::Narrowing;
    use crate::mask::{ColumnSelector, Mask, MaskRule, Masks};
    use crate::spec::{Mode, Spec};

    fn schema() -> IssueSchema {
        let field = |id: u32, name: &str, schema: &str| {
            format!(r#"{{"id":"customfield_{id}","name":"{name}","custom":true,"schema":{schema}}}"#)
        };
        let fields = [
            field(10_016, "Story Points", r#"{"type":"number"}"#),
            field(10_017, "Teams", r#"{"type":"array","items":"string"}"#),
            field(
                10_018,
                "Epic Link",
                r#"{"type":"any","custom":"com.pyxis.greenhopper.jira:gh-epic-link"}"#,
            ),
        ];
        IssueSchema::from_field_answer(&format!("[{}]", fields.join(","))).unwrap().on_cloud(true)
    }

    fn asks(tables: &[Table], columns: &[&str], dropped: &[&str]) -> Asks {
        let rule = |column: &&str| MaskRule {
            selector: ColumnSelector::parse(&format!("issues.{column}")).unwrap(),
            mask: Mask::Drop,
        };
        let masks = Masks::try_new(dropped.iter().map(rule).collect()).unwrap();
        let spec = Spec {
            columns: Columns::parse(columns.iter().copied()).unwrap(),
            narrowing: Narrowing { masks, ..Narrowing::default() },
            ..Spec::all(tables.iter().copied(), Mode::Full)
        };
        Asks::settle(&schema(), &spec.masking(&schema()).unwrap(), &spec.tables)
    }

    #[test]
    fn a_search_asks_only_for_what_its_tables_need() {
        let links = asks(&[Table::IssueLinks, Table::IssueChangelog], &[], &[]);
        assert_eq!(links.fields, ["created", "issuelinks", "project", "updated"]);
        let issues = asks(&[Table::Issues], &[], &[]);
        let wanted =
            ["comment", "worklog", "fixVersions", "versions", "status", "security", "customfield_10016"];
        for field in wanted {
            assert!(issues.fields.iter().any(|asked| asked == field), "{field}");
        }
        assert!(!issues.fields.iter().any(|asked| asked == "issuelinks") && issues.histories);
        let subtasks = asks(&[Table::IssueSubtasks], &[], &[]);
        assert_eq!(subtasks.fields, ["created", "issuetype", "parent", "project", "updated"]);
    }

    #[test]
    fn a_field_that_feeds_only_columns_which_are_not_chosen_is_not_asked_for() {
        let some = asks(&[Table::Issues], &["status_name", "story_points", "comment_count"], &[]);
        assert_eq!(some.fields, ["comment", "created", "customfield_10016", "project", "status", "updated"]);
        assert!(!some.histories, "the histories feed only changelog_count");
        assert_eq!(
            asks(&[Table::Issues], &["epic_key"], &[]).fields,
            ["created", "customfield_10018", "project", "updated"]
        );
        assert!(asks(&[Table::Issues], &["changelog_count"], &[]).histories);
        assert_eq!(
            asks(&[Table::Issues], &["description_adf"], &[]).fields,
            ["created", "description", "project", "updated"]
        );
    }

    #[test]
    fn a_field_that_may_not_leave_is_not_asked_for() {
        let whole = asks(&[Table::Issues, Table::IssueCustomValues], &[], &[]);
        let dropped = ["summary", "customfield_10017", "comment_count", "status_name"];
        let some = asks(&[Table::Issues, Table::IssueCustomValues], &[], &dropped);
        let left: Vec<_> = whole.fields.iter().filter(|field| !some.fields.contains(field)).collect();
        assert_eq!(
            left,
            ["comment", "customfield_10017", "summary"],
            "status_id is still filled by `status`"
        );
        let derived = asks(&[Table::FieldHistory], &[], &["summary"]);
        assert!(!derived.fields.iter().any(|field| field == "summary"));
    }

    #[test]
    fn what_is_derived_from_issues_is_asked_for_whatever_is_chosen_of_them() {
        let both = asks(&[Table::Issues, Table::FieldHistory], &["status_name"], &[]);
        for field in ["summary", "priority", "customfield_10016"] {
            assert!(both.fields.iter().any(|asked| asked == field), "{field}");
        }
    }
}
