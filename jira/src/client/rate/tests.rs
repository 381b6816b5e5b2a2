//! Lanes that send as fast as they may, against the bucket of a Jira, in virtual time.

use super::*;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A bucket that gets its tokens back in one go each interval, which is the hardest kind to stay within.
struct Site {
    limit: u32,
    fill: u32,
    interval: Duration,
    tokens: u32,
    filled: Duration,
}

impl Site {
    fn new(limit: u32, fill: u32, interval_seconds: u64) -> Self {
        Self {
            limit,
            fill,
            interval: Duration::from_secs(interval_seconds),
            tokens: limit,
            filled: Duration::ZERO,
        }
    }

    /// Whether a request passes, and the pause that a refusal asks for.
    fn ask(&mut self, now: Duration) -> (bool, u64) {
        while now - self.filled >= self.interval {
            self.filled += self.interval;
            self.tokens = (self.tokens + self.fill).min(self.limit);
        }
        let passes = self.tokens > 0;
        self.tokens = self.tokens.saturating_sub(1);
        (passes, (self.interval - (now - self.filled)).as_secs().max(1))
    }

    fn told(&self) -> Told {
        Told {
            limit: f64::from(self.limit),
            remaining: f64::from(self.tokens),
            fill: f64::from(self.fill),
            interval_seconds: self.interval.as_secs_f64(),
        }
    }
}

/// What a site says besides refusing.
#[derive(Clone, Copy, Debug)]
struct Manners {
    tells_rate: bool,
    asks_for_pause: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    Asks,
    Sends,
    Hears { passed: bool, pause: u64 },
}

/// When each request came and whether it passed.
fn load(
    site: &mut Site,
    (lanes, latency): (usize, Duration),
    manners: Manners,
    end: Duration,
) -> Vec<(f64, bool)> {
    let mut allowance = Allowance::default();
    let mut closed = Duration::ZERO;
    let mut log = Vec::new();
    let mut due: BinaryHeap<Reverse<(Duration, usize, Moment)>> = BinaryHeap::new();
    due.extend((0..lanes).map(|lane| Reverse((Duration::ZERO, lane, Moment::Asks))));
    while let Some(Reverse((now, lane, moment))) = due.pop().filter(|Reverse((now, ..))| *now < end) {
        let told = manners.tells_rate.then(|| site.told());
        let next = match moment {
            Moment::Asks | Moment::Sends if now < closed => (closed, Moment::Asks),
            Moment::Asks => (now + allowance.take(now), Moment::Sends),
            Moment::Sends => {
                let (passed, pause) = site.ask(now);
                log.push((now.as_secs_f64(), passed));
                (now + latency, Moment::Hears { passed, pause })
            }
            Moment::Hears { passed: true, .. } => {
                allowance.handle_passed(now, told);
                (now, Moment::Asks)
            }
            Moment::Hears { pause, .. } => {
                let pause = manners.asks_for_pause.then(|| Duration::from_secs(pause));
                allowance.handle_refused(now, pause, told);
                closed = closed.max(now + pause.unwrap_or(Duration::from_millis(125)));
                (closed, Moment::Asks)
            }
        };
        due.push(Reverse((next.0, lane, next.1)));
    }
    log
}

/// Requests sent, passed and refused each second after the start was learned from.
fn per_second(log: &[(f64, bool)], seconds: std::ops::Range<f64>) -> (f64, f64) {
    let length = seconds.end - seconds.start;
    let within: Vec<_> = log.iter().filter(|(at, _)| seconds.contains(at)).collect();
    let count = |count: usize| f64::from(u32::try_from(count).unwrap()) / length;
    (count(within.len()), count(within.iter().filter(|(_, passed)| *passed).count()))
}

#[test]
fn ten_requests_a_second_are_kept_within_five_percent_whatever_the_site_says() {
    for tells_rate in [true, false] {
        for asks_for_pause in [true, false] {
            let manners = Manners { tells_rate, asks_for_pause };
            for (lanes, latency_ms) in [(1, 5), (1, 50), (4, 5), (4, 50), (4, 250), (8, 5), (8, 50), (8, 390)]
            {
                let lanes = (lanes, Duration::from_millis(latency_ms));
                let log = load(&mut Site::new(10, 10, 1), lanes, manners, Duration::from_secs(320));
                let (sent, passed) = per_second(&log, 20.0..320.0);
                assert!(sent <= 10.5 && passed >= 9.5, "{lanes:?} {manners:?}: {sent} sent, {passed} passed");
            }
        }
    }
}

