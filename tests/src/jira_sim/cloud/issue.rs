//! Issues in Cloud's shapes, made from Server's: account ids, documents, sprint objects, parents at all levels.

use serde_json::{Map, Value};

use super::super::fields as f;
use super::super::of_issue;
use super::super::render::{Selection, View};
use super::super::site::Site;
use super::{adf, changelog, sprints, users};

/// Id of the field that only Cloud has.
pub(super) const CATEGORY_CHANGED: &str = "statuscategorychangedate";

/// Which history entries an issue is shown with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Histories {
    /// None, and no `changelog`.
    Hidden,
    /// All, oldest first.
    All,
    /// So many of the newest, newest first.
    Newest(usize),
}

/// What an issue is written with.
#[derive(Debug, Clone)]
pub(crate) struct CloudView {
    pub(crate) selection: Selection,
    pub(crate) histories: Histories,
    pub(crate) worklog_cap: usize,
    pub(crate) comment_cap: usize,
    /// Only `id`, as a search answers that asks for no field.
    pub(crate) id_only: bool,
    pub(crate) transitions: bool,
}

impl CloudView {
    /// The whole issue, every child.
    pub(crate) fn whole(site: &Site) -> Self {
        Self {
            selection: Selection::all(site),
            histories: Histories::All,
            worklog_cap: usize::MAX >> 1,
            comment_cap: usize::MAX,
            id_only: false,
            transitions: false,
        }
    }
}

/// The issue's JSON object, times in UTC.
pub(crate) fn write(site: &Site, slot: u32, view: &CloudView) -> String {
    let id = site.slim(slot).id;
    if view.id_only {
        return format!(r#"{{"id":"{id}"}}"#);
    }
    let server = View {
        selection: view.selection.clone(),
        changelog: view.histories != Histories::Hidden,
        worklog_cap: view.worklog_cap,
        transitions: false,
    };
    let mut text = String::new();
    site.write_issue(&mut text, slot, &server);
    let mut issue: Value = serde_json::from_str(&text).unwrap_or_default();
    let mut fields = match issue["fields"].take() {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    shape_fields(site, slot, view, &mut fields);
    let mut out = format!(
        r#"{{"expand":"operations,versionedRepresentations,editmeta,changelog,customfield_10000.requestTypePractice,renderedFields","id":"{id}","self":"{}/rest/api/3/issue/{id}","key":"{}""#,
        site.catalog.base,
        site.key(slot)
    );
    if view.histories != Histories::Hidden {
        out +=
            &format!(",\"changelog\":{}", changelog::embedded(site, &mut issue["changelog"], view.histories));
    }
    if view.transitions {
        out += &format!(",\"transitions\":{}", Value::Array(transitions(site, slot)));
    }
    out += &format!(",\"fields\":{}}}", super::json::text(&Value::Object(fields)));
    third_version(&out, &site.catalog.base)
}

/// What somebody could do with the issue.
pub(super) fn transitions(site: &Site, slot: u32) -> Vec<Value> {
    let mut list = of_issue::list_of(site, slot, "transitions");
    for transition in &mut list {
        shape(transition, &site.catalog.base);
        of_issue::cloud_transition(transition);
    }
    list
}

/// Addresses of the third version of the API.
pub(super) fn third_version(json: &str, base: &str) -> String {
    json.replace(&format!("{base}/rest/api/2/"), &format!("{base}/rest/api/3/"))
}

fn shape_fields(site: &Site, slot: u32, view: &CloudView, fields: &mut Map<String, Value>) {
    let catalog = &site.catalog;
    for (id, value) in fields.iter_mut() {
        match id.as_str() {
            "description" | "environment" => *value = document(value),
            "comment" => embedded_comments(site, value, (view.comment_cap, site.slim(slot).id)),
            "worklog" => each(value, "worklogs", worklog_document),
            _ if !id.starts_with("customfield_") => {}
            _ => match custom_kind(site, id) {
                Some("textarea") => *value = document(value),
                Some("gh-sprint") => {
                    if let Some(list) = value.as_array_mut() {
                        list.iter_mut().for_each(|sprint| *sprint = sprints::object(sprint));
                    }
                }
                _ => {}
            },
        }
        shape(value, &catalog.base);
    }
    if view.selection.has(f::PARENT)
        && !fields.contains_key("parent")
        && let Some(epic) = site.epics.as_ref().and_then(|epics| epics.of(slot))
    {
        fields.insert("parent".to_owned(), stub(site, epic));
    }
    if catalog.field_number(CATEGORY_CHANGED).is_some_and(|field| view.selection.has(field)) {
        let changed = changelog::status_changed(site, slot);
        fields.insert(CATEGORY_CHANGED.to_owned(), changed.unwrap_or_else(|| created(site, slot)));
    }
}

fn created(site: &Site, slot: u32) -> Value {
    site.doc(slot).get(f::CREATED).and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
}

/// The short form of an issue.
fn stub(site: &Site, slot: u32) -> Value {
    let mut text = String::new();
    site.write_stub(&mut text, slot);
    let mut stub = serde_json::from_str(&text).unwrap_or_default();
    shape(&mut stub, &site.catalog.base);
    stub
}

/// The type of a custom field, without its plug-in.
fn custom_kind<'a>(site: &'a Site, id: &str) -> Option<&'a str> {
    let field = &site.catalog.fields[usize::from(site.catalog.field_number(id)?)];
    field.schema.as_ref()?["custom"].as_str()?.rsplit(':').next()
}

