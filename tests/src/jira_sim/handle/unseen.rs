//! Changes that no `updated` tells of, and what such changes are chosen from.

use super::super::SimError;
use super::SimHandle;
use std::sync::{Arc, PoisonError};

impl SimHandle {
    /// Calls `hook` with the number of every request before it is answered.
    pub fn on_request(&self, hook: impl Fn(&SimHandle, u64) + Send + Sync + 'static) {
        *self.0.request_hook.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(hook));
    }

    /// Makes a custom field, or gives one another name and schema; values stay as they are.
    pub fn define_field(&self, id: &str, name: &str, schema: serde_json::Value) {
        let mut site = self.0.site_mut();
        match site.catalog.field_number(id) {
            Some(number) => {
                let field = &mut site.catalog.fields[usize::from(number)];
                field.name = name.to_owned();
                field.schema = Some(schema);
            }
            None => {
                site.catalog.add_field(super::super::fields::custom(id, name, Some(schema)));
            }
        }
    }

    /// Gives a worklog another comment; the issue's `updated` stays.
    ///
    /// # Errors
    /// An unknown issue or worklog.
    pub fn amend_worklog(&self, issue: &str, id: u64, comment: &str) -> Result<(), SimError> {
        self.change(|editor| {
            let slot = editor.slot(issue)?;
            editor.amend_worklog(slot, id, comment)
        })
    }

    /// Takes an issue with its sub-tasks out of the sight of every account, as a security level or a permission scheme does. No `updated`
    /// changes; other issues no longer show links to it.
    ///
    /// # Errors
    /// An unknown issue, or a sub-task: it is as visible as its parent.
    pub fn hide_issue(&self, issue: &str) -> Result<(), SimError> {
        self.change(|editor| {
            let slot = editor.slot(issue)?;
            editor.hide(slot)
        })
    }

    /// Shows a hidden issue again, named by its id, with the sub-tasks that were hidden with it.
    ///
    /// # Errors
    /// An issue that is not hidden.
    pub fn show_issue(&self, id: u64) -> Result<(), SimError> {
        self.change(|editor| editor.show(id))
    }

    /// Hides all issues of a project; gives their ids.
    ///
    /// # Errors
    /// An unknown project.
    pub fn hide_project(&self, project: &str) -> Result<Vec<u64>, SimError> {
        self.change(|editor| editor.hide_project(project))
    }

    /// Ids of the hidden issues, without sub-tasks.
    #[must_use]
    pub fn hidden_ids(&self) -> Vec<u64> {
        self.0.site().hidden_ids()
    }

    /// Ids of the links that both ends show.
    #[must_use]
    pub fn link_ids(&self) -> Vec<u64> {
        self.0.site().link_ids()
    }

    /// Ids of the comments and of the worklogs of an issue.
    ///
    /// # Errors
    /// An unknown issue.
    pub fn child_ids(&self, issue: &str) -> Result<(Vec<u64>, Vec<u64>), SimError> {
        let site = self.0.site();
        let found = site.find(issue);
        let slot = found.ok_or_else(|| SimError::Unknown { what: "issue".into(), name: issue.into() })?;
        let doc = site.doc(slot);
        let ids = |children: &[super::super::doc::Child]| children.iter().map(|child| child.id).collect();
        Ok((ids(&doc.comments), ids(&doc.worklogs)))
    }
}
