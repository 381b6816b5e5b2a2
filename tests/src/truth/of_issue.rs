//! The rows of what an issue keeps in resources of its own, from the objects that the site holds.

use serde_json::Value;

use super::Row;
use super::issue::Parts;
use super::metadata::{flag, number, text, texts, user_id};
use super::value::Cell;

fn rows(parts: &Parts<'_>, list: &str, row: impl Fn(&Value) -> Row) -> Vec<Row> {
    let with_id = |object: &Value| std::iter::once(parts.id.clone()).chain(row(object)).collect();
    (parts.of_issue)(list).iter().map(with_id).collect()
}

pub(super) fn remote_links(parts: &Parts<'_>) -> Vec<Row> {
    rows(parts, "remotelink", |link| {
        let object = &link["object"];
        let mut row = vec![number(&link["id"])];
        row.extend(texts(link, &["globalId", "relationship"]));
        row.extend(texts(&link["application"], &["type", "name"]));
        row.extend(texts(object, &["url", "title", "summary"]));
        row.push(flag(&object["status"]["resolved"]));
        row.push(text(&object["icon"]["title"]));
        row.extend(texts(&object["status"]["icon"], &["title", "link"]));
        row
    })
}

pub(super) fn watchers(parts: &Parts<'_>) -> Vec<Row> {
    rows(parts, "watchers", |user| vec![user_id(user)])
}

pub(super) fn votes(parts: &Parts<'_>) -> Vec<Row> {
    rows(parts, "voters", |user| vec![user_id(user)])
}

pub(super) fn properties(parts: &Parts<'_>) -> Vec<Row> {
    rows(parts, "properties", |property| {
        vec![text(&property["key"]), Cell::Text(property["value"].to_string())]
    })
}

pub(super) fn transitions(parts: &Parts<'_>) -> Vec<Row> {
    rows(parts, "transitions", |transition| {
        let to = &transition["to"];
        let mut row = vec![number(&transition["id"]), text(&transition["name"]), number(&to["id"])];
        row.extend([text(&to["name"]), flag(&transition["hasScreen"]), flag(&transition["isAvailable"])]);
        row
    })
}
