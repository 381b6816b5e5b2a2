//! The catalogue of a generated site: projects, workflow, link types, custom fields.

use serde_json::{Value, json};

use super::catalog::{Catalog, LinkType, Named, Project};
use super::config::GeneratedSite;
use super::doc::Frag;
use super::fields::generated_custom;
use super::people;
use super::rng::Rng;

const PROJECTS: &[(&str, &str)] = &[
    ("WEB", "Web Shop"),
    ("APP", "Mobile App"),
    ("OPS", "Operations"),
    ("D\u{41}TA", "Daten & Analyse"),
    ("ZED", "\u{305c}\u{3063}\u{3068}"),
    ("A1", "Archive One"),
];
const TYPES: &[(u64, &str, bool)] = &[
    (1, "Bug", false),
    (3, "Task", false),
    (10001, "Story", false),
    (10000, "Epic", false),
    (4, "Improvement", false),
    (5, "Sub-task", true),
];
/// Number of the sub-task type among the types of a generated site.
pub(crate) const SUBTASK: u8 = 5;
/// Number of the epic type among them.
pub(crate) const EPIC: u8 = 3;
const STATUSES: &[(u64, &str, u8)] = &[
    (1, "Open", 2),
    (3, "In Progress", 4),
    (4, "Reopened", 2),
    (5, "Resolved", 3),
    (6, "Closed", 3),
    (10010, "In Review", 4),
    (10011, "Warten auf R\u{fc}ckmeldung", 4),
    (10012, "\u{5df2}\u{5b8c}\u{6210}", 3),
];
const PRIORITIES: &[(u64, &str, &str)] = &[
    (1, "Blocker", "#cc0000"),
    (2, "Critical", "#ff0000"),
    (3, "Major", "#009900"),
    (4, "Minor", "#006600"),
    (5, "Trivial", "#003300"),
];
const RESOLUTIONS: &[(u64, &str)] =
    &[(1, "Fixed"), (2, "Won't Fix"), (3, "Duplicate"), (4, "Incomplete"), (10000, "Done")];
const LINKS: &[(u64, &str, &str, &str)] = &[
    (10000, "Blocks", "is blocked by", "blocks"),
    (10001, "Cloners", "is cloned by", "clones"),
    (10002, "Duplicate", "is duplicated by", "duplicates"),
    (10003, "Relates", "relates to", "relates to"),
];

/// The object of a status category, by its id.
pub(crate) fn category(base: &str, id: u8) -> Value {
    let (key, color, name) = match id {
        2 => ("new", "blue-gray", "To Do"),
        4 => ("indeterminate", "yellow", "In Progress"),
        3 => ("done", "green", "Done"),
        _ => ("undefined", "medium-gray", "No Category"),
    };
    json!({ "self": format!("{base}/rest/api/2/statuscategory/{id}"), "id": id, "key": key, "colorName": color, "name": name })
}

/// Builds the catalogue; the same site gives the same one.
pub(crate) fn build(base: &str, site: &GeneratedSite) -> Catalog {
    let mut catalog = Catalog::new(base);
    for (field, shape) in generated_custom() {
        let number = catalog.add_field(field);
        catalog.shapes.push((number, shape));
    }
    add_workflow(&mut catalog);
    people::add_users(&mut catalog, site.users, &mut Rng::new(site.seed, 0xa11));
    for number in 0..site.projects.clamp(1, 26) {
        add_project(&mut catalog, number);
    }
    catalog.rank_projects();
    for (id, name) in [(10000, "Internal"), (10001, "Security team only")] {
        let json = json!({ "self": format!("{base}/rest/api/2/securitylevel/{id}"), "id": id.to_string(), "description": "", "name": name });
        let frag = catalog.fragment(json.to_string());
        catalog.levels.push(frag);
    }
    catalog
}

