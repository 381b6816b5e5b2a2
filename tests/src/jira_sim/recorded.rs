//! Recorded issues: one Jira issue JSON a line, plain, gzip or xz; what the recording lacks stays lacking.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::SimError;
use super::catalog::{Catalog, LinkType, Named, Project, User};
use super::catalog_generated::category;
use super::doc::{Child, Doc, Frag, push_frag, push_str};
use super::fields::{FieldDef, custom};
use super::generate::{NO_SLOT, Slim};
use super::site::{LinkEnd, LinkKind, RecordedFamily, Site};

mod object;

use object::Members;

/// An issue as recorded.
#[derive(Deserialize)]
struct Line {
    id: Value,
    key: String,
    #[serde(default)]
    fields: Members,
    #[serde(default)]
    changelog: Option<Members>,
}

/// Reads a site from a file.
///
/// # Errors
/// When the file cannot be read or a line is no issue.
pub(crate) fn load(base: &str, path: &Path) -> Result<Site, SimError> {
    let failed = |reason: String| SimError::Recording { path: path.display().to_string(), reason };
    let text = read_text(path).map_err(|error| failed(error.to_string()))?;
    let mut reader = Reader {
        catalog: Catalog::new(base),
        users: HashMap::new(),
        slims: Vec::new(),
        docs: Vec::new(),
        family: Vec::new(),
    };
    let mut ids = HashMap::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.map_err(|error| failed(format!("line {}: {error}", number + 1)))?;
        if line.trim().is_empty() {
            continue;
        }
        let issue: Line =
            serde_json::from_str(&line).map_err(|error| failed(format!("line {}: {error}", number + 1)))?;
        let slot = u32::try_from(reader.slims.len()).unwrap_or(NO_SLOT);
        let slim = reader.issue(&issue).ok_or_else(|| {
            failed(format!("line {}: no id, project, created or key with a number", number + 1))
        })?;
        if ids.insert(slim.id, slot).is_some() {
            return Err(failed(format!("line {}: issue {} occurs twice", number + 1, slim.id)));
        }
        reader.slims.push(slim);
    }
    Ok(reader.finish(&ids))
}

/// The file's text, unpacked by the ending of its name.
fn read_text(path: &Path) -> std::io::Result<Box<dyn BufRead>> {
    let file = BufReader::new(std::fs::File::open(path)?);
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("gz") => Ok(Box::new(BufReader::new(flate2::read::MultiGzDecoder::new(file)))),
        Some("xz") => {
            let mut packed = file;
            let mut text = Vec::new();
            lzma_rs::xz_decompress(&mut packed, &mut text).map_err(|error| {
                std::io::Error::new(std::io::ErrorKind::InvalidData, format!("not xz: {error:?}"))
            })?;
            Ok(Box::new(std::io::Cursor::new(text)))
        }
        _ => Ok(Box::new(BufReader::new(file.take(u64::MAX)))),
    }
}

/// Recorded parent, sub-tasks and links of an issue.
#[derive(Default)]
struct Family {
    parent: Option<String>,
    subtasks: Vec<String>,
    links: Vec<String>,
}

struct Reader {
    catalog: Catalog,
    /// Raw user object to its fragment.
    users: HashMap<String, Frag>,
    slims: Vec<Slim>,
    docs: Vec<Doc>,
    family: Vec<Family>,
}

/// Unix milliseconds of a platform time.
fn millis(text: &str) -> Option<i64> {
    let parsed = chrono::DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z").ok()?;
    Some(parsed.timestamp_millis())
}

