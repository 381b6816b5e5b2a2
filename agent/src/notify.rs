//! What the service manager hears (systemd's notification protocol): that the agent is ready, a line of status, that it lives, that
//! it stops. It is told that the agent lives only while the [`Vigil`] over the links is kept.

use crate::status::Board;
use crate::vigil::Vigil;
use tokio_util::sync::CancellationToken;

/// Tells the service manager, where there is one, until dropped.
#[cfg(unix)]
pub(crate) async fn keep_told(board: &Board, vigil: &Vigil, stop: &CancellationToken) {
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return std::future::pending().await;
    }
    let tell = |states: &[sd_notify::NotifyState<'_>]| {
        if let Err(error) = sd_notify::notify(states) {
            tracing::debug!(event = "manager_unheard", %error, "the service manager could not be told");
        }
    };
    // Three times in the manager's patience, so that one late turn is no death.
    let feed_every = sd_notify::watchdog_enabled().map(|patience| patience / 3);
    unix::Teller::new(tell, feed_every).keep_told(board.subscribe(), vigil, stop).await;
}

#[cfg(not(unix))]
pub(crate) async fn keep_told(_: &Board, _: &Vigil, _: &CancellationToken) {
    std::future::pending().await
}

#[cfg(unix)]
mod unix {
    use super::Vigil;
    use crate::policy;
    use crate::status::{LinkState, Status};
    use sd_notify::NotifyState;
    use std::time::Duration;
    use tokio::sync::watch;
    use tokio::time::{Interval, MissedTickBehavior};
    use tokio_util::sync::CancellationToken;

    const STUCK: &str = "The link's supervisor is stuck, waiting to be restarted";

    /// Tells through `tell`, which in a test keeps what it hears.
    pub(super) struct Teller<F> {
        tell: F,
        feed: Option<Interval>,
        said: String,
    }

    enum Happening {
        Changed,
        Feed,
        Stop,
    }

