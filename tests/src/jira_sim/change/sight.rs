//! What accounts see: issues are hidden and shown again, which touches no `updated`.

use super::super::generate::NO_SLOT;
use super::super::site::Site;
use super::{Changed, Editor, SimError, unknown};

impl Editor<'_> {
    /// Hides an issue with its sub-tasks.
    pub(crate) fn hide(&mut self, slot: u32) -> Changed<()> {
        if self.site.slim(slot).parent != NO_SLOT {
            return Err(SimError::Refused("a sub-task is as visible as its parent".to_owned()));
        }
        let family = self.site.children.get(&slot).cloned().unwrap_or_default();
        for member in std::iter::once(slot).chain(family) {
            if self.site.slim(member).alive {
                self.site.unindex(member);
                self.site.slims[member as usize].alive = false;
                self.site.hidden.insert(member);
            }
        }
        Ok(())
    }

    /// Shows a hidden issue with its hidden sub-tasks.
    pub(crate) fn show(&mut self, id: u64) -> Changed<()> {
        let hidden = |slot: &u32| self.site.slim(*slot).id == id;
        let slot = self.site.hidden.iter().copied().find(hidden);
        let slot = slot.ok_or_else(|| unknown("hidden issue", &id.to_string()))?;
        let family = self.site.children.get(&slot).cloned().unwrap_or_default();
        for member in std::iter::once(slot).chain(family) {
            if self.site.hidden.remove(&member) {
                self.site.slims[member as usize].alive = true;
                self.site.reindex(member);
            }
        }
        Ok(())
    }

    /// Hides every issue of a project.
    pub(crate) fn hide_project(&mut self, project: &str) -> Changed<Vec<u64>> {
        let target = self.site.catalog.find_project(project).ok_or_else(|| unknown("project", project))?;
        let of_project = |slot: &u32| {
            let slim = self.site.slim(*slot);
            slim.project == target && slim.parent == NO_SLOT
        };
        let slots: Vec<u32> = self.site.living().filter(of_project).collect();
        let ids = slots.iter().map(|slot| self.site.slim(*slot).id).collect();
        slots.into_iter().try_for_each(|slot| self.hide(slot))?;
        Ok(ids)
    }
}

impl Site {
    /// Ids of the hidden issues, without sub-tasks.
    pub(crate) fn hidden_ids(&self) -> Vec<u64> {
        let parents = self.hidden.iter().map(|slot| self.slim(*slot)).filter(|slim| slim.parent == NO_SLOT);
        parents.map(|slim| slim.id).collect()
    }

    /// Ids of links between two visible issues.
    pub(crate) fn link_ids(&self) -> Vec<u64> {
        let visible = |slot: u32| slot != NO_SLOT && self.slim(slot).alive;
        let ends = self.links.iter().filter(|(slot, _)| visible(**slot)).flat_map(|(_, ends)| ends);
        let mut ids: Vec<u64> =
            ends.filter(|end| end.outward && visible(end.other)).map(|end| end.id).collect();
        ids.sort_unstable();
        ids
    }
}
