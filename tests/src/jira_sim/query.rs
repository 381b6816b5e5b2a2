//! Runs a query: checks it the way Jira does, then finds, counts and orders by the indexes.

use std::borrow::Cow;

use chrono_tz::Tz;

use super::catalog::find_named;
use super::generate::Slim;
use super::index::Entry;
use super::jql::dates::{self, When};
use super::jql::{Clause, Operator, Query, Tree, Value};
use super::rng::mix;
use super::site::{Axis, Site};

pub(crate) mod seek;

/// Who asks, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asker {
    pub(crate) zone: Tz,
    pub(crate) now_ms: i64,
    /// `validateQuery`: whether unknown values are errors.
    pub(crate) validate: bool,
    /// Which node of the cluster answers; it decides the order of equal sort values.
    pub(crate) node: u32,
}

/// A checked condition over [`Slim`].
#[derive(Debug, Clone, PartialEq, Eq)]
enum Cond {
    All(Vec<Cond>),
    Any(Vec<Cond>),
    Not(Box<Cond>),
    /// Whole seconds `from <= at < until` on a time axis.
    Time(Axis, i64, i64),
    Projects(Vec<u16>),
    Types(Vec<u8>),
    Statuses(Vec<u8>),
    Priorities(Vec<u8>),
    /// Keys `from..=to` of one project.
    Keys(u16, u32, u32),
    Slots(Vec<u32>),
}

/// A query that is ready to run.
#[derive(Debug)]
pub(crate) struct Plan {
    cond: Cond,
    sort: Vec<(Axis, bool)>,
    node: u32,
}

/// What a search found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) total: usize,
    pub(crate) slots: Vec<u32>,
}

const DATE_FORMATS: &str = "Valid formats include: 'yyyy/MM/dd HH:mm', 'yyyy-MM-dd HH:mm', 'yyyy/MM/dd', 'yyyy-MM-dd', or a period format e.g. '-5d', '4w 2d'.";

impl Site {
    /// Checks a query.
    ///
    /// # Errors
    /// Every message that Jira would give.
    pub(crate) fn plan(&self, query: &Query, asker: &Asker) -> Result<Plan, Vec<String>> {
        let mut errors = Vec::new();
        let checker = Checker { site: self, asker };
        let cond = match &query.condition {
            Some(tree) => checker.tree(tree, &mut errors),
            None => Cond::All(Vec::new()),
        };
        let mut sort = Vec::new();
        for order in &query.order {
            let axis = match order.field.to_lowercase().as_str() {
                "created" | "createddate" => Axis::Created,
                "updated" | "updateddate" => Axis::Updated,
                "key" | "issuekey" | "id" | "issue" => Axis::Key,
                _ => {
                    errors.push(format!("Not able to sort using field '{}'.", order.field));
                    continue;
                }
            };
            // Jira sorts dates downwards and keys upwards when no direction is given.
            sort.push((axis, order.descending.unwrap_or(axis != Axis::Key)));
        }
        if sort.is_empty() {
            sort.push((Axis::Key, true));
        }
        if errors.is_empty() { Ok(Plan { cond, sort, node: asker.node }) } else { Err(errors) }
    }