#[test]
fn a_rate_that_is_told_is_hardly_ever_refused() {
    let manners = Manners { tells_rate: true, asks_for_pause: true };
    for (limit, fill, interval) in [(10, 10, 1), (5, 5, 1), (50, 10, 60), (1000, 1000, 60)] {
        let mut site = Site::new(limit, fill, interval);
        let seconds = 20 * interval.max(15);
        let log = load(&mut site, (4, Duration::from_millis(50)), manners, Duration::from_secs(seconds));
        let refused = log.iter().filter(|(_, passed)| !passed).count();
        let given = f64::from(fill) / site.interval.as_secs_f64();
        let (_, passed) = per_second(&log, 0.0..f64::from(u32::try_from(seconds).unwrap()));
        assert!(refused <= 4, "{limit}/{fill}/{interval}: {refused} refused");
        assert!(passed >= given * 0.95, "{limit}/{fill}/{interval}: {passed} of {given} a second");
    }
}

#[test]
fn refusals_that_go_on_whatever_the_rate_do_not_bring_it_to_nothing() {
    let mut allowance = Allowance::default();
    for second in 0..600 {
        let now = Duration::from_secs(second * 2);
        allowance.handle_refused(now, None, None);
        (1..=10).for_each(|at| allowance.handle_passed(now + Duration::from_millis(at * 100), None));
    }
    let waits: Vec<_> = (0..5).map(|_| allowance.take(Duration::from_secs(1_300)).as_secs_f64()).collect();
    // Five a second were measured; a fifth of that is left.
    assert!(waits[4] - waits[3] <= 1.01, "{waits:?}");
}

#[test]
fn a_full_bucket_that_fills_slowly_is_used_at_once() {
    let manners = Manners { tells_rate: true, asks_for_pause: true };
    let log =
        load(&mut Site::new(50, 10, 60), (4, Duration::from_millis(50)), manners, Duration::from_secs(2));
    assert!(log.len() >= 40 && log.iter().all(|(_, passed)| *passed), "{}", log.len());
}

#[test]
fn nothing_is_paced_where_nothing_is_limited() {
    let mut allowance = Allowance::default();
    for at in 0..100 {
        let now = Duration::from_millis(at);
        allowance.handle_passed(now, None);
        assert_eq!(allowance.take(now), Duration::ZERO);
    }
    // One refusal measures nothing, and two that lie far apart do not either.
    allowance.handle_refused(Duration::from_secs(1), Some(Duration::from_secs(1)), None);
    allowance.handle_passed(Duration::from_secs(3), None);
    allowance.handle_refused(Duration::from_secs(60), None, None);
    assert_eq!(allowance.take(Duration::from_secs(61)), Duration::ZERO);
}

#[test]
fn a_rate_that_is_no_longer_told_is_no_limit_any_more() {
    let mut allowance = Allowance::default();
    let told = Site::new(5, 5, 1).told();
    allowance.handle_refused(Duration::ZERO, None, Some(told));
    assert!(
        allowance.take(Duration::from_secs(1)) > Duration::ZERO
            || allowance.take(Duration::from_secs(1)) > Duration::ZERO
    );
    allowance.handle_passed(Duration::from_secs(2), None);
    assert_eq!([(); 9].map(|()| allowance.take(Duration::from_secs(2))), [Duration::ZERO; 9]);
}

#[test]
fn headers_that_tell_no_rate_are_no_rate() {
    let headers = |all: &[(&'static str, &'static str)]| {
        all.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect::<HeaderMap>()
    };
    let told = [
        ("x-ratelimit-limit", "50"),
        ("x-ratelimit-remaining", "49"),
        ("x-ratelimit-fillrate", "10"),
        ("x-ratelimit-interval-seconds", "60"),
    ];
    let read = Told::of(&headers(&told)).unwrap();
    assert_eq!((read.limit, read.remaining, read.fill, read.interval_seconds), (50.0, 49.0, 10.0, 60.0));
    // Jira Cloud has the first two only.
    assert_eq!(Told::of(&headers(&told[..2])), None);
    for odd in ["0", "-1", "NaN", "many"] {
        let odd = [told[0], told[1], told[2], ("x-ratelimit-interval-seconds", odd)];
        assert_eq!(Told::of(&headers(&odd)), None, "{odd:?}");
    }
}
