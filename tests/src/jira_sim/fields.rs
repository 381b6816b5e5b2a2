//! Jira's fields: the system ones by fixed number, the custom ones of a generated site after them.

use serde_json::{Value, json};

/// One field of `/field`.
#[derive(Debug, Clone)]
pub(crate) struct FieldDef {
    pub(crate) id: String,
    pub(crate) name: String,
    /// `schema` of `/field`; `None` for the few fields without one.
    pub(crate) schema: Option<Value>,
    pub(crate) custom: bool,
    /// Whether `*navigable` includes it.
    pub(crate) navigable: bool,
    /// Whether `/field` lists it.
    pub(crate) listed: bool,
}

macro_rules! system_fields {
    ($($number:literal $constant:ident $id:literal $name:literal $kind:literal $items:literal $navigable:literal;)*) => {
        $(pub(crate) const $constant: u16 = $number;)*
        const SYSTEM: &[(u16, &str, &str, &str, &str, bool)] = &[$(($number, $id, $name, $kind, $items, $navigable)),*];
    };
}

system_fields! {
    0 ISSUE_TYPE "issuetype" "Issue Type" "issuetype" "" true;
    1 PROJECT "project" "Project" "project" "" true;
    2 SUMMARY "summary" "Summary" "string" "" true;
    3 DESCRIPTION "description" "Description" "string" "" true;
    4 ENVIRONMENT "environment" "Environment" "string" "" true;
    5 STATUS "status" "Status" "status" "" true;
    6 PRIORITY "priority" "Priority" "priority" "" true;
    7 RESOLUTION "resolution" "Resolution" "resolution" "" true;
    8 RESOLUTION_DATE "resolutiondate" "Resolved" "datetime" "" true;
    9 CREATED "created" "Created" "datetime" "" true;
    10 UPDATED "updated" "Updated" "datetime" "" true;
    11 DUE_DATE "duedate" "Due Date" "date" "" true;
    12 CREATOR "creator" "Creator" "user" "" true;
    13 REPORTER "reporter" "Reporter" "user" "" true;
    14 ASSIGNEE "assignee" "Assignee" "user" "" true;
    15 LABELS "labels" "Labels" "array" "string" true;
    16 COMPONENTS "components" "Component/s" "array" "component" true;
    17 FIX_VERSIONS "fixVersions" "Fix Version/s" "array" "version" true;
    18 VERSIONS "versions" "Affects Version/s" "array" "version" true;
    19 VOTES "votes" "Votes" "votes" "" true;
    20 WATCHES "watches" "Watchers" "watches" "" true;
    21 ORIGINAL_ESTIMATE "timeoriginalestimate" "Original Estimate" "number" "" true;
    22 REMAINING_ESTIMATE "timeestimate" "Remaining Estimate" "number" "" true;
    23 TIME_SPENT "timespent" "Time Spent" "number" "" true;
    24 AGGREGATE_ORIGINAL "aggregatetimeoriginalestimate" "\u{3a3} Original Estimate" "number" "" true;
    25 AGGREGATE_REMAINING "aggregatetimeestimate" "\u{3a3} Remaining Estimate" "number" "" true;
    26 AGGREGATE_SPENT "aggregatetimespent" "\u{3a3} Time Spent" "number" "" true;
    27 WORK_RATIO "workratio" "Work Ratio" "number" "" true;
    28 SECURITY "security" "Security Level" "securitylevel" "" true;
    29 PROGRESS "progress" "Progress" "progress" "" true;
    30 AGGREGATE_PROGRESS "aggregateprogress" "\u{3a3} Progress" "progress" "" true;
    31 TIME_TRACKING "timetracking" "Time Tracking" "timetracking" "" false;
    32 LAST_VIEWED "lastViewed" "Last Viewed" "datetime" "" true;
    33 ATTACHMENT "attachment" "Attachment" "array" "attachment" false;
    34 PARENT "parent" "Parent" "issuelink" "" true;
    35 SUBTASKS "subtasks" "Sub-Tasks" "array" "issuelinks" true;
    36 ISSUE_LINKS "issuelinks" "Linked Issues" "array" "issuelinks" true;
    37 COMMENT "comment" "Comment" "comments-page" "" false;
    38 WORKLOG "worklog" "Log Work" "array" "worklog" false;
    39 _ISSUE_KEY "issuekey" "Key" "" "" true;
    40 _THUMBNAIL "thumbnail" "Images" "" "" true;
}

