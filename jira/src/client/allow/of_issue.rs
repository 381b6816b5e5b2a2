//! Reads of what belongs to one issue: a table's resource, asked with the issue's number and nothing else that varies.

use crate::tables::Table;
use crate::tables::of_issue::OfIssue;
use crate::tables::origin::Paging;
use std::borrow::Cow;

/// One read of a table's resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OfIssueAsk {
    pub(crate) table: Table,
    /// The issue's id.
    pub(crate) id: i64,
    /// Rows before it.
    pub(crate) start: u64,
}

impl OfIssueAsk {
    fn resource(self) -> Option<&'static OfIssue> {
        self.table.spec().of_issue.as_ref()
    }

    pub(super) fn template(self) -> &'static str {
        self.resource().map_or("", |resource| resource.path)
    }

    pub(super) fn path(self) -> String {
        self.template().replace("{id}", &self.id.to_string())
    }

    pub(super) fn query(self) -> Vec<(&'static str, String)> {
        let Some(resource) = self.resource() else { return Vec::new() };
        let fixed = resource.query.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let [start, size] = Paging::Start.names();
        let page = resource.page.map(|page| [(start, self.start.to_string()), (size, page.to_string())]);
        fixed.chain(page.into_iter().flatten()).collect()
    }

    pub(super) fn what(self) -> String {
        format!("the {} of issue {}", self.table, self.id)
    }
}

/// Whether a GET is such a read: nothing but the issue's number may vary.
pub(super) fn permits(path: &str, query: Option<&str>) -> bool {
    Table::of_each_issue()
        .any(|(_, resource)| resource.has_path(path) && is_query_of(resource, query.unwrap_or_default()))
}

fn is_query_of(resource: &OfIssue, query: &str) -> bool {
    let mut sent = url::form_urlencoded::parse(query.as_bytes());
    let mut fixed = resource.query.iter();
    let paging = resource.page.map(|_| Paging::Start.names());
    let is_number = |value: &str| !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let mut others = paging.into_iter().flatten();
    let is_permitted = |(name, value): (Cow<'_, str>, Cow<'_, str>)| match fixed.next() {
        Some(wanted) => *wanted == (&*name, &*value),
        None => others.next() == Some(&*name) && is_number(&value),
    };
    sent.all(is_permitted) && fixed.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_number_of_the_issue_may_vary() {
        for (path, query, is_permitted) in [
            ("/rest/api/2/issue/10001/remotelink", "", true),
            ("/rest/api/2/issue/10001/votes", "", true),
            ("/rest/api/2/issue/10001", "fields=created&properties=*all", true),
            ("/rest/api/2/issue/10001", "fields=created&properties=%2Aall", true),
            ("/rest/api/2/issue/10001", "fields=*all&properties=*all", false),
            ("/rest/api/2/issue/10001", "fields=created", false),
            ("/rest/api/2/issue/10001", "", false),
            ("/rest/servicedeskapi/request/10001", "", true),
            ("/rest/servicedeskapi/request/10001", "expand=sla", false),
            ("/rest/servicedeskapi/request/10001/sla", "start=0&limit=100", true),
            ("/rest/servicedeskapi/request/10001/sla", "start=x&limit=100", false),
            ("/rest/servicedeskapi/request/10001/comment", "", false),
            ("/rest/api/2/issue/X-1/votes", "", false),
            ("/rest/api/2/issue/10001/remotelink", "globalId=x", false),
            ("/rest/api/2/issue/10001/watchers/x", "", false),
        ] {
            assert_eq!(permits(path, Some(query)), is_permitted, "{path}?{query}");
        }
    }
}
