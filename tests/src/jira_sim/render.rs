//! Issues as JSON: members chosen by the request, links and family as they are at this moment.

use super::doc::{Child, Doc, expand, push_frag, push_id, push_num};
use super::fields as f;
use super::site::{LinkEnd, LinkKind, Site};

/// Which members of `fields` an answer shows.
#[derive(Debug, Clone)]
pub(crate) struct Selection(Vec<bool>);

impl Selection {
    /// Every field.
    pub(crate) fn all(site: &Site) -> Self {
        Self(vec![true; site.catalog.fields.len()])
    }

    /// Reads the `fields` parameter; `base` is what an empty list and pure exclusions start from.
    pub(crate) fn parse(site: &Site, wanted: &[String], base: &str) -> Self {
        let mut chosen = vec![false; site.catalog.fields.len()];
        let starts_empty = wanted.iter().any(|name| !name.starts_with('-'));
        if !starts_empty {
            add(site, &mut chosen, base);
        }
        for name in wanted.iter().filter(|name| !name.starts_with('-')) {
            add(site, &mut chosen, name);
        }
        for name in wanted.iter().filter_map(|name| name.strip_prefix('-')) {
            if let Some(number) = site.catalog.field_number(name) {
                chosen[usize::from(number)] = false;
            }
        }
        Self(chosen)
    }

    /// Whether no field is shown.
    pub(crate) fn is_empty(&self) -> bool {
        !self.0.contains(&true)
    }

    pub(crate) fn has(&self, field: u16) -> bool {
        self.0.get(usize::from(field)).copied().unwrap_or(false)
    }
}

fn add(site: &Site, chosen: &mut [bool], name: &str) {
    for (number, field) in site.catalog.fields.iter().enumerate() {
        if name == "*all" || (name == "*navigable" && field.navigable) || field.id == name {
            chosen[number] = true;
        }
    }
}

/// What an issue is written with.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) selection: Selection,
    pub(crate) changelog: bool,
    /// Most worklogs inside the issue; the total is always said.
    pub(crate) worklog_cap: usize,
    pub(crate) transitions: bool,
}

impl Site {
    /// Appends the issue's JSON object to `out`.
    pub(crate) fn write_issue(&self, out: &mut String, slot: u32, view: &View) {
        let slim = self.slim(slot);
        let doc = self.doc(slot);
        out.push_str(
            r#"{"expand":"operations,versionedRepresentations,editmeta,changelog,renderedFields","id":"#,
        );
        push_id(out, slim.id);
        out.push_str(",\"self\":\"");
        out.push_str(&self.catalog.base);
        out.push_str("/rest/api/2/issue/");
        push_num(out, i64::try_from(slim.id).unwrap_or(0));
        out.push_str("\",\"key\":\"");
        self.push_key(out, slot);
        out.push_str("\",\"fields\":{");
        self.write_fields(out, slot, &doc, view);
        out.push('}');
        if view.changelog {
            out.push_str(",\"changelog\":");
            self.write_envelope(out, &doc, ("histories", &doc.histories), (0, doc.histories.len()));
        }
        if view.transitions {
            out.push_str(",\"transitions\":");
            out.push_str(
                &serde_json::Value::from(super::of_issue::list_of(self, slot, "transitions")).to_string(),
            );
        }
        out.push('}');
    }

    fn write_fields(&self, out: &mut String, slot: u32, doc: &Doc, view: &View) {
        let start = out.len();
        let fragments = &self.catalog.fragments;
        for (field, json) in doc.members().filter(|(field, _)| view.selection.has(*field)) {
            self.open_member(out, start, field);
            expand(out, json, fragments);
        }
        if view.selection.has(f::ISSUE_LINKS) {
            self.open_member(out, start, f::ISSUE_LINKS);
            self.write_links(out, slot);
        }
        if view.selection.has(f::SUBTASKS) {
            self.open_member(out, start, f::SUBTASKS);
            self.write_subtasks(out, slot);
        }
        if view.selection.has(f::COMMENT) && doc.has_comment {
            self.open_member(out, start, f::COMMENT);
            self.write_envelope(out, doc, ("comments", &doc.comments), (0, doc.comments.len()));
        }
        if view.selection.has(f::WORKLOG) && doc.has_worklog {
            self.open_member(out, start, f::WORKLOG);
            self.write_envelope(out, doc, ("worklogs", &doc.worklogs), (0, view.worklog_cap));
        }
        if view.selection.has(f::PARENT) {
            self.write_parent(out, start, slot);
        }
    }

    fn open_member(&self, out: &mut String, start: usize, field: u16) {
        if out.len() > start {
            out.push(',');
        }
        out.push('"');
        out.push_str(&self.catalog.fields[usize::from(field)].id);
        out.push_str("\":");
    }

    fn push_key(&self, out: &mut String, slot: u32) {
        let slim = self.slim(slot);
        out.push_str(&self.catalog.projects[usize::from(slim.project)].key);
        out.push('-');
        push_num(out, i64::from(slim.number));
    }

