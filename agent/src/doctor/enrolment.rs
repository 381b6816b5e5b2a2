//! What the relay says of this agent, as the running agent last heard it.

use super::catalogue::{Check, Code};
use super::report::Finding;
use crate::error::Error;
use crate::identity::Identity;
use crate::paths::Paths;
use crate::status::{self, LinkState, Reading, Status};

/// Reads it from the status of the running agent.
///
/// # Errors
/// When the status cannot be read.
pub(super) fn examine(identity: &Identity, paths: &Paths) -> Result<Finding, Error> {
    let subject = identity.enrolment.agent_id.to_string();
    Ok(match status::read(paths)? {
        Reading::Running(status) => judge(&subject, &status),
        Reading::NotRunning(why) => Finding::skipped(Check::Enrolment, subject, why),
    })
}

fn judge(subject: &str, status: &Status) -> Finding {
    if status.link.state == LinkState::Up {
        let found = format!("the running agent is linked since {}", status.link.since);
        return Finding::pass(Check::Enrolment, subject, found);
    }
    let Some(error) = status.last_error.as_ref().filter(|error| error.about == "link") else {
        return Finding::skipped(Check::Enrolment, subject, "the running agent is about to link");
    };
    match code_of(&error.code) {
        Some(code) => Finding::of(code, subject, error.message.clone()),
        None => {
            let why = format!("the running agent is not linked: {} [{}]", error.message, error.code);
            Finding::skipped(Check::Enrolment, subject, why)
        }
    }
}

/// The refusals that only a person can lift.
fn code_of(code: &str) -> Option<Code> {
    match code.trim_start_matches("handshake_").trim_start_matches("link_") {
        "unknown_agent" => Some(Code::AgentUnknown),
        "revoked" => Some(Code::AgentRevoked),
        "cloned" => Some(Code::AgentCloned),
        "bad_signature" => Some(Code::AgentKeyRefused),
        "wrong_host" | "unknown_protocol" | "malformed_hello" => Some(Code::AgentRefused),
        _ => None,
    }
}
