//! What Jira sends and no table holds, each with its reason. `batch/tests/lossless.rs` holds that recorded answers of real sites have nothing else.

/// Members of Jira's answers that no table holds.
#[derive(Clone, Copy, Debug)]
pub struct LeftOut {
    /// The table whose answers they are in; empty for any.
    pub table: &'static str,
    /// Their place in a row's object: members joined by dots, `[]` for the elements of a list, `*` for any one member, `**` for any number of them.
    pub path: &'static str,
    /// Why.
    pub reason: &'static str,
}

const fn any(path: &'static str, reason: &'static str) -> LeftOut {
    LeftOut { table: "", path, reason }
}

const fn of(table: &'static str, path: &'static str, reason: &'static str) -> LeftOut {
    LeftOut { table, path, reason }
}

const ADDRESS: &str = "an address of Jira's own, made of the base address and the id";
const PICTURE: &str = "a picture's address or number";
const PERSON: &str = "the person's row in `users` has it; here is the id";
const ROW: &str = "the other issue's own row has it";
const READER: &str = "about the account that reads, not about the issue";
const AGILE: &str = "only boards and sprints answer with it, and they are not asked for issues: `issue_sprints` and `epic_key` come from the custom fields";
const ONE: &str = "only the answer for one project has it, which is not asked for";
const ASSIGNEE: &str = "whom Jira would assign, which follows from `assignee_type` and the leads";
const SCREEN: &str = "what Jira's own screens and searches do with the field";
const BOARD: &str = "how a board chooses and orders its issues, not its columns";
const SHARED: &str = "who else sees a filter or gets it by mail";

/// The whole list.
pub const LEFT_OUT: &[LeftOut] = &[
    any("**.self", ADDRESS),
    any("**.avatarUrls.*", PICTURE),
    any("**.iconUrl", PICTURE),
    any("**.avatarId", PICTURE),
    any("expand", "what else could be asked for"),
    of("issues", "fields.*.startAt", "the frame of a list, whose rows are in the list's table"),
    of("issues", "fields.*.maxResults", "the frame of a list, whose rows are in the list's table"),
    of("issues", "changelog.*", "the frame of a list; its `total` is `changelog_count`"),
    of("issues", "fields.assignee.*", PERSON),
    of("issues", "fields.reporter.*", PERSON),
    of("issues", "fields.creator.*", PERSON),
    of("issues", "fields.*[].author.*", PERSON),
    of("issues", "fields.comment.comments[].author.*", PERSON),
    of("issues", "fields.comment.comments[].updateAuthor.*", PERSON),
    of("issues", "changelog.histories[].author.*", PERSON),
    of("issues", "fields.status.description", "`statuses` has it"),
    of("issues", "fields.status.statusCategory.*", "`status_categories` has it; here is the key"),
    of("issues", "fields.issuetype.description", "`issue_types` has it"),
    of("issues", "fields.resolution.description", "`resolutions` has it"),
    of("issues", "fields.project.name", "`projects` has it"),
    of("issues", "fields.project.projectCategory.*", "`project_categories` has it"),
    of("issues", "fields.components[].description", "`components` has it"),
    of("issues", "fields.fixVersions[].*", "`versions` has it"),
    of("issues", "fields.versions[].*", "`versions` has it"),
    of(
        "issues",
        "fields.issuelinks[].type.*",
        "`link_types` has both phrases; the row has the one of its direction",
    ),
    of("issues", "fields.issuelinks[].*.fields.**", ROW),
    of("issues", "fields.parent.fields.**", ROW),
    of("issues", "fields.subtasks[].**", "the sub-task's own row has it, and `issue_subtasks` its parent"),
    of("issues", "fields.watches.isWatching", READER),
    of("issues", "fields.epic.**", AGILE),
    of("issues", "fields.sprint.*", AGILE),
    of("issues", "fields.closedSprints[].*", AGILE),
    of("issues", "fields.flagged", AGILE),
    of("projects", "lead.*", PERSON),
    of("projects", "projectCategory.description", "`project_categories` has it"),
    of("projects", "roles.*", ADDRESS),
    of("projects", "url", ONE),
    of("projects", "assigneeType", ONE),
    of("statuses", "statusCategory.colorName", "`status_categories` has it"),
    of("versions", "userReleaseDate", "the date once more, in the words of the account's language"),
    of("versions", "userStartDate", "the date once more, in the words of the account's language"),
    of("components", "lead.*", PERSON),
    of("components", "assignee.*", ASSIGNEE),
    of("components", "realAssignee.*", ASSIGNEE),
    of("components", "realAssigneeType", ASSIGNEE),
    of("components", "isAssigneeTypeValid", ASSIGNEE),
    of("components", "project", "the key of the project, whose id is here"),
    of("fields", "clauseNames[]", SCREEN),
    of("fields", "key", "the id once more"),
    of("fields", "navigable", SCREEN),
    of("fields", "orderable", SCREEN),
    of("fields", "searchable", SCREEN),
    of("fields", "schema.system", "the id once more, of Jira's own fields"),
    of("fields", "schema.customId", "the number in the id"),
    of("boards", "location.*", "`projects` has it; here are id and key"),
    of("board_columns", "name", "`boards` has it"),
    of("board_columns", "type", "`boards` has it"),
    of("board_columns", "location.*", "`boards` has it"),
    of("board_columns", "filter.id", BOARD),
    of("board_columns", "subQuery.query", BOARD),
    of("board_columns", "ranking.rankCustomFieldId", BOARD),
    of("board_columns", "columnConfig.constraintType", BOARD),
    of("filters", "owner.*", PERSON),
    of("filters", "searchUrl", ADDRESS),
    of("filters", "viewUrl", ADDRESS),
    of("filters", "favouritedCount", "how many people like a filter changes without the filter"),
    of("filters", "subscriptions.*", SHARED),
    of("filters", "subscriptions[].**", SHARED),
    of("filters", "sharePermissions[].**", SHARED),
    of("issues", "transitions[].to.description", "`statuses` has it"),
    of("issues", "transitions[].to.statusCategory.*", "`status_categories` has it"),
    of("issues", "transitions[].fields.**", "what the screen of a step asks for, which is not asked for"),
    of("issue_remote_links", "object.icon.url16x16", PICTURE),
    of("issue_remote_links", "object.status.icon.url16x16", PICTURE),
    of("permission_schemes", "permissions[].**", "`permission_grants` has them"),
    of("project_roles", "actors[].**", "who has a role is told for each project, not here"),
    of(
        "users",
        "accountId",
        "the id of a person on Cloud; sites that send a key or login besides are known by that",
    ),
];

