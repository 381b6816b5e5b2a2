//! Search conditions built from clauses, never from joined strings.
//!
//! Times are unquoted epoch milliseconds of whole seconds: they depend on no time zone, and Jira's index holds whole seconds, so
//! half-open ranges of whole seconds lose nothing. The user's own condition is the only text taken over as it stands; it stands in
//! parentheses, and [`UserClause::parse`] refuses one that could leave them.

use crate::project::ProjectKey;
use crate::refused::SpecError;
use std::fmt;

/// Longest condition of a user, in bytes: the whole search must stay a small POST.
const USER_CLAUSE_MAX_BYTES: usize = 16 << 10;

/// The time by which a walk over issues is ordered and cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Axis {
    /// Creation time, which nobody can change.
    Created,
    /// Time of the last change: an edit moves an issue forward, never back.
    Updated,
}

impl Axis {
    /// The field's name, in JQL and in answers.
    pub(crate) fn field(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Clause {
    From(Axis, i64),
    Before(Axis, i64),
    Projects(Vec<ProjectKey>),
    NotProjects(Vec<ProjectKey>),
    Issues(Vec<i64>),
    User(UserClause),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Order {
    None,
    Time(Axis),
    Key,
}

/// A search: conditions that all hold, and an order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Jql {
    clauses: Vec<Clause>,
    order: Order,
}

impl Jql {
    /// Every visible issue.
    pub(crate) fn all() -> Self {
        Self { clauses: Vec::new(), order: Order::None }
    }

    /// At or after a time, epoch milliseconds. `i64::MIN` means no bound.
    pub(crate) fn from(mut self, axis: Axis, ms: i64) -> Self {
        if ms != i64::MIN {
            self.clauses.push(Clause::From(axis, ms));
        }
        self
    }

    /// Before a time, epoch milliseconds. `i64::MAX` means no bound.
    pub(crate) fn before(mut self, axis: Axis, ms: i64) -> Self {
        if ms != i64::MAX {
            self.clauses.push(Clause::Before(axis, ms));
        }
        self
    }

    /// In one of these projects; none means all.
    pub(crate) fn projects(mut self, keys: &[ProjectKey]) -> Self {
        if !keys.is_empty() {
            self.clauses.push(Clause::Projects(keys.to_vec()));
        }
        self
    }

    /// In none of these projects.
    pub(crate) fn not_projects(mut self, keys: &[ProjectKey]) -> Self {
        if !keys.is_empty() {
            self.clauses.push(Clause::NotProjects(keys.to_vec()));
        }
        self
    }

    /// One of these issues, by id. Jira refuses a condition with a deleted one, unless it is told not to check the condition.
    pub(crate) fn issues(mut self, ids: &[i64]) -> Self {
        self.clauses.push(Clause::Issues(ids.to_vec()));
        self
    }

    /// With a condition that every issue meets, if there is none: Jira Cloud refuses a search of everything.
    pub(crate) fn bounded(mut self) -> Self {
        if self.clauses.is_empty() {
            self.clauses.push(Clause::From(Axis::Created, 0));
        }
        self
    }

    /// Whether it names issues.
    pub(crate) fn names_issues(&self) -> bool {
        self.clauses.iter().any(|clause| matches!(clause, Clause::Issues(_)))
    }

    /// The user's own condition.
    pub(crate) fn user(mut self, clause: Option<&UserClause>) -> Self {
        self.clauses.extend(clause.cloned().map(Clause::User));
        self
    }

    /// By time, then key: the order of a key-set walk.
    pub(crate) fn by_time(mut self, axis: Axis) -> Self {
        self.order = Order::Time(axis);
        self
    }

    /// By key only: the order inside one second.
    pub(crate) fn by_key(mut self) -> Self {
        self.order = Order::Key;
        self
    }
}

impl fmt::Display for Jql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, clause) in self.clauses.iter().enumerate() {
            if at > 0 {
                f.write_str(" AND ")?;
            }
            clause.fmt(f)?;
        }
        let gap = if self.clauses.is_empty() { "" } else { " " };
        match self.order {
            Order::None => Ok(()),
            Order::Time(axis) => write!(f, "{gap}ORDER BY {} ASC, key ASC", axis.field()),
            Order::Key => write!(f, "{gap}ORDER BY key ASC"),
        }
    }
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::From(axis, ms) => write!(f, "{} >= {ms}", axis.field()),
            Self::Before(axis, ms) => write!(f, "{} < {ms}", axis.field()),
            Self::Projects(keys) | Self::NotProjects(keys) => {
                let is_not = matches!(self, Self::NotProjects(_));
                f.write_str(if is_not { "project not in (" } else { "project in (" })?;
                for (at, key) in keys.iter().enumerate() {
                    // Quoted, since a key may be a word of JQL; a key has no character that would need escaping.
                    write!(f, "{}\"{key}\"", if at > 0 { ", " } else { "" })?;
                }
                f.write_str(")")
            }
            Self::Issues(ids) => {
                let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
                write!(f, "id in ({})", ids.join(", "))
            }
            Self::User(clause) => write!(f, "({})", clause.0),
        }
    }
}

/// A user's condition that cannot leave its parentheses.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct UserClause(String);

impl UserClause {
    /// Checks quotes, escapes and parentheses. An empty text is no condition.
    pub(crate) fn parse(text: &str) -> Result<Option<Self>, SpecError> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        if text.len() > USER_CLAUSE_MAX_BYTES {
            return Err(SpecError::Jql(format!("it is longer than {USER_CLAUSE_MAX_BYTES} bytes")));
        }
        Scan::default().run(text)?;
        Ok(Some(Self(text.to_owned())))
    }
}

