//! What several tables of a run are read for, asked of Jira once.

use tokio::sync::OnceCell;

/// The projects and boards of a run, as soon as a table needs them.
#[derive(Default)]
pub(crate) struct Subjects {
    /// Ids of the projects that are read.
    pub(crate) projects: OnceCell<Vec<i64>>,
    pub(crate) boards: OnceCell<Vec<Board>>,
}

/// A board, as far as its tables need it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Board {
    pub(crate) id: i64,
    pub(crate) shows_sprints: bool,
}
