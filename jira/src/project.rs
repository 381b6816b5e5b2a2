//! Keys of projects.

use crate::refused::SpecError;
use std::fmt;

/// A project key: letters, digits and underscores, starting with a letter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProjectKey(String);

/// Longest project key Jira allows.
const PROJECT_KEY_MAX: usize = 255;

impl ProjectKey {
    /// Takes a key as typed by a person.
    pub fn parse(text: &str) -> Result<Self, SpecError> {
        let text = text.trim();
        let starts_well = text.starts_with(|c: char| c.is_ascii_alphabetic());
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if starts_well && plain && text.len() <= PROJECT_KEY_MAX {
            return Ok(Self(text.to_owned()));
        }
        Err(SpecError::ProjectKey(text.chars().take(64).collect()))
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