fn add_workflow(catalog: &mut Catalog) {
    let base = catalog.base.clone();
    for (id, name, subtask) in TYPES {
        let json = json!({
            "self": format!("{base}/rest/api/2/issuetype/{id}"), "id": id.to_string(), "description": format!("A {name} of this site."),
            "iconUrl": format!("{base}/secure/viewavatar?size=xsmall&avatarId=1030{}&avatarType=issuetype", id % 10), "name": name, "subtask": subtask, "avatarId": 10300 + id % 10,
        });
        let named = named(catalog, *id, name, &json, *subtask);
        catalog.types.push(named);
    }
    for (id, name, kind) in STATUSES {
        let json = json!({
            "self": format!("{base}/rest/api/2/status/{id}"), "description": if id % 2 == 0 { "" } else { "The issue is here for now." },
            "iconUrl": format!("{base}/images/icons/statuses/open.png"), "name": name, "id": id.to_string(), "statusCategory": category(&base, *kind),
        });
        let named = named(catalog, *id, name, &json, false);
        catalog.statuses.push(named);
    }
    for (id, name, color) in PRIORITIES {
        let json = json!({
            "self": format!("{base}/rest/api/2/priority/{id}"), "iconUrl": format!("{base}/images/icons/priorities/{}.svg", name.to_lowercase()),
            "name": name, "id": id.to_string(), "statusColor": color, "description": format!("{name} of the site"),
        });
        let named = named(catalog, *id, name, &json, false);
        catalog.priorities.push(named);
    }
    for (id, name) in RESOLUTIONS {
        let json = json!({ "self": format!("{base}/rest/api/2/resolution/{id}"), "id": id.to_string(), "description": format!("Resolved as {name}."), "name": name });
        let named = named(catalog, *id, name, &json, false);
        catalog.resolutions.push(named);
    }
    for (id, name, inward, outward) in LINKS {
        let json = json!({ "id": id.to_string(), "name": name, "inward": inward, "outward": outward, "self": format!("{base}/rest/api/2/issueLinkType/{id}") });
        let frag = catalog.fragment(json.to_string());
        catalog.link_types.push(LinkType { id: *id, name: (*name).to_owned(), json: frag });
    }
}

fn named(catalog: &mut Catalog, id: u64, name: &str, json: &Value, subtask: bool) -> Named {
    // `/priority` and `/status` show the colour and description that issues leave out; one object serves both.
    let json = catalog.fragment(json.to_string());
    Named { id, name: name.to_owned(), json, subtask }
}

fn add_project(catalog: &mut Catalog, number: u16) {
    let base = catalog.base.clone();
    let (key, name) = match PROJECTS.get(usize::from(number)) {
        Some((key, name)) => ((*key).to_owned(), (*name).to_owned()),
        None => (format!("P{number:02}"), format!("Project {number}")),
    };
    let id = 10_000 + u64::from(number) * 7 % 31 + u64::from(number / 31) * 31;
    let mut stub = json!({
        "self": format!("{base}/rest/api/2/project/{id}"), "id": id.to_string(), "key": key, "name": name, "projectTypeKey": "software",
        "avatarUrls": { "48x48": format!("{base}/secure/projectavatar?pid={id}&avatarId=10011"), "24x24": format!("{base}/secure/projectavatar?size=small&pid={id}&avatarId=10011") },
    });
    if key == "OPS" {
        stub["projectTypeKey"] = "service_desk".into();
    }
    if number.is_multiple_of(2) {
        stub["projectCategory"] = json!({ "self": format!("{base}/rest/api/2/projectCategory/10100"), "id": "10100", "description": "", "name": "Products" });
    }
    let lead = usize::from(number) % catalog.users.len().max(1);
    let mut full = stub.clone();
    full["description"] = format!("All about {name}\r\nand nothing else.").into();
    full["archived"] = false.into();
    let json = catalog.fragment(stub.to_string());
    let components = parts(catalog, "component", id, &["API", "Frontend", "Datenbank", "Build \u{2699}"]);
    let versions = parts(catalog, "version", id, &["1.0", "1.1", "2.0-rc1", "Fr\u{fc}hjahr 2024", "Backlog"]);
    catalog.projects.push(Project {
        id,
        key,
        name,
        rank: 0,
        json,
        full,
        lead: Some(lead),
        components,
        versions,
    });
}

fn parts(catalog: &mut Catalog, kind: &str, project: u64, names: &[&str]) -> Vec<Frag> {
    let base = catalog.base.clone();
    let mut frags = Vec::new();
    for (at, name) in (0_u64..).zip(names) {
        let id = project * 100 + at;
        let mut json = json!({ "self": format!("{base}/rest/api/2/{kind}/{id}"), "id": id.to_string(), "name": name, "description": "" });
        if kind == "version" {
            json["archived"] = false.into();
            json["released"] = (at < 2).into();
            json["releaseDate"] = format!("202{at}-04-01").into();
        }
        frags.push(catalog.fragment(json.to_string()));
    }
    frags
}
