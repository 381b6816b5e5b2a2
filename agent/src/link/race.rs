//! The way back after the network swallowed a link under a run. While nothing answers, nothing is told by waiting: a fresh attempt
//! begins about twice a second, beside those that still hang, and the first that comes through wins. Only silence is answered so; whoever
//! gives an answer, and be it a refusal, is left to the back-off.

use super::dial::{DialError, Dialled, Lookup, Route};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::time::Duration;
use tokio::time::Instant;

/// Between two beginnings, on average: the network's return is met within this.
const BEGIN_EVERY: Duration = Duration::from_millis(400);
/// How long an attempt may hang while fresher ones are beside it: its first packet was lost, and TCP sends it ever more rarely.
const HANGS: Duration = Duration::from_secs(3);
/// How long the network may be gone before the back-off takes over.
pub(super) const LASTS: Duration = Duration::from_secs(300);

/// What the race meets next.
enum Event {
    Ended(usize, Box<Result<Dialled, DialError>>),
    Begin,
    Over,
}

/// Dials until somebody answers or `until`, when there is nothing to tell; several routes take turns. Gives the place of the route that
/// was answered.
pub(super) async fn race(
    routes: &[Route<'_>],
    until: Instant,
    mut random: impl FnMut() -> u64,
) -> Option<(usize, Result<Dialled, DialError>)> {
    let mut under_way = FuturesUnordered::new();
    let mut begun = 0;
    let mut begin_at = Instant::now();
    loop {
        let event = tokio::select! {
            biased;
            Some((index, ended)) = under_way.next() => Event::Ended(index, Box::new(ended)),
            () = tokio::time::sleep_until(begin_at.min(until)) => {
                if begin_at < until { Event::Begin } else { Event::Over }
            }
        };
        match event {
            Event::Ended(index, ended) => match *ended {
                Err(error) if error.is_silence() => {}
                answered => return Some((index, answered)),
            },
            Event::Begin => {
                let index = begun % routes.len().max(1);
                // The first ones ask the name server and have all the time that a slow line needs.
                let is_thorough = begun < routes.len();
                under_way.push(attempt(routes.get(index)?, index, is_thorough));
                begun += 1;
                begin_at = Instant::now() + jittered(random());
            }
            Event::Over => return None,
        }
    }
}

async fn attempt(route: &Route<'_>, index: usize, is_thorough: bool) -> (usize, Result<Dialled, DialError>) {
    if is_thorough {
        return (index, route.dial(Lookup::Ask).await);
    }
    let hurried = tokio::time::timeout(HANGS, route.dial(Lookup::Remember)).await;
    (index, hurried.unwrap_or_else(|_| Err(route.too_slow(HANGS))))
}

/// From half to one and a half of the average, so that agents that lost one network do not return in one beat.
fn jittered(random: u64) -> Duration {
    let half = BEGIN_EVERY / 2;
    half + BEGIN_EVERY.mul_f64(random as f64 / u64::MAX as f64)
}
