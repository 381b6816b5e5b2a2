//! The agent: a daemon on the premises that holds one outbound link to a relay, reads the Jira that its administrator permits, and
//! streams tables back. It keeps no data of Jira on disk, listens on no port, and treats everything that the relay sends as hostile.
//!
//! From the outside in: `commands` and `daemon` put the parts together; `link` keeps the link; `runs` and `run` do what comes over it;
//! `policy` is the trust boundary where the wire's words become the engine's; `secrets` opens passwords; `identity` and `enrol` say
//! who the agent is. Modules depend upwards only, in this order read from the end to the start.

pub mod cli;
pub mod error;

mod clock;
mod paths;
mod private_file;

mod config;
mod logs;

mod identity;
mod relay_address;
mod trust;

mod audit;
mod health;
mod lock;
mod manifest;
mod metrics;
mod policy;

mod breaker;
mod journal;

mod orders;
mod peers;
mod secrets;
mod signals;
mod signer;
mod status;
mod tickets;
mod vigil;

mod run;
mod runs;

mod link;
mod notify;
mod reach;
mod reload;

mod daemon;
mod doctor;
mod enrol;
mod leave;
pub mod service;

mod commands;

pub use commands::execute;
pub use doctor::catalogue;
