//! Sprints of an issue: an object on Cloud, the text of a Java object on Server and Data Center.

use crate::decode::lenient::Reader;
use crate::decode::object::Fill;
use crate::decode::tree::{Node, Target};
use crate::rows::{Cell, RowBuffer};
use crate::tables::issue_sprints as sprints;
use serde::de::MapAccess;

/// What Java writes for a value that is not there.
const NULL: &str = "<null>";

/// The members that may follow a name, which itself may hold anything.
const AFTER_NAME: &[&str] = &["startDate", "rapidViewId"];
/// The members that may follow a goal, which itself may hold anything.
const AFTER_GOAL: &[&str] = &["id", "autoStartStop", "incompleteIssuesDestinationId", "synced"];

/// Fills the row of one sprint.
pub(crate) struct SprintRow<'s> {
    pub(crate) node: &'s Node,
    pub(crate) buffer: &'s mut RowBuffer,
    pub(crate) row: usize,
}

impl<'de> Reader<'de> for SprintRow<'_> {
    type Out = ();

    fn scalar(self, cell: Cell<'_>) {
        let Cell::Text(text) = cell else { return };
        for (member, value) in members(text) {
            if let Some(Target::Value(column)) = self.node.find(member)
                && value != NULL
            {
                self.buffer.put(*column, self.row, Cell::Text(value));
            }
        }
        settle(self.buffer, self.row);
    }

    fn object<A: MapAccess<'de>>(self, object: A) -> Result<(), A::Error> {
        let Self { node, buffer, row } = self;
        Fill { node, buffer, row }.object(object)?;
        settle(buffer, row);
        Ok(())
    }
}

fn settle(buffer: &mut RowBuffer, row: usize) {
    let state = buffer.text_at(sprints::STATE_AS_SENT, row).map(str::to_lowercase);
    let is_current = state.as_deref().map_or(Cell::Null, |state| Cell::Bool(state != "closed"));
    buffer.put(sprints::IS_CURRENT, row, is_current);
    buffer.put(sprints::STATE, row, state.as_deref().map_or(Cell::Null, Cell::Text));
}

/// Name and value of each member of `...Sprint@1f[id=7,name=..,goal=..]`. Nothing in it is escaped: what a name or a goal holds is told from
/// what follows it only by the names of the members that can.
fn members(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let inner = text.split_once('[').map_or("", |(_, inner)| inner);
    let mut rest = inner.strip_suffix(']').unwrap_or(inner);
    std::iter::from_fn(move || {
        let (member, after) = rest.split_once('=')?;
        let (value, more) = after.split_at(end_of(member, after));
        rest = more.strip_prefix(',').unwrap_or_default();
        Some((member, value))
    })
}

/// Where the value of a member ends that `text` starts with.
fn end_of(member: &str, text: &str) -> usize {
    let before = |next: &[&str]| next.iter().filter_map(|next| text.find(&format!(",{next}="))).min();
    match member {
        "name" => before(AFTER_NAME).or_else(|| text.find(',')),
        "goal" => before(AFTER_GOAL),
        _ => text.find(','),
    }
    .unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(&str, &str)> {
        members(text).collect()
    }

    #[test]
    fn names_and_goals_hold_commas_brackets_and_line_breaks() {
        let text = "com.atlassian.greenhopper.service.sprint.Sprint@1f[id=7,rapidViewId=3,state=CLOSED,name=a, b [c] = d,\
            startDate=2017-03-10T11:17:23.728-05:00,endDate=<null>,completeDate=<null>,sequence=7,goal=one,\ntwo=[3]]";
        let expected = [
            ("id", "7"),
            ("rapidViewId", "3"),
            ("state", "CLOSED"),
            ("name", "a, b [c] = d"),
            ("startDate", "2017-03-10T11:17:23.728-05:00"),
            ("endDate", "<null>"),
            ("completeDate", "<null>"),
            ("sequence", "7"),
            ("goal", "one,\ntwo=[3]"),
        ];
        assert_eq!(read(text), expected);
    }

    #[test]
    fn the_id_may_come_last_and_members_in_the_order_of_the_alphabet() {
        let old = "Sprint@1[rapidViewId=1,state=FUTURE,name=x,startDate=<null>,sequence=2,goal=,id=12]";
        assert_eq!(read(old).last(), Some(&("id", "12")));
        assert!(read(old).contains(&("goal", "")));
        let new = "Sprint@1[activatedDate=<null>,autoStartStop=false,completeDate=<null>,endDate=<null>,goal=g,g,id=5,\
            incompleteIssuesDestinationId=<null>,name=n,n,rapidViewId=9,sequence=5,startDate=<null>,state=ACTIVE,synced=false]";
        for member in
            [("goal", "g,g"), ("id", "5"), ("name", "n,n"), ("rapidViewId", "9"), ("state", "ACTIVE")]
        {
            assert!(read(new).contains(&member), "{member:?}");
        }
    }

    #[test]
    fn what_is_no_sprint_has_no_members() {
        assert_eq!(read("Sprint 7"), []);
        assert_eq!(read("Sprint@1[]"), []);
        assert_eq!(read("Sprint@1[id=7"), [("id", "7")]);
    }
}
