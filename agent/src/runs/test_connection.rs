//! A connection test: one login, then what the account sees.

use crate::run::failure_of;
use jira::{Credential, Dialect, JiraClient, Limits, Observer, Site, Visible};
use protocol::control::TestReport;

/// Where to log in, as whom; it has passed the policy.
pub(super) struct Target {
    pub(super) site: Site,
    pub(super) credential: Credential,
    pub(super) limits: Limits,
    pub(super) observer: Observer,
}

/// Logs in and counts.
pub(super) async fn run(target: Target) -> TestReport {
    match try_run(target).await {
        Ok(report) => report,
        Err(error) => {
            tracing::info!(event = "test_failed", code = error.code(), "the connection test failed");
            TestReport::Failed { failure: failure_of(&error) }
        }
    }
}

async fn try_run(target: Target) -> Result<TestReport, jira::Error> {
    let client = JiraClient::try_new(target.site, target.credential, target.limits)?;
    let client = client.observed_by(target.observer);
    let login = client.login().await?;
    let Visible { projects, issues } = client.visible().await?;
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
    }
}
