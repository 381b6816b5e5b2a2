//! The user's own condition, asked of Jira once before a run reads anything: what is wrong in it is told at once, in Jira's own words.

use crate::error::Error;
use crate::extraction::run::Run;
use crate::jql::Jql;

/// Has Jira read the condition, if there is one.
///
/// # Errors
/// When Jira refuses it: its form, a field or a value that it does not know.
pub(crate) async fn condition(run: &Run) -> Result<(), Error> {
    let Some(user) = run.user() else { return Ok(()) };
    if !run.spec.reads_issues() {
        return Ok(());
    }
    let jql = Jql::all().user(Some(user));
    // A page without issues costs least; Jira Cloud gives none, there one id does.
    if run.client.is_cloud() {
        run.cloud_heads(jql, 1, None).await?;
    } else {
        run.heads(jql, 0, 0).await?;
    }
    Ok(())
}
