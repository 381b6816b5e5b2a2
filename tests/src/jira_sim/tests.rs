//! The simulator's own tests, over real sockets.

mod client;
mod cloud;
mod contract;
mod edits;
mod faults;
mod jql;
mod login;
mod recorded;
mod schema;
mod search;
mod site;

use client::Client;

use super::{JiraSim, RunningSim, SimConfig};

/// A simulator of 300 issues and a client that is logged in.
fn small() -> (RunningSim, Client) {
    start(SimConfig::generated(300, 7))
}

fn start(config: SimConfig) -> (RunningSim, Client) {
    let sim = JiraSim::start(config).unwrap();
    let client = Client::new(&sim);
    (sim, client)
}
