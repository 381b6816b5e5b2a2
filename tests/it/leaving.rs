//! The page for reviewers names every message that an agent can send.

use std::path::Path;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
}

/// The variants of an enum in a source file, as they are named on the wire.
fn variants(source: &str, name: &str) -> Vec<String> {
    let (_, body) = source.split_once(&format!("pub enum {name} {{\n")).unwrap();
    let (body, _) = body.split_once("\n}\n").unwrap();
    let heads = body.lines().filter_map(|line| line.strip_prefix("    ")?.strip_suffix(" {"));
    let named = heads.filter(|head| head.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    named.map(snake_case).collect()
}

fn snake_case(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

#[test]
fn every_message_that_an_agent_can_send_is_on_the_page_for_reviewers_and_no_other() {
    let sent = variants(&read("protocol/src/control.rs"), "AgentMessage");
    assert!(sent.len() > 15, "the messages were not found: {sent:?}");
    let page = read("docs/what-leaves.md");
    let rows = page.lines().filter(|line| line.starts_with("| `")).filter_map(|line| line.split('|').nth(1));
    let named: Vec<&str> = rows.flat_map(|row| row.split('`').skip(1).step_by(2)).collect();
    for message in &sent {
        assert!(named.contains(&message.as_str()), "docs/what-leaves.md does not tell of `{message}`");
    }
    for name in named {
        assert!(
            sent.iter().any(|message| message == name),
            "docs/what-leaves.md tells of `{name}`, which is no message"
        );
    }
}
