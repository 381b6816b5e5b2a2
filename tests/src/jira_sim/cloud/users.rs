//! Users by account id: with a type, often without an address, erased ones as "Former user".

use serde_json::{Map, Value, json};

use super::super::rng::mix;

/// The account id of a user of the site, from what identifies the user on Server (the key, else the name).
pub(crate) fn account_id(identity: &str) -> String {
    let hash = hashed(identity);
    let uuid = uuid(identity);
    match hash % 8 {
        0..=3 => format!("5b{:016x}{:06x}", mix(hash), hash & 0xff_ffff),
        4 if kind(hash) == "customer" => format!("qm:{uuid}:{uuid}"),
        4 | 5 => format!("557058:{uuid}"),
        _ => format!("712020:{uuid}"),
    }
}

/// An identifier in the usual form that follows from a name.
pub(super) fn uuid(name: &str) -> String {
    let hash = hashed(name);
    let (high, low) = (mix(hash), mix(hash ^ 0x10));
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff
    )
}

fn hashed(identity: &str) -> u64 {
    mix(identity
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)))
}

/// `accountType`.
fn kind(hash: u64) -> &'static str {
    match hash >> 8 & 15 {
        0 => "app",
        1 | 2 => "customer",
        _ => "atlassian",
    }
}

/// Whether an object of the Server's JSON is a user: nothing else has a name, `active` and no id.
pub(crate) fn is_user(object: &Map<String, Value>) -> bool {
    object.get("active").is_some_and(Value::is_boolean)
        && object.get("name").is_some_and(Value::is_string)
        && !object.contains_key("id")
}

/// The identity that Server's changelog and this module know the user by.
fn identity(user: &Map<String, Value>) -> &str {
    ["key", "name"].iter().find_map(|name| user.get(*name)?.as_str()).unwrap_or_default()
}

/// Cloud's object for a user of the Server's JSON.
pub(crate) fn render(user: &Map<String, Value>, base: &str) -> Value {
    let identity = identity(user);
    let (hash, id) = (hashed(identity), account_id(identity));
    let encoded: String = url::form_urlencoded::byte_serialize(id.as_bytes()).collect();
    let erased = !user.contains_key("key");
    let display = match user.get("displayName").and_then(Value::as_str) {
        Some(display) if !erased => display,
        _ => "Former user",
    };
    let mut object = json!({
        "self": format!("{base}/rest/api/3/user?accountId={encoded}"), "accountId": id,
        "accountType": if erased { "atlassian" } else { kind(hash) },
        "avatarUrls": avatars(&id), "displayName": display, "active": user["active"],
    });
    let visible = |address: &&str| hash % 3 == 0 && address.contains('@');
    if let Some(address) = user.get("emailAddress").and_then(Value::as_str).filter(visible) {
        object["emailAddress"] = address.into();
    }
    match (user.get("timeZone"), hash % 5) {
        (_, 1) | (None, _) => {}
        (Some(_), 2) => object["timeZone"] = "".into(),
        (Some(zone), _) => object["timeZone"] = zone.clone(),
    }
    object
}

/// The avatar addresses of an account.
pub(crate) fn avatars(id: &str) -> Value {
    let at = |size: u32| format!("https://avatars.example.com/{}/{size}", hashed(id));
    json!({ "48x48": at(48), "24x24": at(24), "16x16": at(16), "32x32": at(32) })
}
