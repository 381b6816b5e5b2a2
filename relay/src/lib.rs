//! The cloud side of Uplink: sessions with agents, the life of runs, the lake of Delta tables, and the HTTP API.
//!
//! One process, one data folder. Everything that is promised to anybody is in the store or in the lake before the promise is
//! made; what is only in memory (who is online, how far a run is this second) is said again after a restart.
//!
//! Modules, from the top: [`start`] wires; `server`, `session` and `api` talk; `direct` reads; `run`, `enrol` and `uplinks` decide; `store` and
//! `lake` keep.

mod allocator;
mod api;
mod auth;
pub mod cli;
mod clock;
pub mod config;
mod direct;
mod enrol;
pub mod error;
mod lake;
mod logs;
mod node;
mod private_file;
mod run;
mod server;
mod session;
pub mod start;
mod store;
#[cfg(test)]
mod testing;
pub mod tls;
mod uplinks;
