//! The agent's log: one event a line, each with a stable `event` name (docs/logs.md lists them). It goes to exactly one place: the file
//! that the configuration names, else the journal of systemd with a field for each member, else standard error, so that standard
//! output is the command's own. Lines of a run carry `run` and `connection`, because they are written inside the run's span.

mod fold;
mod follow;
mod journal;
mod level;
mod rolling;

pub(crate) use follow::{Source, follow};
pub(crate) use level::order_level;

use crate::cli::{LogFormat, LogLevel};
use crate::config;
use crate::error::Error;
use crate::paths::Paths;
use fold::Fold;
use rolling::{RollingFile, RollingLimits};
use std::io::{self, IsTerminal};
use std::sync::Mutex;
use std::time::Duration;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{FilterExt, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, reload};

/// Lines that came again are counted for so long before the count is written.
const FOLD_EVERY: Duration = Duration::from_secs(60);

/// What can be changed about the log while the agent runs.
pub(crate) struct Control {
    set: Box<dyn Fn(LogLevel) + Send + Sync>,
    /// The level of the command line or the configuration.
    base: Mutex<LogLevel>,
    /// The command line fixes the level.
    is_fixed: bool,
    now: Mutex<LogLevel>,
    fold: Fold,
}

/// Starts the log of this process.
///
/// # Errors
/// When the file cannot be written, or the process already has a log.
pub(crate) fn start(level: LogLevel, format: LogFormat, settings: &config::Log) -> Result<Control, Error> {
    let fold = Fold::new(FOLD_EVERY);
    let (filter, handle) = reload::Layer::new(targets(level));
    let shape = |format, terminal| match format {
        LogFormat::Human => Shape::People { colours: terminal },
        LogFormat::Auto if terminal => Shape::People { colours: true },
        LogFormat::Auto | LogFormat::Json => Shape::Json,
    };
    let layer = match settings.file.get() {
        Some(path) => {
            let file =
                RollingFile::open(path, RollingLimits::from(settings)).map_err(Error::file("open", path))?;
            written(shape(format, false), Mutex::new(file))
        }
        None => match journal::layer().filter(|_| format == LogFormat::Auto) {
            Some(journal) => journal.boxed(),
            None => written(shape(format, io::stderr().is_terminal()), io::stderr),
        },
    };
    Registry::default()
        .with(layer.with_filter(filter.and(fold.clone())))
        .try_init()
        .map_err(|error| Error::System { action: "start the log", reason: error.to_string() })?;
    let set = Box::new(move |level| {
        if let Err(error) = handle.reload(targets(level)) {
            tracing::warn!(event = "log_level_kept", %error, "the level of the log could not be changed");
        }
    });
    Ok(Control { set, base: Mutex::new(level), is_fixed: false, now: Mutex::new(level), fold })
}

impl Control {
    /// The level is the command line's, whatever a configuration says later.
    pub(crate) fn fixed(self) -> Self {
        Self { is_fixed: true, ..self }
    }

    /// The level of a configuration that was read again.
    pub(crate) fn rebase(&self, level: LogLevel) {
        if !self.is_fixed {
            *lock(&self.base) = level;
        }
    }

    /// Puts the ordered level in force, or takes it back when its time is over.
    pub(crate) fn obey(&self, paths: &Paths) {
        let ordered = level::ordered(paths, crate::clock::now_ms());
        let wanted = ordered.unwrap_or_else(|| *lock(&self.base));
        let mut now = lock(&self.now);
        if *now != wanted {
            *now = wanted;
            // At least at info, so that the change itself is seen.
            (self.set)(wanted);
            tracing::warn!(
                event = "log_level_changed",
                level = wanted.name(),
                ordered = ordered.is_some(),
                "the log has another level now"
            );
        }
    }

    /// Writes now and then how often lines came again, until dropped.
    pub(crate) async fn keep_counting(&self) {
        loop {
            tokio::time::sleep(FOLD_EVERY).await;
            for (of, count) in self.fold.take() {
                tracing::info!(event = "lines_folded", of, count, "the same line came again so often");
            }
        }
    }
}

fn lock(level: &Mutex<LogLevel>) -> std::sync::MutexGuard<'_, LogLevel> {
    level.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Only the workspace's own crates follow the level: lines of HTTP and TLS libraries could hold headers, and with them a password.
fn targets(level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    Targets::new().with_targets([("agent", level), ("jira", level), ("protocol", level)])
}

/// How lines look.
enum Shape {
    People { colours: bool },
    Json,
}

fn written<W>(shape: Shape, to: W) -> Box<dyn Layer<Registry> + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer();
    match shape {
        Shape::People { colours } => layer.with_writer(to).with_ansi(colours).with_target(false).boxed(),
        Shape::Json => layer.json().flatten_event(true).with_span_list(false).with_writer(to).boxed(),
    }
}
