//! JQL text to tokens.

/// A piece of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    /// Unquoted.
    Word(String),
    /// In single or double quotes.
    Quoted(String),
    Open,
    Close,
    Comma,
    /// `=`, `!=`, `<`, `<=`, `>`, `>=`, `~`, `!~`.
    Operator(String),
    /// `!` before a condition.
    Bang,
}

/// A token and where it begins (character of the only line, from 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) token: Token,
    pub(crate) at: usize,
}

const RESERVED: &str = "?*/%^$#@[];{}+\u{60}\\";

/// Cuts a query into tokens.
///
/// # Errors
/// Jira's text for a character out of place or a quote without end.
pub(crate) fn tokens(jql: &str) -> Result<Vec<Placed>, String> {
    let chars: Vec<char> = jql.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(char) = chars.get(at) {
        let start = at;
        let token = match char {
            c if c.is_whitespace() => {
                at += 1;
                continue;
            }
            '(' => single(&mut at, Token::Open),
            ')' => single(&mut at, Token::Close),
            ',' => single(&mut at, Token::Comma),
            '&' | '|' => {
                at += if chars.get(at + 1) == Some(char) { 2 } else { 1 };
                Token::Word(if *char == '&' { "AND".into() } else { "OR".into() })
            }
            '=' | '!' | '<' | '>' | '~' => operator(&chars, &mut at),
            '"' | '\'' => quoted(&chars, &mut at)?,
            c if RESERVED.contains(*c) => {
                return Err(format!(
                    "Error in the JQL Query: The character '{c}' is a reserved JQL character. You must enclose it in a string or use the escape '\\u{:04x}' instead. (line 1, character {})",
                    u32::from(*c),
                    start + 1
                ));
            }
            _ => word(&chars, &mut at),
        };
        found.push(Placed { token, at: start + 1 });
    }
    Ok(found)
}

fn single(at: &mut usize, token: Token) -> Token {
    *at += 1;
    token
}

fn operator(chars: &[char], at: &mut usize) -> Token {
    let first = chars[*at];
    let second = chars.get(*at + 1).copied();
    *at += 1;
    match (first, second) {
        ('!' | '<' | '>', Some('=')) | ('!', Some('~')) => {
            *at += 1;
            Token::Operator([first, second.unwrap_or('=')].iter().collect())
        }
        ('!', _) => Token::Bang,
        _ => Token::Operator(first.to_string()),
    }
}

fn quoted(chars: &[char], at: &mut usize) -> Result<Token, String> {
    let quote = chars[*at];
    let start = *at;
    let mut text = String::new();
    *at += 1;
    while let Some(char) = chars.get(*at) {
        *at += 1;
        match char {
            '\\' => {
                let escaped = chars.get(*at).copied().unwrap_or('\\');
                *at += 1;
                text.push(match escaped {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    other => other,
                });
            }
            c if *c == quote => return Ok(Token::Quoted(text)),
            c => text.push(*c),
        }
    }
    Err(format!(
        "Error in the JQL Query: The quoted string '{text}' has not been completed. (line 1, character {})",
        start + 1
    ))
}

fn word(chars: &[char], at: &mut usize) -> Token {
    let start = *at;
    while let Some(char) = chars.get(*at) {
        if char.is_whitespace()
            || "()=!<>,~\"'&|".contains(*char)
            || RESERVED.contains(*char) && *char != '[' && *char != ']'
        {
            break;
        }
        *at += 1;
    }
    Token::Word(chars[start..*at].iter().collect())
}
