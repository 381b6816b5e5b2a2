//! Page tokens: opaque to the client, Base64 with a character that an address must escape.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Makes a token of a place in a walk.
pub(super) fn seal(place: &impl Serialize) -> String {
    let mut json = serde_json::to_vec(place).unwrap_or_default();
    // A length that Base64 must fill up, so that every token ends with `=`.
    if json.len().is_multiple_of(3) {
        json.push(b' ');
    }
    STANDARD.encode(json)
}

/// Reads a token; `None` for one that this site did not make.
pub(super) fn open<T: DeserializeOwned>(token: &str) -> Option<T> {
    serde_json::from_slice(&STANDARD.decode(token).ok()?).ok()
}
