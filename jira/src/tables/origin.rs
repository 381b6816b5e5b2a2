//! Where the rows of a table of the site's metadata come from: one resource, asked once or for each project, board or the like, whole or in
//! pages.

use super::Table;
use super::on_cloud::ON_CLOUD;

/// A resource of Jira whose answers are lists of rows.
#[derive(Debug)]
pub(crate) struct Origin {
    /// Below the site's base address; `{id}` stands for the number of what `each` names, `{second}` for the second number of a pair.
    pub(crate) path: &'static str,
    /// Parameters of every request.
    pub(crate) query: &'static [(&'static str, &'static str)],
    /// What it is asked for.
    pub(crate) each: Each,
    /// Rows asked for in one page; without it an answer is whole.
    pub(crate) page: Option<u64>,
    /// How a page is asked for.
    pub(crate) paging: Paging,
    /// The members, joined by dots, that lead to the list of an answer that is an object; [`Origin::ITSELF`] where the answer is the row.
    pub(crate) list: &'static str,
    /// The column that gets the id (or name) of what `each` names; of a pair the first one.
    pub(crate) of_column: Option<usize>,
    /// The column that gets the second number of a pair.
    pub(crate) second_column: Option<usize>,
    /// The column that gets a row's place in its list.
    pub(crate) ordinal_column: Option<usize>,
    /// What happens when Jira refuses an answer.
    pub(crate) refused: Refused,
}

/// What a resource is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Each {
    /// The site: once.
    Site,
    /// Every project that may be read.
    Project,
    /// Every project that may be read, named in this parameter.
    ProjectIn(&'static str),
    /// The site, or, where projects are narrowed, every project that may be read, named in this parameter.
    SiteOrProject(&'static str),
    /// Every role of every project that may be read.
    ProjectRole,
    /// Every board that shows sprints.
    ScrumBoard,
    /// Every board.
    Board,
    /// Every sprint of these boards.
    Sprint,
    /// Every service desk.
    ServiceDesk,
    /// Every board with the filter that it shows.
    BoardFilter,
    /// Every permission scheme.
    PermissionScheme,
    /// Every group, named in this parameter.
    GroupIn(&'static str),
    /// Every custom field.
    CustomField,
    /// Every custom field that offers options.
    ChoiceField,
    /// Every context of every custom field that offers options.
    ChoiceContext,
}

impl Each {
    /// The parameter that names what is asked for.
    pub(crate) fn parameter(self) -> Option<&'static str> {
        match self {
            Self::ProjectIn(name) | Self::SiteOrProject(name) | Self::GroupIn(name) => Some(name),
            _ => None,
        }
    }

    /// In words, for the documentation.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Site | Self::SiteOrProject(_) => "",
            Self::Project | Self::ProjectIn(_) => "each project",
            Self::ProjectRole => "each role of each project (named by GET /rest/api/2/project/{id}/role)",
            Self::ScrumBoard => "each board that shows sprints",
            Self::Board => "each board",
            Self::Sprint => "each sprint",
            Self::ServiceDesk => "each service desk",
            Self::BoardFilter => "each board's filter (named by its configuration)",
            Self::PermissionScheme => "each permission scheme",
            Self::GroupIn(_) => "each group",
            Self::CustomField => "each custom field",
            Self::ChoiceField => "each custom field that offers options",
            Self::ChoiceContext => "each context of each custom field that offers options",
        }
    }
}

/// The parameters by which a page is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paging {
    /// `startAt` and `maxResults`.
    StartAt,
    /// `start` and `limit`, as Service Management wants.
    Start,
    /// `offset` and `limit`.
    Offset,
    /// `page`, counted from 1, and `maxResults`.
    Numbered,
}

impl Paging {
    pub(crate) fn names(self) -> [&'static str; 2] {
        match self {
            Self::StartAt => ["startAt", "maxResults"],
            Self::Start => ["start", "limit"],
            Self::Offset => ["offset", "limit"],
            Self::Numbered => ["page", "maxResults"],
        }
    }
}

