//! What the owner of the Jira leaves of a spec.

use crate::mask::rule::Masks;
use crate::project::ProjectKey;

/// What the owner of the Jira permits of a spec. Nothing by default is narrowed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Narrowing {
    /// Only rows of these projects; empty means all.
    pub permitted_projects: Vec<ProjectKey>,
    /// No rows of these projects.
    pub denied_projects: Vec<ProjectKey>,
    /// Columns that do not leave as they are.
    pub masks: Masks,
}

impl Narrowing {
    /// Whether projects are narrowed.
    pub(crate) fn has_projects(&self) -> bool {
        !self.permitted_projects.is_empty() || !self.denied_projects.is_empty()
    }

    /// Whether rows of a project may leave.
    pub fn permits_project(&self, key: &str) -> bool {
        let listed =
            |keys: &[ProjectKey]| keys.iter().any(|listed| listed.as_str().eq_ignore_ascii_case(key));
        (self.permitted_projects.is_empty() || listed(&self.permitted_projects))
            && !listed(&self.denied_projects)
    }

    /// As [`Self::permits_project`], for a row that may not say its project.
    pub(crate) fn permits_row_of(&self, key: Option<&str>) -> bool {
        !self.has_projects() || key.is_some_and(|key| self.permits_project(key))
    }

    /// These masks, and those that a user asks for after them.
    pub(crate) fn masks_with(&self, pseudonyms: &Masks) -> Masks {
        self.masks.clone().and(pseudonyms.clone())
    }
}
