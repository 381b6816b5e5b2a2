//! How Cloud refuses.

use serde_json::json;

use super::super::reply::Reply;
use super::super::rest::Request;

const PROBLEM: &str = "application/problem+json;charset=UTF-8";

/// An RFC 7807 answer, as Cloud's framework gives it before Jira's own code is asked.
pub(super) fn problem(request: &Request, status: u16, title: &str, detail: &str) -> Reply {
    let body = json!({ "type": "about:blank", "title": title, "status": status, "detail": detail, "instance": request.path });
    Reply::typed(status, PROBLEM, body.to_string())
}

/// The wrong method.
pub(super) fn method_not_allowed(request: &Request, allowed: &'static str) -> Reply {
    let detail = format!("Method '{}' is not supported.", request.method);
    problem(request, 405, "Method Not Allowed", &detail).header("allow", allowed)
}

/// A parameter that should be a number.
pub(super) fn bad_number(request: &Request, name: &str, value: &str) -> Reply {
    let detail = format!("Failed to convert '{name}' with value: '{value}'");
    problem(request, 400, "Bad Request", &detail)
}

/// A page size out of bounds.
pub(super) fn bad_size(most: usize) -> Reply {
    let most = if most == 10_000 { "10,000" } else { "5,000" };
    Reply::error(400, &format!("The max results parameter has to be between 1 and {most}."))
}

/// A body with a member that nobody knows, or of the wrong type.
pub(super) fn bad_body() -> Reply {
    Reply::errors_only(400, "Invalid request payload. Refer to the REST API documentation and try again.")
}

/// A page token that this site did not make, or made too long ago.
pub(super) fn bad_token() -> Reply {
    Reply::error(400, "The provided next page token is invalid or expired.")
}

/// A query without any restriction.
pub(super) fn unbounded() -> Reply {
    Reply::error(
        400,
        "Unbounded JQL queries are not allowed here. Please add a search restriction to your query.",
    )
}

/// The search that Cloud no longer has.
pub(super) fn gone() -> Reply {
    Reply::error(
        410,
        "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API. A full migration guideline is available at https://developer.atlassian.com/changelog/#CHANGE-2046",
    )
}

/// An issue that does not exist or must not be seen.
pub(super) fn no_issue() -> Reply {
    Reply::error(404, "Issue does not exist or you do not have permission to see it.")
}

/// A resource that wants somebody logged in.
pub(super) fn login_required(base: &str) -> Reply {
    let realm: String = url::form_urlencoded::byte_serialize(base.as_bytes()).collect();
    Reply::html(401, "Client must be authenticated to access this resource.".to_owned())
        .header("www-authenticate", format!("OAuth realm=\"{realm}\""))
}

/// The gateway's refusal.
pub(super) fn gateway(status: u16, message: &str) -> Reply {
    Reply::json(status, &json!({ "code": status, "message": message }))
}
