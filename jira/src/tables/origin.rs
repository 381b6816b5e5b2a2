//! Where the rows of a table of the site's metadata come from: one resource, asked once or for each project or board, whole or in pages.

use super::Table;

/// A resource of Jira whose answers are lists of rows.
#[derive(Debug)]
pub(crate) struct Origin {
    /// Below the site's base address; `{id}` stands for what `each` names.
    pub(crate) path: &'static str,
    /// Parameters of every request.
    pub(crate) query: &'static [(&'static str, &'static str)],
    /// What it is asked for.
    pub(crate) each: Each,
    /// Rows asked for in one page; without it an answer is whole.
    pub(crate) page: Option<u64>,
    /// How pages are asked for.
    pub(crate) paging: Paging,
    /// The members, joined by dots, that lead to the list of an answer that is an object.
    pub(crate) list: &'static str,
    /// The column that gets the id of what `each` names.
    pub(crate) of_column: Option<usize>,
    /// The column that gets a row's place in its list.
    pub(crate) ordinal_column: Option<usize>,
    /// What happens when Jira refuses an answer.
    pub(crate) refused: Refused,
}

/// The parameters by which pages are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paging {
    /// `startAt` and `maxResults`.
    StartAt,
    /// `start` and `limit`, as Service Management wants.
    Start,
}

impl Paging {
    /// The names of the offset and of the size.
    pub(crate) fn names(self) -> [&'static str; 2] {
        match self {
            Self::StartAt => ["startAt", "maxResults"],
            Self::Start => ["start", "limit"],
        }
    }
}

/// What a resource is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Each {
    /// The site: once.
    Site,
    /// Every project that may be read.
    Project,
    /// The site, or, where projects are narrowed, every project that may be read, named in this parameter.
    SiteOrProject(&'static str),
    /// Every board that shows sprints.
    ScrumBoard,
    /// Every board.
    Board,
    /// Every sprint of these boards.
    Sprint,
    /// Every service desk.
    ServiceDesk,
}

/// What a refused answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The run fails: every account that logs in may read this.
    Fails,
    /// The account may not read it: a warning with a count.
    IsWithheld,
}

/// Resources of Jira Cloud that take the place of Server's.
static ON_CLOUD: [(Table, Origin); 2] = [
    (
        Table::Projects,
        Origin {
            path: "/rest/api/3/project/search",
            query: &[("expand", "description,lead"), ("status", "live"), ("status", "archived")],
            page: Some(100),
            refused: Refused::Fails,
            ..Origin::LIST
        },
    ),
    (Table::Users, Origin { path: "/rest/api/3/users/search", page: Some(1000), ..Origin::LIST }),
];

impl Origin {
    /// Where a table comes from on a site of that kind; `None` for a table that is made otherwise.
    pub(crate) fn of(table: Table, is_cloud: bool) -> Option<&'static Self> {
        let other = ON_CLOUD.iter().find(|(replaced, _)| is_cloud && *replaced == table);
        other.map(|(_, origin)| origin).or(table.spec().origin.as_ref())
    }

    /// A resource that answers one list.
    pub(crate) const LIST: Self = Self {
        path: "",
        query: &[],
        each: Each::Site,
        page: None,
        paging: Paging::StartAt,
        list: "values",
        of_column: None,
        ordinal_column: None,
        refused: Refused::IsWithheld,
    };

    /// Whether a request may carry this parameter: a fixed one as it is, any other with a number.
    pub(crate) fn permits(&self, name: &str, value: &str) -> bool {
        let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        self.query.contains(&(name, value)) || (is_number && self.numbers().any(|known| known == name))
    }

    /// The parameters that take a number.
    fn numbers(&self) -> impl Iterator<Item = &'static str> {
        let narrowed = match self.each {
            Each::SiteOrProject(parameter) => Some(parameter),
            Each::Site
            | Each::Project
            | Each::ScrumBoard
            | Each::Board
            | Each::Sprint
            | Each::ServiceDesk => None,
        };
        let paging = self.page.map(|_| self.paging.names());
        paging.into_iter().flatten().chain(narrowed)
    }

    /// Whether a path is this resource's, with a number for the id.
    pub(crate) fn has_path(&self, path: &str) -> bool {
        match self.path.split_once("{id}") {
            None => self.path == path,
            Some((before, after)) => path
                .strip_prefix(before)
                .and_then(|rest| rest.strip_suffix(after))
                .is_some_and(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit())),
        }
    }
}
