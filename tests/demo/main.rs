//! `cargo demo`: the whole of Uplink on one machine. Builds the programs, starts a Jira, a relay and an agent as processes of
//! their own, and walks through them with the commands that a user would type.

mod build;
mod cli;
mod error;
mod folder;
mod premises;
mod process;
mod simulator;
mod steps;
mod tour;

use clap::Parser;
use cli::Flags;
use error::DemoError;
use std::process::ExitCode;

fn main() -> ExitCode {
    let flags = Flags::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return tour::failed(&DemoError::System(error.to_string())),
    };
    // Leaving the block drops the steps, and with them every child process.
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = steps::run(&flags) => outcome,
            () = interrupted() => Err(DemoError::Interrupted),
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => tour::failed(&error),
    }
}

#[cfg(unix)]
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminated) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated.recv() => {}
    }
}

#[cfg(not(unix))]
async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
