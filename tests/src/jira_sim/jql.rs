//! The part of JQL that the simulator speaks, with Jira's own error texts.
//!
//! `AND`, `OR`, `NOT`, parentheses; comparisons on project, key (and its alias `id`), issue type, status,
//! priority, created and updated; `ORDER BY` on created, updated, key and id.

pub(crate) mod dates;
mod lexer;
mod parser;

pub(crate) use parser::parse;

/// A value as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// An unquoted whole number.
    Number(i64),
    /// A quoted or unquoted text.
    Text(String),
    /// A function without arguments, such as `now()`.
    Function(String),
    /// `EMPTY` or `NULL`.
    Empty,
}

impl Value {
    /// As error messages show it.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
            Self::Function(name) => format!("{name}()"),
            Self::Empty => "EMPTY".to_owned(),
        }
    }
}

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
    Like,
    NotLike,
    Is,
    IsNot,
    Was,
}

impl Operator {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::In => "in",
            Self::NotIn => "not in",
            Self::Like => "~",
            Self::NotLike => "!~",
            Self::Is => "is",
            Self::IsNot => "is not",
            Self::Was => "was",
        }
    }
}

/// One comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Clause {
    pub(crate) field: String,
    pub(crate) operator: Operator,
    pub(crate) values: Vec<Value>,
}

/// A condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tree {
    And(Vec<Tree>),
    Or(Vec<Tree>),
    Not(Box<Tree>),
    Is(Clause),
}

/// `ORDER BY` one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) field: String,
    pub(crate) descending: Option<bool>,
}

/// A whole query; no condition finds every issue.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Query {
    pub(crate) condition: Option<Tree>,
    pub(crate) order: Vec<Order>,
}
