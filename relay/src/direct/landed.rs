//! What an extraction in this process asks of the lake beside it.

use crate::node::Shared;
use crate::run::landed;
use jira::{LandedAnswer, LandedAsk, LandedColumn, LandedIssues, LandedQuestion, LandedSlice};
use protocol::landed::{LandedPiece, LandedQuestion as Asks};

/// Answers a question of run `number`.
pub(super) async fn answer(node: &Shared, (number, pool, connection): (i64, &str, &str), ask: LandedAsk) {
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
    ask.answer(match landed::answer(node, number, (pool, connection), &question).await {
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
        LandedPiece::Columns { columns } => LandedAnswer::Columns(
            columns
                .into_iter()
                .map(|it| LandedColumn { name: it.name, column_type: it.column_type, field_id: it.field_id })
                .collect(),
        ),
        LandedPiece::Impossible { reason } => LandedAnswer::None(reason),
    });
}
