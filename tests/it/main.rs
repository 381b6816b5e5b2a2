//! The journeys of a user and the invariants of the design, over real processes. One binary: one link, shared set-up.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that cannot go on stops there, and says aloud what it skips"
)]

mod bad_input;
mod bounded;
mod choice;
mod cloud;
mod come_back;
mod control_tables;
mod direct;
mod discover;
mod doctor;
mod engine;
mod events;
mod evidence;
mod exactly_once;
mod flood;
mod health;
mod hostile;
mod identity;
mod judge;
mod leaving;
mod login;
#[cfg(target_os = "linux")]
mod named_tables;
mod network;
mod packages;
mod password;
mod pause;
mod policy;
mod premises;
mod process_mining;
mod read_only;
#[cfg(target_os = "linux")]
mod rebinding;
#[cfg(unix)]
mod reload;
mod resumable;
mod site;
mod tidy;
mod versions;
mod watching;
mod wire;
