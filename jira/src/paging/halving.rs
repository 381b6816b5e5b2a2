//! Where to cut a range by estimated counts alone: halved in time until each piece holds few enough, then pieces put together again.
//!
//! For Jira Cloud, which knows no offsets and may show no more than a hundred times at once. An estimate costs one small question, and one
//! that is wrong only makes a slice larger or smaller.

use crate::paging::range::{Range, SECOND_MS, floor_second};

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HalvingStep {
    /// Estimate how many issues the range holds.
    Count(Range),
    /// A slice may begin here.
    Cut(i64),
    /// All cuts are known.
    Done,
}

/// A piece of the range.
#[derive(Clone, Copy, Debug)]
struct Piece {
    range: Range,
    count: u64,
}

/// Halves a range.
#[derive(Debug)]
pub(crate) struct Halving {
    /// The next piece is the last one.
    pieces: Vec<Piece>,
    /// The piece whose first half is being counted, and that half.
    asked: Option<(Piece, Range)>,
    target: u64,
    since_cut: u64,
}

impl Halving {
    /// Of a range that holds about `count` issues, for slices of about `target`.
    pub(crate) fn new(range: Range, count: u64, target: u64) -> Self {
        Self { pieces: vec![Piece { range, count }], asked: None, target: target.max(1), since_cut: 0 }
    }

    /// The next step. A count is asked for until it is answered.
    pub(crate) fn poll(&mut self) -> HalvingStep {
        loop {
            if let Some((_, half)) = self.asked {
                return HalvingStep::Count(half);
            }
            let Some(piece) = self.pieces.pop() else { return HalvingStep::Done };
            if let Some(half) = first_half(piece.range).filter(|_| piece.count > self.target) {
                self.asked = Some((piece, half));
                continue;
            }
            let before = self.since_cut;
            if before > 0 && before + piece.count > self.target + self.target / 2 {
                self.since_cut = piece.count;
                return HalvingStep::Cut(piece.range.from);
            }
            self.since_cut += piece.count;
        }
    }

    /// The answer to the count that was asked for.
    pub(crate) fn handle_count(&mut self, count: u64) {
        let Some((piece, half)) = self.asked.take() else { return };
        let second = Range { from: half.to, ..piece.range };
        for (range, count) in [(second, piece.count.saturating_sub(count)), (half, count.min(piece.count))] {
            if count > 0 {
                self.pieces.push(Piece { range, count });
            }
        }
    }
}

/// The first half in whole seconds, where both halves hold at least one.
fn first_half(range: Range) -> Option<Range> {
    let middle = floor_second(range.from.midpoint(range.to));
    let is_halved = middle - range.from >= SECOND_MS && range.to - middle >= SECOND_MS;
    is_halved.then_some(Range { to: middle, ..range })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jql::Axis;
    use proptest::prelude::*;

    /// Slices of these seconds, how many issues each holds, and the questions asked.
    fn slices(seconds: &[i64], span: i64, target: u64) -> (Vec<u64>, usize) {
        let within = |from: i64, to: i64| {
            seconds.iter().filter(|second| (from..to).contains(&(**second * 1000))).count() as u64
        };
        let mut halving =
            Halving::new(Range::new(Axis::Created, 0, span * 1000), seconds.len() as u64, target);
        let (mut asked, mut cuts) = (0, vec![0]);
        loop {
            match halving.poll() {
                HalvingStep::Count(range) => {
                    asked += 1;
                    assert!(asked < 10_000, "it never ends");
                    halving.handle_count(within(range.from, range.to));
                }
                HalvingStep::Cut(time) => cuts.push(time),
                HalvingStep::Done => break,
            }
        }
        cuts.push(span * 1000);
        assert!(cuts.is_sorted(), "cuts go back: {cuts:?}");
        (cuts.windows(2).map(|pair| within(pair[0], pair[1])).collect(), asked)
    }

    #[test]
    fn an_even_site_is_cut_evenly_with_few_questions() {
        let seconds: Vec<i64> = (0..10_000).collect();
        let (slices, asked) = slices(&seconds, 10_000, 960);
        assert!(slices.iter().all(|count| (500..=1440).contains(count)), "{slices:?}");
        assert!(asked <= 20, "{asked} questions");
    }

    #[test]
    fn a_second_that_holds_everything_ends_the_halving() {
        let (slices, asked) = slices(&[77; 5_000], 1 << 20, 100);
        assert_eq!(slices.iter().sum::<u64>(), 5_000);
        assert!(asked <= 20, "{asked} questions");
    }

    proptest! {
        #[test]
        fn no_slice_is_larger_than_it_must_be(
            seconds in proptest::collection::vec(0_i64..2_000, 0..400), target in 1_u64..90
        ) {
            let fullest = (0..2_000).map(|second| seconds.iter().filter(|other| **other == second).count() as u64).max();
            let (slices, _) = slices(&seconds, 2_000, target);
            prop_assert_eq!(slices.iter().sum::<u64>(), seconds.len() as u64);
            let most = (target + target / 2).max(fullest.unwrap_or_default());
            prop_assert!(slices.iter().all(|count| *count <= most), "{:?}", slices);
        }

        #[test]
        fn wrong_estimates_only_move_the_cuts(counts in proptest::collection::vec(0_u64..500, 1..60)) {
            let mut halving = Halving::new(Range::new(Axis::Created, 0, 500_000), 300, 20);
            let (mut at, mut last) = (0, 0);
            loop {
                match halving.poll() {
                    HalvingStep::Count(_) => {
                        halving.handle_count(counts[at % counts.len()]);
                        at += 1;
                        prop_assert!(at < 5_000);
                    }
                    HalvingStep::Cut(time) => {
                        prop_assert!(time > last && time < 500_000 && time % 1000 == 0);
                        last = time;
                    }
                    HalvingStep::Done => break,
                }
            }
        }
    }
}
