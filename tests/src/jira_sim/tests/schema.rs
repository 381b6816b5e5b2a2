//! A small checker of JSON against the part of OpenAPI 3 that Jira's document uses.

use serde_json::Value;

/// The document and the members that it is known to leave out.
pub(super) struct Document {
    root: Value,
    omitted: &'static [(&'static str, &'static [&'static str])],
}

impl Document {
    pub(super) fn new(root: Value, omitted: &'static [(&'static str, &'static [&'static str])]) -> Self {
        Self { root, omitted }
    }

    /// The schema of the answer 200 of a GET.
    pub(super) fn answer(&self, path: &str) -> &Value {
        self.answer_to("get", path)
    }

    /// The schema of the answer 200 to a method in lower case.
    pub(super) fn answer_to(&self, method: &str, path: &str) -> &Value {
        let schema =
            &self.root["paths"][path][method]["responses"]["200"]["content"]["application/json"]["schema"];
        assert!(schema.is_object(), "the document has no answer for {path}");
        schema
    }

    /// A schema by its name.
    pub(super) fn named(&self, name: &str) -> Value {
        serde_json::json!({ "$ref": format!("#/components/schemas/{name}") })
    }

    /// Everything in `value` that the schema does not allow, as `place: complaint`.
    pub(super) fn check(&self, schema: &Value, value: &Value, place: &str) -> Vec<String> {
        let mut complaints = Vec::new();
        self.visit(("", schema), value, place, &mut complaints);
        complaints
    }

    fn visit(&self, schema: (&str, &Value), value: &Value, place: &str, complaints: &mut Vec<String>) {
        let (name, schema) = schema;
        if let Some(target) = schema["$ref"].as_str() {
            let name = target.rsplit('/').next().unwrap_or_default();
            let target = &self.root["components"]["schemas"][name];
            if !target.is_object() {
                complaints.push(format!("{place}: the document lacks {name}"));
                return;
            }
            return self.visit((name, target), value, place, complaints);
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.visit((name, part), value, place, complaints);
        }
        if let Some(wanted) = schema["type"].as_str()
            && !has_type(wanted, value)
        {
            complaints.push(format!("{place}: {} instead of {wanted}", kind(value)));
            return;
        }
        if let Some(allowed) = schema["enum"].as_array()
            && !allowed.contains(value)
        {
            complaints.push(format!("{place}: {value} is none of the allowed values"));
        }
        if let Some(elements) = value.as_array() {
            for (number, element) in elements.iter().enumerate() {
                self.visit(("", &schema["items"]), element, &format!("{place}[{number}]"), complaints);
            }
        }
        if let Some(members) = value.as_object() {
            for (member, value) in members {
                let place = format!("{place}.{member}");
                let known = &schema["properties"][member];
                let more = &schema["additionalProperties"];
                if known.is_object() {
                    self.visit(("", known), value, &place, complaints);
                } else if more.is_object() {
                    self.visit(("", more), value, &place, complaints);
                } else if schema["properties"].is_object() && !self.omits(name, member) {
                    complaints.push(format!("{place}: {name} has no such member"));
                }
            }
        }
    }

    fn omits(&self, schema: &str, member: &str) -> bool {
        self.omitted.iter().any(|(known, members)| *known == schema && members.contains(&member))
    }
}

/// The document marks nothing as nullable although Jira sends nulls (`from` of a history item): null passes.
fn has_type(wanted: &str, value: &Value) -> bool {
    match wanted {
        "string" => value.is_string() || value.is_null(),
        "integer" => value.is_i64() || value.is_u64() || value.is_null(),
        "number" => value.is_number() || value.is_null(),
        "boolean" => value.is_boolean() || value.is_null(),
        "array" => value.is_array() || value.is_null(),
        "object" => value.is_object() || value.is_null(),
        _ => true,
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
