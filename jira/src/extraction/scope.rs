//! Which projects a run may ask about, settled once the account is logged in: a condition that names a project which the account does
//! not see is an error to Jira, and a list of the premises serves many accounts.

use crate::error::Error;
use crate::extraction::run::Run;
use crate::mask::Narrowing;
use crate::project::ProjectKey;
use crate::refused::SpecError;

/// The projects of every search of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    /// Only these; empty means all.
    pub(crate) only: Vec<ProjectKey>,
    /// None of these.
    pub(crate) never: Vec<ProjectKey>,
}

/// Settles the scope; `None` where nobody narrows it.
pub(crate) async fn settle(run: &Run) -> Result<Option<Scope>, Error> {
    let (spec, narrowing) = (&run.spec, &run.spec.narrowing);
    if !narrowing.has_projects() || !spec.reads_issues() {
        return Ok(None);
    }
    let visible = visible_projects(run).await?;
    decide(&spec.projects, narrowing, &visible).map(Some)
}

fn decide(asked: &[ProjectKey], narrowing: &Narrowing, visible: &[ProjectKey]) -> Result<Scope, Error> {
    let sees = |key: &ProjectKey| visible.iter().any(|seen| seen.as_str().eq_ignore_ascii_case(key.as_str()));
    let permitted = |key: &&ProjectKey| narrowing.permits_project(key.as_str());
    if let Some(unseen) = asked.iter().find(|key| !sees(key)) {
        let detail = format!("there is no project `{unseen}`, or this account does not see it");
        return Err(Error::JqlRefused { detail });
    }
    let listed = if asked.is_empty() { visible } else { asked };
    if asked.is_empty() && narrowing.permitted_projects.is_empty() {
        let never = narrowing.denied_projects.iter().filter(|key| sees(key)).cloned().collect();
        return Ok(Scope { only: Vec::new(), never });
    }
    let only: Vec<ProjectKey> = listed.iter().filter(permitted).cloned().collect();
    if only.is_empty() {
        return Err(SpecError::NoProjectPermitted.into());
    }
    Ok(Scope { only, never: Vec::new() })
}

/// The projects that the account sees. Archived ones are left out: searches do not know them.
pub(crate) async fn visible_projects(run: &Run) -> Result<Vec<ProjectKey>, Error> {
    let projects = run.client.projects().await?;
    let keys =
        projects.iter().filter(|project| !project.archived).map(|project| ProjectKey::parse(&project.key));
    Ok(keys.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(keys: &[&str]) -> Vec<ProjectKey> {
        keys.iter().map(|key| ProjectKey::parse(key).unwrap()).collect()
    }

    fn narrowing(permitted: &[&str], denied: &[&str]) -> Narrowing {
        let (permitted_projects, denied_projects) = (keys(permitted), keys(denied));
        Narrowing { permitted_projects, denied_projects, ..Narrowing::default() }
    }

    fn decided(
        asked: &[&str],
        permitted: &[&str],
        denied: &[&str],
    ) -> Result<(Vec<ProjectKey>, Vec<ProjectKey>), String> {
        let scope = decide(&keys(asked), &narrowing(permitted, denied), &keys(&["A", "B", "C"]));
        scope.map(|scope| (scope.only, scope.never)).map_err(|error| error.code().to_owned())
    }

    #[test]
    fn what_is_asked_only_gets_narrower() {
        assert_eq!(decided(&["A", "B"], &["B", "C"], &[]), Ok((keys(&["B"]), vec![])));
        assert_eq!(decided(&["A", "B"], &[], &["B"]), Ok((keys(&["A"]), vec![])));
        assert_eq!(decided(&[], &["a", "C", "X"], &["C"]), Ok((keys(&["A"]), vec![])));
        assert_eq!(decided(&[], &[], &["C", "X"]), Ok((vec![], keys(&["C"]))));
    }

    #[test]
    fn nothing_left_is_an_error_and_never_everything() {
        assert_eq!(decided(&["A"], &["B"], &[]), Err("spec_refused".to_owned()));
        assert_eq!(decided(&[], &["X"], &[]), Err("spec_refused".to_owned()));
    }

    #[test]
    fn a_former_key_of_a_project_is_not_passed_on() {
        assert_eq!(decided(&["OLD"], &[], &["B"]), Err("jql_refused".to_owned()));
    }
}
