//! The life of a run: pure, no clock, no store. The store applies a [`Step`] inside a transaction and refuses an illegal one.
//!
//! ```text
//!           hand_out            finish              commit
//!  queued ──────────▶ running ──────────▶ committing ──────▶ succeeded
//!   ▲ │ │              │ │ │                  │
//!   └─┼─┼──── lose ────┘ │ └─────┐ fail       │ fail
//!     │ └──── fail ──────┼───────┴─▶ failed ◀─┘
//!     └────── cancel ────┴─▶ cancelled
//! ```
//! `committing` is still `running` to the user: everything is read and durable, the tables are being switched. It cannot be
//! cancelled, because some tables may show the new version already.

pub(crate) mod board;
pub(crate) mod catalogue;
pub(crate) mod commit;
pub(crate) mod control;
pub(crate) mod document;
pub(crate) mod drive;
pub(crate) mod ending;
pub(crate) mod landed;
pub(crate) mod schedule;
pub(crate) mod scope;
pub(crate) mod sweep;

use std::fmt;

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunState {
    /// Waits for its turn or for an agent.
    Queued,
    /// An agent reads.
    Running,
    /// Everything is read; the relay switches the tables.
    Committing,
    /// The tables show what was read.
    Succeeded,
    /// Ended without effect on a table that was not committed before the failure; the error says why.
    Failed,
    /// Ended by a person.
    Cancelled,
}

/// What can happen to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// An agent gets it under a new lease.
    HandOut,
    /// The agent's session ended, or the relay was restarted.
    Lose,
    /// The agent has read everything.
    Finish,
    /// All tables are committed.
    Commit,
    /// It cannot succeed.
    Fail,
    /// A person does not want it any more.
    Cancel,
}

/// A step that the state does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a run that is {state} cannot {step}")]
pub(crate) struct IllegalStep {
    pub(crate) state: RunState,
    pub(crate) step: Step,
}

impl RunState {
    /// The state after `step`, or why there is none.
    pub(crate) fn after(self, step: Step) -> Result<Self, IllegalStep> {
        use RunState::{Cancelled, Committing, Failed, Queued, Running, Succeeded};
        match (self, step) {
            (Queued, Step::HandOut) => Ok(Running),
            (Running, Step::Lose) => Ok(Queued),
            (Running, Step::Finish) => Ok(Committing),
            (Committing, Step::Commit) => Ok(Succeeded),
            (Queued | Running | Committing, Step::Fail) => Ok(Failed),
            (Queued | Running, Step::Cancel) => Ok(Cancelled),
            (Queued, Step::Lose | Step::Finish | Step::Commit)
            | (Running, Step::HandOut | Step::Commit)
            | (Committing, Step::HandOut | Step::Lose | Step::Finish | Step::Cancel)
            | (Succeeded | Failed | Cancelled, _) => Err(IllegalStep { state: self, step }),
        }
    }

    /// Whether nothing can happen any more.
    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }

    /// The name in the store.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Committing => "committing",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The name that a user sees.
    pub(crate) fn shown(self) -> &'static str {
        if self == Self::Committing { "running" } else { self.name() }
    }

    /// Reads what [`RunState::name`] wrote.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Queued, Self::Running, Self::Committing, Self::Succeeded, Self::Failed, Self::Cancelled]
            .into_iter()
            .find(|state| state.name() == text)
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HandOut => "be handed to an agent",
            Self::Lose => "be lost",
            Self::Finish => "be finished",
            Self::Commit => "be committed",
            Self::Fail => "fail",
            Self::Cancel => "be cancelled",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [RunState; 6] = [
        RunState::Queued,
        RunState::Running,
        RunState::Committing,
        RunState::Succeeded,
        RunState::Failed,
        RunState::Cancelled,
    ];
    const STEPS: [Step; 6] =
        [Step::HandOut, Step::Lose, Step::Finish, Step::Commit, Step::Fail, Step::Cancel];

    fn walk(steps: &[Step]) -> Result<RunState, IllegalStep> {
        steps.iter().try_fold(RunState::Queued, |state, step| state.after(*step))
    }

    #[test]
    fn a_lost_run_is_queued_and_can_still_succeed() {
        let steps = [Step::HandOut, Step::Lose, Step::HandOut, Step::Finish, Step::Commit];
        assert_eq!(walk(&steps), Ok(RunState::Succeeded));
    }

    #[test]
    fn a_run_that_is_over_refuses_every_step() {
        for state in STATES.into_iter().filter(|state| state.is_over()) {
            for step in STEPS {
                assert_eq!(state.after(step), Err(IllegalStep { state, step }));
            }
        }
    }

    #[test]
    fn a_committing_run_is_neither_cancelled_nor_lost() {
        assert!(walk(&[Step::HandOut, Step::Finish, Step::Cancel]).is_err());
        assert!(walk(&[Step::HandOut, Step::Finish, Step::Lose]).is_err());
    }

    #[test]
    fn nothing_is_committed_before_it_is_finished() {
        assert!(walk(&[Step::Commit]).is_err());
        assert!(walk(&[Step::HandOut, Step::Commit]).is_err());
    }

    #[test]
    fn every_state_name_is_read_back() {
        for state in STATES {
            assert_eq!(RunState::parse(state.name()), Some(state));
        }
        assert_eq!(RunState::parse("paused"), None);
    }
}