/// What a refused answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The run fails: every account that logs in may read this.
    Fails,
    /// The account may not read it: a warning with a count.
    IsWithheld,
}

/// The roles of a project, read for their ids alone: a map from names to addresses that end in the id.
pub(crate) static PROJECT_ROLES: Origin =
    Origin { path: "/rest/api/2/project/{id}/role", each: Each::Project, ..Origin::LIST };

impl Origin {
    /// Where a table comes from on a site of that kind; `None` for a table that is made otherwise, or that such a site does not offer.
    pub(crate) fn of(table: Table, is_cloud: bool) -> Option<&'static Self> {
        let other = ON_CLOUD.iter().find(|(replaced, _)| is_cloud && *replaced == table);
        other.map(|(_, origin)| origin).or(table.spec().origin.as_ref())
    }

    /// The answer is the row.
    pub(crate) const ITSELF: &'static str = "";

    /// A resource that answers one list.
    pub(crate) const LIST: Self = Self {
        path: "",
        query: &[],
        each: Each::Site,
        page: None,
        paging: Paging::StartAt,
        list: "values",
        of_column: None,
        second_column: None,
        ordinal_column: None,
        refused: Refused::IsWithheld,
    };

    /// Whether a request may carry this parameter: a fixed one as it is, the one that names a group with any text, others with a number.
    pub(crate) fn permits(&self, name: &str, value: &str) -> bool {
        let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        let takes_text = matches!(self.each, Each::GroupIn(parameter) if parameter == name);
        let paging = self.page.map(|_| self.paging.names());
        let mut numbers = paging.into_iter().flatten().chain(self.each.parameter());
        self.query.contains(&(name, value)) || takes_text || (is_number && numbers.any(|known| known == name))
    }

    /// Whether a path is this resource's, with numbers for the ids.
    pub(crate) fn has_path(&self, path: &str) -> bool {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let mut rest = path;
        let mut template = self.path;
        while let Some((before, after)) = template.split_once('{') {
            let Some(found) = rest.strip_prefix(before) else { return false };
            let (number, behind) =
                found.split_at(found.find(|c: char| !c.is_ascii_digit()).unwrap_or(found.len()));
            if !is_number(number) {
                return false;
            }
            rest = behind;
            template = after.split_once('}').map_or("", |(_, after)| after);
        }
        rest == template
    }

    /// The requests in words, for the documentation.
    pub(crate) fn describe(&self) -> String {
        let query: Vec<String> = self.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let named = self.each.parameter().filter(|_| self.each.words() != "");
        let query: Vec<String> = query.into_iter().chain(named.map(|name| format!("{name}=.."))).collect();
        let mut text = format!("GET {}", self.path);
        if !query.is_empty() {
            text.push('?');
            text.push_str(&query.join("&"));
        }
        if !["", Self::LIST.list].contains(&self.list) {
            text.push_str(&format!(": {}[]", self.list));
        }
        if self.each.words() != "" {
            text.push_str(" for ");
            text.push_str(self.each.words());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_numbers_where_its_template_has_ids() {
        let of = |path| Origin { path, ..Origin::LIST };
        let pair = of("/rest/api/2/project/{id}/role/{second}");
        assert!(pair.has_path("/rest/api/2/project/10000/role/10002"));
        for wrong in [
            "/rest/api/2/project/10000/role/",
            "/rest/api/2/project//role/1",
            "/rest/api/2/project/WEB/role/1",
            "/rest/api/2/project/1/role/1/actors",
            "/rest/api/2/project/1/role/..",
        ] {
            assert!(!pair.has_path(wrong), "{wrong}");
        }
        let field = of("/rest/api/3/field/customfield_{id}/context");
        assert!(field.has_path("/rest/api/3/field/customfield_10000/context"));
        assert!(!field.has_path("/rest/api/3/field/summary/context"));
        assert!(of("/rest/api/2/role").has_path("/rest/api/2/role"));
        assert!(!of("/rest/api/2/role").has_path("/rest/api/2/role/1"));
    }
}
