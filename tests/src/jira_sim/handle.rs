//! What a test may do with a running simulator.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::Flavour;
use super::change::{Edit, Editor, IssueRef, NewIssue};
use super::cloud;
use super::cloud::issue::CloudView;
use super::control::{self, Change};
use super::faults::{Fault, FaultKind, Gate};
use super::render::{Selection, View};
use super::script::ScriptLog;
use super::search::PageInfo;
use super::stats::Stats;
use super::{Inner, RecordedRequest, SimError};

mod unseen;

/// Changes, faults, gates and counters of a simulator.
#[derive(Clone)]
pub struct SimHandle(Arc<Inner>);

impl std::fmt::Debug for SimHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SimHandle {{ url: {:?} }}", self.url())
    }
}

/// A closed gate; matching requests wait until it is released or dropped.
#[derive(Debug)]
pub struct Hold(Arc<Gate>);

impl Hold {
    /// Lets the waiting requests, and all later ones, pass.
    pub fn release(self) {}
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.release();
    }
}

impl SimHandle {
    pub(crate) fn from_inner(inner: Arc<Inner>) -> Self {
        Self(inner)
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }

    /// Base URL with the context path, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}{}", self.0.origin, self.0.config.context_path)
    }

    /// Makes one change at a new instant.
    fn change<T>(&self, change: impl FnOnce(&mut Editor<'_>) -> Result<T, SimError>) -> Result<T, SimError> {
        let mut site = self.0.site_mut();
        let now_ms = self.0.clock.tick_ms();
        let changed = change(&mut Editor { site: &mut site, now_ms });
        drop(site);
        self.0.counters.update(|stats| stats.changes += u64::from(changed.is_ok()));
        changed
    }

    /// Creates an issue with the given members.
    ///
    /// # Errors
    /// An unknown project, type or parent.
    pub fn create_issue(&self, new: &NewIssue) -> Result<IssueRef, SimError> {
        self.change(|editor| editor.create(new))
    }

    /// Creates `count` varied issues, each at an instant of its own.
    ///
    /// # Errors
    /// Never on a generated site.
    pub fn create_issues(&self, count: u32) -> Result<Vec<IssueRef>, SimError> {
        (0..count).map(|_| self.change(|editor| editor.create_varied())).collect()
    }

    /// Edits an issue named by key or id: one history entry, `updated` is now.
    ///
    /// # Errors
    /// An unknown issue, status, user or field.
    pub fn edit_issue(&self, issue: &str, edit: &Edit) -> Result<(), SimError> {
        self.change(|editor| {
            let slot = editor.slot(issue)?;
            editor.edit(slot, edit)
        })
    }

    /// Adds a comment (by the first user when `author` is `None`); gives its id.
    ///
    /// # Errors
    /// An unknown issue or author.
    pub fn add_comment(&self, issue: &str, author: Option<&str>, body: &str) -> Result<u64, SimError> {
        self.change(|editor| {
            let slot = editor.slot(issue)?;
            editor.add_comment(slot, author, body)
        })
    }

    /// Gives a comment another text.
    ///
    /// # Errors
    /// An unknown issue or comment.
    pub fn edit_comment(&self, issue: &str, id: u64, body: &str) -> Result<(), SimError> {
        self.change(|editor| {
            let slot = editor.slot(issue)?;
            editor.edit_comment(slot, id, body)
        })
    }

    /// Deletes a comment; `updated` is now.
    ///
    /// # Errors
    /// An unknown issue or comment.
    pub fn delete_comment(&self, issue: &str, id: u64) -> Result<(), SimError> {
        self.change(|editor| {
            let slot = editor.slot(issue)?;
            editor.delete_comment(slot, id)
        })
    }

    /// Logs work; gives the worklog's id.
    ///
    /// # Errors
    /// An unknown issue.
    pub fn add_worklog(&self, issue: &str, seconds: u64, comment: &str) -> Result<u64, SimError> {
        self.change(|editor| {
            let slot = editor.slot(issue)?;
            editor.add_worklog(slot, seconds, comment)
        })
    }

    /// Deletes a worklog; `updated` stays.
    ///
    /// # Errors
    /// An unknown issue or worklog.
    pub fn delete_worklog(&self, issue: &str, id: u64) -> Result<(), SimError> {
        self.change(|editor| {
            let slot = editor.slot(issue)?;
            editor.delete_worklog(slot, id)
        })
    }

    /// Links two issues; gives the link's id.
    ///
    /// # Errors
    /// An unknown issue or link type.
    pub fn add_link(&self, from: &str, to: &str, link_type: &str) -> Result<u64, SimError> {
        self.change(|editor| {
            let (from, to) = (editor.slot(from)?, editor.slot(to)?);
            editor.link(from, to, link_type)
        })
    }

    /// Puts an issue of a Cloud site into an epic, or into none.
    ///
    /// # Errors
    /// An unknown issue, one that is no epic, or a Server site.
    pub fn set_epic(&self, issue: &str, epic: Option<&str>) -> Result<(), SimError> {
        self.change(|editor| {
            let slot = editor.slot(issue)?;
            let epic = epic.map(|key| editor.slot(key)).transpose()?;
            editor.set_epic(slot, epic)
        })
    }

    /// Removes a link from both issues.
    ///
    /// # Errors
    /// An unknown link.
    pub fn delete_link(&self, id: u64) -> Result<(), SimError> {
        self.change(|editor| editor.unlink(id))
    }

    /// Moves an issue with its sub-tasks to another project; the id stays, the old key leads to it.
    ///
    /// # Errors
    /// An unknown issue or project, a sub-task, or the project it is in.
    pub fn move_issue(&self, issue: &str, project: &str) -> Result<IssueRef, SimError> {
        self.change(|editor| {
            let slot = editor.slot(issue)?;
            editor.relocate(slot, project)
        })
    }

    /// Deletes an issue with its sub-tasks; links vanish from other issues whose `updated` stays.
    ///
    /// # Errors
    /// An unknown issue.
    pub fn delete_issue(&self, issue: &str) -> Result<(), SimError> {
        self.change(|editor| {
            let slot = editor.slot(issue)?;
            editor.delete(slot);
            Ok(())
        })
    }

    /// Gives a user another login name and display name; the key stays, no issue's `updated` changes.
    ///
    /// # Errors
    /// An unknown user, or a deleted one.
    pub fn rename_user(&self, name: &str, new_name: &str, display: &str) -> Result<(), SimError> {
        self.change(|editor| {
            let users = &editor.site.catalog.users;
            let found = users.iter().position(|user| user.name == name && user.key.is_some());
            let at = found.ok_or_else(|| SimError::Unknown { what: "user".into(), name: name.into() })?;
            editor.site.catalog.rename_user(at, new_name, display);
            Ok(())
        })
    }

    /// Makes a change given as data, as `POST /__sim/change` does.
    ///
    /// # Errors
    /// What is unknown or refused.
    pub fn apply(&self, change: Change) -> Result<serde_json::Value, SimError> {
        control::apply(self, change)
    }

    /// Calls `hook` after every search answer with issues, before the answer leaves.
    pub fn on_page(&self, hook: impl Fn(&SimHandle, &PageInfo) + Send + Sync + 'static) {
        *self.0.hook.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(hook));
    }

    /// Calls no hook any more.
    pub fn clear_hook(&self) {
        *self.0.hook.lock().unwrap_or_else(PoisonError::into_inner) = None;
        *self.0.request_hook.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Starts the scripted changes after every page.
    pub fn start_script(&self, seed: u64) {
        self.0.script.start(seed);
    }

    /// Stops the scripted changes.
    pub fn stop_script(&self) {
        self.0.script.stop();
    }

    /// What the script did so far.
    #[must_use]
    pub fn script_log(&self) -> ScriptLog {
        self.0.script.log()
    }

    /// Adds a fault.
    pub fn fault(&self, fault: Fault) {
        self.0.faults.add(fault);
    }

    /// Lets the next `times` requests whose path and query contain `path` go wrong.
    pub fn fail_next(&self, path: &str, times: u64, kind: FaultKind) {
        self.fault(Fault { path: path.to_owned(), times, skip: 0, kind });
    }

    /// Forgets the faults that are still due.
    pub fn clear_faults(&self) {
        self.0.faults.clear();
    }

    /// Holds every request whose path and query contain `path` until the gate is released or dropped.
    #[must_use]
    pub fn hold(&self, path: &str) -> Hold {
        self.hold_after(path, 0)
    }

    /// The same, after `skip` matching requests have passed.
    #[must_use]
    pub fn hold_after(&self, path: &str, skip: u64) -> Hold {
        Hold(self.0.gates.close(path, skip))
    }

    pub(crate) fn close_gate(&self, path: &str, skip: u64) {
        drop(self.0.gates.close(path, skip));
    }

    /// Opens every gate whose path contains `path`.
    pub fn release(&self, path: &str) {
        self.0.gates.release(path);
    }

    /// The counters now.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.0.counters.snapshot()
    }

    /// Keeps every request from now on, until [`SimHandle::recorded_requests`] takes them.
    pub fn record_requests(&self) {
        *self.0.record.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
    }

    /// The requests kept since [`SimHandle::record_requests`], in the order of their arrival; keeps no more.
    #[must_use]
    pub fn recorded_requests(&self) -> Vec<RecordedRequest> {
        self.0.record.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()
    }

    /// Counts from zero.
    pub fn reset_stats(&self) {
        self.0.counters.reset();
    }

    /// Waits until the counters satisfy `reached`.
    ///
    /// # Errors
    /// When `limit` passes first.
    pub async fn wait_for(
        &self,
        limit: Duration,
        reached: impl Fn(&Stats) -> bool,
    ) -> Result<Stats, SimError> {
        let stats = self.0.counters.wait_for(limit, reached).await;
        stats.ok_or_else(|| SimError::TimedOut(limit, format!("{:?}", self.stats())))
    }

    /// Delays every REST answer by so much from now on.
    pub fn set_latency(&self, latency: Duration) {
        let ms = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
        self.0.latency_ms.store(ms, std::sync::atomic::Ordering::Relaxed);
    }

    /// Unlocks every account.
    pub fn reset_captcha(&self) {
        self.0.auth.reset_captcha();
    }

    /// Failed password logins of an account since its last success; `None` for an unknown one.
    #[must_use]
    pub fn failed_logins_of(&self, username: &str) -> Option<u32> {
        self.0.auth.find(username).map(|account| self.0.auth.failures(account))
    }

    /// Ends every session: the cookies that clients hold are expired.
    pub fn expire_sessions(&self) {
        self.0.auth.expire_all();
    }

    /// The simulator's clock, Unix milliseconds.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.0.clock.now_ms()
    }

    /// Moves the simulator's clock forward.
    pub fn advance_clock(&self, ms: i64) {
        self.0.clock.advance(ms);
    }

    /// Number of issues that exist.
    #[must_use]
    pub fn issue_count(&self) -> usize {
        self.0.site().living().count()
    }

    /// Present keys of all issues, in the order of their creation in the simulator.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        let site = self.0.site();
        site.living().map(|slot| site.key(slot)).collect()
    }

    /// Ids of all issues.
    #[must_use]
    pub fn ids(&self) -> Vec<u64> {
        let site = self.0.site();
        site.living().map(|slot| site.slim(slot).id).collect()
    }

    /// The whole issue in UTC with history and every child, as JSON.
    ///
    /// # Errors
    /// An unknown issue.
    pub fn issue_json(&self, issue: &str) -> Result<String, SimError> {
        let site = self.0.site();
        let found = site.find(issue);
        let slot = found.ok_or_else(|| SimError::Unknown { what: "issue".into(), name: issue.into() })?;
        if self.is_cloud() {
            return Ok(cloud::issue::write(&site, slot, &CloudView::whole(&site)));
        }
        let view = View {
            selection: Selection::all(&site),
            changelog: true,
            worklog_cap: usize::MAX >> 1,
            transitions: false,
        };
        let mut out = String::new();
        site.write_issue(&mut out, slot, &view);
        Ok(out)
    }
}