/// The system fields, in the order of their numbers.
pub(crate) fn system() -> Vec<FieldDef> {
    SYSTEM
        .iter()
        .map(|(number, id, name, kind, items, navigable)| FieldDef {
            id: (*id).to_owned(),
            name: (*name).to_owned(),
            schema: schema_of(kind, items, id),
            custom: false,
            navigable: *navigable,
            listed: *number != PARENT,
        })
        .collect()
}

/// The field that only Cloud has: when the status last changed its category.
pub(crate) fn category_changed() -> FieldDef {
    let id = "statuscategorychangedate";
    FieldDef {
        id: id.to_owned(),
        name: "Status Category Changed".to_owned(),
        schema: schema_of("datetime", "", id),
        custom: false,
        navigable: true,
        listed: true,
    }
}

fn schema_of(kind: &str, items: &str, id: &str) -> Option<Value> {
    match (kind, items) {
        ("", _) => None,
        (_, "") => Some(json!({ "type": kind, "system": id })),
        _ => Some(json!({ "type": kind, "items": items, "system": id })),
    }
}

/// What the values of a custom field look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Decimal,
    Whole,
    Line,
    Area,
    Day,
    Instant,
    Choice,
    Cascade,
    Labels,
    Choices,
    Users,
    Versions,
    Groups,
    User,
    Group,
    Project,
    Version,
    Url,
    Sprint,
    EpicLink,
    Rank,
    Development,
    EpicStatus,
    Progress,
    Checklist,
}

const TYPES: &str = "com.atlassian.jira.plugin.system.customfieldtypes";
const GREENHOPPER: &str = "com.pyxis.greenhopper.jira";

impl Shape {
    /// `schema.type`, `schema.items`, plug-in and type of the field.
    fn schema(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::Decimal | Self::Whole => ("number", "", TYPES, "float"),
            Self::Line => ("string", "", TYPES, "textfield"),
            Self::Area => ("string", "", TYPES, "textarea"),
            Self::Day => ("date", "", TYPES, "datepicker"),
            Self::Instant => ("datetime", "", TYPES, "datetime"),
            Self::Choice => ("option", "", TYPES, "select"),
            Self::Cascade => ("option-with-child", "", TYPES, "cascadingselect"),
            Self::Labels => ("array", "string", TYPES, "labels"),
            Self::Choices => ("array", "option", TYPES, "multiselect"),
            Self::Users => ("array", "user", TYPES, "multiuserpicker"),
            Self::Versions => ("array", "version", TYPES, "multiversion"),
            Self::Groups => ("array", "group", TYPES, "multigrouppicker"),
            Self::User => ("user", "", TYPES, "userpicker"),
            Self::Group => ("group", "", TYPES, "grouppicker"),
            Self::Project => ("project", "", TYPES, "project"),
            Self::Version => ("version", "", TYPES, "version"),
            Self::Url => ("string", "", TYPES, "url"),
            Self::Sprint => ("array", "string", GREENHOPPER, "gh-sprint"),
            Self::EpicLink => ("any", "", GREENHOPPER, "gh-epic-link"),
            Self::Rank => ("any", "", GREENHOPPER, "gh-lexo-rank"),
            Self::EpicStatus => ("option", "", GREENHOPPER, "gh-epic-status"),
            Self::Development => {
                ("any", "", "com.atlassian.jira.plugins.jira-development-integration-plugin", "devsummary")
            }
            Self::Progress => ("progress", "", "com.example.progress", "bar"),
            Self::Checklist => ("array", "checklist-item", "com.okapya.jira.checklist", "checklist"),
        }
    }
}