    /// Finds the issues `start..start + most` of the plan's order, and counts them all.
    pub(crate) fn run(&self, plan: &Plan, start: usize, most: usize) -> Found {
        let axis = plan.sort[0].0;
        let (candidates, rest) = self.cheapest(&plan.cond, axis, most == 0);
        let matching: Cow<'_, [Entry]> = match rest {
            None => candidates,
            Some(cond) => {
                let kept = candidates.iter().filter(|entry| self.matches(cond, entry.slot));
                kept.copied().collect::<Vec<_>>().into()
            }
        };
        let total = matching.len();
        let end = start.saturating_add(most).min(total);
        if start >= end {
            return Found { total, slots: Vec::new() };
        }
        let (low, high) = if plan.sort[0].1 { (total - end, total - start) } else { (start, end) };
        let same = |a: &Entry, b: &Entry| axis != Axis::Key && a.at == b.at;
        let mut group_low = low;
        while group_low > 0 && same(&matching[group_low - 1], &matching[low]) {
            group_low -= 1;
        }
        let mut group_high = high;
        while group_high < total && same(&matching[group_high], &matching[high - 1]) {
            group_high += 1;
        }
        let mut window = matching[group_low..group_high].to_vec();
        window.sort_by(|a, b| self.compare(plan, a.slot, b.slot));
        let skip = if plan.sort[0].1 { group_high - high } else { low - group_low };
        Found { total, slots: window.iter().skip(skip).take(end - start).map(|entry| entry.slot).collect() }
    }

    /// The candidates on the axis that the order asks for; from another axis where that leaves far fewer, put
    /// in order unless they are only counted.
    fn cheapest<'a>(
        &'a self,
        cond: &'a Cond,
        axis: Axis,
        only_count: bool,
    ) -> (Cow<'a, [Entry]>, Option<&'a Cond>) {
        let mut best = self.candidates(cond, axis);
        for other in [Axis::Created, Axis::Updated, Axis::Key] {
            let found = self.candidates(cond, other);
            let covers = only_count && found.1.is_none() && best.1.is_some();
            if covers || found.0.len() < best.0.len() / 8 {
                let mut entries = found.0;
                if !only_count {
                    let ordered = entries.iter().map(|entry| self.entry(axis, entry.slot));
                    let mut ordered: Vec<Entry> = ordered.collect();
                    ordered.sort_unstable();
                    entries = ordered.into();
                }
                best = (entries, found.1);
            }
        }
        best
    }

    /// The entries of the axis that the condition's own range leaves, and the condition that is still to be
    /// checked (`None` when the range says it all).
    fn candidates<'a>(&'a self, cond: &'a Cond, axis: Axis) -> (Cow<'a, [Entry]>, Option<&'a Cond>) {
        let index = self.index(axis);
        let conjuncts = match cond {
            Cond::All(parts) => parts.as_slice(),
            other => std::slice::from_ref(other),
        };
        let named =
            conjuncts.iter().find_map(|part| if let Cond::Slots(slots) = part { Some(slots) } else { None });
        if let Some(slots) = named {
            let mut entries: Vec<Entry> = slots.iter().map(|slot| self.entry(axis, *slot)).collect();
            entries.sort_unstable();
            entries.dedup();
            return (entries.into(), Some(cond));
        }
        let mut window = (i64::MIN, i64::MAX);
        let mut keys = None;
        let mut covered = 0;
        for part in conjuncts {
            match part {
                Cond::Time(on, from, until) if *on == axis => {
                    window = (window.0.max(*from), window.1.min(*until));
                    covered += 1;
                }
                Cond::Keys(project, from, to) if axis == Axis::Key && keys.is_none() => {
                    keys = Some((self.catalog.projects[usize::from(*project)].rank, *from, *to));
                    covered += 1;
                }
                _ => {}
            }
        }
        let entries = match keys {
            Some((rank, from, to)) => index.keys(rank, from, to),
            None if window == (i64::MIN, i64::MAX) => index.all(),
            None => index.range(window.0, window.1),
        };
        (entries.into(), if covered == conjuncts.len() { None } else { Some(cond) })
    }

    fn compare(&self, plan: &Plan, a: u32, b: u32) -> std::cmp::Ordering {
        for (axis, descending) in &plan.sort {
            let (left, right) = (self.entry(*axis, a), self.entry(*axis, b));
            let order = match axis {
                Axis::Key => (left.rank, left.number).cmp(&(right.rank, right.number)),
                Axis::Created | Axis::Updated => left.at.cmp(&right.at),
            };
            if order.is_ne() {
                return if *descending { order.reverse() } else { order };
            }
        }
        let salted = |slot: u32| mix(u64::from(slot) ^ (u64::from(plan.node) << 40));
        salted(a).cmp(&salted(b))
    }

    fn matches(&self, cond: &Cond, slot: u32) -> bool {
        self.matches_slim(cond, slot, self.slim(slot))
    }

    /// Whether an issue would match if it were like this.
    fn matches_slim(&self, cond: &Cond, slot: u32, slim: &Slim) -> bool {
        match cond {
            Cond::All(parts) => parts.iter().all(|part| self.matches_slim(part, slot, slim)),
            Cond::Any(parts) => parts.iter().any(|part| self.matches_slim(part, slot, slim)),
            Cond::Not(part) => !self.matches_slim(part, slot, slim),
            Cond::Time(axis, from, until) => {
                let ms = if *axis == Axis::Created { slim.created_ms } else { slim.updated_ms };
                (*from..*until).contains(&ms.div_euclid(1000))
            }
            Cond::Projects(projects) => projects.contains(&slim.project),
            Cond::Types(types) => types.contains(&slim.kind),
            Cond::Statuses(statuses) => statuses.contains(&slim.status),
            Cond::Priorities(priorities) => priorities.contains(&slim.priority),
            Cond::Keys(project, from, to) => slim.project == *project && (*from..=*to).contains(&slim.number),
            Cond::Slots(slots) => slots.contains(&slot),
        }
    }
}