impl LeftOut {
    /// Whether a place in a row's object of that table is meant.
    pub fn covers(&self, table: &str, path: &str) -> bool {
        (self.table.is_empty() || self.table == table)
            && fits(&self.path.split('.').collect::<Vec<_>>(), &path.split('.').collect::<Vec<_>>())
    }
}

fn fits(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((&"**", [])), Some(_)) => true,
        (Some((&"**", rest)), Some((_, later))) => fits(rest, path) || fits(pattern, later),
        (Some((wanted, rest)), Some((found, later))) => fits_one(wanted, found) && fits(rest, later),
        (None, Some(_)) | (Some(_), None) => false,
    }
}

/// One member: the same, any, or any list.
fn fits_one(wanted: &str, found: &str) -> bool {
    wanted == found || (wanted == "*" && !found.ends_with("[]")) || (wanted == "*[]" && found.ends_with("[]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_members_and_what_follows_them() {
        let meant = |pattern: &'static str, path: &str| of("issues", pattern, "").covers("issues", path);
        assert!(
            meant("**.self", "fields.status.self")
                && meant("**.self", "self")
                && !meant("**.self", "self.fields")
        );
        assert!(meant("fields.*.startAt", "fields.comment.startAt"));
        assert!(!meant("fields.*.startAt", "fields.comment.comments[].startAt"));
        assert!(meant("fields.*[].author.*", "fields.attachment[].author.name"));
        assert!(meant("fields.epic.**", "fields.epic.color.key") && !meant("fields.epic.**", "fields.epic"));
        assert!(
            !of("issues", "key", "").covers("projects", "key") && any("key", "").covers("projects", "key")
        );
    }
}
