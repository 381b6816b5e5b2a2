//! Questions of the engine about what landed on their way to the relay, and answers that come back in pieces.

use jira::{LandedAnswer, LandedAsk, LandedColumn, LandedIssues, LandedQuestion, LandedSlice};
use protocol::landed::{LandedPiece, LandedQuestion as Asks};
use std::collections::HashMap;

/// Items of one answer: beyond that the relay's word is not kept. A slice has about a thousand issues; more than this lie in one only where
/// they were made in one second.
const ITEMS_MAX: usize = 2_000_000;

/// Questions that wait.
#[derive(Default)]
pub(super) struct Asked {
    next: u64,
    waiting: HashMap<u64, (LandedAsk, Pieces)>,
}

#[derive(Default)]
struct Pieces {
    items: usize,
    answer: Option<LandedAnswer>,
}

impl Asked {
    /// A question of the engine; gives its number and its words on the wire.
    pub(super) fn handle_ask(&mut self, ask: LandedAsk) -> (u64, Asks) {
        let number = self.next;
        self.next += 1;
        let question = match &ask.question {
            LandedQuestion::Slices { by_project } => Asks::Slices { by_project: *by_project },
            LandedQuestion::Issues { from_ms, to_ms, by_project, with_updated } => Asks::Issues {
                from_ms: *from_ms,
                to_ms: *to_ms,
                by_project: *by_project,
                with_updated: *with_updated,
            },
            LandedQuestion::Referring { issues } => Asks::Referring { issues: issues.clone() },
            LandedQuestion::OwnersOfWorklogs { worklogs } => {
                Asks::OwnersOfWorklogs { worklogs: worklogs.clone() }
            }
            LandedQuestion::Columns => Asks::Columns,
            LandedQuestion::Astray => Asks::Astray,
        };
        self.waiting.insert(number, (ask, Pieces::default()));
        (number, question)
    }

    /// A piece of an answer; the engine hears it when it is whole. A piece that nobody waits for has no effect.
    pub(super) fn handle_piece(&mut self, ask: u64, piece: LandedPiece, last: bool) {
        let Some((_, pieces)) = self.waiting.get_mut(&ask) else {
            tracing::debug!(event = "stray_answer", ask, "no such question waits");
            return;
        };
        pieces.add(piece);
        if last && let Some((ask, pieces)) = self.waiting.remove(&ask) {
            let none = || LandedAnswer::None("the relay answered nothing".to_owned());
            ask.answer(pieces.answer.unwrap_or_else(none));
        }
    }
}

impl Pieces {
    fn add(&mut self, piece: LandedPiece) {
        self.items += match &piece {
            LandedPiece::Slices { slices } => slices.iter().map(|slice| slice.counts.len()).sum(),
            LandedPiece::Issues { issues } => issues.iter().map(|of| of.ids.len()).sum(),
            LandedPiece::Ids { ids } => ids.len(),
            LandedPiece::Columns { columns } => columns.len(),
            LandedPiece::Impossible { .. } => 0,
        };
        if self.items > ITEMS_MAX {
            self.answer = Some(LandedAnswer::None("the relay's answer does not end".to_owned()));
            return;
        }
        let more = engine_answer(piece);
        self.answer = Some(match (self.answer.take(), more) {
            (Some(LandedAnswer::Slices(mut all)), LandedAnswer::Slices(more)) => {
                all.extend(more);
                LandedAnswer::Slices(all)
            }
            (Some(LandedAnswer::Issues(mut all)), LandedAnswer::Issues(more)) => {
                all.extend(more);
                LandedAnswer::Issues(all)
            }
            (Some(LandedAnswer::Ids(mut all)), LandedAnswer::Ids(more)) => {
                all.extend(more);
                LandedAnswer::Ids(all)
            }
            (Some(LandedAnswer::Columns(mut all)), LandedAnswer::Columns(more)) => {
                all.extend(more);
                LandedAnswer::Columns(all)
            }
            (None, more) => more,
            (Some(_), _) => LandedAnswer::None("the pieces of the relay's answer do not fit".to_owned()),
        });
    }
}

fn engine_answer(piece: LandedPiece) -> LandedAnswer {
    match piece {
        LandedPiece::Slices { slices } => LandedAnswer::Slices(
            slices
                .into_iter()
                .map(|slice| LandedSlice { to_ms: slice.to_ms, counts: slice.counts })
                .collect(),
        ),
        LandedPiece::Issues { issues } => LandedAnswer::Issues(
            issues
                .into_iter()
                .map(|of| LandedIssues { project: of.project, ids: of.ids, updated_ms: of.updated_ms })
                .collect(),
        ),
        LandedPiece::Ids { ids } => LandedAnswer::Ids(ids),
        LandedPiece::Columns { columns } => LandedAnswer::Columns(columns.into_iter().map(column).collect()),
        LandedPiece::Impossible { reason } => LandedAnswer::None(crate::policy::shortened_line(&reason)),
    }
}

fn column(column: protocol::landed::LandedColumn) -> LandedColumn {
    let protocol::landed::LandedColumn { name, column_type, field_id } = column;
    LandedColumn { name, column_type, field_id }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_one_kind_add_up_and_others_are_no_answer() {
        let mut pieces = Pieces::default();
        pieces.add(LandedPiece::Ids { ids: vec![1, 2] });
        pieces.add(LandedPiece::Ids { ids: vec![3] });
        assert_eq!(pieces.answer, Some(LandedAnswer::Ids(vec![1, 2, 3])));
        pieces.add(LandedPiece::Slices { slices: Vec::new() });
        assert!(matches!(pieces.answer, Some(LandedAnswer::None(_))));
    }

    #[test]
    fn an_answer_without_end_is_not_kept() {
        let mut pieces = Pieces::default();
        for _ in 0..=ITEMS_MAX / 100_000 {
            pieces.add(LandedPiece::Ids { ids: vec![7; 100_000] });
        }
        assert!(matches!(&pieces.answer, Some(LandedAnswer::None(why)) if why.contains("does not end")));
    }
}
