//! The trust boundary as a run meets it: what an instruction asks for passes the policy, its secret is opened and its login is still
//! worth a try, or it is refused, logged and kept in the journal of decisions.

use super::{MAX_HELD, Runs, Start, test_connection, too_busy};
use crate::breaker::{Account, Try};
use crate::journal;
use crate::policy::{self, PermittedSite, Refusal};
use crate::run::Order;
use crate::secrets::Opened;
use jira::CheckpointEntry;
use protocol::control::Failure;
use protocol::ids::RequestId;
use protocol::spec::ConnectionSpec;

impl Runs {
    /// The trust boundary: what comes out has passed the policy and holds the opened secret.
    pub(super) fn admit(&self, start: Start, resume: Vec<CheckpointEntry>) -> Result<Order, Failure> {
        let Start { run, lease, connection, extraction } = start;
        if self.held.len() >= MAX_HELD {
            return Err(too_busy());
        }
        let mut entry = journal::Entry::now(
            &policy::shortened(run.as_str()),
            lease.0,
            &policy::shortened(&connection.name),
            connection.site.as_str(),
        );
        let refuse = |entry: &mut journal::Entry, refusal: &Refusal| {
            entry.followed = false;
            entry.decisions.push(self.premises.policy.refused(refusal));
            if self.has_place {
                self.premises.journal.add(entry);
            }
            self.refuse(run.as_str(), &connection, refusal)
        };
        let permitted = match self.premises.policy.admit(&connection) {
            Ok(permitted) => permitted,
            Err(refusal) => return Err(refuse(&mut entry, &refusal)),
        };
        let (spec, decisions) = match self.premises.policy.spec(&extraction) {
            Ok(narrowed) => narrowed,
            Err(refusal) => return Err(refuse(&mut entry, &refusal)),
        };
        let site = permitted.engine_site().map_err(|refusal| refuse(&mut entry, &refusal))?;
        let (opened, login) = self.open(run.as_str(), permitted, &connection)?;
        entry.decisions.clone_from(&decisions);
        self.premises.journal.add(&entry);
        let limits = self.premises.policy.limits(&connection);
        Ok(Order {
            run,
            lease,
            connection: policy::shortened(&connection.name),
            site,
            credential: opened.credential,
            limits,
            spec,
            resume,
            login,
            decisions,
        })
    }

    /// The secret of a connection, and the right to try it.
    pub(super) fn open(
        &self,
        id: &str,
        permitted: &PermittedSite,
        connection: &ConnectionSpec,
    ) -> Result<(Opened, Try), Failure> {
        let (id, site) = (policy::shortened(id), &permitted.address);
        let opened = self.premises.opener.credential(permitted, connection).map_err(|error| {
            if self.has_place {
                tracing::warn!(event = "secret_unusable", id, %site, %error, "there is no password for this");
            }
            error.failure()
        })?;
        let account = Account { site: site.clone(), username: opened.username.clone() };
        let login = self.premises.breaker.enter(account, opened.mark.clone()).map_err(|blocked| {
            let failure = blocked.failure();
            if self.has_place {
                tracing::warn!(event = "login_not_tried", id, %site, code = failure.code, reason = failure.message, "the login is not tried");
            }
            self.premises.board.error(&id, &failure.code, &failure.message);
            failure
        })?;
        Ok((opened, login))
    }

    pub(super) fn refuse(&self, id: &str, connection: &ConnectionSpec, refusal: &Refusal) -> Failure {
        let failure = refusal.failure();
        if self.has_place {
            tracing::warn!(
                event = "refused",
                run = policy::shortened(id),
                connection = policy::shortened(&connection.name),
                site = %connection.site,
                code = refusal.code(),
                reason = policy::shortened_line(&failure.message),
                "an instruction of the relay was refused"
            );
        }
        self.premises.board.error(id, refusal.code(), &failure.message);
        failure
    }

    pub(super) fn admit_test(
        &self,
        request: &RequestId,
        connection: &ConnectionSpec,
    ) -> Result<test_connection::Target, Failure> {
        let refuse = |refusal: Refusal| self.refuse(request.as_str(), connection, &refusal);
        let permitted = self.premises.policy.admit(connection).map_err(refuse)?;
        let site = permitted.engine_site().map_err(refuse)?;
        let (opened, login) = self.open(request.as_str(), permitted, connection)?;
        Ok(test_connection::Target {
            site,
            credential: opened.credential,
            limits: self.premises.policy.limits(connection),
            observer: self.premises.audit.observer(&policy::shortened(request.as_str())),
            login,
            narrowing: self.premises.policy.rules().narrowing(),
        })
    }
}
