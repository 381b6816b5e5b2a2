//! A connection test: one login, then what the account sees.

use crate::breaker::Try;
use crate::run::failure_of;
use jira::{Credential, Dialect, JiraClient, Limits, Narrowing, Observer, Site, Visible};
use protocol::control::TestReport;

/// Where to log in, as whom; it has passed the policy.
pub(super) struct Target {
    pub(super) site: Site,
    pub(super) credential: Credential,
    pub(super) limits: Limits,
    pub(super) observer: Observer,
    /// The right to log in.
    pub(super) login: Try,
    /// What the premises permit to be seen.
    pub(super) narrowing: Narrowing,
}

/// Logs in and counts.
pub(super) async fn run(mut target: Target) -> TestReport {
    match try_run(&mut target).await {
        Ok(report) => report,
        Err(error) => {
            target.login.ended(Some(error.code()));
            tracing::info!(event = "test_failed", code = error.code(), "the connection test failed");
            TestReport::Failed { failure: failure_of(&error) }
        }
    }
}

async fn try_run(target: &mut Target) -> Result<TestReport, jira::Error> {
    let client = JiraClient::try_new(target.site.clone(), target.credential.clone(), target.limits.clone())?;
    let client = client.observed_by(target.observer.clone());
    let login = client.login().await?;
    target.login.accepted();
    let Visible { projects, issues } = client.visible(&target.narrowing).await?;
    tracing::info!(event = "test_done", projects, issues, "the connection test succeeded");
    Ok(TestReport::Ok {
        account: login.account,
        version: login.version,
        deployment: deployment(login.dialect).to_owned(),
        time_zone: login.time_zone.unwrap_or_default(),
        projects,
        issues,
    })
}

fn deployment(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Server | Dialect::DataCenter => "server",
        Dialect::Cloud => "cloud",
    }
}
