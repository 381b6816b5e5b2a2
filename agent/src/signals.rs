//! What the operating system asks of the running agent: to end, or to read its configuration again.

use crate::error::Error;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Signals, heard from the start of the process to its end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signals {
    /// Cancelled when the process is asked to end.
    pub(crate) stop: CancellationToken,
    /// Woken by SIGHUP, where there is such a thing.
    pub(crate) hang_up: Arc<Notify>,
}

impl Signals {
    /// Begins to listen.
    ///
    /// # Errors
    /// When the system does not let a handler be set.
    #[cfg(unix)]
    pub(crate) fn listen() -> Result<Self, Error> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| {
            signal(kind)
                .map_err(|error| Error::System { action: "listen for signals", reason: error.to_string() })
        };
        let (mut terminate, mut interrupt) =
            (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
        let mut hang_up = listen(SignalKind::hangup())?;
        let signals = Self::default();
        let heard = signals.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = terminate.recv() => break,
                    _ = interrupt.recv() => break,
                    _ = hang_up.recv() => heard.hang_up.notify_one(),
                }
            }
            tracing::info!(event = "stop_asked", "the process was asked to end");
            heard.stop.cancel();
        });
        Ok(signals)
    }

    /// Begins to listen.
    #[cfg(not(unix))]
    #[expect(clippy::unnecessary_wraps, reason = "on other systems it can fail")]
    pub(crate) fn listen() -> Result<Self, Error> {
        let signals = Self::default();
        let heard = signals.clone();
        tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                heard.stop.cancel();
            }
        });
        Ok(signals)
    }
}
