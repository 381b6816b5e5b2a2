//! `uplinkctl`, the user's command line: a pure client of the relay's HTTP API.

mod cli;
mod client;
mod commands;
mod config;
mod documents;
mod enrolment;
mod error;
mod figures;
mod follow;
mod ocel;
mod output;
mod secret;

use clap::Parser;
use cli::Cli;
use error::Error;
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    // The build holds one provider; a second call, which alone would fail, does not exist.
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let cli = Cli::parse();
    let action = commands::action(&cli.command);
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_closed_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when standard error is gone; the exit code still says it.
            std::io::stderr().write_all(error.render(&action).as_bytes()).ok();
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(cli: &Cli) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = client::Client::try_new(config::load(&cli.global)?)?;
        commands::run(&client, &cli.command, output::Output::new(cli.global.json)).await
    })
}