fn text_of(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

fn id_of(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

impl Reader {
    fn issue(&mut self, line: &Line) -> Option<Slim> {
        let project = self.project(line.fields.get("project")?)?;
        let time = |name: &str| line.fields.get(name).and_then(text_of).as_deref().and_then(millis);
        let created_ms = time("created")?;
        let slim = Slim {
            id: id_of(&line.id)?,
            created_ms,
            updated_ms: time("updated").unwrap_or(created_ms),
            number: line.key.rsplit_once('-')?.1.parse().ok()?,
            parent: NO_SLOT,
            project,
            kind: self.named(line, "issuetype"),
            status: self.named(line, "status"),
            priority: self.named(line, "priority"),
            alive: true,
            dirty: false,
        };
        self.named(line, "resolution");
        let mut doc = Doc::default();
        let mut family = Family::default();
        for (name, raw) in line.fields.iter() {
            self.member(&mut doc, &mut family, name, raw);
        }
        if let Some(changelog) = &line.changelog {
            self.children(&mut doc, changelog.get("histories"), "histories");
        }
        self.docs.push(doc);
        self.family.push(family);
        Some(slim)
    }

    fn member(&mut self, doc: &mut Doc, family: &mut Family, name: &str, raw: &RawValue) {
        let list = || serde_json::from_str::<Vec<Box<RawValue>>>(raw.get()).unwrap_or_default();
        let texts = |list: Vec<Box<RawValue>>| list.iter().map(|item| item.get().to_owned()).collect();
        match name {
            "comment" => self.envelope(doc, raw, "comments"),
            "worklog" => self.envelope(doc, raw, "worklogs"),
            "issuelinks" => family.links = texts(list()),
            "subtasks" => family.subtasks = texts(list()),
            "parent" => family.parent = Some(raw.get().to_owned()),
            "creator" | "reporter" | "assignee" => {
                let field = self.field(name);
                let mut json = String::new();
                self.push_user(&mut json, raw);
                doc.set(field, &json);
            }
            _ => {
                let field = self.field(name);
                let times = ["created", "updated", "resolutiondate", "lastViewed"];
                match text_of_time(name, &times, raw) {
                    Some(time) => doc.member(field, |out| super::doc::push_time(out, time)),
                    None => doc.member(field, |out| out.push_str(raw.get())),
                }
            }
        }
    }

    /// The number of a field; one that nobody knows is added.
    fn field(&mut self, id: &str) -> u16 {
        if let Some(number) = self.catalog.field_number(id) {
            return number;
        }
        if id.starts_with("customfield_") {
            return self.catalog.add_field(custom(id, id, None));
        }
        // Members of the agile API, such as `sprint`, are no fields of `/field`.
        self.catalog.add_field(FieldDef {
            id: id.to_owned(),
            name: id.to_owned(),
            schema: None,
            custom: false,
            navigable: true,
            listed: false,
        })
    }

    fn envelope(&mut self, doc: &mut Doc, raw: &RawValue, list: &str) {
        let Ok(members) = serde_json::from_str::<Members>(raw.get()) else { return };
        if list == "comments" {
            doc.has_comment = true;
        } else {
            doc.has_worklog = true;
        }
        self.children(doc, members.get(list), list);
    }

    fn children(&mut self, doc: &mut Doc, list: Option<&RawValue>, kind: &str) {
        let entries =
            list.and_then(|raw| serde_json::from_str::<Vec<Members>>(raw.get()).ok()).unwrap_or_default();
        for entry in entries {
            let id =
                entry.get("id").and_then(|raw| serde_json::from_str(raw.get()).ok()).as_ref().and_then(id_of);
            let Some(id) = id else { continue };
            let mut json = String::from("{");
            for (name, raw) in entry.iter() {
                if json.len() > 1 {
                    json.push(',');
                }
                push_str(&mut json, name);
                json.push(':');
                match name {
                    "author" | "updateAuthor" => self.push_user(&mut json, raw),
                    _ => json.push_str(raw.get()),
                }
            }
            json.push('}');
            let child = Child { id, at: doc.write(|out| out.push_str(&json)) };
            match kind {
                "comments" => doc.comments.push(child),
                "worklogs" => doc.worklogs.push(child),
                _ => doc.histories.push(child),
            }
        }
    }

    /// A user object becomes a reference, so that the directory knows it and a rename reaches it.
    fn push_user(&mut self, out: &mut String, raw: &RawValue) {
        let json = raw.get();
        if let Some(frag) = self.users.get(json) {
            return push_frag(out, *frag);
        }
        let Ok(Value::Object(user)) = serde_json::from_str(json) else { return out.push_str(json) };
        let frag = self.catalog.fragment(json.to_owned());
        self.users.insert(json.to_owned(), frag);
        let text = |name: &str| user.get(name).and_then(Value::as_str).map(str::to_owned);
        let name = text("name").unwrap_or_default();
        let key = text("key");
        let identity = key.as_deref().unwrap_or(&name);
        let known = self.catalog.users.iter().any(|user| user.identity() == identity);
        if !known {
            self.catalog.users.push(User {
                listed: key.is_some(),
                display: text("displayName").unwrap_or_else(|| name.clone()),
                email: text("emailAddress"),
                active: user.get("active").and_then(Value::as_bool).unwrap_or(true),
                zone: text("timeZone").unwrap_or_default(),
                key,
                name,
                json: frag,
            });
        }
        push_frag(out, frag);
    }

    fn project(&mut self, raw: &RawValue) -> Option<u16> {
        let object: Value = serde_json::from_str(raw.get()).ok()?;
        let key = object.get("key")?.as_str()?.to_owned();
        if let Some(known) = self.catalog.projects.iter().position(|project| project.key == key) {
            return u16::try_from(known).ok();
        }
        let id = id_of(object.get("id")?)?;
        let name = object.get("name").and_then(Value::as_str).unwrap_or(&key).to_owned();
        let json = self.catalog.fragment(raw.get().to_owned());
        self.catalog.projects.push(Project {
            id,
            key,
            name,
            rank: 0,
            json,
            full: object,
            lead: None,
            components: Vec::new(),
            versions: Vec::new(),
        });
        u16::try_from(self.catalog.projects.len() - 1).ok()
    }

    /// The number of a status, type, priority or resolution; [`u8::MAX`] when the issue has none.
    fn named(&mut self, line: &Line, member: &str) -> u8 {
        let raw = line.fields.get(member);
        let object = raw.and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok());
        let Some((object, raw)) = object.filter(Value::is_object).zip(raw) else { return u8::MAX };
        let Some(id) = object.get("id").and_then(id_of) else { return u8::MAX };
        let named = Named {
            id,
            name: object.get("name").and_then(Value::as_str).unwrap_or_default().to_owned(),
            json: Frag(u32::MAX),
            subtask: object.get("subtask").and_then(Value::as_bool).unwrap_or(false),
        };
        let list = match member {
            "status" => &self.catalog.statuses,
            "priority" => &self.catalog.priorities,
            "resolution" => &self.catalog.resolutions,
            _ => &self.catalog.types,
        };
        if let Some(known) = list.iter().position(|known| known.id == id) {
            return u8::try_from(known).unwrap_or(u8::MAX);
        }
        let mut json = raw.get().to_owned();
        if member == "status" && object.get("statusCategory").is_none() {
            let mut with = object;
            with["statusCategory"] = category(&self.catalog.base, 1);
            json = with.to_string();
        }
        let json = self.catalog.fragment(json);
        let list = match member {
            "status" => &mut self.catalog.statuses,
            "priority" => &mut self.catalog.priorities,
            "resolution" => &mut self.catalog.resolutions,
            _ => &mut self.catalog.types,
        };
        list.push(Named { json, ..named });
        u8::try_from(list.len() - 1).unwrap_or(u8::MAX)
    }

    /// Connects links and families inside the recording.
    fn finish(mut self, ids: &HashMap<u64, u32>) -> Site {
        self.catalog.rank_projects();
        let family = std::mem::take(&mut self.family);
        let slot_of = |raw: &str| {
            let id = serde_json::from_str::<Value>(raw).ok().and_then(|stub| id_of(stub.get("id")?));
            id.and_then(|id| ids.get(&id).copied()).unwrap_or(NO_SLOT)
        };
        for (slim, family) in self.slims.iter_mut().zip(&family) {
            slim.parent = family.parent.as_deref().map_or(NO_SLOT, slot_of);
        }
        let mut site = Site::from_parts(self.catalog, self.slims, None);
        for ((slot, doc), family) in (0_u32..).zip(self.docs).zip(family) {
            site.docs.insert(slot, doc);
            let ends: Vec<LinkEnd> =
                family.links.iter().filter_map(|raw| link_end(raw, &mut site.catalog, &slot_of)).collect();
            site.links.insert(slot, ends);
            let subtasks = family.subtasks.into_iter().map(|raw| (slot_of(&raw), raw)).collect();
            site.recorded_family.insert(slot, RecordedFamily { parent: family.parent, subtasks });
        }
        site
    }
}

/// Milliseconds of a time member whose text can be read.
fn text_of_time(name: &str, times: &[&str], raw: &RawValue) -> Option<i64> {
    times.contains(&name).then(|| text_of(raw)).flatten().as_deref().and_then(millis)
}

fn link_end(raw: &str, catalog: &mut Catalog, slot_of: &impl Fn(&str) -> u32) -> Option<LinkEnd> {
    let members: Members = serde_json::from_str(raw).ok()?;
    let id = id_of(&serde_json::from_str(members.get("id")?.get()).ok()?)?;
    let kind = members.get("type")?.get().to_owned();
    let outward = members.get("inwardIssue").is_none();
    let other = members.get(if outward { "outwardIssue" } else { "inwardIssue" })?.get().to_owned();
    learn_link_type(&kind, catalog);
    let stub: Value = serde_json::from_str(&other).ok()?;
    let key = stub.get("key").and_then(Value::as_str).unwrap_or_default().to_owned();
    Some(LinkEnd {
        id,
        kind: LinkKind::Recorded(kind),
        outward,
        other: slot_of(&other),
        recorded: Some((key, other)),
    })
}

fn learn_link_type(json: &str, catalog: &mut Catalog) {
    let Ok(object) = serde_json::from_str::<Value>(json) else { return };
    let Some(id) = object.get("id").and_then(id_of) else { return };
    if catalog.link_types.iter().all(|known| known.id != id) {
        let name = object.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let frag = catalog.fragment(json.to_owned());
        catalog.link_types.push(LinkType { id, name, json: frag });
    }
}
