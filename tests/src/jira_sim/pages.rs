//! The HTML and XML that Jira, Tomcat and proxies answer with when they refuse.

/// Jira's page for a refused Basic login.
pub(crate) fn unauthorized(reason: &str) -> String {
    format!(
        "<html><body><h1>Unauthorized (401)</h1><p>Encountered a <code>&quot;401 - Unauthorized&quot;</code> error while loading this page.</p><p>Basic Authentication Failure - Reason : {reason}</p><p><a href=\"/secure/MyJiraHome.jspa\">Go to Jira home</a></p></body></html>"
    )
}

/// Jira's page while a CAPTCHA locks the account.
pub(crate) fn captcha() -> String {
    "<html><body><h1>Forbidden (403)</h1><p>Encountered a <code>&quot;403 - Forbidden&quot;</code> error while loading this page.</p><p>Basic Authentication Failure - Reason : AUTHENTICATION_DENIED</p></body></html>".to_owned()
}

/// Tomcat's page of the rate limit.
pub(crate) fn too_many_requests() -> String {
    "<!doctype html><html lang=\"en\"><head><title>HTTP Status 429 \u{2013} Too Many Requests</title></head><body><h1>HTTP Status 429 \u{2013} Too Many Requests</h1><hr class=\"line\" /><p><b>Type</b> Status Report</p><p><b>Message</b> Rate limit exceeded.</p><p><b>Description</b> The user has sent too many requests in a given amount of time (&quot;rate limiting&quot;).</p><hr class=\"line\" /><h3>Apache Tomcat/9.0.95</h3></body></html>".to_owned()
}

/// A proxy's page when Jira does not answer it.
pub(crate) fn gateway(status: u16) -> String {
    let title = match status {
        502 => "502 Bad Gateway",
        503 => "503 Service Temporarily Unavailable",
        504 => "504 Gateway Time-out",
        _ => "Error",
    };
    format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    )
}

/// A single sign-on's login page.
pub(crate) fn sso() -> String {
    "<!DOCTYPE html><html><head><title>Sign in to your account</title></head><body><form method=\"post\" action=\"https://idp.example.com/saml\"><input name=\"user\"><input name=\"password\" type=\"password\"></form></body></html>".to_owned()
}

/// Jira's own login page.
pub(crate) fn login(context: &str) -> String {
    format!(
        "<!DOCTYPE html><html><head><title>Log in - Jira</title></head><body><form action=\"{context}/login.jsp\" method=\"post\" id=\"login-form\"><input name=\"os_username\"><input name=\"os_password\" type=\"password\"></form></body></html>"
    )
}

/// Apache's page of a redirect.
pub(crate) fn moved(location: &str) -> String {
    format!(
        "<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\n<html><head>\n<title>301 Moved Permanently</title>\n</head><body>\n<h1>Moved Permanently</h1>\n<p>The document has moved <a href=\"{location}\">here</a>.</p>\n</body></html>\n"
    )
}

/// The body of the 500 beyond the result window.
pub(crate) fn search_limit(requested: u64, limit: u64) -> String {
    format!(
        "<status><message>Search limit exceeded. We couldn't complete your search because it requests {} results which exceeded the search platform limit of {}. Try refining your query or contact your Jira administrator. Repeating the same search may not work.</message><stack-trace>Please contact your admin passing attached Log's referral number: 00000000-0000-0000-0000-000000000000</stack-trace></status>",
        grouped(requested),
        grouped(limit)
    )
}

/// `10,100`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
