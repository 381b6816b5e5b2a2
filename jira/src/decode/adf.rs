//! Atlassian documents (ADF) as plain text.
//!
//! 1. The children of a node stand in their order; one that is nothing is left out. A line break stands between two that remain, unless
//!    their parent is a paragraph, heading or code block, or one of them is inline. There are no blank lines between blocks.
//! 2. Text is its text whatever its marks, a hard break a line break, a mention or status its text, an emoji its text or short name, a
//!    card its text or address, media nothing.
//! 3. Items of a list are prefixed with `- ` or their number; every line break inside an item is followed by two spaces.
//! 4. Rows of a table are separated by line breaks, cells by ` | `. Every other node is its children.
//! 5. Line breaks at the end are cut off; a document of nothing is no text.

use serde::Deserialize;
use std::borrow::Cow;

#[derive(Deserialize)]
struct Node<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    attrs: Option<Attributes<'a>>,
    #[serde(borrow, default)]
    content: Vec<Node<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Attributes<'a> {
    #[serde(borrow, deserialize_with = "lenient_text")]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "lenient_text")]
    short_name: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "lenient_text")]
    url: Option<Cow<'a, str>>,
    #[serde(deserialize_with = "lenient_number")]
    order: Option<i64>,
}

/// Attributes are anything; only texts matter here.
fn lenient_text<'de: 'a, 'a, D: serde::Deserializer<'de>>(
    value: D,
) -> Result<Option<Cow<'a, str>>, D::Error> {
    let raw = <&serde_json::value::RawValue>::deserialize(value)?;
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    Ok(serde_json::from_str::<Text<'de>>(raw.get()).ok().map(|text| text.0))
}

fn lenient_number<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<i64>, D::Error> {
    let raw = <&serde_json::value::RawValue>::deserialize(value)?;
    Ok(serde_json::from_str(raw.get()).ok())
}

/// A document.
pub(crate) struct Document<'a>(Node<'a>);

