//! Tokens to a query.

use super::lexer::{Placed, Token, tokens};
use super::{Clause, Operator, Order, Query, Tree, Value};

const PREFIX: &str = "Error in the JQL Query: ";
const OPERATORS: &str =
    "The valid operators are '=', '!=', '<', '>', '<=', '>=', '~', '!~', 'IN', 'NOT IN', 'IS' and 'IS NOT'.";

struct Parser {
    tokens: Vec<Placed>,
    at: usize,
}

/// Reads a query.
///
/// # Errors
/// Jira's text of the syntax error.
pub(crate) fn parse(jql: &str) -> Result<Query, String> {
    let mut parser = Parser { tokens: tokens(jql)?, at: 0 };
    let mut query = Query::default();
    if parser.tokens.is_empty() {
        return Ok(query);
    }
    if !parser.is_word(0, "order") {
        query.condition = Some(parser.disjunction()?);
    }
    if parser.is_word(0, "order") {
        query.order = parser.order()?;
    }
    match parser.tokens.get(parser.at) {
        None => Ok(query),
        Some(rest) => Err(format!(
            "{PREFIX}Expecting either 'OR' or 'AND' but got '{}'. (line 1, character {})",
            shown(&rest.token),
            rest.at
        )),
    }
}

fn shown(token: &Token) -> String {
    match token {
        Token::Word(text) | Token::Quoted(text) | Token::Operator(text) => text.clone(),
        Token::Open => "(".into(),
        Token::Close => ")".into(),
        Token::Comma => ",".into(),
        Token::Bang => "!".into(),
    }
}

impl Parser {
    fn peek(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.at + ahead).map(|placed| &placed.token)
    }

    fn is_word(&self, ahead: usize, word: &str) -> bool {
        matches!(self.peek(ahead), Some(Token::Word(text)) if text.eq_ignore_ascii_case(word))
    }

    fn take(&mut self, token: &Token) -> bool {
        let found = self.peek(0) == Some(token);
        self.at += usize::from(found);
        found
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(0, word);
        self.at += usize::from(found);
        found
    }

    /// "Expecting WHAT before the end of the query." or "... but got 'X'."
    fn expecting(&self, what: &str, hint: &str) -> String {
        let hint = if hint.is_empty() { String::new() } else { format!(" {hint}") };
        match self.tokens.get(self.at) {
            None => format!("{PREFIX}Expecting {what} before the end of the query.{hint}"),
            Some(found) => format!(
                "{PREFIX}Expecting {what} but got '{}'.{hint} (line 1, character {})",
                shown(&found.token),
                found.at
            ),
        }
    }

    fn disjunction(&mut self) -> Result<Tree, String> {
        let mut parts = vec![self.conjunction()?];
        while self.take_word("or") {
            parts.push(self.conjunction()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Tree::Or(parts) })
    }

    fn conjunction(&mut self) -> Result<Tree, String> {
        let mut parts = vec![self.negation()?];
        while self.take_word("and") {
            parts.push(self.negation()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Tree::And(parts) })
    }

    fn negation(&mut self) -> Result<Tree, String> {
        if self.take_word("not") || self.take(&Token::Bang) {
            return Ok(Tree::Not(Box::new(self.negation()?)));
        }
        if self.take(&Token::Open) {
            let inner = self.disjunction()?;
            if !self.take(&Token::Close) {
                return Err(self.expecting("')'", ""));
            }
            return Ok(inner);
        }
        self.clause().map(Tree::Is)
    }

    fn clause(&mut self) -> Result<Clause, String> {
        let field = match self.peek(0) {
            Some(Token::Word(text) | Token::Quoted(text)) => text.clone(),
            _ => return Err(self.expecting("a field name", "")),
        };
        self.at += 1;
        let operator = self.operator()?;
        let values = match operator {
            Operator::In | Operator::NotIn => self.list()?,
            _ => vec![self.value()?],
        };
        Ok(Clause { field, operator, values })
    }

    fn operator(&mut self) -> Result<Operator, String> {
        let operator = match self.peek(0) {
            Some(Token::Operator(text)) => match text.as_str() {
                "=" => Operator::Equal,
                "!=" => Operator::NotEqual,
                "<" => Operator::Less,
                "<=" => Operator::LessOrEqual,
                ">" => Operator::Greater,
                ">=" => Operator::GreaterOrEqual,
                "~" => Operator::Like,
                _ => Operator::NotLike,
            },
            Some(Token::Word(word)) => match word.to_lowercase().as_str() {
                "in" => Operator::In,
                "not" if self.is_word(1, "in") => {
                    self.at += 1;
                    Operator::NotIn
                }
                "is" if self.is_word(1, "not") => {
                    self.at += 1;
                    Operator::IsNot
                }
                "is" => Operator::Is,
                "was" | "changed" => Operator::Was,
                _ => return Err(self.expecting("operator", OPERATORS)),
            },
            _ => return Err(self.expecting("operator", OPERATORS)),
        };
        self.at += 1;
        Ok(operator)
    }

    fn list(&mut self) -> Result<Vec<Value>, String> {
        if !self.take(&Token::Open) {
            return Err(self.expecting("'('", ""));
        }
        let mut values = vec![self.value()?];
        while self.take(&Token::Comma) {
            values.push(self.value()?);
        }
        if !self.take(&Token::Close) {
            return Err(self.expecting("')'", ""));
        }
        Ok(values)
    }

    fn value(&mut self) -> Result<Value, String> {
        let value = match self.peek(0) {
            Some(Token::Quoted(text)) => Value::Text(text.clone()),
            Some(Token::Word(word))
                if self.peek(1) == Some(&Token::Open) && self.peek(2) == Some(&Token::Close) =>
            {
                let name = word.clone();
                self.at += 2;
                Value::Function(name)
            }
            Some(Token::Word(word)) => match word.parse() {
                Ok(number) => Value::Number(number),
                Err(_) if word.eq_ignore_ascii_case("empty") || word.eq_ignore_ascii_case("null") => {
                    Value::Empty
                }
                Err(_) => Value::Text(word.clone()),
            },
            _ => return Err(self.expecting("either a value, list or function", "")),
        };
        self.at += 1;
        Ok(value)
    }

    fn order(&mut self) -> Result<Vec<Order>, String> {
        self.at += 1;
        if !self.take_word("by") {
            return Err(self.expecting("'BY'", ""));
        }
        let mut order = Vec::new();
        loop {
            let field = match self.peek(0) {
                Some(Token::Word(text) | Token::Quoted(text)) => text.clone(),
                _ => return Err(self.expecting("a field name", "")),
            };
            self.at += 1;
            let descending = if self.take_word("desc") {
                Some(true)
            } else if self.take_word("asc") {
                Some(false)
            } else {
                None
            };
            order.push(Order { field, descending });
            if !self.take(&Token::Comma) {
                return Ok(order);
            }
        }
    }
}
