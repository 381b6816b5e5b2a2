//! Comments and worklogs: added, edited, deleted.

use super::super::doc::{Child, push_frag, push_id, push_str, push_time};
use super::super::fields as f;
use super::super::generate::history::write_item;
use super::{Changed, Editor, SimError, unknown};

impl Editor<'_> {
    /// Adds a comment by the user with this login name; `updated` follows.
    pub(crate) fn add_comment(&mut self, slot: u32, author: Option<&str>, body: &str) -> Changed<u64> {
        let author = self.author(author)?;
        let id = self.child_id();
        let now = self.now_ms;
        let json = self.comment_json(slot, id, author, body, (now, now));
        let doc = self.site.doc_mut(slot);
        doc.has_comment = true;
        let at = doc.write(|out| out.push_str(&json));
        doc.comments.push(Child { id, at });
        self.touch(slot);
        Ok(id)
    }

    /// Gives a comment another text; author and creation time stay.
    pub(crate) fn edit_comment(&mut self, slot: u32, id: u64, body: &str) -> Changed<()> {
        let now = self.now_ms;
        let doc = self.site.doc_mut(slot);
        let found = doc.comments.iter().position(|child| child.id == id);
        let found = found.ok_or_else(|| unknown("comment", &id.to_string()))?;
        let (mut text, mut time) = (String::new(), String::new());
        push_str(&mut text, body);
        push_time(&mut time, now);
        let before = doc.slice(doc.comments[found].at).to_owned();
        let json = replace_text(&replace_text(&before, "body", &text), "updated", &time);
        doc.comments[found].at = doc.write(|out| out.push_str(&json));
        self.touch(slot);
        Ok(())
    }

    /// Deletes a comment; `updated` follows.
    pub(crate) fn delete_comment(&mut self, slot: u32, id: u64) -> Changed<()> {
        let doc = self.site.doc_mut(slot);
        let before = doc.comments.len();
        doc.comments.retain(|child| child.id != id);
        if doc.comments.len() == before {
            return Err(unknown("comment", &id.to_string()));
        }
        self.touch(slot);
        Ok(())
    }

    fn comment_json(
        &self,
        slot: u32,
        id: u64,
        author: super::super::doc::Frag,
        body: &str,
        times: (i64, i64),
    ) -> String {
        let mut out = String::from("{\"self\":\"");
        out += &format!(
            "{}/rest/api/2/issue/{}/comment/{id}\",\"id\":",
            self.site.catalog.base,
            self.site.slim(slot).id
        );
        push_id(&mut out, id);
        for (member, text) in
            [(",\"author\":", None), (",\"body\":", Some(body)), (",\"updateAuthor\":", None)]
        {
            out.push_str(member);
            match text {
                Some(text) => push_str(&mut out, text),
                None => push_frag(&mut out, author),
            }
        }
        out.push_str(",\"created\":");
        push_time(&mut out, times.0);
        out.push_str(",\"updated\":");
        push_time(&mut out, times.1);
        out.push('}');
        out
    }

    fn author(&self, name: Option<&str>) -> Changed<super::super::doc::Frag> {
        let users = &self.site.catalog.users;
        let found = match name {
            Some(name) => users.iter().find(|user| user.name == name),
            None => users.first(),
        };
        match (found, name) {
            (Some(user), _) => Ok(user.json),
            (None, Some(name)) => Err(unknown("user", name)),
            (None, None) => Err(SimError::Refused("the site has no user who could do this".to_owned())),
        }
    }

    /// Logs work; `updated`, `timespent` and the history follow.
    pub(crate) fn add_worklog(&mut self, slot: u32, seconds: u64, comment: &str) -> Changed<u64> {
        let author = self.author(None)?;
        let id = self.child_id();
        let (now, issue) = (self.now_ms, self.site.slim(slot).id);
        let base = self.site.catalog.base.clone();
        let doc = self.site.doc_mut(slot);
        doc.has_worklog = true;
        let before = doc.get(f::TIME_SPENT).unwrap_or("null").to_owned();
        let after = before.parse::<u64>().unwrap_or(0) + seconds;
        doc.set(f::TIME_SPENT, &after.to_string());
        let at = doc.write(|out| {
            *out += &format!("{{\"self\":\"{base}/rest/api/2/issue/{issue}/worklog/{id}\",\"id\":");
            push_id(out, id);
            out.push_str(",\"issueId\":");
            push_id(out, issue);
            for member in [",\"author\":", ",\"updateAuthor\":"] {
                out.push_str(member);
                push_frag(out, author);
            }
            out.push_str(",\"comment\":");
            push_str(out, comment);
            for member in [",\"created\":", ",\"updated\":", ",\"started\":"] {
                out.push_str(member);
                push_time(out, now);
            }
            Self::spent(out, seconds);
            out.push('}');
        });
        doc.worklogs.push(Child { id, at });
        let from = if before == "null" { before } else { format!("\"{before}\"") };
        let to = format!("\"{after}\"");
        let worklog = format!("\"{id}\"");
        let mut items = String::new();
        write_item(&mut items, "timespent", "jira", [&from, &from, &to, &to]);
        items.push(',');
        write_item(&mut items, "WorklogId", "jira", ["null", "null", &worklog, &worklog]);
        self.record(slot, &items);
        self.touch(slot);
        Ok(id)
    }

    /// Gives a worklog another comment, as plug-ins do; the issue's `updated` stays as it is.
    pub(crate) fn amend_worklog(&mut self, slot: u32, id: u64, comment: &str) -> Changed<()> {
        let now = self.now_ms;
        let doc = self.site.doc_mut(slot);
        let found = doc.worklogs.iter().position(|child| child.id == id);
        let found = found.ok_or_else(|| unknown("worklog", &id.to_string()))?;
        let (mut text, mut time) = (String::new(), String::new());
        push_str(&mut text, comment);
        push_time(&mut time, now);
        let before = doc.slice(doc.worklogs[found].at).to_owned();
        let json = replace_text(&replace_text(&before, "comment", &text), "updated", &time);
        doc.worklogs[found].at = doc.write(|out| out.push_str(&json));
        Ok(())
    }

    /// Deletes a worklog; `updated` stays as it is.
    pub(crate) fn delete_worklog(&mut self, slot: u32, id: u64) -> Changed<()> {
        let doc = self.site.doc_mut(slot);
        let before = doc.worklogs.len();
        doc.worklogs.retain(|child| child.id != id);
        if doc.worklogs.len() == before {
            return Err(unknown("worklog", &id.to_string()));
        }
        self.site.deleted_worklogs.push((id, self.now_ms));
        Ok(())
    }
}

/// Replaces the text of a member whose value is a string. Quotes inside of strings are escaped, so the
/// member's name in quotes with its colon occurs only where the member is.
fn replace_text(object: &str, member: &str, json: &str) -> String {
    let name = format!("\"{member}\":\"");
    let Some((before, rest)) = object.split_once(&name) else { return object.to_owned() };
    let mut escaped = false;
    let end = rest.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    });
    let after = end.and_then(|end| rest.get(end + 1..)).unwrap_or("");
    format!("{before}\"{member}\":{json}{after}")
}
