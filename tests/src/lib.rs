//! What the tests of the workspace share: the simulated Jira and what an extraction of it must yield, real processes of
//! relay and agent, a hostile relay, and a reader of Delta tables of the tests' own.
#![expect(clippy::print_stderr, reason = "what a test skips it says aloud")]
#![expect(clippy::expect_used, reason = "a test that cannot go on stops here and says why")]

pub mod cluster;
pub mod hostile_relay;
pub mod jira_sim;
pub mod lake_oracle;
pub mod middlebox;
#[cfg(target_os = "linux")]
pub mod premises_net;
pub mod truth;
