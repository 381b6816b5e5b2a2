//! `uplink-agent`: parse the command line, do it, report, exit.
#![expect(clippy::print_stderr, reason = "the one place where a failure is told to a person")]

use agent::cli::Cli;
use agent::error::Error;
use clap::Parser;
use std::process::ExitCode;

/// Parsing and encoding of pages is the engine's business and short; two threads keep memory small.
const WORKERS: usize = 2;

/// The heap of glibc keeps after a run what the run needed; this one gives it back (settings: `.cargo/config.toml`), and musl's is slow.
#[cfg(target_os = "linux")]
#[global_allocator]
static HEAP: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match start(cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("uplink-agent: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn start(cli: Cli) -> Result<u8, Error> {
    // An error means that a provider is installed already: nothing to do.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(2)
        .enable_all()
        .build();
    let runtime =
        runtime.map_err(|error| Error::System { action: "start the runtime", reason: error.to_string() })?;
    let outcome = runtime.block_on(agent::execute(cli));
    // A blocking read of standard input must not hold the end of the process.
    runtime.shutdown_background();
    outcome
}
