//! Page beans: a window over a list, with where the next one starts.

use serde_json::{Value, json};

use super::{Visit, problems};
use crate::jira_sim::reply::Reply;

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) start: usize,
    pub(super) most: usize,
}

impl Window {
    /// `startAt` and `maxResults` of a request; a negative start is 0, a size below 1 is 1, one above the cap
    /// is the cap.
    ///
    /// # Errors
    /// The answer to a number that is none.
    pub(super) fn of(visit: &Visit<'_>, default: usize, cap: usize) -> Result<Self, Reply> {
        let number = |name: &str, default: usize| match visit.request.parameter(name) {
            None => Ok(i64::try_from(default).unwrap_or(i64::MAX)),
            Some(text) => text.parse::<i64>().map_err(|_| problems::bad_number(visit.request, name, text)),
        };
        let start = usize::try_from(number("startAt", 0)?).unwrap_or(0);
        let most = usize::try_from(number("maxResults", default)?).unwrap_or(1);
        Ok(Self { start, most: most.clamp(1, cap) })
    }

    /// The part of a list.
    pub(super) fn cut(self, list: Vec<Value>) -> Vec<Value> {
        list.into_iter().skip(self.start).take(self.most).collect()
    }
}

/// A page bean of a resource.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bean<'a> {
    /// Path below `/rest/api/3/`, for `self` and `nextPage`.
    pub(super) path: &'a str,
    pub(super) window: Window,
}

impl Bean<'_> {
    /// The bean over a whole list.
    pub(super) fn of_all(self, visit: &Visit<'_>, list: Vec<Value>) -> Value {
        let Window { start, most } = self.window;
        let total = list.len();
        let address = |start: usize| {
            let base = &visit.inner.base;
            format!("{base}/rest/api/3/{}?startAt={start}&maxResults={most}", self.path)
        };
        let last = start.saturating_add(most) >= total;
        let mut bean = json!({
            "self": address(start), "maxResults": most, "startAt": start, "total": total, "isLast": last,
            "values": self.window.cut(list),
        });
        if !last {
            bean["nextPage"] = address(start + most).into();
        }
        bean
    }
}