/// The lists that the metadata resources answer with.
impl SimHandle {
    fn is_cloud(&self) -> bool {
        self.0.config.flavour == Flavour::Cloud
    }

    /// The objects of `/field`.
    #[must_use]
    pub fn field_list(&self) -> Vec<serde_json::Value> {
        let site = self.0.site();
        if self.is_cloud() {
            return cloud::metadata::fields(&site);
        }
        site.catalog.fields.iter().filter(|field| field.listed).map(super::fields::FieldDef::json).collect()
    }

    /// The objects of `/project`; on Cloud the live and archived ones of `/project/search`.
    #[must_use]
    pub fn project_list(&self) -> Vec<serde_json::Value> {
        let site = self.0.site();
        if self.is_cloud() {
            let visible = ["live", "archived"];
            return visible.iter().flat_map(|status| cloud::metadata::projects(&site, status)).collect();
        }
        site.catalog.projects.iter().map(|project| site.catalog.project_bean(project)).collect()
    }

    /// The users of the directory, active and inactive, as `/user/search` shows them.
    #[must_use]
    pub fn user_list(&self) -> Vec<serde_json::Value> {
        let site = self.0.site();
        if self.is_cloud() {
            return cloud::metadata::directory(&site);
        }
        site.catalog
            .users
            .iter()
            .filter(|user| user.listed)
            .map(|user| site.catalog.user_bean(user))
            .collect()
    }

