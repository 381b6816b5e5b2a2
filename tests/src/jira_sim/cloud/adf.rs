//! Atlassian documents (ADF) made from the site's plain texts, each with the text that it must render to.
//!
//! A document and its plain text are written side by side, so that neither depends on a renderer. The rule by
//! which a document becomes plain text:
//!
//! 1. No value, and a value that renders to nothing, is null. A value that is a string is its own text.
//! 2. The children of a node (`content`) are rendered in their order. A child that renders to nothing is left
//!    out. A line break `\n` stands between two children that remain, unless the parent is a `paragraph`,
//!    `heading` or `codeBlock`, or one of the two is *inline*: `text`, `hardBreak`, `mention`, `emoji`,
//!    `status`, `inlineCard`. There are no blank lines between blocks.
//! 3. `text` is its `text`, whatever its marks (so a link is its text). `hardBreak` is `\n`. `mention` and
//!    `status` are their `attrs.text`. `emoji` is `attrs.text`, or `attrs.shortName` where that is missing or
//!    empty. `inlineCard`, `blockCard` and `embedCard` are `attrs.text`, or `attrs.url` where that is missing
//!    or empty. `media` and `mediaInline` are nothing.
//! 4. A child of a `bulletList` is prefixed with `- `, one of an `orderedList` with its number and `. `: the
//!    first has `attrs.order` (1 where that is missing), each further one is one more, those included that
//!    render to nothing and are left out. Every line break inside of the child is followed by two spaces, so
//!    that a nested list is indented by two for each level. The children of the child follow rule 2.
//! 5. The rows of a `table` are separated by line breaks, the cells of a `tableRow` by ` | `; an empty cell
//!    keeps its place, a row of which every cell is empty is left out.
//! 6. Any other node, known or not, is its children by rule 2; without children it is nothing.
//! 7. Line breaks at the end of the whole are cut off; no other white space is.

use super::super::doc::push_str;
use super::super::rng::Rng;

/// A document as compact JSON, and what it renders to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) json: String,
    pub(crate) plain: Option<String>,
}

/// A node or several, and what they render to.
#[derive(Debug, Default)]
struct Piece {
    json: String,
    plain: String,
}

