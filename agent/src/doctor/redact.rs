//! Takes out what looks like a secret: the second wall of the support bundle.

use crate::config::Config;
use crate::secrets;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::path::Path;

/// What stands in the place of a secret.
const HIDDEN: &str = "(hidden)";
/// Words in the name of a key whose value is a secret, unless the name says that it only tells where one is.
const SECRET_WORDS: [&str; 6] = ["password", "secret", "token", "salt", "pepper", "authorization"];
/// Ends of the name of a key that only tells where a secret is, or how it is recognised.
const HARMLESS_ENDS: [&str; 6] = ["_file", "_credential", "_env", "_variable", "_fingerprint", "_digest"];
/// Words before a secret in a text.
const ANNOUNCERS: [&str; 2] = ["Basic ", "Bearer "];
/// The beginning of every enrolment token.
const TOKEN_PREFIX: &str = "upl1.";
/// Shorter values are not looked for in texts: they would be found everywhere.
const SECRET_CHARS_MIN: usize = 4;

/// Knows the secrets of this machine that a text could repeat.
pub(super) struct Redactor {
    known: Vec<SecretString>,
}

impl Redactor {
    /// Reads the passwords that the configuration names, to find them again.
    pub(super) fn new(config: Option<&Config>) -> Self {
        let Some(config) = config else { return Self { known: Vec::new() } };
        let of_jiras = config.jira.iter().flat_map(|jira| [&jira.password_file, &jira.proxy_password_file]);
        let others = [&config.proxy.password_file, &config.jira_path.proxy_password_file];
        let files = of_jiras.chain(others).filter_map(|file| file.get());
        let of_files = files.filter_map(|file: &Path| secrets::read_password(file).ok());
        let of_environment = config.jira.iter().filter_map(|jira| std::env::var(&jira.password_env).ok());
        Self { known: of_files.chain(of_environment.map(SecretString::from)).collect() }
    }

    /// A tree of settings without the values of secret keys.
    pub(super) fn tree(&self, value: Value) -> Value {
        match value {
            Value::Object(members) => Value::Object(
                members
                    .into_iter()
                    .map(|(name, value)| {
                        let value = if is_secret(&name) { hidden(&value) } else { self.tree(value) };
                        (name, value)
                    })
                    .collect(),
            ),
            Value::Array(items) => Value::Array(items.into_iter().map(|item| self.tree(item)).collect()),
            Value::String(text) => Value::String(self.text(&text)),
            Value::Null | Value::Bool(_) | Value::Number(_) => value,
        }
    }

    /// A text without the secrets that are known here, logins in addresses, tokens and authorization headers.
    pub(super) fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        let known = self.known.iter().map(ExposeSecret::expose_secret);
        for secret in known.filter(|secret| secret.chars().count() >= SECRET_CHARS_MIN) {
            text = text.replace(secret, HIDDEN);
        }
        text = after_each(&text, "://", login_end);
        text = after_each(&text, TOKEN_PREFIX, |rest| Some(word_end(rest)));
        for announcer in ANNOUNCERS {
            text = after_each(&text, announcer, |rest| Some(word_end(rest)));
        }
        text
    }
}

fn is_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    SECRET_WORDS.iter().any(|word| key.contains(word)) && !HARMLESS_ENDS.iter().any(|end| key.ends_with(end))
}

/// An empty value says something and hides nothing.
fn hidden(value: &Value) -> Value {
    match value {
        Value::Null | Value::Bool(_) => value.clone(),
        Value::String(text) if text.is_empty() => value.clone(),
        _ => Value::String(HIDDEN.to_owned()),
    }
}

/// Hides, after each occurrence of `mark`, as many bytes as `length` says.
fn after_each(text: &str, mark: &str, length: impl Fn(&str) -> Option<usize>) -> String {
    let mut done = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(mark) {
        done.push_str(before);
        done.push_str(mark);
        let hide = length(after).filter(|hide| *hide > 0);
        if hide.is_some() {
            done.push_str(HIDDEN);
        }
        rest = after.get(hide.unwrap_or(0)..).unwrap_or_default();
    }
    done + rest
}

/// The bytes of `user:password` in an address, if there is one.
fn login_end(rest: &str) -> Option<usize> {
    let authority = rest.get(..rest.find(['/', '?', '#', '"', ' ', '\n', '\\']).unwrap_or(rest.len()))?;
    authority.rfind('@')
}

fn word_end(rest: &str) -> usize {
    rest.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ';' | '\\')).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn redactor() -> Redactor {
        Redactor { known: vec![SecretString::from("c4nary Pass"), SecretString::from("abc")] }
    }

    #[test]
    fn secret_keys_lose_their_values_and_places_stay() {
        let tree = json!({"proxy": {"url": "http://u:pw@p:3128", "password": "pw", "password_file": "/etc/p", "token": ""},
            "jira": [{"url": "https://jira", "password_file": "j", "mask_secret": "m"}], "token_digest": "ab", "n": 5});
        let wanted = json!({"proxy": {"url": "http://(hidden)@p:3128", "password": "(hidden)", "password_file": "/etc/p", "token": ""},
            "jira": [{"url": "https://jira", "password_file": "j", "mask_secret": "(hidden)"}], "token_digest": "ab", "n": 5});
        assert_eq!(redactor().tree(tree), wanted);
    }

    #[test]
    fn texts_lose_known_secrets_logins_tokens_and_headers() {
        let text = |text: &str| redactor().text(text);
        assert_eq!(text("as reader with c4nary Pass: no"), "as reader with (hidden): no");
        assert_eq!(text("to socks5://me:p@ss@proxy:1080/x, ok"), "to socks5://(hidden)@proxy:1080/x, ok");
        assert_eq!(text("token upl1.abcDEF.x12 used"), "token upl1.(hidden) used");
        assert_eq!(text("Authorization: Basic cmVhZGVy\nHost: x"), "Authorization: Basic (hidden)\nHost: x");
        assert_eq!(text("{\"a\":\"Bearer tok\"}"), "{\"a\":\"Bearer (hidden)\"}");
    }

    #[test]
    fn harmless_texts_stay_as_they_are() {
        for text in ["https://jira.corp/jira", "mail a@b.c about https://x/y", "abc", "", "Basic", "://"] {
            assert_eq!(redactor().text(text), text);
        }
    }
}