/// Walks over a condition, keeping the words outside quotes to find an ORDER BY.
#[derive(Default)]
struct Scan {
    depth: usize,
    quote: Option<char>,
    escaped: bool,
    word: String,
    last_word: String,
}

impl Scan {
    fn run(mut self, text: &str) -> Result<(), SpecError> {
        let refuse = |why: &str| Err(SpecError::Jql(why.to_owned()));
        for c in text.chars() {
            if c.is_control() && !matches!(c, '\n' | '\r' | '\t') {
                return refuse("it holds a control character");
            }
            self.step(c).or_else(refuse)?;
        }
        self.end_word().or_else(refuse)?;
        if self.quote.is_some() || self.escaped {
            return refuse("a quote or an escape is not closed");
        }
        if self.depth > 0 { refuse("a parenthesis is not closed") } else { Ok(()) }
    }

    fn step(&mut self, c: char) -> Result<(), &'static str> {
        if self.escaped {
            self.escaped = false;
            return Ok(());
        }
        if let Some(quote) = self.quote {
            self.escaped = c == '\\';
            self.quote = (c != quote).then_some(quote);
            return Ok(());
        }
        if c.is_alphanumeric() || c == '_' {
            self.word.extend(c.to_lowercase());
            return Ok(());
        }
        self.end_word()?;
        match c {
            '\\' => self.escaped = true,
            '"' | '\'' => self.quote = Some(c),
            '(' => self.depth += 1,
            ')' => {
                self.depth = self.depth.checked_sub(1).ok_or("a parenthesis is closed that was not opened")?
            }
            _ => {}
        }
        Ok(())
    }

    fn end_word(&mut self) -> Result<(), &'static str> {
        if self.word.is_empty() {
            return Ok(());
        }
        if self.word == "by" && self.last_word == "order" {
            return Err("it holds ORDER BY; leave the order out, it has no effect on tables");
        }
        self.last_word = std::mem::take(&mut self.word);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn clause(text: &str) -> UserClause {
        UserClause::parse(text).unwrap().unwrap()
    }

    #[test]
    fn a_slice_is_asked_in_epoch_milliseconds_and_key_order() {
        let keys = [ProjectKey::parse("AND").unwrap(), ProjectKey::parse("HSP").unwrap()];
        let jql = Jql::all()
            .from(Axis::Created, 1000)
            .before(Axis::Created, 2000)
            .projects(&keys)
            .user(Some(&clause("type = Bug OR x ~ \"a)\"")));
        assert_eq!(
            jql.by_time(Axis::Created).to_string(),
            "created >= 1000 AND created < 2000 AND project in (\"AND\", \"HSP\") AND (type = Bug OR x ~ \"a)\") ORDER BY created ASC, key ASC"
        );
    }

    #[test]
    fn issues_are_named_by_id() {
        let jql = Jql::all().issues(&[10_000, 10_001]);
        assert!(jql.names_issues());
        assert_eq!(jql.by_key().to_string(), "id in (10000, 10001) ORDER BY key ASC");
    }

    #[test]
    fn open_bounds_leave_no_clause() {
        let jql = Jql::all().from(Axis::Updated, i64::MIN).before(Axis::Updated, i64::MAX);
        assert_eq!(jql.by_key().to_string(), "ORDER BY key ASC");
    }

    #[test]
    fn a_condition_that_could_leave_its_parentheses_is_refused() {
        for text in [
            "a = b) OR (c = d",
            "a = \"b",
            "a = 'b\\'",
            "a = b \\",
            "(a = b",
            "a = b ORDER BY key",
            "a = b order\tby key",
            "a = b\u{0}",
            "a = \"x\\\" ) OR 1=1",
        ] {
            assert!(UserClause::parse(text).is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn quoted_text_may_hold_anything() {
        for text in [
            "summary ~ \"order by (\"",
            "summary ~ 'it''s'",
            "text ~ \"a \\\" )\"",
            "component = 'order' AND b = by",
            "reporter in (a, b)",
        ] {
            assert!(UserClause::parse(text).is_ok(), "{text:?} was refused");
        }
        assert_eq!(UserClause::parse("  ").unwrap(), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn an_accepted_condition_never_closes_the_parenthesis_around_it(text in "[a(\\\\)\"' ]{0,24}") {
            if !matches!(UserClause::parse(&text), Ok(Some(_))) {
                return Ok(());
            }
            // An independent reading: outside quotes and escapes the depth inside the added pair never falls to zero before the end.
            let wrapped = format!("({})", text.trim());
            let (mut depth, mut quote, mut escaped) = (0_i32, None, false);
            let last = wrapped.chars().count() - 1;
            for (at, c) in wrapped.chars().enumerate() {
                if escaped { escaped = false; continue; }
                if c == '\\' { escaped = true; continue; }
                if quote == Some(c) { quote = None; continue; }
                if quote.is_some() { continue; }
                match c {
                    '"' | '\'' => quote = Some(c),
                    '(' => depth += 1,
                    ')' => depth -= 1,
                    _ => {}
                }
                prop_assert!(depth > 0 || at == last, "left its parentheses: {}", text);
            }
            prop_assert!(depth == 0 && quote.is_none());
        }
    }
}
