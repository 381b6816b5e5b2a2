//! Lines that say the same again are counted instead of written: a fault that comes a hundred times a second fills no disk. The first
//! one is written at once, the count once a minute.

use super::journal::Fields;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter};
use tracing_subscriber::registry::LookupSpan;

/// Different lines that are watched at once; beyond that everything is written.
const WATCHED_MAX: usize = 64;

/// Watches the lines of a log. A clone is the same.
#[derive(Clone)]
pub(super) struct Fold {
    window: Duration,
    seen: Arc<Mutex<HashMap<u64, Seen>>>,
}

struct Seen {
    event: String,
    first: Instant,
    again: u64,
}

impl Fold {
    pub(super) fn new(window: Duration) -> Self {
        Self { window, seen: Arc::default() }
    }

    /// Which events came again, how often, since they were last written or counted; forgets what is quiet.
    pub(super) fn take(&self) -> Vec<(String, u64)> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counted = Vec::new();
        seen.retain(|_, line| {
            if line.again > 0 {
                counted.push((line.event.clone(), line.again));
                line.again = 0;
                line.first = Instant::now();
            }
            line.first.elapsed() < self.window
        });
        counted
    }

    /// Whether to write a line that came now.
    fn admit(&self, key: u64, event: &str, now: Instant) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = seen.get_mut(&key) {
            if now.duration_since(line.first) < self.window {
                line.again += 1;
                return false;
            }
            line.first = now;
            return true;
        }
        if seen.len() >= WATCHED_MAX {
            seen.retain(|_, line| line.again > 0 || now.duration_since(line.first) < self.window);
        }
        if seen.len() < WATCHED_MAX {
            seen.insert(key, Seen { event: event.to_owned(), first: now, again: 0 });
        }
        true
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Filter<S> for Fold {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    /// At debug and below every line counts.
    fn event_enabled(&self, event: &Event<'_>, context: &Context<'_, S>) -> bool {
        if *event.metadata().level() > Level::INFO {
            return true;
        }
        let fields = Fields::of(event);
        let mut key = DefaultHasher::new();
        event.metadata().callsite().hash(&mut key);
        context.event_span(event).map(|span| span.id()).hash(&mut key);
        fields.hash(&mut key);
        self.admit(key.finish(), fields.event().unwrap_or("line"), Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_line_is_written_once_a_window_and_counted() {
        let fold = Fold::new(Duration::from_secs(60));
        let start = Instant::now();
        assert!(fold.admit(1, "link_down", start));
        assert!((0..9).all(|_| !fold.admit(1, "link_down", start)));
        assert!(fold.admit(2, "link_retry", start), "another line was folded");
        assert_eq!(fold.take(), [("link_down".to_owned(), 9)]);
        assert!(fold.take().is_empty(), "a count was told twice");
    }

    #[test]
    fn a_line_that_comes_seldom_is_always_written() {
        let fold = Fold::new(Duration::from_secs(60));
        let start = Instant::now();
        assert!((0..5).all(|n| fold.admit(1, "x", start + Duration::from_secs(61 * n))));
        assert!(fold.take().is_empty());
    }

    #[test]
    fn many_different_lines_are_written_and_not_kept() {
        let fold = Fold::new(Duration::from_secs(60));
        let start = Instant::now();
        assert!((0..10_000).all(|key| fold.admit(key, "x", start)));
        assert_eq!(fold.seen.lock().unwrap().len(), WATCHED_MAX);
    }

    #[test]
    fn a_subscriber_with_it_writes_one_line_of_many() {
        use tracing_subscriber::layer::{Layer, SubscriberExt};
        let (fold, lines) = (Fold::new(Duration::from_secs(60)), Lines::default());
        let layer = tracing_subscriber::fmt::layer().with_writer(lines.clone()).with_filter(fold.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            for n in 0..100 {
                tracing::warn!(event = "again", code = "x", "the same");
                tracing::warn!(event = "differs", n, "not the same");
            }
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.matches("the same").count() - text.matches("not the same").count(), 1, "{text}");
        assert!(text.matches("not the same").count() >= 100);
        assert_eq!(fold.take(), [("again".to_owned(), 99)]);
    }

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl<'w> tracing_subscriber::fmt::MakeWriter<'w> for Lines {
        type Writer = Self;

        fn make_writer(&'w self) -> Self {
            self.clone()
        }
    }
}