    /// The objects of a list of the site; `of` is the project or board for those that each has. Empty for another name.
    #[must_use]
    pub fn site_list(&self, list: &str, of: &str) -> Vec<serde_json::Value> {
        let site = self.0.site();
        let list = match list {
            "board_issues" | "backlog_issues" | "sprint_issues" => {
                super::agile_issues::list_of(&site, list, of.parse().unwrap_or_default())
            }
            "service_desks" | "request_types" | "jsm_organizations" | "queues" => {
                super::service_desk::list_of(&site.catalog, list, of)
            }
            _ => super::site_lists::named(&site.catalog, list, of),
        };
        if !self.is_cloud() {
            return list;
        }
        list.iter().map(|object| cloud::metadata::shaped(&site, &object.to_string())).collect()
    }

    /// The objects that an issue keeps in a resource of its own: `remotelink`, `watchers`, `voters`, `properties` (each with `key` and
    /// `value`), `transitions`, `request` or `sla`. Empty for another name and for an unknown issue.
    #[must_use]
    pub fn issue_list(&self, list: &str, id: u64) -> Vec<serde_json::Value> {
        let site = self.0.site();
        let Some(slot) = site.find_id(id) else { return Vec::new() };
        let mut objects = super::of_issue::list_of(&site, slot, list);
        if self.is_cloud() {
            for object in &mut objects {
                *object = cloud::metadata::shaped(&site, &object.to_string());
                if list == "transitions" {
                    super::of_issue::cloud_transition(object);
                }
            }
        }
        objects
    }

    /// The objects of `/status`, `/priority`, `/resolution` or `/issuetype`; empty for another name.
    #[must_use]
    pub fn named_list(&self, resource: &str) -> Vec<serde_json::Value> {
        let site = self.0.site();
        if self.is_cloud() {
            return cloud::metadata::named(&site, resource);
        }
        let list = match resource {
            "status" => &site.catalog.statuses,
            "priority" => &site.catalog.priorities,
            "resolution" => &site.catalog.resolutions,
            "issuetype" => &site.catalog.types,
            _ => return Vec::new(),
        };
        list.iter().filter_map(|named| serde_json::from_str(site.catalog.json_of(named.json)).ok()).collect()
    }
}