/// The document of a plain text; null and empty texts have none.
fn document(value: &Value) -> Value {
    match value.as_str() {
        None if value.is_object() => value.clone(),
        None | Some("") => Value::Null,
        Some(text) => super::json::ready(&adf::document(text).json),
    }
}

fn each(envelope: &mut Value, list: &str, change: impl Fn(&mut Value)) {
    if let Some(children) = envelope[list].as_array_mut() {
        children.iter_mut().for_each(change);
    }
}

/// Comments inside an issue: a page of their own.
fn embedded_comments(site: &Site, value: &mut Value, cap_and_issue: (usize, u64)) {
    let (cap, issue) = cap_and_issue;
    each(value, "comments", comment_document);
    if let Some(list) = value["comments"].as_array_mut() {
        list.truncate(cap);
        value["maxResults"] = value["comments"].as_array().map_or(0, Vec::len).into();
        value["self"] = format!("{}/rest/api/3/issue/{issue}/comment", site.catalog.base).into();
    }
}

/// A comment with its body as a document.
pub(super) fn comment_document(comment: &mut Value) {
    if let Some(text) = comment["body"].as_str() {
        comment["body"] = super::json::ready(&adf::document(text).json);
    }
    comment["jsdPublic"] = true.into();
}

/// A worklog with its comment as a document; an empty one is left out.
pub(super) fn worklog_document(worklog: &mut Value) {
    let document = document(&worklog["comment"]);
    match worklog.as_object_mut() {
        Some(members) if document.is_null() => drop(members.remove("comment")),
        Some(members) => drop(members.insert("comment".to_owned(), document)),
        None => {}
    }
}

/// Turns every user, status, issue type and group inside of a value into Cloud's.
pub(super) fn shape(value: &mut Value, base: &str) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(|one| shape(one, base)),
        Value::Object(object) if users::is_user(object) => *value = users::render(object, base),
        Value::Object(object) => {
            let name = object.get("name").cloned().unwrap_or_default();
            if object.get("subtask").is_some_and(Value::is_boolean) {
                let level = match (&object["subtask"], name.as_str()) {
                    (Value::Bool(true), _) => -1,
                    (_, Some("Epic")) => 1,
                    _ => 0,
                };
                object.insert("hierarchyLevel".to_owned(), level.into());
            } else if object.get("statusCategory").is_some_and(Value::is_object) {
                object.insert("untranslatedName".to_owned(), name);
            } else if is_group(object) {
                let text = name.as_str().unwrap_or_default();
                object.insert("groupId".to_owned(), users::uuid(text).into());
            }
            object.values_mut().for_each(|one| shape(one, base));
        }
        _ => {}
    }
}

fn is_group(object: &Map<String, Value>) -> bool {
    object.get("self").and_then(Value::as_str).is_some_and(|address| address.contains("/group?groupname="))
}