impl<'a> Document<'a> {
    /// Reads a document; `None` for any other value.
    pub(crate) fn of(json: &'a str) -> Option<Self> {
        if !json.starts_with('{') {
            return None;
        }
        serde_json::from_str(json).ok().filter(|node: &Node<'_>| node.kind == "doc").map(Self)
    }

    /// Its plain text; `None` for a document of nothing.
    pub(crate) fn plain(&self) -> Option<String> {
        let mut text = render(&self.0);
        text.truncate(text.trim_end_matches('\n').len());
        (!text.is_empty()).then_some(text)
    }
}

fn render(node: &Node<'_>) -> String {
    let attribute =
        |of: fn(&Attributes<'_>) -> Option<String>| node.attrs.as_ref().and_then(of).unwrap_or_default();
    match &*node.kind {
        "text" => node.text.as_deref().unwrap_or_default().to_owned(),
        "hardBreak" => "\n".to_owned(),
        "mention" | "status" => attribute(|attrs| owned(&attrs.text)),
        "emoji" => attribute(|attrs| owned(&attrs.text).or_else(|| owned(&attrs.short_name))),
        "inlineCard" | "blockCard" | "embedCard" => {
            attribute(|attrs| owned(&attrs.text).or_else(|| owned(&attrs.url)))
        }
        "media" | "mediaInline" => String::new(),
        "bulletList" => items(node, |_| "- ".to_owned()),
        "orderedList" => {
            let first = node.attrs.as_ref().and_then(|attrs| attrs.order).unwrap_or(1);
            items(node, |place| format!("{}. ", first.saturating_add(place)))
        }
        "table" => lines(node.content.iter().map(render)),
        "tableRow" => row(node),
        _ => children(node),
    }
}

fn owned(text: &Option<Cow<'_, str>>) -> Option<String> {
    text.as_deref().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn lines(texts: impl Iterator<Item = String>) -> String {
    texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n")
}

fn items(list: &Node<'_>, prefix: impl Fn(i64) -> String) -> String {
    lines((0..).zip(&list.content).map(|(place, item)| {
        let text = render(item);
        if text.is_empty() { text } else { prefix(place) + &text.replace('\n', "\n  ") }
    }))
}

/// An empty cell keeps its place; a row of nothing but empty cells is nothing.
fn row(node: &Node<'_>) -> String {
    let cells: Vec<String> = node.content.iter().map(render).collect();
    if cells.iter().all(String::is_empty) { String::new() } else { cells.join(" | ") }
}

fn children(node: &Node<'_>) -> String {
    let flows = matches!(&*node.kind, "paragraph" | "heading" | "codeBlock");
    let mut text = String::new();
    let mut last_is_inline: Option<bool> = None;
    for child in &node.content {
        let rendered = render(child);
        if rendered.is_empty() {
            continue;
        }
        let inline = is_inline(&child.kind);
        if last_is_inline.is_some_and(|last| !flows && !last && !inline) {
            text.push('\n');
        }
        text.push_str(&rendered);
        last_is_inline = Some(inline);
    }
    text
}

fn is_inline(kind: &str) -> bool {
    matches!(kind, "text" | "hardBreak" | "mention" | "emoji" | "status" | "inlineCard")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(json: &str) -> Option<String> {
        Document::of(json)?.plain()
    }

    fn document(content: &str) -> String {
        format!(r#"{{"type":"doc","version":1,"content":[{content}]}}"#)
    }

    const TEXT: &str = r#"{"type":"paragraph","content":[{"type":"text","text":"see ","marks":[{"type":"strong"}]},{"type":"mention","attrs":{"id":"7","text":"@Ann"}},{"type":"hardBreak"},{"type":"inlineCard","attrs":{"url":"https://x.example/1"}}]}"#;

    #[test]
    fn blocks_stand_on_lines_of_their_own_and_inline_nodes_flow() {
        let json = document(&format!(
            r#"{{"type":"heading","attrs":{{"level":2}},"content":[{{"type":"text","text":"Title"}}]}},{TEXT}"#
        ));
        assert_eq!(plain(&json).unwrap(), "Title\nsee @Ann\nhttps://x.example/1");
    }

    #[test]
    fn lists_are_numbered_prefixed_and_indented() {
        let item = |text: &str, more: &str| {
            format!(
                r#"{{"type":"listItem","content":[{{"type":"paragraph","content":[{{"type":"text","text":"{text}"}}]}}{more}]}}"#
            )
        };
        let inner = format!(r#",{{"type":"bulletList","content":[{}]}}"#, item("b", ""));
        let list = format!(
            r#"{{"type":"orderedList","attrs":{{"order":3}},"content":[{},{}]}}"#,
            item("a", &inner),
            item("c", "")
        );
        assert_eq!(plain(&document(&list)).unwrap(), "3. a\n  - b\n4. c");
    }

    #[test]
    fn tables_keep_empty_cells_and_unknown_nodes_are_their_children() {
        let cell = |text: &str| {
            format!(r#"{{"type":"tableCell","content":[{{"type":"paragraph","content":[{text}]}}]}}"#)
        };
        let word = |text: &str| format!(r#"{{"type":"text","text":"{text}"}}"#);
        let row = format!(
            r#"{{"type":"tableRow","content":[{},{},{}]}}"#,
            cell(&word("a")),
            cell(""),
            cell(&word("c"))
        );
        let json = document(&format!(
            r#"{{"type":"newest","attrs":{{"x":[1]}},"content":[{{"type":"table","content":[{row}]}}]}}"#
        ));
        assert_eq!(plain(&json).unwrap(), "a |  | c");
    }

    #[test]
    fn a_document_of_nothing_and_what_is_no_document_have_no_text() {
        for json in [
            document(""),
            document(r#"{"type":"paragraph"}"#),
            document(r#"{"type":"media","attrs":{"id":"1"}}"#),
            "[]".to_owned(),
            "7".to_owned(),
        ] {
            assert_eq!(plain(&json), None, "{json}");
        }
    }
}
