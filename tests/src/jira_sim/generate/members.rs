//! The system fields of a generated issue.

use super::super::doc::{Doc, Frag, push_date, push_frag, push_id, push_num, push_time};
use super::super::fields as f;
use super::super::rng::Rng;
use super::super::words::{push_prose, push_text};
use super::{DAY_MS, Maker, Stream};

/// Bytes of a very large description.
const LARGE: usize = 1_048_576;

impl Maker<'_> {
    pub(super) fn members(&self, doc: &mut Doc) {
        let mut rng = self.generator.rng(self.slot, Stream::Members);
        let catalog = self.catalog;
        let frag = |doc: &mut Doc, field, frag: Frag| doc.member(field, |out| push_frag(out, frag));
        frag(doc, f::ISSUE_TYPE, catalog.types[usize::from(self.slim.kind)].json);
        frag(doc, f::PROJECT, catalog.projects[usize::from(self.slim.project)].json);
        frag(doc, f::STATUS, catalog.statuses[usize::from(self.slim.status)].json);
        frag(doc, f::PRIORITY, catalog.priorities[usize::from(self.slim.priority)].json);
        doc.member(f::SUMMARY, |out| out.push_str(&self.generator.summary(self.slot)));
        self.texts(doc, &mut rng);
        self.people(doc, &mut rng);
        self.dates(doc, &mut rng);
        self.lists(doc, &mut rng);
        self.numbers(doc, &mut rng);
        self.attachments(doc, &mut rng);
    }

    fn texts(&self, doc: &mut Doc, rng: &mut Rng) {
        let every = self.generator.site.large_description_every;
        let large = every > 0 && self.slot % every == every / 2;
        doc.member(f::DESCRIPTION, |out| {
            if large {
                out.push('"');
                push_prose(out, rng, LARGE);
                out.push('"');
            } else if rng.percent(12) {
                out.push_str("null");
            } else {
                push_text(out, rng, 500);
            }
        });
        doc.member(f::ENVIRONMENT, |out| {
            if rng.percent(75) { out.push_str("null") } else { push_text(out, rng, 60) }
        });
    }

    fn people(&self, doc: &mut Doc, rng: &mut Rng) {
        for (field, missing) in [(f::CREATOR, 2), (f::REPORTER, 3), (f::ASSIGNEE, 25)] {
            doc.member(field, |out| {
                if rng.percent(missing) {
                    out.push_str("null");
                } else {
                    push_frag(out, rng.pick(&self.catalog.users).json);
                }
            });
        }
    }

    fn dates(&self, doc: &mut Doc, rng: &mut Rng) {
        doc.member(f::CREATED, |out| push_time(out, self.slim.created_ms));
        doc.member(f::UPDATED, |out| push_time(out, self.slim.updated_ms));
        doc.member(f::DUE_DATE, |out| {
            if rng.percent(70) {
                out.push_str("null");
            } else {
                push_date(out, self.slim.created_ms / DAY_MS + i64::try_from(rng.below(90)).unwrap_or(0));
            }
        });
        let resolved = matches!(self.slim.status, 3 | 4 | 7);
        doc.member(f::RESOLUTION, |out| {
            if resolved {
                push_frag(out, rng.pick(&self.catalog.resolutions).json);
            } else {
                out.push_str("null");
            }
        });
        doc.member(f::RESOLUTION_DATE, |out| {
            if resolved {
                push_time(out, self.instant(rng.below(10), 10));
            } else {
                out.push_str("null");
            }
        });
        doc.member(f::LAST_VIEWED, |out| {
            if rng.percent(95) { out.push_str("null") } else { push_time(out, self.slim.updated_ms) }
        });
    }

    fn lists(&self, doc: &mut Doc, rng: &mut Rng) {
        let project = &self.catalog.projects[usize::from(self.slim.project)];
        doc.member(f::LABELS, |out| labels(out, rng));
        doc.member(f::COMPONENTS, |out| some_of(out, rng, &project.components));
        doc.member(f::FIX_VERSIONS, |out| some_of(out, rng, &project.versions));
        doc.member(f::VERSIONS, |out| some_of(out, rng, &project.versions));
        doc.member(f::SECURITY, |out| {
            if rng.percent(92) {
                out.push_str("null")
            } else {
                push_frag(out, *rng.pick(&self.catalog.levels))
            }
        });
    }

    fn numbers(&self, doc: &mut Doc, rng: &mut Rng) {
        let base = &self.catalog.base;
        let slim = self.slim;
        let key = format!("{}-{}", self.catalog.projects[usize::from(slim.project)].key, slim.number);
        let (votes, watches) = (rng.below(12), rng.below(30));
        doc.member(f::VOTES, |out| {
            *out += &format!(
                r#"{{"self":"{base}/rest/api/2/issue/{key}/votes","votes":{votes},"hasVoted":false}}"#
            );
        });
        doc.member(f::WATCHES, |out| {
            *out += &format!(r#"{{"self":"{base}/rest/api/2/issue/{key}/watchers","watchCount":{watches},"isWatching":false}}"#);
        });
        let estimated = rng.percent(30);
        let hours = |rng: &mut Rng| i64::try_from(rng.below(80) * 1800).unwrap_or(0);
        let (original, remaining, spent) = (hours(rng), hours(rng), hours(rng));
        let values = [
            (f::ORIGINAL_ESTIMATE, original),
            (f::REMAINING_ESTIMATE, remaining),
            (f::TIME_SPENT, spent),
            (f::AGGREGATE_ORIGINAL, original),
            (f::AGGREGATE_REMAINING, remaining),
            (f::AGGREGATE_SPENT, spent),
        ];
        for (field, value) in values {
            doc.member(field, |out| if estimated { push_num(out, value) } else { out.push_str("null") });
        }
        let ratio = if estimated && original > 0 { spent * 100 / original } else { -1 };
        doc.member(f::WORK_RATIO, |out| push_num(out, ratio));
        self.progress(doc, estimated.then_some((spent, spent + remaining)));
    }

    fn progress(&self, doc: &mut Doc, done: Option<(i64, i64)>) {
        for field in [f::PROGRESS, f::AGGREGATE_PROGRESS] {
            doc.member(field, |out| match done {
                Some((spent, total)) if total > 0 && spent > 0 => {
                    *out += &format!(
                        r#"{{"progress":{spent},"total":{total},"percent":{}}}"#,
                        spent * 100 / total
                    );
                }
                Some((_, total)) => *out += &format!(r#"{{"progress":0,"total":{total}}}"#),
                None => out.push_str(r#"{"progress":0,"total":0}"#),
            });
        }
        doc.member(f::TIME_TRACKING, |out| match done {
            Some((spent, total)) => {
                *out += &format!(
                    r#"{{"remainingEstimateSeconds":{},"timeSpentSeconds":{spent}}}"#,
                    total - spent
                );
            }
            None => out.push_str("{}"),
        });
    }

    fn attachments(&self, doc: &mut Doc, rng: &mut Rng) {
        let base = &self.catalog.base;
        doc.member(f::ATTACHMENT, |out| {
            out.push('[');
            let count = if rng.percent(85) { 0 } else { rng.below(3) + 1 };
            for number in 0..count {
                if number > 0 {
                    out.push(',');
                }
                let id = u64::from(self.slot) * 8 + number + 30_000;
                *out += &format!(r#"{{"self":"{base}/rest/api/2/attachment/{id}","id":"{id}","filename":"log {number}.txt","author":"#);
                push_frag(out, rng.pick(&self.catalog.users).json);
                out.push_str(",\"created\":");
                push_time(out, self.instant(number, 4));
                *out += &format!(r#","size":{},"mimeType":"text/plain","content":"{base}/secure/attachment/{id}/log.txt"}}"#, rng.below(90_000));
            }
            out.push(']');
        });
    }
}

fn labels(out: &mut String, rng: &mut Rng) {
    const LABELS: &[&str] =
        &["backend", "ui", "d\u{e4}mon", "regression", "\u{1f525}", "P-1", "needs_info", "Backend"];
    out.push('[');
    let count = if rng.percent(50) { 0 } else { rng.below(4) };
    for number in 0..count {
        if number > 0 {
            out.push(',');
        }
        out.push('"');
        out.push_str(rng.pick::<&str>(LABELS));
        out.push('"');
    }
    out.push(']');
}

/// An array of up to three of the fragments.
pub(super) fn some_of(out: &mut String, rng: &mut Rng, from: &[Frag]) {
    out.push('[');
    let count = if rng.percent(60) || from.is_empty() { 0 } else { rng.below(3) + 1 };
    let first = rng.index(from.len().max(1));
    for number in 0..usize::try_from(count).unwrap_or(0).min(from.len()) {
        if number > 0 {
            out.push(',');
        }
        push_frag(out, from[(first + number) % from.len()]);
    }
    out.push(']');
}

/// `{"self":..,"id":..` of a child, left open.
pub(super) fn open_child(out: &mut String, self_url: &str, id: u64) {
    out.push_str("{\"self\":\"");
    out.push_str(self_url);
    push_num(out, i64::try_from(id).unwrap_or(i64::MAX));
    out.push_str("\",\"id\":");
    push_id(out, id);
}