/// The document of a text; what kinds of nodes it has follows from the text itself.
pub(crate) fn document(text: &str) -> Written {
    let normal = text.replace("\r\n", "\n").replace('\r', "\n");
    let seed = normal
        .bytes()
        .take(200)
        .fold(normal.len() as u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mut rng = Rng::new(seed, 0xadf);
    let lines: Vec<&str> = normal.split('\n').collect();
    let mut blocks = Vec::new();
    let mut rest = lines.as_slice();
    while !rest.is_empty() {
        let count = (rng.index(4) + 1).min(rest.len());
        let (some, others) = rest.split_at(count);
        rest = others;
        blocks.push(block(&mut rng, some));
    }
    if rng.one_in(4) && !text.is_empty() {
        blocks.push(media(&mut rng));
    }
    let whole = joined(if text.is_empty() { Vec::new() } else { blocks });
    let json = if rng.one_in(2) {
        format!(r#"{{"type":"doc","version":1,"content":[{}]}}"#, whole.json)
    } else {
        format!(r#"{{"version":1,"type":"doc","content":[{}]}}"#, whole.json)
    };
    let plain = whole.plain.trim_end_matches('\n');
    Written { json, plain: (!plain.is_empty()).then(|| plain.to_owned()) }
}

/// Blocks one after the other: those that render to nothing leave no line.
fn joined(pieces: Vec<Piece>) -> Piece {
    let plain: Vec<&str> =
        pieces.iter().map(|piece| piece.plain.as_str()).filter(|plain| !plain.is_empty()).collect();
    let plain = plain.join("\n");
    let json: Vec<&str> = pieces.iter().map(|piece| piece.json.as_str()).collect();
    Piece { json: json.join(","), plain }
}

fn wrapped(kind: &str, attributes: &str, inside: Piece) -> Piece {
    let attributes =
        if attributes.is_empty() { String::new() } else { format!(r#","attrs":{{{attributes}}}"#) };
    let json = format!(r#"{{"type":"{kind}"{attributes},"content":[{}]}}"#, inside.json);
    Piece { json, plain: inside.plain }
}

/// One block, or a list or table, of some lines.
fn block(rng: &mut Rng, lines: &[&str]) -> Piece {
    match rng.below(14) {
        0 => list(rng, lines, None),
        1 => list(rng, lines, Some(rng_order(lines))),
        2 => code(lines),
        3 => table(rng, lines),
        4 => {
            let inside = joined(lines.iter().map(|line| paragraph(rng, &[line])).collect());
            wrapped("panel", r#""panelType":"info""#, inside)
        }
        5 => {
            let inside = joined(lines.iter().map(|line| paragraph(rng, &[line])).collect());
            wrapped("futureFrame", r#""localId":"f-1""#, inside)
        }
        6 => {
            let head = inline(rng, lines.first().copied().unwrap_or_default());
            let head = wrapped("heading", r#""level":2"#, head);
            joined(vec![head, paragraph(rng, lines.get(1..).unwrap_or_default())])
        }
        7 => {
            let inside = joined(vec![tasks(rng, lines)]);
            joined(vec![Piece { json: r#"{"type":"rule"}"#.to_owned(), plain: String::new() }, inside])
        }
        8 | 9 => joined(lines.iter().map(|line| paragraph(rng, &[line])).collect()),
        _ => paragraph(rng, lines),
    }
}

fn rng_order(lines: &[&str]) -> usize {
    if lines.len() > 2 { 9 } else { 1 }
}

/// Lines parted by hard breaks.
fn paragraph(rng: &mut Rng, lines: &[&str]) -> Piece {
    let mut inside = Piece::default();
    for (number, line) in lines.iter().enumerate() {
        if number > 0 {
            push(&mut inside, r#"{"type":"hardBreak"}"#, "\n");
        }
        let one = inline(rng, line);
        push(&mut inside, &one.json, &one.plain);
    }
    // A paragraph without content has no `content` at all.
    if inside.json.is_empty() {
        return Piece { json: r#"{"type":"paragraph"}"#.to_owned(), plain: String::new() };
    }
    wrapped("paragraph", "", inside)
}

/// Puts inline nodes behind others.
fn push(inside: &mut Piece, json: &str, plain: &str) {
    if !inside.json.is_empty() && !json.is_empty() {
        inside.json.push(',');
    }
    inside.json.push_str(json);
    inside.plain.push_str(plain);
}

fn text(content: &str, marks: &str) -> Piece {
    if content.is_empty() {
        return Piece::default();
    }
    let mut json = String::from(r#"{"type":"text","text":"#);
    push_str(&mut json, content);
    if !marks.is_empty() {
        json += &format!(r#","marks":[{marks}]"#);
    }
    json.push('}');
    Piece { json, plain: content.to_owned() }
}

/// A line as text with marks, and now and then something else at its end.
fn inline(rng: &mut Rng, line: &str) -> Piece {
    let mut inside = Piece::default();
    let (first, rest) = match line.find(' ') {
        Some(at) if rng.percent(40) => line.split_at(at + 1),
        _ => ("", line),
    };
    let marks = match rng.below(3) {
        0 => r#"{"type":"strong"}"#,
        1 => r#"{"type":"link","attrs":{"href":"https://wiki.example.com/x"}}"#,
        _ => "",
    };
    for one in [text(first, marks), text(rest, "")] {
        push(&mut inside, &one.json, &one.plain);
    }
    if !line.is_empty() {
        decoration(rng, &mut inside);
    }
    inside
}

fn decoration(rng: &mut Rng, inside: &mut Piece) {
    const KINDS: &[(&str, &str)] = &[
        (
            r#"{"type":"mention","attrs":{"id":"557058:00000000-0000-4000-8000-000000000001","text":"@Zoë Abe","accessLevel":""}}"#,
            "@Zoë Abe",
        ),
        (r#"{"type":"emoji","attrs":{"shortName":":bee:","id":"1f41d","text":"🐝"}}"#, "🐝"),
        (r#"{"type":"emoji","attrs":{"shortName":":party_parrot:","id":"c-1"}}"#, ":party_parrot:"),
        (r#"{"type":"emoji","attrs":{"shortName":":team:","id":"c-2","text":""}}"#, ":team:"),
        (
            r#"{"type":"inlineCard","attrs":{"url":"https://example.atlassian.net/browse/WEB-1?x=1&y=2"}}"#,
            "https://example.atlassian.net/browse/WEB-1?x=1&y=2",
        ),
        (r#"{"type":"status","attrs":{"text":"BLOCKED","color":"red","localId":"s-1"}}"#, "BLOCKED"),
        (r#"{"type":"date","attrs":{"timestamp":"1582152559000"}}"#, ""),
        (r#"{"type":"mediaInline","attrs":{"id":"m-1","collection":"c","type":"file"}}"#, ""),
        (
            r#"{"type":"futureInline","attrs":{"x":1},"content":[{"type":"text","text":"inside"},{"type":"text","text":" it"}]}"#,
            "inside it",
        ),
    ];
    if let Some((json, plain)) = KINDS.get(rng.index(KINDS.len() * 3)) {
        push(inside, json, plain);
    }
}

/// An item for each line; the last of three or more lies in a list inside the item before it.
fn list(rng: &mut Rng, lines: &[&str], order: Option<usize>) -> Piece {
    let (own, nested) = if lines.len() > 2 { lines.split_at(lines.len() - 1) } else { (lines, &lines[..0]) };
    let mut items = Vec::new();
    for (number, line) in own.iter().enumerate() {
        let mut blocks = vec![paragraph(rng, &[line])];
        if number + 1 == own.len() && !nested.is_empty() {
            blocks.push(list(rng, nested, order.map(|_| 1)));
        }
        let item = wrapped("listItem", "", joined(blocks));
        let prefix = order.map_or_else(|| "- ".to_owned(), |first| format!("{}. ", first + number));
        let plain = match item.plain.as_str() {
            "" => String::new(),
            plain => format!("{prefix}{}", plain.replace('\n', "\n  ")),
        };
        items.push(Piece { json: item.json, plain });
    }
    match order {
        Some(1) => wrapped("orderedList", "", joined(items)),
        Some(first) => wrapped("orderedList", &format!(r#""order":{first}"#), joined(items)),
        None => wrapped("bulletList", "", joined(items)),
    }
}

fn code(lines: &[&str]) -> Piece {
    let inside = text(&lines.join("\n"), "");
    if inside.json.is_empty() {
        return Piece { json: r#"{"type":"codeBlock","attrs":{}}"#.to_owned(), plain: String::new() };
    }
    wrapped("codeBlock", r#""language":"rust""#, inside)
}

/// A row for each line, cut at its first blank into two cells.
fn table(rng: &mut Rng, lines: &[&str]) -> Piece {
    let mut rows = Vec::new();
    for line in lines {
        let (left, right) = line.split_once(' ').unwrap_or((line, ""));
        let cells = [("tableHeader", left), ("tableCell", right)].map(|(kind, content)| {
            let attributes = if kind == "tableCell" { r#""colspan":1"# } else { "" };
            wrapped(kind, attributes, paragraph(rng, &[content]))
        });
        let empty = cells.iter().all(|cell| cell.plain.is_empty());
        let plain = if empty { String::new() } else { format!("{} | {}", cells[0].plain, cells[1].plain) };
        let [first, second] = cells;
        let inside = Piece { json: format!("{},{}", first.json, second.json), plain };
        rows.push(wrapped("tableRow", "", inside));
    }
    wrapped("table", r#""isNumberColumnEnabled":false,"layout":"default""#, joined(rows))
}

/// Task items hold their text without a paragraph around it.
fn tasks(rng: &mut Rng, lines: &[&str]) -> Piece {
    let items = lines.iter().map(|line| {
        let inside = inline(rng, line);
        wrapped("taskItem", r#""localId":"t-1","state":"TODO""#, inside)
    });
    let items = joined(items.collect());
    wrapped("taskList", r#""localId":"t""#, items)
}

fn media(rng: &mut Rng) -> Piece {
    let file = Piece {
        json: r#"{"type":"media","attrs":{"id":"m-2","type":"file","collection":""}}"#.to_owned(),
        plain: String::new(),
    };
    let mut blocks = vec![file];
    if rng.one_in(2) {
        blocks.push(wrapped("caption", "", text("a caption", "")));
    }
    wrapped("mediaSingle", r#""layout":"center""#, joined(blocks))
}
