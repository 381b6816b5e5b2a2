//! Log lines: for people on a terminal, JSON for a service. They go to standard error, so that standard output is the command's own.
//! Lines of a run carry `run` and `connection`, because they are written inside the run's span.

use crate::cli::{LogFormat, LogLevel};
use crate::error::Error;
use std::io::{self, IsTerminal};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts the log of this process.
///
/// # Errors
/// When the process already has one.
pub(crate) fn start(level: LogLevel, format: LogFormat) -> Result<(), Error> {
    let human = match format {
        LogFormat::Human => true,
        LogFormat::Json => false,
        LogFormat::Auto => io::stderr().is_terminal(),
    };
    let layer = if human { human_layer().boxed() } else { json_layer().boxed() };
    tracing_subscriber::registry()
        .with(layer.with_filter(filter(level)))
        .try_init()
        .map_err(|error| Error::System { action: "start the log", reason: error.to_string() })
}

/// Only the workspace's own crates follow the level: lines of HTTP and TLS libraries could hold headers, and with them a password.
fn filter(level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    Targets::new().with_targets([("agent", level), ("jira", level), ("protocol", level)])
}

fn human_layer<S>() -> impl Layer<S>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
}

fn json_layer<S>() -> impl Layer<S>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    tracing_subscriber::fmt::layer().json().flatten_event(true).with_span_list(false).with_writer(io::stderr)
}
