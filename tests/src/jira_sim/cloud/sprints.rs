//! Sprints as objects, made from the strings that Server sends.

use serde_json::{Value, json};

/// The object of `com.atlassian.greenhopper.service.sprint.Sprint@..[..]`; other values stay as they are.
pub(crate) fn object(value: &Value) -> Value {
    let Some(inside) = value.as_str().and_then(inside) else { return value.clone() };
    let member = |name: &str, next: &str| between(inside, name, next).filter(|text| *text != "<null>");
    let id = between(inside, "id=", ",").filter(|_| inside.starts_with("id="));
    let id = id.or_else(|| member(",sequence=", ","));
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<i64>().ok());
    let mut sprint = json!({
        "id": number(id), "name": member(",name=", ",startDate="),
        "state": member(",state=", ",").map(str::to_lowercase),
        "boardId": number(member("rapidViewId=", ",")),
        "goal": inside.rsplit_once(",goal=").map_or("", |(_, goal)| goal),
    });
    for (name, start, end) in [
        ("startDate", ",startDate=", ","),
        ("endDate", ",endDate=", ","),
        ("completeDate", ",completeDate=", ","),
    ] {
        if let Some(time) = member(start, end).and_then(zulu) {
            sprint[name] = time.into();
        }
    }
    sprint
}

fn inside(text: &str) -> Option<&str> {
    if !text.starts_with("com.atlassian.greenhopper.service.sprint.Sprint@") {
        return None;
    }
    text.split_once('[')?.1.strip_suffix(']')
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let rest = text.split_once(start)?.1;
    Some(rest.split_once(end).map_or(rest, |(found, _)| found))
}

/// `2020-06-12T00:38:51.882Z`, as agile times of Cloud are written.
fn zulu(text: &str) -> Option<String> {
    let time = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    Some(time.to_utc().format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}