    impl<F: FnMut(&[NotifyState<'_>])> Teller<F> {
        pub(super) fn new(tell: F, feed_every: Option<Duration>) -> Self {
            let feed = feed_every.filter(|every| !every.is_zero()).map(|every| {
                let mut feed = tokio::time::interval(every);
                feed.set_missed_tick_behavior(MissedTickBehavior::Delay);
                feed
            });
            Self { tell, feed, said: String::new() }
        }

        pub(super) async fn keep_told(
            mut self,
            mut status: watch::Receiver<Status>,
            vigil: &Vigil,
            stop: &CancellationToken,
        ) {
            vigil.begun().await;
            (self.tell)(&[NotifyState::Ready]);
            self.say(&line(&status.borrow_and_update()));
            loop {
                match self.next(&mut status, stop).await {
                    Happening::Changed => self.say(&line(&status.borrow_and_update())),
                    Happening::Feed if vigil.is_kept() => {
                        (self.tell)(&[NotifyState::Watchdog]);
                        self.say(&line(&status.borrow()));
                    }
                    Happening::Feed => self.starve(),
                    Happening::Stop => break,
                }
            }
            (self.tell)(&[NotifyState::Stopping, NotifyState::Status("Saying goodbye to the relay")]);
            std::future::pending().await
        }

        async fn next(
            &mut self,
            status: &mut watch::Receiver<Status>,
            stop: &CancellationToken,
        ) -> Happening {
            let feed = async {
                match &mut self.feed {
                    Some(feed) => drop(feed.tick().await),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => Happening::Stop,
                Ok(()) = status.changed() => Happening::Changed,
                () = feed => Happening::Feed,
            }
        }

        /// Says aloud why the manager will lose patience.
        fn starve(&mut self) {
            tracing::error!(
                event = "link_stuck",
                "the link's supervisor is stuck; the service manager will restart the agent"
            );
            (self.tell)(&[NotifyState::Status(STUCK)]);
            self.said.clear();
        }

        fn say(&mut self, line: &str) {
            if self.said != line {
                (self.tell)(&[NotifyState::Status(line)]);
                line.clone_into(&mut self.said);
            }
        }
    }

    /// One line for `systemctl status`: counts and names, nothing of Jira's.
    fn line(status: &Status) -> String {
        let link = match status.link.state {
            LinkState::Up => format!("Linked to {}", status.relay),
            LinkState::Connecting => format!("Dialling {}", status.relay),
            LinkState::Waiting => {
                let why = status.last_error.as_ref().filter(|error| error.about == "link");
                let next = status.link.next_attempt_at.as_deref().unwrap_or("any moment");
                format!(
                    "No link to {}, next attempt at {next}{}",
                    status.relay,
                    why.map(|error| format!(": {}", error.message)).unwrap_or_default()
                )
            }
            LinkState::Refused => format!("Refused by {} until somebody acts", status.relay),
            LinkState::Stopped => "Stopped".to_owned(),
        };
        let halted = status.halted.as_ref().map(|why| format!("; {why}")).unwrap_or_default();
        let runs = match status.runs.len() {
            0 => String::new(),
            1 => "; 1 run".to_owned(),
            more => format!("; {more} runs"),
        };
        policy::shortened_line(&format!("{link}{runs}{halted}"))
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use crate::status::Board;
        use crate::status::tests::board;
        use crate::vigil::Pulse;
        use tokio::sync::mpsc;

        const EVERY: Duration = Duration::from_millis(5);
        const LONG: Duration = Duration::from_secs(3600);

        struct Told {
            heard: mpsc::UnboundedReceiver<String>,
            pulse: Pulse,
            board: Board,
            stop: CancellationToken,
        }

        /// A teller at work over one link that has promised nothing yet.
        fn told() -> Told {
            let (vigil, board, stop) = (Vigil::with_slack(Duration::ZERO), board(), CancellationToken::new());
            let (say, heard) = mpsc::unbounded_channel();
            let (status, end, pulse) = (board.subscribe(), stop.clone(), vigil.pulse());
            tokio::spawn(async move {
                let tell = move |states: &[NotifyState<'_>]| {
                    states.iter().for_each(|state| drop(say.send(state.to_string())));
                };
                Teller::new(tell, Some(EVERY)).keep_told(status, &vigil, &end).await;
            });
            Told { heard, pulse, board, stop }
        }

        impl Told {
            async fn next(&mut self) -> String {
                self.heard.recv().await.unwrap()
            }

            async fn wait_for(&mut self, wanted: &str) -> String {
                loop {
                    let heard = self.next().await;
                    if heard.contains(wanted) {
                        return heard;
                    }
                }
            }
        }

        #[tokio::test]
        async fn the_agent_is_ready_when_its_link_begins_to_work_and_not_before() {
            let mut told = told();
            told.board.link(LinkState::Up, None);
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            assert!(told.heard.try_recv().is_err(), "something was said before the link began");
            told.pulse.promise(LONG);
            assert_eq!(told.next().await, "READY=1");
        }

        #[tokio::test]
        async fn a_supervisor_that_is_stuck_is_not_fed() {
            let mut told = told();
            told.pulse.promise(LONG);
            told.wait_for("WATCHDOG=1").await;
            // It promises an end that comes at once, and is not heard again; everything else runs on.
            told.pulse.promise(Duration::ZERO);
            told.wait_for("stuck").await;
            for _ in 0..5 {
                told.board.link(LinkState::Connecting, None);
                let heard = told.next().await;
                assert!(heard.starts_with("STATUS="), "fed while stuck: {heard}");
            }
            told.pulse.promise(LONG);
            told.wait_for("WATCHDOG=1").await;
        }

        #[tokio::test]
        async fn the_line_of_status_follows_the_link() {
            let mut told = told();
            told.pulse.promise(LONG);
            told.board.link(LinkState::Up, None);
            told.wait_for("STATUS=Linked to https://relay").await;
            told.board.error("link", "dial_refused", "nobody listens\nthere");
            told.board.link(LinkState::Waiting, Some(LONG));
            let waiting = told.wait_for("STATUS=No link to https://relay").await;
            assert!(waiting.contains("nobody listens"), "{waiting}");
            assert!(
                !waiting.contains('\n'),
                "a second line would be a second word to the manager: {waiting}"
            );
        }

        #[tokio::test]
        async fn stopping_is_the_last_word() {
            let mut told = told();
            told.pulse.promise(LONG);
            told.wait_for("READY=1").await;
            told.stop.cancel();
            told.wait_for("STOPPING=1").await;
            assert!(told.next().await.starts_with("STATUS="));
            told.board.link(LinkState::Stopped, None);
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            assert!(told.heard.try_recv().is_err(), "something was said after the last word");
        }
    }
}
