//! What issues refer to: fields, projects, statuses, users and their JSON, written once.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::doc::Frag;
use super::fields::{self, FieldDef, Shape};

/// A status, priority, resolution, issue type or link type.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) id: u64,
    pub(crate) name: String,
    /// The object as issues and lists show it.
    pub(crate) json: Frag,
    /// Only for issue types.
    pub(crate) subtask: bool,
}

/// A kind of link with its two phrases.
#[derive(Debug, Clone)]
pub(crate) struct LinkType {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) json: Frag,
}

/// A project.
#[derive(Debug, Clone)]
pub(crate) struct Project {
    pub(crate) id: u64,
    pub(crate) key: String,
    pub(crate) name: String,
    /// Rank by the alphabetical order of the keys.
    pub(crate) rank: u16,
    /// The object inside an issue.
    pub(crate) json: Frag,
    /// The object of `/project` but for the lead.
    pub(crate) full: Value,
    /// Number of the user who leads it.
    pub(crate) lead: Option<usize>,
    pub(crate) components: Vec<Frag>,
    pub(crate) versions: Vec<Frag>,
}

/// Somebody who occurs in issues.
#[derive(Debug, Clone)]
pub(crate) struct User {
    /// Stable identity; `None` for the stub of a deleted user.
    pub(crate) key: Option<String>,
    pub(crate) name: String,
    pub(crate) display: String,
    pub(crate) email: Option<String>,
    pub(crate) active: bool,
    pub(crate) zone: String,
    /// Whether the directory still knows the user.
    pub(crate) listed: bool,
    /// The object inside an issue.
    pub(crate) json: Frag,
}

impl User {
    /// What changelog items name the user by.
    pub(crate) fn identity(&self) -> &str {
        self.key.as_deref().unwrap_or(&self.name)
    }
}

/// Everything that issues refer to.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    pub(crate) base: String,
    pub(crate) fragments: Vec<String>,
    pub(crate) fields: Vec<FieldDef>,
    pub(crate) shapes: Vec<(u16, Shape)>,
    field_numbers: HashMap<String, u16>,
    pub(crate) projects: Vec<Project>,
    pub(crate) types: Vec<Named>,
    pub(crate) statuses: Vec<Named>,
    pub(crate) priorities: Vec<Named>,
    pub(crate) resolutions: Vec<Named>,
    pub(crate) link_types: Vec<LinkType>,
    pub(crate) users: Vec<User>,
    pub(crate) levels: Vec<Frag>,
}

impl Catalog {
    /// A catalogue with the system fields and nothing else.
    pub(crate) fn new(base: &str) -> Self {
        let mut catalog = Self { base: base.to_owned(), ..Self::default() };
        for field in fields::system() {
            catalog.add_field(field);
        }
        catalog
    }

    pub(crate) fn fragment(&mut self, json: String) -> Frag {
        self.fragments.push(json);
        Frag(u32::try_from(self.fragments.len() - 1).unwrap_or(u32::MAX))
    }

    pub(crate) fn json_of(&self, frag: Frag) -> &str {
        self.fragments.get(frag.0 as usize).map_or("null", String::as_str)
    }

    pub(crate) fn add_field(&mut self, field: FieldDef) -> u16 {
        let number = u16::try_from(self.fields.len()).unwrap_or(u16::MAX);
        self.field_numbers.insert(field.id.clone(), number);
        self.fields.push(field);
        number
    }

    pub(crate) fn field_number(&self, id: &str) -> Option<u16> {
        self.field_numbers.get(id).copied()
    }

    /// A project by key, name or id, case ignored.
    pub(crate) fn find_project(&self, text: &str) -> Option<u16> {
        let found = self.projects.iter().position(|project| {
            project.key.eq_ignore_ascii_case(text)
                || project.name.to_lowercase() == text.to_lowercase()
                || project.id.to_string() == text
        });
        found.and_then(|at| u16::try_from(at).ok())
    }

    /// Sets the ranks of the projects from their keys.
    pub(crate) fn rank_projects(&mut self) {
        let mut keys: Vec<String> = self.projects.iter().map(|project| project.key.clone()).collect();
        keys.sort();
        for project in &mut self.projects {
            let rank = keys.iter().position(|key| *key == project.key).unwrap_or(0);
            project.rank = u16::try_from(rank).unwrap_or(u16::MAX);
        }
    }

    /// The object that stands for a user inside an issue.
    pub(crate) fn user_json(&self, user: &User) -> Value {
        let Some(key) = &user.key else {
            return json!({ "name": user.name, "active": false });
        };
        let mut object = json!({
            "self": format!("{}/rest/api/2/user?username={}", self.base, user.name),
            "name": user.name, "key": key, "avatarUrls": avatars(&self.base, key),
            "displayName": user.display, "active": user.active, "timeZone": user.zone,
        });
        if let Some(email) = &user.email {
            object["emailAddress"] = email.clone().into();
        }
        object
    }

    /// The object of `/user/search`.
    pub(crate) fn user_bean(&self, user: &User) -> Value {
        let mut object = self.user_json(user);
        object["deleted"] = false.into();
        object["locale"] = "en_US".into();
        object
    }

    /// The object of `/project`.
    pub(crate) fn project_bean(&self, project: &Project) -> Value {
        let mut bean = project.full.clone();
        if let Some(lead) = project.lead.and_then(|at| self.users.get(at)) {
            bean["lead"] = self.user_json(lead);
        }
        bean
    }

    /// Gives a user another login name and display name, in every issue at once.
    pub(crate) fn rename_user(&mut self, at: usize, name: &str, display: &str) {
        self.users[at].name = name.to_owned();
        self.users[at].display = display.to_owned();
        let user = self.users[at].clone();
        let json = self.user_json(&user).to_string();
        self.fragments[user.json.0 as usize] = json;
    }
}

/// The avatar addresses of a user.
pub(crate) fn avatars(base: &str, key: &str) -> Value {
    let at = |size: &str| format!("{base}/secure/useravatar?{size}ownerId={key}&avatarId=10341");
    json!({ "48x48": at(""), "24x24": at("size=small&") })
}

/// The first in the list with this name or id, case ignored.
pub(crate) fn find_named(list: &[Named], text: &str) -> Option<u8> {
    let lower = text.to_lowercase();
    let found =
        list.iter().position(|entry| entry.name.to_lowercase() == lower || entry.id.to_string() == text);
    found.and_then(|at| u8::try_from(at).ok())
}
