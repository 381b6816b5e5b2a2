//! The epic that an issue of a Cloud site lies in.

use super::super::catalog_generated::EPIC;
use super::super::generate::history::write_item;
use super::{Changed, Editor, SimError, json_text};

impl Editor<'_> {
    /// Puts an issue into an epic or into none; history and `updated` of the issue follow, the epic's do not.
    pub(crate) fn set_epic(&mut self, slot: u32, epic: Option<u32>) -> Changed<()> {
        if epic.is_some_and(|epic| self.site.slim(epic).kind != EPIC || epic == slot) {
            return Err(SimError::Refused("only an epic holds other issues".to_owned()));
        }
        let Some(epics) = &mut self.site.epics else {
            return Err(SimError::Refused("only issues of a Cloud site lie in epics".to_owned()));
        };
        let before = epics.of(slot);
        epics.set(slot, epic);
        let describe = |epic: Option<u32>| match epic {
            Some(epic) => (format!("\"{}\"", self.site.slim(epic).id), json_text(&self.site.key(epic))),
            None => ("null".to_owned(), "null".to_owned()),
        };
        let (before, after) = (describe(before), describe(epic));
        let mut item = String::new();
        write_item(&mut item, "IssueParentAssociation", "jira", [&before.0, &before.1, &after.0, &after.1]);
        self.record(slot, &item);
        self.touch(slot);
        Ok(())
    }
}
