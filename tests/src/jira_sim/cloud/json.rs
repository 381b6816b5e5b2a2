//! Values with ready JSON inside: documents keep the order of their members, as Jira sends them.

use serde_json::Value;

use super::super::doc::push_str;
use crate::jira_sim::reply::Reply;

/// What begins a string that is no text but ready JSON. No text of a site has it.
const READY: char = '\u{2}';

/// A value that is written as this JSON.
pub(super) fn ready(json: &str) -> Value {
    Value::String(format!("{READY}{json}"))
}

/// A value as JSON.
pub(super) fn text(value: &Value) -> String {
    let mut out = String::new();
    push(&mut out, value);
    out
}

/// An answer with a value.
pub(super) fn reply(status: u16, value: &Value) -> Reply {
    Reply::json_bytes(status, text(value).into_bytes())
}

fn push(out: &mut String, value: &Value) {
    match value {
        Value::String(text) => match text.strip_prefix(READY) {
            Some(json) => out.push_str(json),
            None => push_str(out, text),
        },
        Value::Array(list) => {
            out.push('[');
            for (number, one) in list.iter().enumerate() {
                separate(out, number);
                push(out, one);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (number, (name, one)) in members.iter().enumerate() {
                separate(out, number);
                push_str(out, name);
                out.push(':');
                push(out, one);
            }
            out.push('}');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => *out += &value.to_string(),
    }
}

fn separate(out: &mut String, number: usize) {
    if number > 0 {
        out.push(',');
    }
}
