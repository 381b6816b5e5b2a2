//! What the tests of the workspace share: the simulated Jira and what an extraction of it must yield.

pub mod jira_sim;
pub mod truth;
