//! How many requests a second Jira allows, learned from what it answers, and whose turn is when.
//!
//! Data Center tells its rate with every answer (tokens that come back each interval); Jira Cloud tells nothing that can be paced by, so there
//! the rate is measured: between two refusals the site let through exactly what it gives. Either way requests are spaced a little under
//! the rate, so that refusals, each of which costs everybody a pause, become rare. A measured rate is tried upwards while nothing is refused.
//!
//! Pure: time is an argument.

use reqwest::header::HeaderMap;
use std::time::Duration;

/// The part of an allowed rate that is used.
const SHARE: f64 = 0.98;
/// Tokens that come back in intervals no longer than this are spaced evenly from the start; with longer ones a full bucket is used first.
const SHORT_INTERVAL_SECONDS: f64 = 10.0;
/// The part of a full bucket that is left in it.
const RESERVE: f64 = 0.05;
/// A refusal this soon after another is of the same cause, where Jira asks for no longer pause.
const SAME_CAUSE: Duration = Duration::from_secs(1);
/// Two refusals further apart than this and one and a half pauses do not measure the rate: the site was not pressed all the while.
const MEASURED_WITHIN: Duration = Duration::from_secs(10);
/// Fewer requests between two refusals measure nothing either.
const MEASURED_BY: u32 = 3;
/// How fast a rate that was just measured grows each second until a refusal shows that it is too high.
const SEARCH: f64 = 0.03;
/// How long a rate is held after a refusal, and how fast it grows each second then; the longer nothing is refused, the faster.
const HELD: Duration = Duration::from_secs(30);
const PROBE: f64 = 0.001;
const PROBE_GAIN: f64 = 0.05;
/// What is left of a rate after a refusal while it was searched, while it was held, and while it was the one that Jira tells: then somebody
/// else uses the account too.
const AFTER_SEARCH: f64 = 0.96;
const AFTER_HELD: f64 = 0.975;
const AFTER_TOLD: f64 = 0.85;
/// Refusals that go on whatever the rate, as of a Jira that is merely busy, take no more than this part of what was measured or told.
const LEAST: f64 = 0.2;
/// A higher rate is no limit.
const RATE_MAX: f64 = 1e6;

/// What an answer of Data Center says of its rate limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Told {
    /// Most requests that the bucket holds.
    limit: f64,
    /// Requests that are left in it.
    remaining: f64,
    /// Requests that come back each interval.
    fill: f64,
    interval_seconds: f64,
}

impl Told {
    /// `None` where the headers do not tell a rate.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let number = |name: &str| -> Option<f64> {
            let number: f64 = headers.get(name)?.to_str().ok()?.trim().parse().ok()?;
            (number.is_finite() && number >= 0.0).then_some(number)
        };
        let positive = |name: &str| number(name).filter(|number| *number > 0.0);
        Some(Self {
            limit: number("x-ratelimit-limit")?,
            remaining: number("x-ratelimit-remaining")?,
            fill: positive("x-ratelimit-fillrate")?,
            interval_seconds: positive("x-ratelimit-interval-seconds")?,
        })
    }

    fn per_second(&self) -> f64 {
        self.fill / self.interval_seconds
    }

    fn interval(&self) -> Duration {
        Duration::from_secs_f64(self.interval_seconds.min(SHORT_INTERVAL_SECONDS))
    }

    /// Requests that may follow each other at once.
    fn at_once(&self) -> f64 {
        if self.interval_seconds <= SHORT_INTERVAL_SECONDS {
            return 0.0;
        }
        (self.remaining - self.limit * RESERVE).max(0.0)
    }
}

/// The allowance of one account at one Jira.
#[derive(Debug, Default)]
pub(crate) struct Allowance {
    /// Nothing until a limit shows.
    pace: Option<Pace>,
    refused: Option<Refused>,
    /// Requests that may be sent now; negative while some wait for their turn.
    credit: f64,
    /// When the credit was counted last.
    counted: Duration,
}

/// The rate that is kept.
#[derive(Debug)]
struct Pace {
    /// Requests a second.
    rate: f64,
    /// The rate that Jira tells.
    told: Option<f64>,
    /// Refusals bring the rate no lower.
    least: f64,
    /// Most credit that gathers.
    size: f64,
    /// Part of the rate that it grows by each second, from then on.
    growth: f64,
    grown: Duration,
    /// Whether a refusal has shown yet where the measured rate ends.
    is_searched: bool,
}

