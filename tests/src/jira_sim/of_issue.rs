//! What an issue keeps in resources of its own: links to other systems, watchers, voters, properties, transitions.
//!
//! All of it follows from the issue as it is: another edit in its history makes other links and properties, the counts of its fields say
//! how many people watch it and voted for it.

use serde_json::{Map, Value, json};

use super::catalog::User;
use super::fields as f;
use super::reply::Reply;
use super::rng::mix;
use super::service_desk;
use super::site::Site;

/// The answer to a resource of an issue; `None` for another path.
pub(crate) fn answer(site: &Site, slot: u32, resource: &str) -> Option<Reply> {
    let base = &site.catalog.base;
    let address = format!("{base}/rest/api/2/issue/{}", site.key(slot));
    let of = |list: &str| Value::from(list_of(site, slot, list));
    let body = match resource {
        "remotelink" => of("remotelink"),
        "watchers" => json!({
            "self": format!("{address}/watchers"), "isWatching": false, "watchCount": count(site, slot, f::WATCHES, "watchCount"),
            "watchers": of("watchers"),
        }),
        "votes" => json!({
            "self": format!("{address}/votes"), "votes": count(site, slot, f::VOTES, "votes"), "hasVoted": false, "voters": of("voters"),
        }),
        "transitions" => json!({ "expand": "transitions", "transitions": of("transitions") }),
        _ => return None,
    };
    Some(Reply::json(200, &body))
}

/// The objects of a list of an issue; none for another name.
pub(crate) fn list_of(site: &Site, slot: u32, list: &str) -> Vec<Value> {
    match list {
        "remotelink" => remote_links(site, slot),
        "watchers" => people(site, slot, (count(site, slot, f::WATCHES, "watchCount"), 0x3a)),
        "voters" => people(site, slot, (count(site, slot, f::VOTES, "votes"), 0x7e)),
        "transitions" => transitions(site, slot),
        "request" => service_desk::customer_request(site, slot).into_iter().collect(),
        "sla" => service_desk::slas(site, slot),
        "properties" => {
            let properties = properties(site, slot).into_iter();
            properties.map(|(key, value)| json!({ "key": key, "value": value })).collect()
        }
        _ => Vec::new(),
    }
}

/// Entries of the history.
fn edits(site: &Site, slot: u32) -> usize {
    site.doc(slot).histories.len()
}

fn count(site: &Site, slot: u32, field: u16, member: &str) -> u64 {
    let doc = site.doc(slot);
    let object: Value = doc.get(field).and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    object[member].as_u64().unwrap_or_default()
}

fn remote_links(site: &Site, slot: u32) -> Vec<Value> {
    let (id, base, edits) = (site.slim(slot).id, &site.catalog.base, edits(site, slot));
    let link = |at: usize| {
        let number = id * 4 + at as u64;
        let address = format!("https://wiki.example.com/pages/{number}?of={edits}&x=1");
        let mut link = json!({
            "id": number, "self": format!("{base}/rest/api/2/issue/{id}/remotelink/{number}"),
            "object": { "url": address, "title": format!("Seite {edits} \u{2028}\u{6587}\u{66f8}"), "icon": {} },
        });
        if at == 0 {
            link["globalId"] = format!("appId=1&pageId={number}").into();
            link["application"] = json!({ "type": "com.atlassian.confluence", "name": "Wiki" });
            link["relationship"] = "Wiki Page".into();
            link["object"]["summary"] = "a \"quoted\" summary".into();
            link["object"]["icon"] = json!({ "title": "Seite" });
            let icon = json!({ "title": format!("Stand {edits}"), "link": "https://wiki.example.com/stand" });
            link["object"]["status"] = json!({ "resolved": edits.is_multiple_of(2), "icon": icon });
        }
        link
    };
    (0..edits % 3).map(link).collect()
}

fn people(site: &Site, slot: u32, (count, salt): (u64, u64)) -> Vec<Value> {
    let users: Vec<&User> = site.catalog.users.iter().collect();
    if users.is_empty() {
        return Vec::new();
    }
    let first = usize::try_from(mix(site.slim(slot).id ^ salt)).unwrap_or(0) % users.len();
    let most = usize::try_from(count).unwrap_or(usize::MAX).min(users.len());
    (0..most).map(|at| site.catalog.user_json(users[(first + at) % users.len()])).collect()
}

/// The properties of an issue, by their names.
pub(crate) fn properties(site: &Site, slot: u32) -> Map<String, Value> {
    let (id, edits) = (site.slim(slot).id, edits(site, slot));
    let mut properties = Map::new();
    if id % 4 == 3 {
        return properties;
    }
    properties.insert("com.example.revision".to_owned(), edits.into());
    let channel = if id % 2 == 0 { "portal" } else { "email" };
    properties.insert(
        "request.channel.type".to_owned(),
        json!({ "value": channel, "of": [1.0, "\u{2028}", null] }),
    );
    if edits.is_multiple_of(2) {
        properties.insert("%/odd key\u{fc}".to_owned(), "a text".into());
    }
    properties
}

fn transitions(site: &Site, slot: u32) -> Vec<Value> {
    let now = usize::from(site.slim(slot).status);
    let all = site.catalog.statuses.iter().enumerate();
    let offered = all.filter(|(at, _)| *at != now && !(at + now).is_multiple_of(3));
    let transition = |(at, status): (usize, &super::catalog::Named)| {
        let to: Value = serde_json::from_str(site.catalog.json_of(status.json)).unwrap_or_default();
        json!({ "id": (at * 10 + 11).to_string(), "name": format!("\u{2192} {}", status.name), "to": to })
    };
    offered.map(transition).collect()
}

/// What Cloud says of a transition besides.
pub(crate) fn cloud_transition(transition: &mut Value) {
    let is_even = transition["id"].as_str().is_some_and(|id| id.len() == 2);
    for (name, value) in [
        ("hasScreen", is_even),
        ("isGlobal", true),
        ("isInitial", false),
        ("isAvailable", true),
        ("isConditional", false),
        ("looped", false),
    ] {
        transition[name] = value.into();
    }
}