    /// `{startAt,maxResults,total,NAME:[..]}` of some children; `window` is first and most.
    pub(crate) fn write_envelope(
        &self,
        out: &mut String,
        doc: &Doc,
        list: (&str, &[Child]),
        window: (usize, usize),
    ) {
        let (name, children) = list;
        let (first, most) = window;
        out.push_str("{\"startAt\":");
        push_num(out, i64::try_from(first).unwrap_or(0));
        out.push_str(",\"maxResults\":");
        push_num(out, i64::try_from(most).unwrap_or(0));
        out.push_str(",\"total\":");
        push_num(out, i64::try_from(children.len()).unwrap_or(0));
        out.push_str(",\"");
        out.push_str(name);
        out.push_str("\":[");
        for (number, child) in children.iter().skip(first).take(most).enumerate() {
            if number > 0 {
                out.push(',');
            }
            expand(out, doc.slice(child.at), &self.catalog.fragments);
        }
        out.push_str("]}");
    }

    fn write_links(&self, out: &mut String, slot: u32) {
        out.push('[');
        let is_shown =
            |link: &&LinkEnd| link.other == super::generate::NO_SLOT || !self.hidden.contains(&link.other);
        for (number, link) in self.links.get(&slot).into_iter().flatten().filter(is_shown).enumerate() {
            if number > 0 {
                out.push(',');
            }
            out.push_str("{\"id\":");
            push_id(out, link.id);
            out.push_str(",\"self\":\"");
            out.push_str(&self.catalog.base);
            out.push_str("/rest/api/2/issueLink/");
            push_num(out, i64::try_from(link.id).unwrap_or(0));
            out.push_str("\",\"type\":");
            match &link.kind {
                LinkKind::Known(at) => out.push_str(self.catalog.json_of(self.catalog.link_types[*at].json)),
                LinkKind::Recorded(json) => out.push_str(json),
            }
            out.push_str(if link.outward { ",\"outwardIssue\":" } else { ",\"inwardIssue\":" });
            self.write_other(out, link);
            out.push('}');
        }
        out.push(']');
    }

    fn write_other(&self, out: &mut String, link: &LinkEnd) {
        match &link.recorded {
            Some((_, json)) if link.other == super::generate::NO_SLOT || !self.slim(link.other).dirty => {
                out.push_str(json)
            }
            _ => self.write_stub(out, link.other),
        }
    }

    /// The short form of an issue inside another.
    pub(crate) fn write_stub(&self, out: &mut String, slot: u32) {
        let slim = self.slim(slot);
        out.push_str("{\"id\":");
        push_id(out, slim.id);
        out.push_str(",\"key\":\"");
        self.push_key(out, slot);
        out.push_str("\",\"self\":\"");
        out.push_str(&self.catalog.base);
        out.push_str("/rest/api/2/issue/");
        push_num(out, i64::try_from(slim.id).unwrap_or(0));
        out.push_str("\",\"fields\":{\"summary\":");
        out.push_str(&self.summary_json(slot));
        let mut refs = String::new();
        for (name, list, at) in [
            (",\"status\":", &self.catalog.statuses, slim.status),
            (",\"priority\":", &self.catalog.priorities, slim.priority),
            (",\"issuetype\":", &self.catalog.types, slim.kind),
        ] {
            if let Some(named) = list.get(usize::from(at)) {
                refs.push_str(name);
                push_frag(&mut refs, named.json);
            }
        }
        expand(out, &refs, &self.catalog.fragments);
        out.push_str("}}");
    }

    fn write_subtasks(&self, out: &mut String, slot: u32) {
        out.push('[');
        let start = out.len();
        let family = self.recorded_family.get(&slot);
        let recorded = family.map(|family| family.subtasks.as_slice()).unwrap_or_default();
        for (other, json) in recorded {
            if *other == super::generate::NO_SLOT || !self.slim(*other).dirty {
                separate(out, start);
                out.push_str(json);
            }
        }
        for child in self.children.get(&slot).into_iter().flatten() {
            if self.slim(*child).alive && (family.is_none() || self.slim(*child).dirty) {
                separate(out, start);
                self.write_stub(out, *child);
            }
        }
        out.push(']');
    }

    fn write_parent(&self, out: &mut String, start: usize, slot: u32) {
        let parent = self.slim(slot).parent;
        let recorded = self.recorded_family.get(&slot).and_then(|family| family.parent.as_ref());
        let known = parent != super::generate::NO_SLOT;
        match recorded {
            Some(json) if !known || !self.slim(parent).dirty => {
                self.open_member(out, start, f::PARENT);
                out.push_str(json);
            }
            _ if known => {
                self.open_member(out, start, f::PARENT);
                self.write_stub(out, parent);
            }
            _ => {}
        }
    }
}

fn separate(out: &mut String, start: usize) {
    if out.len() > start {
        out.push(',');
    }
}