const CUSTOM: &[(u32, &str, Shape)] = &[
    (10000, "Sprint", Shape::Sprint),
    (10001, "Epic Link", Shape::EpicLink),
    (10002, "Epic Status", Shape::EpicStatus),
    (10003, "Epic Name", Shape::Line),
    (10004, "Rank", Shape::Rank),
    (10005, "Story Points", Shape::Decimal),
    (10006, "Development", Shape::Development),
    (10010, "Team", Shape::Choice),
    (10011, "Team", Shape::Line),
    (10016, "Story Points", Shape::Whole),
    (10020, "Status", Shape::Choice),
    (10021, "Summary", Shape::Area),
    (10022, "Gr\u{f6}\u{df}e", Shape::Decimal),
    (10023, "\u{512a}\u{5148}\u{7ea7}\u{522b}", Shape::Choice),
    (10024, "\u{c9}quipe responsable", Shape::Group),
    (10025, "\u{2605}\u{2605}\u{2605}", Shape::Whole),
    (10026, "3rd Party Ref.", Shape::Line),
    (10030, "Release Notes", Shape::Area),
    (10031, "Target Start", Shape::Day),
    (10032, "Target End", Shape::Day),
    (10033, "Deployed At", Shape::Instant),
    (10034, "First Response", Shape::Instant),
    (10040, "Severity", Shape::Choice),
    (10041, "Region / City", Shape::Cascade),
    (10042, "Platforms", Shape::Choices),
    (10043, "Tags", Shape::Labels),
    (10044, "Reviewers", Shape::Users),
    (10045, "Backport Versions", Shape::Versions),
    (10046, "Owning Groups", Shape::Groups),
    (10047, "QA Owner", Shape::User),
    (10048, "Approver Group", Shape::Group),
    (10049, "Related Project", Shape::Project),
    (10050, "Found In", Shape::Version),
    (10051, "Documentation", Shape::Url),
    (10052, "Business Value", Shape::Whole),
    (10053, "Completion", Shape::Progress),
    (10054, "Definition of Done", Shape::Checklist),
    (10055, "Cost (EUR)", Shape::Decimal),
    (10056, "issue_id", Shape::Line),
];

/// The custom fields of a generated site with the shape of their values.
pub(crate) fn generated_custom() -> Vec<(FieldDef, Shape)> {
    CUSTOM
        .iter()
        .map(|(number, name, shape)| {
            let (kind, items, plugin, field_type) = shape.schema();
            let mut schema =
                json!({ "type": kind, "custom": format!("{plugin}:{field_type}"), "customId": number });
            if !items.is_empty() {
                schema["items"] = items.into();
            }
            (custom(&format!("customfield_{number}"), name, Some(schema)), *shape)
        })
        .collect()
}

/// A custom field by its id and name.
pub(crate) fn custom(id: &str, name: &str, schema: Option<Value>) -> FieldDef {
    FieldDef { id: id.to_owned(), name: name.to_owned(), schema, custom: true, navigable: true, listed: true }
}

impl FieldDef {
    /// The object of `/field`.
    pub(crate) fn json(&self) -> Value {
        let clauses: Vec<String> = match self.id.strip_prefix("customfield_") {
            Some(number) => vec![format!("cf[{number}]"), self.name.clone()],
            None => vec![self.id.clone()],
        };
        let mut field = json!({
            "id": self.id, "name": self.name, "custom": self.custom, "orderable": self.navigable,
            "navigable": self.navigable, "searchable": true, "clauseNames": clauses,
        });
        if let Some(schema) = &self.schema {
            field["schema"] = schema.clone();
        }
        field
    }
}
