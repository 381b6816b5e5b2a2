//! The custom fields of a generated issue: most are null, the rest have every shape that Jira sends.

use super::super::doc::{Doc, push_bare_time, push_date, push_frag, push_num, push_time};
use super::super::fields::Shape;
use super::super::rng::Rng;
use super::super::words::{push_line, push_text};
use super::members::some_of;
use super::{DAY_MS, Maker, Stream};

const CHOICES: &[&str] = &["High", "Mittel", "Low", "N/A", "\u{672a}\u{5b9a}", "a, b", "Say \\\"yes\\\""];
const GROUPS: &[&str] = &["jira-developers", "jira-administrators", "team \u{fc}ber", "qa"];

impl Maker<'_> {
    pub(super) fn custom(&self, doc: &mut Doc) {
        let mut rng = self.generator.rng(self.slot, Stream::Custom);
        for (field, shape) in &self.catalog.shapes {
            if *shape != Shape::Rank && rng.percent(60) {
                doc.member(*field, |out| out.push_str("null"));
            } else {
                doc.member(*field, |out| self.value(out, &mut rng, *shape));
            }
        }
    }

    fn value(&self, out: &mut String, rng: &mut Rng, shape: Shape) {
        match shape {
            Shape::Decimal => decimal(out, rng),
            Shape::Whole => *out += &format!("{}.0", rng.below(100)),
            Shape::Line => push_line(out, rng, 5),
            Shape::Area => push_text(out, rng, 120),
            Shape::Day => {
                push_date(out, self.slim.created_ms / DAY_MS + i64::try_from(rng.below(400)).unwrap_or(0))
            }
            Shape::Instant => {
                push_time(out, self.slim.created_ms + i64::try_from(rng.below(9_000_000_000)).unwrap_or(0))
            }
            Shape::Choice | Shape::EpicStatus => self.option(out, rng),
            Shape::Cascade => self.cascade(out, rng),
            Shape::Url => {
                *out += &format!(r#""https://wiki.example.com/display/{}?x=1&y=%20""#, rng.below(9999))
            }
            Shape::Rank => *out += &format!(r#""0|i{:05x}:""#, u64::from(self.slot) * 8),
            Shape::EpicLink => {
                *out += &format!(r#""{}-{}""#, rng.pick(&self.catalog.projects).key, rng.below(500) + 1)
            }
            Shape::Development => development(out, rng),
            Shape::Progress => {
                *out +=
                    &format!(r#"{{"progress":{},"total":100,"percent":{}}}"#, rng.below(50), rng.below(50))
            }
            _ => self.reference(out, rng, shape),
        }
    }

    /// Values that are, or hold, things of the site.
    fn reference(&self, out: &mut String, rng: &mut Rng, shape: Shape) {
        let project = &self.catalog.projects[usize::from(self.slim.project)];
        match shape {
            Shape::Labels => array(out, rng, |out, rng| {
                out.push('"');
                out.push_str(rng.pick::<&str>(CHOICES));
                out.push('"');
            }),
            Shape::Choices => array(out, rng, |out, rng| self.option(out, rng)),
            Shape::Users => array(out, rng, |out, rng| push_frag(out, rng.pick(&self.catalog.users).json)),
            Shape::Groups => array(out, rng, |out, rng| self.group(out, rng)),
            Shape::Versions => some_of(out, rng, &project.versions),
            Shape::Version => push_frag(out, *rng.pick(&project.versions)),
            Shape::Project => push_frag(out, rng.pick(&self.catalog.projects).json),
            Shape::User => push_frag(out, rng.pick(&self.catalog.users).json),
            Shape::Group => self.group(out, rng),
            Shape::Sprint => array(out, rng, sprint),
            _ => array(out, rng, |out, rng| {
                *out += &format!(
                    r#"{{"name":"step {}","checked":{},"rank":{},"linkedIssueKey":null}}"#,
                    rng.below(50),
                    rng.percent(50),
                    rng.below(9)
                );
            }),
        }
    }

    fn option(&self, out: &mut String, rng: &mut Rng) {
        let at = rng.index(CHOICES.len());
        *out += &format!(
            r#"{{"self":"{}/rest/api/2/customFieldOption/{}","value":"{}","id":"{}","disabled":false}}"#,
            self.catalog.base,
            10_200 + at,
            CHOICES[at],
            10_200 + at
        );
    }

    fn cascade(&self, out: &mut String, rng: &mut Rng) {
        let base = &self.catalog.base;
        let at = rng.below(4);
        *out += &format!(
            r#"{{"self":"{base}/rest/api/2/customFieldOption/{}","value":"Region {at}","id":"{}","disabled":false"#,
            10_300 + at,
            10_300 + at
        );
        if rng.percent(70) {
            *out += &format!(
                r#","child":{{"self":"{base}/rest/api/2/customFieldOption/{}","value":"Stadt {at} ü","id":"{}","disabled":false}}"#,
                10_310 + at,
                10_310 + at
            );
        }
        out.push('}');
    }

    fn group(&self, out: &mut String, rng: &mut Rng) {
        let name = rng.pick(GROUPS);
        *out += &format!(
            r#"{{"name":"{name}","self":"{}/rest/api/2/group?groupname={name}"}}"#,
            self.catalog.base
        );
    }
}

fn array(out: &mut String, rng: &mut Rng, mut one: impl FnMut(&mut String, &mut Rng)) {
    out.push('[');
    for number in 0..rng.below(4) {
        if number > 0 {
            out.push(',');
        }
        one(out, rng);
    }
    out.push(']');
}

/// A number in the forms that occur: fractions, negative, with exponent; plug-ins also send text.
fn decimal(out: &mut String, rng: &mut Rng) {
    match rng.below(200) {
        0 => out.push_str("1.0E9"),
        1 => out.push_str("\"12.5\""),
        2 => out.push_str("\"n/a\""),
        3 => out.push_str("-0.25"),
        _ => *out += &format!("{}.{}", rng.below(1000), rng.below(10)),
    }
}

fn sprint(out: &mut String, rng: &mut Rng) {
    let id = rng.below(400) + 1;
    let state = *rng.pick(&["CLOSED", "ACTIVE", "FUTURE"]);
    let name = *rng.pick(&["Sprint", "IR301 - Monorail!", "a, b [c]", "\u{1f3c1} Ziel"]);
    *out += &format!(r#""com.atlassian.greenhopper.service.sprint.Sprint@{:x}["#, rng.below(0xffff_ffff));
    // Old versions put the id last.
    let id_first = rng.percent(80);
    if id_first {
        *out += &format!("id={id},");
    }
    *out += &format!("rapidViewId={},state={state},name={name} {id},", id % 9 + 1);
    if state == "FUTURE" {
        out.push_str("startDate=<null>,endDate=<null>,completeDate=<null>,");
    } else {
        let at = 1_600_000_000_000 + i64::try_from(id).unwrap_or(0) * DAY_MS;
        out.push_str("startDate=");
        push_bare_time(out, at);
        out.push_str("-05:00,endDate=");
        push_bare_time(out, at + 14 * DAY_MS);
        out.push_str("-05:00,completeDate=<null>,");
    }
    out.push_str("sequence=");
    push_num(out, i64::try_from(id).unwrap_or(0));
    out.push_str(if rng.percent(30) { ",goal=Ship it, then\\nrest [2]" } else { ",goal=" });
    if !id_first {
        *out += &format!(",id={id}");
    }
    out.push_str("]\"");
}

fn development(out: &mut String, rng: &mut Rng) {
    *out += &format!(
        r#""{{summaryBean=com.atlassian.jira.plugin.devstatus.rest.SummaryBean@{:x}[summary={{pullrequest=null}}], devSummaryJson={{\"cachedValue\":{{\"errors\":[],\"count\":{}}}}}}}""#,
        rng.below(0xffff_ffff),
        rng.below(9)
    );
}
