//! Changes to issues, as users make them: they bump `updated` and write history where Jira does.

use serde::{Deserialize, Serialize};

use super::SimError;
use super::catalog::find_named;
use super::catalog_generated::{EPIC, SUBTASK};
use super::doc::{Child, Doc, push_escaped, push_frag, push_id, push_num, push_str, push_time};
use super::fields as f;
use super::generate::history::{spent_text, write_item};
use super::generate::{NO_SLOT, Slim};
use super::site::{LinkEnd, LinkKind, Site};

/// An issue's two names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssueRef {
    /// The id, which never changes.
    pub id: u64,
    /// The present key.
    pub key: String,
}

/// An issue to be created.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NewIssue {
    /// Key of the project; empty for the first one.
    pub project: String,
    /// Name of the issue type; empty for the first one.
    pub issue_type: String,
    /// The summary.
    pub summary: String,
    /// The description; `None` for null.
    pub description: Option<String>,
    /// Key of the parent, which makes it a sub-task of the same project; of an epic on Cloud, in which it lies.
    pub parent: Option<String>,
}

/// What an edit changes; `None` leaves a field alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Edit {
    /// New summary.
    pub summary: Option<String>,
    /// New description.
    pub description: Option<String>,
    /// Name of the new status.
    pub status: Option<String>,
    /// Login name of the new assignee; empty for nobody.
    pub assignee: Option<String>,
    /// Raw JSON of other fields by their id.
    pub fields: std::collections::BTreeMap<String, serde_json::Value>,
}

/// Makes changes at one instant.
pub(crate) struct Editor<'a> {
    pub(crate) site: &'a mut Site,
    pub(crate) now_ms: i64,
}

type Changed<T> = Result<T, SimError>;

fn unknown(what: &str, name: &str) -> SimError {
    SimError::Unknown { what: what.to_owned(), name: name.to_owned() }
}

fn json_text(text: &str) -> String {
    let mut out = String::new();
    push_str(&mut out, text);
    out
}

