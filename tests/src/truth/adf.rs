//! Plain text of Atlassian documents, by the rule that the simulator writes at the head of its `cloud/adf.rs`.

use serde_json::Value;
use serde_json::value::RawValue;

use super::value::Cell;

/// The plain text of a value that is text or a document.
pub(super) fn plain(raw: Option<&RawValue>) -> Cell {
    let Some(raw) = raw else { return Cell::Null };
    let value: Value = serde_json::from_str(raw.get()).unwrap_or_default();
    let text = match &value {
        // Server's texts stay as they are, the empty one too.
        Value::String(text) => return Cell::Text(text.clone()),
        Value::Object(_) => node(&value),
        _ => return Cell::Text(raw.get().to_owned()),
    };
    match text.trim_end_matches('\n') {
        "" => Cell::Null,
        text => Cell::Text(text.to_owned()),
    }
}

/// The document itself, as compact JSON; null for text.
pub(super) fn document(raw: Option<&RawValue>) -> Cell {
    match raw {
        Some(raw) if raw.get().trim_start().starts_with('{') => super::value::json(Some(raw)),
        _ => Cell::Null,
    }
}

fn node(node: &Value) -> String {
    let attribute = |name: &str| node["attrs"][name].as_str().filter(|text| !text.is_empty());
    let text = match node["type"].as_str().unwrap_or_default() {
        "text" => node["text"].as_str(),
        "hardBreak" => Some("\n"),
        "mention" | "status" => attribute("text"),
        "emoji" => attribute("text").or_else(|| attribute("shortName")),
        "inlineCard" | "blockCard" | "embedCard" => attribute("text").or_else(|| attribute("url")),
        "media" | "mediaInline" => None,
        "bulletList" => return items(node, None),
        "orderedList" => return items(node, Some(node["attrs"]["order"].as_i64().unwrap_or(1))),
        "tableRow" => return row(node),
        "paragraph" | "heading" | "codeBlock" => return children(node).map(self::node).collect(),
        _ => return blocks(node),
    };
    text.unwrap_or_default().to_owned()
}

fn children(node: &Value) -> impl Iterator<Item = &Value> {
    node["content"].as_array().into_iter().flatten()
}

/// Children with a line break between two blocks.
fn blocks(parent: &Value) -> String {
    const INLINE: [&str; 6] = ["text", "hardBreak", "mention", "emoji", "status", "inlineCard"];
    let mut out = String::new();
    let mut after_inline = true;
    for child in children(parent) {
        let text = node(child);
        if text.is_empty() {
            continue;
        }
        let inline = INLINE.iter().any(|kind| child["type"] == *kind);
        if !out.is_empty() && !inline && !after_inline {
            out.push('\n');
        }
        after_inline = inline;
        out += &text;
    }
    out
}

fn items(list: &Value, first: Option<i64>) -> String {
    let mut lines = Vec::new();
    for (number, item) in (0..).zip(children(list)) {
        let text = blocks(item).replace('\n', "\n  ");
        if !text.is_empty() {
            lines.push(match first {
                Some(first) => format!("{}. {text}", first + number),
                None => format!("- {text}"),
            });
        }
    }
    lines.join("\n")
}

fn row(row: &Value) -> String {
    let cells: Vec<String> = children(row).map(blocks).collect();
    if cells.iter().all(String::is_empty) { String::new() } else { cells.join(" | ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Cell {
        let raw: Box<RawValue> = serde_json::from_str(json).unwrap();
        plain(Some(&raw))
    }

    #[test]
    fn the_documents_of_the_simulator_render_to_what_it_says() {
        let texts =
            ["", "one", "a\r\n\r\nb", "1 2\n3 4\n5 6\n7 8\n\n", " ", "\u{2028}\n\u{1f41d} x\n\n\ny z"];
        let many = (0..4000).map(|number: u32| {
            (0..number % 9).map(|line| format!("{line} w{number}\n").repeat((line % 3) as usize)).collect()
        });
        let many = many.chain(texts.iter().map(|text| (*text).to_owned()));
        let mut kinds = std::collections::BTreeSet::new();
        for text in many {
            let written = crate::jira_sim::document_of(&text);
            assert_eq!(read(&written.0), written.1.map_or(Cell::Null, Cell::Text), "{}", written.0);
            let types = written.0.split("\"type\":\"").skip(1).filter_map(|rest| rest.split('"').next());
            kinds.extend(types.map(str::to_owned));
        }
        for kind in
            ["hardBreak", "orderedList", "table", "codeBlock", "mention", "emoji", "futureFrame", "media"]
        {
            assert!(kinds.contains(kind), "no {kind} among {kinds:?}");
        }
    }

    #[test]
    fn a_known_document_reads_as_a_person_would_write_it() {
        let json = r#"{"type":"doc","version":1,"content":[
            {"type":"heading","attrs":{"level":1},"content":[{"type":"text","text":"Plan"}]},
            {"type":"paragraph"},
            {"type":"bulletList","content":[
                {"type":"listItem","content":[{"type":"paragraph","content":[{"type":"text","text":"first"}]},
                    {"type":"orderedList","attrs":{"order":3},"content":[
                        {"type":"listItem","content":[{"type":"paragraph","content":[{"type":"text","text":"deep"},{"type":"hardBreak"},{"type":"text","text":"er"}]}]},
                        {"type":"listItem","content":[{"type":"paragraph"}]},
                        {"type":"listItem","content":[{"type":"paragraph","content":[{"type":"text","text":"last"}]}]}]}]}]},
            {"type":"table","content":[{"type":"tableRow","content":[
                {"type":"tableCell","content":[{"type":"paragraph","content":[{"type":"text","text":"a"}]}]},
                {"type":"tableCell","content":[{"type":"paragraph"}]},
                {"type":"tableCell","content":[{"type":"paragraph","content":[{"type":"text","text":"c"}]}]}]}]},
            {"type":"panel","content":[{"type":"paragraph","content":[
                {"type":"mention","attrs":{"id":"1","text":"@Ana"}},{"type":"text","text":" see "},
                {"type":"inlineCard","attrs":{"url":"https://x.example/1"}},{"type":"hardBreak"}]}]},
            {"type":"paragraph"}]}"#;
        let expected = "Plan\n- first\n  3. deep\n    er\n  5. last\na |  | c\n@Ana see https://x.example/1";
        assert_eq!(read(json), Cell::Text(expected.to_owned()));
    }

    #[test]
    fn text_that_is_no_document_stays_as_it_is() {
        assert_eq!(read("\"a\\r\\n\\n\""), Cell::Text("a\r\n\n".to_owned()));
        assert_eq!(read("\"\""), Cell::Text(String::new()));
        assert_eq!(read(r#"{"type":"doc","version":1,"content":[]}"#), Cell::Null);
    }
}