struct Checker<'a> {
    site: &'a Site,
    asker: &'a Asker,
}

impl Checker<'_> {
    fn tree(&self, tree: &Tree, errors: &mut Vec<String>) -> Cond {
        match tree {
            Tree::And(parts) => {
                // An AND inside of an AND is one: its ranges are as good for the indexes.
                let parts = parts.iter().flat_map(|part| match self.tree(part, errors) {
                    Cond::All(inner) => inner,
                    other => vec![other],
                });
                Cond::All(parts.collect())
            }
            Tree::Or(parts) => Cond::Any(parts.iter().map(|part| self.tree(part, errors)).collect()),
            Tree::Not(part) => Cond::Not(Box::new(self.tree(part, errors))),
            Tree::Is(clause) => self.clause(clause, errors),
        }
    }

    fn clause(&self, clause: &Clause, errors: &mut Vec<String>) -> Cond {
        let catalog = &self.site.catalog;
        match clause.field.to_lowercase().as_str() {
            "created" | "createddate" => self.time(Axis::Created, clause, errors),
            "updated" | "updateddate" => self.time(Axis::Updated, clause, errors),
            "key" | "issuekey" | "id" | "issue" => self.key(clause, errors),
            "project" => {
                let find = |value: &Value| catalog.find_project(&value.text());
                self.set(clause, errors, find, Cond::Projects)
            }
            "issuetype" | "type" => {
                self.set(clause, errors, |value| find_named(&catalog.types, &value.text()), Cond::Types)
            }
            "status" => {
                self.set(clause, errors, |value| find_named(&catalog.statuses, &value.text()), Cond::Statuses)
            }
            "priority" => self.set(
                clause,
                errors,
                |value| find_named(&catalog.priorities, &value.text()),
                Cond::Priorities,
            ),
            _ => {
                errors.push(format!(
                    "Field '{}' does not exist or you do not have permission to view it.",
                    clause.field
                ));
                Cond::Any(Vec::new())
            }
        }
    }

    /// `=`, `!=`, `in`, `not in` over things with names.
    fn set<T>(
        &self,
        clause: &Clause,
        errors: &mut Vec<String>,
        find: impl Fn(&Value) -> Option<T>,
        make: impl Fn(Vec<T>) -> Cond,
    ) -> Cond {
        let negated = match clause.operator {
            Operator::Equal | Operator::In => false,
            Operator::NotEqual | Operator::NotIn => true,
            // Nothing that is asked for here is ever empty.
            Operator::Is | Operator::IsNot if clause.values == [Value::Empty] => {
                let none = Cond::Any(Vec::new());
                return if clause.operator == Operator::Is { none } else { Cond::Not(Box::new(none)) };
            }
            Operator::Was => {
                errors.push(format!("History searches do not support the '{}' field.", clause.field));
                return make(Vec::new());
            }
            _ => {
                errors.push(unsupported(clause));
                return make(Vec::new());
            }
        };
        let mut found = Vec::new();
        for value in &clause.values {
            match find(value) {
                Some(one) => found.push(one),
                None if self.asker.validate => errors.push(format!(
                    "The value '{}' does not exist for the field '{}'.",
                    value.text(),
                    clause.field
                )),
                None => {}
            }
        }
        let cond = make(found);
        if negated { Cond::Not(Box::new(cond)) } else { cond }
    }

    fn time(&self, axis: Axis, clause: &Clause, errors: &mut Vec<String>) -> Cond {
        let mut ranges = Vec::new();
        for value in &clause.values {
            let Some(when) = dates::read(value, self.asker.zone, self.asker.now_ms) else {
                errors.push(match value {
                    Value::Function(name) => format!("Unable to find JQL function '{name}()'."),
                    _ => format!(
                        "Date value '{}' for field '{}' is invalid. {DATE_FORMATS}",
                        value.text(),
                        clause.field
                    ),
                });
                continue;
            };
            match bounds(clause.operator, when) {
                Some((from, until)) => ranges.push(Cond::Time(axis, from, until)),
                None => {
                    errors.push(unsupported(clause));
                    break;
                }
            }
        }
        let any = if ranges.len() == 1 { ranges.remove(0) } else { Cond::Any(ranges) };
        match clause.operator {
            Operator::NotEqual | Operator::NotIn => Cond::Not(Box::new(any)),
            _ => any,
        }
    }

    /// The key, and `id`, which on Server is another name for it: a comparison speaks of the project and the
    /// key number of the issue that is named, never of numbers of ids.
    fn key(&self, clause: &Clause, errors: &mut Vec<String>) -> Cond {
        let mut parts = Vec::new();
        for value in &clause.values {
            match self.issue(value, &clause.field) {
                Ok(slot) => parts.push(slot),
                Err(Some(error)) if self.asker.validate => errors.push(error),
                Err(_) => {}
            }
        }
        let around = |slot: &u32, below: bool, inclusive: bool| {
            let slim = self.site.slim(*slot);
            match (below, inclusive) {
                (true, true) => Cond::Keys(slim.project, 0, slim.number),
                (true, false) => Cond::Keys(slim.project, 0, slim.number.saturating_sub(1)),
                (false, true) => Cond::Keys(slim.project, slim.number, u32::MAX),
                (false, false) => Cond::Keys(slim.project, slim.number + 1, u32::MAX),
            }
        };
        let one = |below: bool, inclusive: bool| match parts.first() {
            Some(slot) => around(slot, below, inclusive),
            None => Cond::Any(Vec::new()),
        };
        match clause.operator {
            Operator::Equal | Operator::In => Cond::Slots(parts),
            Operator::NotEqual | Operator::NotIn => Cond::Not(Box::new(Cond::Slots(parts))),
            Operator::Less => one(true, false),
            Operator::LessOrEqual => one(true, true),
            Operator::Greater => one(false, false),
            Operator::GreaterOrEqual => one(false, true),
            _ => {
                errors.push(unsupported(clause));
                Cond::Any(Vec::new())
            }
        }
    }

    fn issue(&self, value: &Value, field: &str) -> Result<u32, Option<String>> {
        match value {
            Value::Number(id) => {
                let found = u64::try_from(*id).ok().and_then(|id| self.site.find_id(id));
                found.ok_or_else(|| {
                    Some(format!("A value with ID '{id}' does not exist for the field '{field}'."))
                })
            }
            Value::Text(key) => match key.rsplit_once('-') {
                Some((_, number)) if number.parse::<u32>().is_ok() => {
                    self.site.find_key(key).ok_or_else(|| {
                        Some(format!("An issue with key '{key}' does not exist for field '{field}'."))
                    })
                }
                _ => Err(Some(format!("The issue key '{key}' for field '{field}' is invalid."))),
            },
            other => {
                Err(Some(format!("The value '{}' does not exist for the field '{field}'.", other.text())))
            }
        }
    }
}

fn unsupported(clause: &Clause) -> String {
    format!("The operator '{}' is not supported by the '{}' field.", clause.operator.text(), clause.field)
}

/// Whole seconds that an operator admits.
fn bounds(operator: Operator, when: When) -> Option<(i64, i64)> {
    let from = when.from_ms.div_euclid(1000);
    let until = when.until_ms.div_euclid(1000);
    Some(match operator {
        Operator::Equal | Operator::NotEqual | Operator::In | Operator::NotIn => (from, until),
        Operator::GreaterOrEqual => (from, i64::MAX),
        Operator::Greater => (from + 1, i64::MAX),
        Operator::LessOrEqual => (i64::MIN, from + 1),
        Operator::Less => (i64::MIN, from),
        _ => return None,
    })
}