/// The last refusal.
#[derive(Clone, Copy, Debug)]
struct Refused {
    at: Duration,
    /// Refusals until then have the same cause.
    until: Duration,
    /// The pause that Jira asked for.
    pause: Duration,
    /// Requests that passed since.
    passed: u32,
}

impl Allowance {
    /// Takes the next turn and gives how long it is till then.
    pub(crate) fn take(&mut self, now: Duration) -> Duration {
        let Some(pace) = &mut self.pace else { return Duration::ZERO };
        pace.grow(now);
        let gained = now.saturating_sub(self.counted).as_secs_f64() * pace.rate;
        self.counted = self.counted.max(now);
        self.credit = (self.credit + gained).min(pace.size.max(1.0)) - 1.0;
        Duration::try_from_secs_f64((-self.credit / pace.rate).max(0.0)).unwrap_or_default()
    }

    /// A request passed.
    pub(crate) fn handle_passed(&mut self, now: Duration, told: Option<Told>) {
        if let Some(refused) = &mut self.refused {
            refused.passed = refused.passed.saturating_add(1);
        }
        // Who tells a rate tells it with every answer.
        if told.is_none() && self.pace.as_ref().is_some_and(|pace| pace.told.is_some()) {
            self.pace = None;
        }
        self.obey(now, told);
    }

    /// A request was refused, with a pause if Jira asked for one.
    pub(crate) fn handle_refused(&mut self, now: Duration, pause: Option<Duration>, told: Option<Told>) {
        self.obey(now, told);
        if self.refused.is_some_and(|last| now < last.until) {
            return;
        }
        let asked = pause.unwrap_or_default();
        match &mut self.pace {
            Some(pace) => pace.step_back(now + asked, self.refused.is_some()),
            None => self.pace = self.refused.and_then(|last| Pace::measured(now, asked, last)),
        }
        let same_cause = told.map_or(SAME_CAUSE, |told| told.interval()).max(asked);
        self.refused = Some(Refused { at: now, until: now + same_cause, pause: asked, passed: 0 });
        self.credit = 0.0;
        self.counted = now + asked;
    }

    /// Goes by what Jira says.
    fn obey(&mut self, now: Duration, told: Option<Told>) {
        let Some(told) = told else { return };
        let is_known = self.pace.as_ref().and_then(|pace| pace.told).is_some_and(|known| {
            // The same division of the same numbers: no other outcome is possible.
            known.total_cmp(&told.per_second()).is_eq()
        });
        if !is_known {
            self.pace = Some(Pace::told(now, told));
            self.credit = told.at_once();
            self.counted = now;
        }
        // Others may use the account too.
        self.credit = self.credit.min(told.at_once());
    }
}

impl Pace {
    fn told(now: Duration, told: Told) -> Self {
        Self {
            rate: told.per_second() * SHARE,
            told: Some(told.per_second()),
            least: told.per_second() * LEAST,
            size: told.at_once(),
            growth: PROBE,
            grown: now + HELD,
            is_searched: true,
        }
    }

    /// What the site lets through: all that passed from one empty bucket to the next.
    fn measured(now: Duration, asked: Duration, last: Refused) -> Option<Self> {
        let elapsed = now.saturating_sub(last.at);
        let is_measure = last.passed >= MEASURED_BY && elapsed <= MEASURED_WITHIN + last.pause.mul_f64(1.5);
        let rate = f64::from(last.passed) / elapsed.as_secs_f64();
        is_measure.then(|| Self {
            rate,
            told: None,
            least: rate * LEAST,
            size: 0.0,
            growth: SEARCH,
            grown: now + asked,
            is_searched: false,
        })
    }

    fn grow(&mut self, now: Duration) {
        let seconds = now.saturating_sub(self.grown).as_secs_f64();
        self.grown = self.grown.max(now);
        let most = self.told.map_or(RATE_MAX, |told| told * SHARE);
        self.rate = (self.rate * (1.0 + self.growth * seconds)).min(most);
        self.growth *= 1.0 + PROBE_GAIN * seconds;
    }

    /// It was refused. The first refusal under a told rate says nothing about it: the bucket was empty before.
    fn step_back(&mut self, resumes: Duration, again: bool) {
        let left = match self.told {
            Some(_) if !again => 1.0,
            Some(_) => AFTER_TOLD,
            None if self.is_searched => AFTER_HELD,
            None => AFTER_SEARCH,
        };
        self.rate = (self.rate * left).max(self.least);
        self.is_searched = true;
        self.growth = PROBE;
        self.grown = resumes + HELD;
    }
}

#[cfg(test)]
mod tests;
