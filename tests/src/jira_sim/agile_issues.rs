//! The issues of boards, backlogs and sprints, by rank.
//!
//! A board shows the issues of its project; one with sprints shows no epics. The rank follows from the id and has nothing to do with the order of
//! creation. A backlog holds what is not done yet. Each issue lies in one sprint of its project's board, or in none.

use serde_json::{Value, json};

use super::catalog_generated::EPIC;
use super::reply::Reply;
use super::rest::Request;
use super::rng::mix;
use super::search::usize_of;
use super::site::Site;
use super::site_lists::{AGILE_PAGE, SPRINTS, board_project};

/// The slots of the issues of a list, by rank: `board_issues` and `backlog_issues` of a board, `sprint_issues` of a sprint.
fn slots(site: &Site, list: &str, of: u64) -> Vec<u32> {
    let board = if list == "sprint_issues" { of / 1000 } else { of };
    let Some(project) = board_project(board) else { return Vec::new() };
    let is_scrum = board % 2 == 1;
    let is_shown = |slot: &u32| {
        let slim = site.slim(*slot);
        let belongs = u64::from(slim.project) == project && !(is_scrum && slim.kind == EPIC);
        belongs
            && match list {
                "board_issues" => true,
                "backlog_issues" => !is_done(site, *slot),
                _ => mix(slim.id) % (SPRINTS * 2) == of % 1000,
            }
    };
    let mut slots: Vec<u32> = site.living().filter(is_shown).collect();
    slots.sort_unstable_by_key(|slot| mix(site.slim(*slot).id ^ 0xa9));
    slots
}

fn is_done(site: &Site, slot: u32) -> bool {
    let status = site.catalog.statuses.get(usize::from(site.slim(slot).status));
    status.is_some_and(|status| site.catalog.json_of(status.json).contains("\"key\":\"done\""))
}

/// Whether an issue is flagged; null where nobody ever flagged one.
fn flagged(site: &Site, slot: u32) -> Value {
    match mix(site.slim(slot).id ^ 0xf1) % 3 {
        0 => true.into(),
        1 => false.into(),
        _ => Value::Null,
    }
}

fn object(site: &Site, slot: u32) -> Value {
    let id = site.slim(slot).id;
    json!({
        "expand": "operations,versionedRepresentations,editmeta,changelog,renderedFields", "id": id.to_string(),
        "self": format!("{}/rest/agile/1.0/issue/{id}", site.catalog.base), "key": site.key(slot), "fields": { "flagged": flagged(site, slot) },
    })
}

/// The objects of a list, by rank.
pub(crate) fn list_of(site: &Site, list: &str, of: u64) -> Vec<Value> {
    slots(site, list, of).into_iter().map(|slot| object(site, slot)).collect()
}

/// The answer to a page of a list.
pub(crate) fn page(site: &Site, (list, of): (&str, u64), request: &Request, window: Option<u64>) -> Reply {
    let (start, most) =
        (request.number("startAt", 0), request.number("maxResults", AGILE_PAGE).min(AGILE_PAGE));
    if let Some(window) = window.filter(|window| start + most > *window) {
        return Reply::typed(500, "application/xml", super::pages::search_limit(start + most, window));
    }
    let slots = slots(site, list, of);
    let shown = slots.iter().skip(usize_of(start)).take(usize_of(most));
    let issues: Vec<Value> = shown.map(|slot| object(site, *slot)).collect();
    Reply::json(
        200,
        &json!({ "expand": "schema,names", "startAt": start, "maxResults": most, "total": slots.len(), "issues": issues }),
    )
}
