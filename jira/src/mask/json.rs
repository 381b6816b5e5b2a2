//! How the text of a cell is hashed: as it is, or, where it is JSON, element by element.

use crate::mask::hash::Hasher;
use serde_json::Value;

/// What a hashed cell holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// One value.
    Plain,
    /// JSON: a list is hashed element by element, anything else as a whole.
    Json,
    /// JSON of people: of each only the user id is hashed, so that it can be joined with other columns of people.
    Users,
}

impl Form {
    /// Appends what stands for the text.
    pub(crate) fn write(self, hasher: &Hasher, text: &str, out: &mut String) {
        if self == Self::Plain {
            return hasher.write(text, out);
        }
        match serde_json::from_str::<Value>(text) {
            Ok(Value::Array(elements)) => {
                out.push('[');
                for (at, element) in elements.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    self.write_quoted(hasher, element, out);
                }
                out.push(']');
            }
            Ok(value) => self.write_quoted(hasher, &value, out),
            // Every cell of such a column is JSON of our own making; what is not is hashed all the same.
            Err(_) => {
                out.push('"');
                hasher.write(text, out);
                out.push('"');
            }
        }
    }

    /// One element as a JSON string that holds its hash; null stays null.
    fn write_quoted(self, hasher: &Hasher, element: &Value, out: &mut String) {
        if element.is_null() {
            return out.push_str("null");
        }
        out.push('"');
        match (element, self) {
            (Value::String(text), _) => hasher.write(text, out),
            (Value::Object(person), Self::Users) => match user_id(person) {
                Some(id) => hasher.write(id, out),
                None => hasher.write(&element.to_string(), out),
            },
            (other, _) => hasher.write(&other.to_string(), out),
        }
        out.push('"');
    }
}

/// As every user column does: `key`, else `name`, else `accountId`.
fn user_id(person: &serde_json::Map<String, Value>) -> Option<&str> {
    ["key", "name", "accountId"].iter().find_map(|member| person.get(*member)?.as_str())
}

/// Whether JSON of unknown origin holds what Jira says of a person.
pub(crate) fn describes_people(json: &str) -> bool {
    ["\"emailAddress\"", "\"displayName\"", "\"accountId\"", "\"avatarUrls\""]
        .iter()
        .any(|member| json.contains(member))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashed(form: Form, text: &str) -> String {
        let mut out = String::new();
        form.write(&Hasher::sha256(b""), text, &mut out);
        out
    }

    fn of(text: &str) -> String {
        hashed(Form::Plain, text)
    }

    #[test]
    fn a_list_is_hashed_element_by_element_and_null_stays_null() {
        let wanted = format!(r#"["{}",null,"{}","{}"]"#, of("a"), of("7"), of(r#"{"id":"1"}"#));
        assert_eq!(hashed(Form::Json, r#"["a",null,7,{"id":"1"}]"#), wanted);
        assert_eq!(hashed(Form::Json, "[]"), "[]");
    }

    #[test]
    fn any_other_json_is_hashed_as_a_whole() {
        assert_eq!(hashed(Form::Json, r#"{"a":["b"]}"#), format!("\"{}\"", of(r#"{"a":["b"]}"#)));
        assert_eq!(hashed(Form::Json, "not json"), format!("\"{}\"", of("not json")));
    }

    #[test]
    fn of_people_only_the_user_id_counts() {
        let json = r#"[{"name":"n","key":"k","displayName":"d"},{"displayName":"only"},"plain"]"#;
        let wanted = format!(r#"["{}","{}","{}"]"#, of("k"), of(r#"{"displayName":"only"}"#), of("plain"));
        assert_eq!(hashed(Form::Users, json), wanted);
    }
}
