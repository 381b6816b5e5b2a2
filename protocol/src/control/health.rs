//! What an agent says of itself and of the Jiras that it reads.

use super::Failure;
use serde::{Deserialize, Serialize};

/// Whether a Jira answers the agent, end to end: through the premises' policy, proxy and trust.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JiraHealth {
    /// Its address.
    pub site: String,
    /// Whether it is healthy.
    pub state: JiraState,
    /// When it last answered a request, UTC milliseconds by the agent's clock.
    #[serde(default)]
    pub answered_ms: Option<i64>,
    /// When it was last asked.
    #[serde(default)]
    pub asked_ms: Option<i64>,
    /// Its version, as it said itself.
    #[serde(default)]
    pub version: Option<String>,
    /// What the last question failed with.
    #[serde(default)]
    pub failure: Option<Failure>,
}

/// The state of a Jira as the agent sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JiraState {
    /// It answered lately.
    Healthy,
    /// It did not.
    Unhealthy,
    /// Not asked yet, or not lately.
    #[default]
    #[serde(other)]
    Unknown,
}

/// Something that went wrong at an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentTrouble {
    /// UTC milliseconds by the agent's clock.
    pub at_ms: i64,
    /// `link`, or a run.
    pub about: String,
    /// Stable snake_case code.
    pub code: String,
    /// A sentence.
    pub message: String,
}
