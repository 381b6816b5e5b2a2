//! Comments, worklogs and the change history of a generated issue.

use super::super::doc::{Child, Doc, push_frag, push_id, push_num, push_time};
use super::super::rng::Rng;
use super::super::words::{push_line, push_text};
use super::members::open_child;
use super::{COMMENT_BLOCK, HISTORY_BLOCK, Maker, Stream, WORKLOG_BLOCK};

impl Maker<'_> {
    pub(super) fn children(&self, doc: &mut Doc) {
        let mut rng = self.generator.rng(self.slot, Stream::Children);
        let comments = count(&mut rng, 2, (350, 60, 60));
        let worklogs = count(&mut rng, 2, (300, 25, 60));
        let histories = count(&mut rng, 4, (450, 150, 151));
        for number in 0..comments {
            let child = self.comment(doc, &mut rng, number, comments);
            doc.comments.push(child);
        }
        for number in 0..worklogs {
            let child = self.worklog(doc, &mut rng, number, worklogs);
            doc.worklogs.push(child);
        }
        self.histories(doc, &mut rng, histories);
    }

    fn comment(&self, doc: &mut Doc, rng: &mut Rng, number: u64, of: u64) -> Child {
        let id = 200_000 + u64::from(self.slot) * COMMENT_BLOCK + number;
        let created = self.instant(number + 1, of + 1);
        let at = doc.write(|out| {
            open_child(out, &format!("{}/rest/api/2/issue/{}/comment/", self.catalog.base, self.slim.id), id);
            if !rng.percent(3) {
                out.push_str(",\"author\":");
                push_frag(out, rng.pick(&self.catalog.users).json);
            }
            out.push_str(",\"body\":");
            push_text(out, rng, 150);
            out.push_str(",\"updateAuthor\":");
            push_frag(out, rng.pick(&self.catalog.users).json);
            out.push_str(",\"created\":");
            push_time(out, created);
            out.push_str(",\"updated\":");
            push_time(out, created + if rng.percent(80) { 0 } else { (self.slim.updated_ms - created) / 2 });
            match rng.below(12) {
                0 => out.push_str(r#","visibility":{"type":"role","value":"Developers"}"#),
                1 => out.push_str(r#","visibility":{"type":"group","value":"jira-administrators"}"#),
                _ => {}
            }
            out.push('}');
        });
        Child { id, at }
    }

    fn worklog(&self, doc: &mut Doc, rng: &mut Rng, number: u64, of: u64) -> Child {
        let id = 300_000 + u64::from(self.slot) * WORKLOG_BLOCK + number;
        let created = self.instant(number + 1, of + 1);
        let minutes = i64::try_from(rng.below(480) + 1).unwrap_or(1);
        let at = doc.write(|out| {
            open_child(out, &format!("{}/rest/api/2/issue/{}/worklog/", self.catalog.base, self.slim.id), id);
            out.push_str(",\"issueId\":");
            push_id(out, self.slim.id);
            for member in [",\"author\":", ",\"updateAuthor\":"] {
                if !rng.percent(4) {
                    out.push_str(member);
                    push_frag(out, rng.pick(&self.catalog.users).json);
                }
            }
            out.push_str(",\"comment\":");
            push_text(out, rng, 30);
            out.push_str(",\"created\":");
            push_time(out, created);
            out.push_str(",\"updated\":");
            push_time(out, created);
            out.push_str(",\"started\":");
            push_time(out, created - 3_600_000 * i64::try_from(rng.below(72)).unwrap_or(0));
            *out += &format!(
                r#","timeSpent":"{}h {}m","timeSpentSeconds":{}"#,
                minutes / 60,
                minutes % 60,
                minutes * 60
            );
            if rng.percent(5) {
                out.push_str(r#","visibility":{"type":"role","value":"Administrators"}"#);
            }
            out.push('}');
        });
        Child { id, at }
    }

    /// Entries oldest first; some share a second, and their ids are not in the order of time.
    fn histories(&self, doc: &mut Doc, rng: &mut Rng, count: u64) {
        let mut created = self.slim.created_ms;
        for number in 0..count {
            let id = 1_000_000 + u64::from(self.slot) * HISTORY_BLOCK + (number ^ (number >> 1 & 1));
            if !rng.percent(15) {
                created = created.max(self.instant(number + 1, count + 1));
            }
            let at = doc.write(|out| {
                out.push_str("{\"id\":");
                push_id(out, id);
                if !rng.percent(4) {
                    out.push_str(",\"author\":");
                    push_frag(out, rng.pick(&self.catalog.users).json);
                }
                out.push_str(",\"created\":");
                push_time(out, created);
                out.push_str(",\"items\":[");
                let items = if rng.one_in(60) { 0 } else { rng.below(3) + 1 };
                for item in 0..items {
                    if item > 0 {
                        out.push(',');
                    }
                    self.item(out, rng);
                }
                out.push_str("]}");
            });
            doc.histories.push(Child { id, at });
        }
    }

    fn item(&self, out: &mut String, rng: &mut Rng) {
        match rng.below(10) {
            0..=2 => {
                let (from, to) = (rng.pick(&self.catalog.statuses), rng.pick(&self.catalog.statuses));
                let text = |name: &str| format!("\"{name}\"");
                let id = |id: u64| format!("\"{id}\"");
                write_item(
                    out,
                    "status",
                    "jira",
                    [&id(from.id), &text(&from.name), &id(to.id), &text(&to.name)],
                );
            }
            3 | 4 => {
                let user = rng.pick(&self.catalog.users);
                let display = if user.display.is_empty() { &user.name } else { &user.display };
                let (key, display) = (format!("\"{}\"", user.identity()), format!("\"{display}\""));
                write_item(out, "assignee", "jira", ["null", "null", &key, &display]);
            }
            5 => self.text_item(out, rng, "description", 90),
            6 => self.text_item(out, rng, "summary", 40),
            7 => write_item(
                out,
                "Sprint",
                "custom",
                ["\"\"", "\"\"", "\"12, 13\"", "\"Sprint 12, a, b [c] 13\""],
            ),
            8 => {
                let number = rng.below(900) + 1;
                let key = format!("\"{}-{number}\"", self.catalog.projects[0].key);
                let text = format!("\"This issue blocks {}-{number}\"", self.catalog.projects[0].key);
                write_item(out, "Link", "jira", ["null", "null", &key, &text]);
            }
            _ => {
                let seconds = format!("\"{}\"", rng.below(100) * 900);
                write_item(out, "timespent", "jira", ["null", "null", &seconds, &seconds]);
            }
        }
    }

    fn text_item(&self, out: &mut String, rng: &mut Rng, field: &str, typical: u64) {
        out.push_str("{\"field\":\"");
        out.push_str(field);
        out.push_str("\",\"fieldtype\":\"jira\",\"from\":null,\"fromString\":");
        if rng.percent(40) {
            out.push_str("null")
        } else {
            push_text(out, rng, typical)
        }
        out.push_str(",\"to\":null,\"toString\":");
        if rng.percent(50) {
            push_line(out, rng, 6)
        } else {
            push_text(out, rng, typical)
        }
        out.push('}');
    }
}

/// A changelog item from JSON values: from, fromString, to, toString.
pub(crate) fn write_item(out: &mut String, field: &str, field_type: &str, values: [&str; 4]) {
    out.push_str("{\"field\":");
    super::super::doc::push_str(out, field);
    out.push_str(",\"fieldtype\":\"");
    out.push_str(field_type);
    for (name, value) in
        ["\",\"from\":", ",\"fromString\":", ",\"to\":", ",\"toString\":"].into_iter().zip(values)
    {
        out.push_str(name);
        out.push_str(value);
    }
    out.push('}');
}

/// Mostly few, one in `rare.0` times between `rare.1` and `rare.1 + rare.2 - 1`.
fn count(rng: &mut Rng, usual: u64, rare: (u64, u64, u64)) -> u64 {
    if rng.one_in(rare.0) { rare.1 + rng.below(rare.2) } else { rng.below(usual) }
}

/// `"timeSpent"` the way Jira prints it.
pub(crate) fn spent_text(seconds: u64) -> String {
    let mut out = String::new();
    push_num(&mut out, i64::try_from(seconds / 3600).unwrap_or(0));
    out.push_str("h ");
    push_num(&mut out, i64::try_from(seconds / 60 % 60).unwrap_or(0));
    out.push('m');
    out
}