impl Editor<'_> {
    pub(crate) fn slot(&self, key: &str) -> Changed<u32> {
        self.site.find(key).ok_or_else(|| unknown("issue", key))
    }

    fn reference(&self, slot: u32) -> IssueRef {
        IssueRef { id: self.site.slim(slot).id, key: self.site.key(slot) }
    }

    /// Creates one issue with the members that were given and nothing else.
    pub(crate) fn create(&mut self, new: &NewIssue) -> Changed<IssueRef> {
        let catalog = &self.site.catalog;
        let mut project = match new.project.as_str() {
            "" => 0,
            key => catalog.find_project(key).ok_or_else(|| unknown("project", key))?,
        };
        let mut kind = match new.issue_type.as_str() {
            "" => 0,
            name => find_named(&catalog.types, name).ok_or_else(|| unknown("issue type", name))?,
        };
        let (mut parent, mut epic) = (NO_SLOT, None);
        if let Some(key) = &new.parent {
            let above = self.slot(key)?;
            if self.site.epics.is_some() && self.site.slim(above).kind == EPIC {
                epic = Some(above);
            } else {
                parent = above;
                project = self.site.slim(parent).project;
                let subtask = self.site.catalog.types.iter().position(|named| named.subtask);
                kind = subtask.and_then(|at| u8::try_from(at).ok()).unwrap_or(kind);
            }
        }
        let slim = self.new_slim(project, kind, parent);
        let slot = self.site.push(slim);
        self.site.changed.insert(slot, (self.now_ms, None));
        let doc = self.plain_doc(slot, new);
        self.site.docs.insert(slot, doc);
        if parent != NO_SLOT {
            self.site.slims[parent as usize].dirty = true;
        }
        if let (Some(epics), Some(epic)) = (&mut self.site.epics, epic) {
            epics.set(slot, Some(epic));
        }
        Ok(self.reference(slot))
    }

    /// Creates an issue as varied as those of the generated site, but without history yet.
    pub(crate) fn create_varied(&mut self) -> Changed<IssueRef> {
        let count = self.site.slot_count();
        let Some(generator) = &self.site.generator else {
            let summary = format!("Created at {}", self.now_ms);
            return self.create(&NewIssue { summary, ..NewIssue::default() });
        };
        let mut rng = super::rng::Rng::new(generator.site.seed, u64::from(count) * 16 + 9);
        let project = u16::try_from(rng.index(self.site.catalog.projects.len())).unwrap_or(0);
        let kind = u8::try_from(rng.index(usize::from(SUBTASK))).unwrap_or(0);
        let slim = self.new_slim(project, kind, NO_SLOT);
        let slot = self.site.push(slim);
        self.site.changed.insert(slot, (self.now_ms, None));
        let mut doc = self.site.doc(slot).into_owned();
        doc.comments.clear();
        doc.worklogs.clear();
        doc.histories.clear();
        self.site.docs.insert(slot, doc);
        Ok(self.reference(slot))
    }

    fn new_slim(&mut self, project: u16, kind: u8, parent: u32) -> Slim {
        let number = &mut self.site.next_number[usize::from(project)];
        *number += 1;
        self.site.next_id += 1;
        Slim {
            id: self.site.next_id,
            created_ms: self.now_ms,
            updated_ms: self.now_ms,
            number: *number,
            parent,
            project,
            kind,
            status: 0,
            priority: 0,
            alive: true,
            dirty: true,
        }
    }

    fn plain_doc(&self, slot: u32, new: &NewIssue) -> Doc {
        let (slim, catalog) = (self.site.slim(slot), &self.site.catalog);
        let mut doc = Doc::empty();
        doc.member(f::SUMMARY, |out| push_str(out, &new.summary));
        doc.member(f::DESCRIPTION, |out| match &new.description {
            Some(text) => push_str(out, text),
            None => out.push_str("null"),
        });
        let frags = [
            (f::PROJECT, catalog.projects.get(usize::from(slim.project)).map(|project| project.json)),
            (f::ISSUE_TYPE, catalog.types.get(usize::from(slim.kind)).map(|named| named.json)),
            (f::STATUS, catalog.statuses.get(usize::from(slim.status)).map(|named| named.json)),
            (f::PRIORITY, catalog.priorities.get(usize::from(slim.priority)).map(|named| named.json)),
            (f::CREATOR, catalog.users.first().map(|user| user.json)),
            (f::REPORTER, catalog.users.first().map(|user| user.json)),
        ];
        for (field, frag) in frags {
            doc.member(field, |out| match frag {
                Some(frag) => push_frag(out, frag),
                None => out.push_str("null"),
            });
        }
        doc.member(f::CREATED, |out| push_time(out, slim.created_ms));
        doc.member(f::UPDATED, |out| push_time(out, slim.updated_ms));
        for field in [f::LABELS, f::COMPONENTS, f::FIX_VERSIONS, f::VERSIONS, f::ATTACHMENT] {
            doc.member(field, |out| out.push_str("[]"));
        }
        for field in [f::ENVIRONMENT, f::RESOLUTION, f::RESOLUTION_DATE, f::DUE_DATE, f::ASSIGNEE] {
            doc.member(field, |out| out.push_str("null"));
        }
        doc
    }

    /// Sets `updated` to now.
    pub(crate) fn touch(&mut self, slot: u32) {
        let before = self.site.slim(slot).updated_ms;
        self.site.changed.insert(slot, (self.now_ms, Some(before)));
        self.site.unindex(slot);
        self.site.slims[slot as usize].updated_ms = self.now_ms;
        self.site.reindex(slot);
        let mut time = String::new();
        push_time(&mut time, self.now_ms);
        self.site.doc_mut(slot).set(f::UPDATED, &time);
    }

    fn child_id(&mut self) -> u64 {
        self.site.next_child_id += 1;
        self.site.next_child_id
    }

    /// Appends a history entry with the items that `write` puts between the brackets.
    pub(crate) fn record(&mut self, slot: u32, items: &str) {
        let id = self.child_id();
        let author = self.site.catalog.users.first().map(|user| user.json);
        let now = self.now_ms;
        let doc = self.site.doc_mut(slot);
        let at = doc.write(|out| {
            out.push_str("{\"id\":");
            push_id(out, id);
            if let Some(author) = author {
                out.push_str(",\"author\":");
                push_frag(out, author);
            }
            out.push_str(",\"created\":");
            push_time(out, now);
            out.push_str(",\"items\":[");
            out.push_str(items);
            out.push_str("]}");
        });
        doc.histories.push(Child { id, at });
    }

    /// Edits fields; one history entry holds an item per change.
    pub(crate) fn edit(&mut self, slot: u32, edit: &Edit) -> Changed<()> {
        let mut items: Vec<String> = Vec::new();
        for (field, name, value) in
            [(f::SUMMARY, "summary", &edit.summary), (f::DESCRIPTION, "description", &edit.description)]
        {
            if let Some(text) = value {
                items.push(self.set_text(slot, field, name, text));
            }
        }
        if let Some(name) = &edit.status {
            items.push(self.set_status(slot, name)?);
        }
        if let Some(name) = &edit.assignee {
            items.push(self.set_assignee(slot, name)?);
        }
        for (id, value) in &edit.fields {
            let field = self.site.catalog.field_number(id).ok_or_else(|| unknown("field", id))?;
            let name = self.site.catalog.fields[usize::from(field)].name.clone();
            let json = value.to_string();
            let mut item = String::new();
            write_item(&mut item, &name, "custom", ["null", "null", "null", &json_text(&json)]);
            items.push(item);
            self.site.doc_mut(slot).set(field, &json);
        }
        self.record(slot, &items.join(","));
        self.touch(slot);
        Ok(())
    }

    fn set_text(&mut self, slot: u32, field: u16, name: &str, text: &str) -> String {
        let doc = self.site.doc_mut(slot);
        let before = doc.get(field).unwrap_or("null").to_owned();
        let after = json_text(text);
        doc.set(field, &after);
        let mut item = String::new();
        write_item(&mut item, name, "jira", ["null", &before, "null", &after]);
        item
    }

    fn set_status(&mut self, slot: u32, name: &str) -> Changed<String> {
        let status = find_named(&self.site.catalog.statuses, name).ok_or_else(|| unknown("status", name))?;
        let describe = |site: &Site, at: u8| match site.catalog.statuses.get(usize::from(at)) {
            Some(named) => (format!("\"{}\"", named.id), json_text(&named.name)),
            None => ("null".to_owned(), "null".to_owned()),
        };
        let before = describe(self.site, self.site.slim(slot).status);
        let after = describe(self.site, status);
        let mut json = String::new();
        push_frag(&mut json, self.site.catalog.statuses[usize::from(status)].json);
        self.site.doc_mut(slot).set(f::STATUS, &json);
        self.site.slims[slot as usize].status = status;
        let mut item = String::new();
        write_item(&mut item, "status", "jira", [&before.0, &before.1, &after.0, &after.1]);
        Ok(item)
    }

    fn set_assignee(&mut self, slot: u32, name: &str) -> Changed<String> {
        let mut item = String::new();
        if name.is_empty() {
            self.site.doc_mut(slot).set(f::ASSIGNEE, "null");
            write_item(&mut item, "assignee", "jira", ["null", "null", "null", "null"]);
            return Ok(item);
        }
        let user = self.site.catalog.users.iter().find(|user| user.name == name);
        let user = user.ok_or_else(|| unknown("user", name))?;
        let (key, display) = (json_text(user.identity()), json_text(&user.display));
        let mut json = String::new();
        push_frag(&mut json, user.json);
        self.site.doc_mut(slot).set(f::ASSIGNEE, &json);
        write_item(&mut item, "assignee", "jira", ["null", "null", &key, &display]);
        Ok(item)
    }

    /// Moves an issue, and its sub-tasks with it, to another project. The id stays, the old key leads on.
    pub(crate) fn relocate(&mut self, slot: u32, project: &str) -> Changed<IssueRef> {
        let target = self.site.catalog.find_project(project).ok_or_else(|| unknown("project", project))?;
        let slim = self.site.slim(slot);
        if slim.parent != NO_SLOT {
            return Err(SimError::Refused("a sub-task moves with its parent: move the parent".to_owned()));
        }
        if slim.project == target {
            return Err(SimError::Refused(format!("{} is already in {project}", self.site.key(slot))));
        }
        let family = self.site.children.get(&slot).cloned().unwrap_or_default();
        for member in std::iter::once(slot).chain(family) {
            if self.site.slim(member).alive {
                self.relocate_one(member, target);
            }
        }
        Ok(self.reference(slot))
    }

    fn relocate_one(&mut self, slot: u32, target: u16) {
        let (old_key, old) = (self.site.key(slot), usize::from(self.site.slim(slot).project));
        self.site.unindex(slot);
        let number = &mut self.site.next_number[usize::from(target)];
        *number += 1;
        let number = *number;
        let slim = &mut self.site.slims[slot as usize];
        slim.project = target;
        slim.number = number;
        self.site.reindex(slot);
        self.site.claim_key(target, number, slot);
        let projects = &self.site.catalog.projects;
        let (from, to) = (&projects[old], &projects[usize::from(target)]);
        let id = |id: u64| format!("\"{id}\"");
        let mut items = String::new();
        write_item(
            &mut items,
            "project",
            "jira",
            [&id(from.id), &json_text(&from.name), &id(to.id), &json_text(&to.name)],
        );
        items.push(',');
        let new_key = self.site.key(slot);
        write_item(&mut items, "Key", "jira", ["null", &json_text(&old_key), "null", &json_text(&new_key)]);
        let mut json = String::new();
        push_frag(&mut json, to.json);
        let doc = self.site.doc_mut(slot);
        doc.set(f::PROJECT, &json);
        for field in [f::COMPONENTS, f::FIX_VERSIONS, f::VERSIONS] {
            doc.set(field, "[]");
        }
        self.record(slot, &items);
        self.touch(slot);
    }

    /// Deletes an issue and its sub-tasks; links vanish from the other issues without touching them.
    pub(crate) fn delete(&mut self, slot: u32) {
        for child in self.site.children.get(&slot).cloned().unwrap_or_default() {
            if self.site.slim(child).alive {
                self.delete(child);
            }
        }
        self.site.unindex(slot);
        let worklogs: Vec<u64> = self.site.doc(slot).worklogs.iter().map(|child| child.id).collect();
        self.site.deleted_worklogs.extend(worklogs.into_iter().map(|id| (id, self.now_ms)));
        if let Some(epics) = &mut self.site.epics {
            epics.forget(slot);
        }
        let slim = &mut self.site.slims[slot as usize];
        slim.alive = false;
        slim.dirty = true;
        self.site.docs.remove(&slot);
        for link in self.site.links.remove(&slot).unwrap_or_default() {
            if let Some(ends) = self.site.links.get_mut(&link.other) {
                ends.retain(|end| end.other != slot);
            }
        }
    }

    /// Links two issues; both get a history entry and a new `updated`.
    pub(crate) fn link(&mut self, source: u32, target: u32, name: &str) -> Changed<u64> {
        let types = &self.site.catalog.link_types;
        let at = types.iter().position(|known| known.name.eq_ignore_ascii_case(name));
        let at = at.ok_or_else(|| unknown("link type", name))?;
        let id = self.child_id();
        for (slot, other, outward) in [(source, target, true), (target, source, false)] {
            let end = LinkEnd { id, kind: LinkKind::Known(at), outward, other, recorded: None };
            self.site.links.entry(slot).or_default().push(end);
            self.link_history(slot, other, true);
        }
        Ok(id)
    }

    /// Removes a link; both issues get a history entry and a new `updated`.
    pub(crate) fn unlink(&mut self, id: u64) -> Changed<()> {
        let holders: Vec<(u32, u32)> = (self.site.links.iter())
            .flat_map(|(slot, ends)| ends.iter().filter(|end| end.id == id).map(|end| (*slot, end.other)))
            .collect();
        if holders.is_empty() {
            return Err(unknown("link", &id.to_string()));
        }
        for (slot, other) in holders {
            if let Some(ends) = self.site.links.get_mut(&slot) {
                ends.retain(|end| end.id != id);
            }
            if other != NO_SLOT {
                self.link_history(slot, other, false);
            }
        }
        Ok(())
    }

    fn link_history(&mut self, slot: u32, other: u32, added: bool) {
        let key = json_text(&self.site.key(other));
        let mut text = String::from("\"This issue is linked to ");
        push_escaped(&mut text, &self.site.key(other));
        text.push('"');
        let values = if added { ["null", "null", &key, &text] } else { [&key, &text, "null", "null"] };
        let mut item = String::new();
        write_item(&mut item, "Link", "jira", values);
        self.record(slot, &item);
        self.touch(slot);
    }
}

mod children;
mod epic;
mod sight;

impl Editor<'_> {
    /// Seconds as a worklog shows them.
    fn spent(out: &mut String, seconds: u64) {
        out.push_str(",\"timeSpent\":");
        push_str(out, &spent_text(seconds));
        out.push_str(",\"timeSpentSeconds\":");
        push_num(out, i64::try_from(seconds).unwrap_or(0));
    }
}
