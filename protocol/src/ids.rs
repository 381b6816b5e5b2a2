//! The names of things on the wire: newtypes, so that one kind of id is never taken for another.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

text_id! {
    /// One run of an extraction, made by the relay (`run_17`).
    RunId
}
text_id! {
    /// One enrolled agent, made by the relay at enrolment.
    AgentId
}
text_id! {
    /// One question that expects an answer with the same id (a connection test).
    RequestId
}

/// How often a run was handed to an agent; a message with an older lease has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lease(pub u32);

/// One part in transit on one link; never reused within a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StreamId(pub u32);

/// The name of a part within its run: unique over leases, so a name always means the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PartId(pub String);

impl PartId {
    /// Names the `sequence`-th part that `lease` of a run produced.
    pub fn new(lease: Lease, sequence: u64) -> Self {
        Self(format!("{:04}-{sequence:06}", lease.0))
    }

    /// Whether the text has the form that [`PartId::new`] gives; everything else is refused before it reaches a file name.
    pub fn is_well_formed(&self) -> bool {
        let Some((lease, sequence)) = self.0.split_once('-') else { return false };
        let digits =
            |text: &str| !text.is_empty() && text.len() <= 12 && text.bytes().all(|b| b.is_ascii_digit());
        digits(lease) && digits(sequence)
    }
}

impl fmt::Display for PartId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
