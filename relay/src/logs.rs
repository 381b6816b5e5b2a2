//! Log lines on stderr: for a person on a terminal, one JSON document a line otherwise.

use crate::config::{Log, LogFormat};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Starts logging; a wrong filter is an error of the configuration.
pub(crate) fn start(log: &Log) -> Result<(), String> {
    let filter = EnvFilter::try_new(&log.filter).map_err(|error| error.to_string())?;
    let on_terminal = std::io::stderr().is_terminal();
    let human = match log.format {
        LogFormat::Auto => on_terminal,
        LogFormat::Human => true,
        LogFormat::Json => false,
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if human {
        builder.with_ansi(on_terminal).with_target(false).try_init().map_err(|error| error.to_string())
    } else {
        builder.json().flatten_event(true).try_init().map_err(|error| error.to_string())
    }
}
