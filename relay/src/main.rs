//! `uplink-relay`: the cloud side of Uplink.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    relay::start::main(relay::cli::Cli::parse())
}
