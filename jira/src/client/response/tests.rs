//! Every way Jira says no, one answer each.

use super::*;
use crate::client::allow::SearchAsk;
use crate::jql::Jql;

fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Answer {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(*name, value.parse().unwrap());
    }
    Answer { status: StatusCode::from_u16(status).unwrap(), headers: map, body: body.as_bytes().to_vec() }
}

fn judged(read: &Read, base: &str, answer: Answer) -> Verdict {
    let site = Url::parse(base).unwrap();
    judge(answer, &Expectation { read, site: &site, attempt: 1, account: Some("fred"), login_hint: "" })
}

fn search() -> Read {
    Read::Search(SearchAsk {
        jql: Jql::all(),
        fields: Vec::new(),
        expand: Vec::new(),
        max_results: 1,
        start_at: 0,
    })
}

fn failure(read: &Read, status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Error {
    match judged(read, "http://jira.example/", answer(status, headers, body)) {
        Verdict::Fail(error) => error,
        other => panic!("not a failure: {other:?}"),
    }
}

const JSON: (&str, &str) = ("content-type", "application/json;charset=UTF-8");
const HTML: (&str, &str) = ("content-type", "text/html");

#[test]
fn a_refused_password_is_a_refused_login_under_any_status() {
    let reason = ("x-seraph-loginreason", "AUTHENTICATED_FAILED");
    assert_eq!(
        failure(&Read::Myself, 401, &[HTML, reason], "<p>Basic Authentication Failure</p>").code(),
        "login_refused"
    );
    assert_eq!(failure(&search(), 200, &[JSON, reason], "{}").code(), "login_refused");
    assert_eq!(failure(&search(), 401, &[], "").code(), "login_refused");
}

#[test]
fn passwords_that_are_switched_off_ask_for_a_token() {
    // Jira answers so as to a visitor, for it has looked at no password.
    let visitor = ("x-ausername", "anonymous");
    let body = r#"{"message":"Basic Authentication has been disabled on this instance."}"#;
    let error = failure(&Read::Myself, 403, &[JSON, visitor], body);
    assert_eq!(error.code(), "login_passwords_off");
    assert!(error.to_string().contains("Create a personal access token"), "{error}");
}

#[test]
fn a_captcha_names_the_login_page() {
    let denied =
        ("x-authentication-denied-reason", "CAPTCHA_CHALLENGE; login-url=http://jira.example/login.jsp");
    let error =
        failure(&Read::Myself, 403, &[HTML, ("x-seraph-loginreason", "AUTHENTICATION_DENIED"), denied], "");
    assert_eq!(error.code(), "login_captcha");
    assert!(error.to_string().contains("http://jira.example/login.jsp"), "{error}");
}

#[test]
fn an_anonymous_answer_is_a_failed_login() {
    assert_eq!(
        failure(&search(), 200, &[JSON, ("x-ausername", "anonymous")], "{}").code(),
        "login_anonymous"
    );
    let body = r#"{"errorMessages":["Field 'issuetype' does not exist or this field cannot be viewed by anonymous users."],"errors":{}}"#;
    assert_eq!(failure(&search(), 400, &[JSON], body).code(), "login_anonymous");
    assert_eq!(failure(&search(), 200, &[JSON, ("x-ausername", "eve")], "{}").code(), "login_changed");
}

#[test]
fn single_sign_on_is_recognised_as_redirect_and_as_page() {
    let to_idp = ("location", "https://idp.example/saml?x=1");
    assert_eq!(failure(&Read::ServerInfo, 302, &[to_idp], "").code(), "login_sso");
    assert_eq!(
        failure(&search(), 302, &[("location", "/login.jsp?os_destination=x")], "").code(),
        "login_sso"
    );
    assert_eq!(
        failure(&search(), 200, &[HTML], "<html><title>Sign in to your account</title>").code(),
        "login_sso"
    );
}

#[test]
fn a_missing_context_path_suggests_the_right_address() {
    let error = failure(
        &Read::ServerInfo,
        301,
        &[HTML, ("location", "http://jira.example/jira/rest/api/2/serverInfo")],
        "",
    );
    assert!(error.to_string().contains("http://jira.example/jira:"), "{error}");
    let error = failure(&Read::ServerInfo, 301, &[HTML, ("location", "/jira/")], "");
    assert!(error.to_string().contains("http://jira.example/jira:"), "{error}");
    let error =
        failure(&Read::ServerInfo, 301, &[("location", "https://jira.example/rest/api/2/serverInfo")], "");
    assert!(error.to_string().contains("https://jira.example:"), "{error}");
    assert_eq!(failure(&Read::ServerInfo, 404, &[HTML], "<h1>Not found</h1>").code(), "wrong_context_path");
    assert_eq!(failure(&Read::ServerInfo, 200, &[HTML], "<h1>It works!</h1>").code(), "not_jira");
}

#[test]
fn trouble_on_the_way_is_tried_again_and_the_search_window_is_not() {
    let wait = match judged(
        &search(),
        "http://h/",
        answer(429, &[HTML, ("retry-after", "7")], "<h1>Rate limit exceeded.</h1>"),
    ) {
        Verdict::Again { wait, .. } => wait,
        other => panic!("not tried again: {other:?}"),
    };
    assert_eq!(wait, Some(Duration::from_secs(7)));
    for status in [500, 502, 503, 504] {
        assert!(
            matches!(judged(&search(), "http://h/", answer(status, &[HTML], "")), Verdict::Again { .. }),
            "{status}"
        );
    }
    assert_eq!(
        failure(&search(), 500, &[], "<status><message>Search limit exceeded</message></status>").code(),
        "search_window"
    );
}

fn wait_of(headers: &[(&'static str, &'static str)]) -> Option<Duration> {
    match judged(&search(), "http://h/", answer(503, &[&[HTML], headers].concat(), "")) {
        Verdict::Again { wait, .. } => wait,
        other => panic!("not tried again: {other:?}"),
    }
}

#[test]
fn a_time_to_come_back_at_is_read_by_the_clock_of_whoever_names_it() {
    let date = ("date", "Sun, 06 Nov 1994 08:49:30 GMT");
    // The three forms of RFC 9110, section 5.6.7.
    for until in
        ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
    {
        assert_eq!(wait_of(&[date, ("retry-after", until)]), Some(Duration::from_secs(7)), "{until}");
    }
    let past = ("retry-after", "Sun, 06 Nov 1994 08:49:29 GMT");
    assert_eq!(wait_of(&[date, past]), Some(Duration::ZERO));
    assert_eq!(wait_of(&[past]), Some(Duration::ZERO), "without a Date this machine's clock counts");
    let far = ("retry-after", "Sat, 06 Nov 2094 08:49:37 GMT");
    assert_eq!(wait_of(&[date, far]), Some(RETRY_AFTER_MAX));
    assert_eq!(wait_of(&[("retry-after", "99999999999999")]), Some(RETRY_AFTER_MAX));
    for nonsense in ["soon", "-1", "1.5", ""] {
        assert_eq!(wait_of(&[date, ("retry-after", nonsense)]), None, "{nonsense}");
    }
}

#[test]
fn a_body_that_ends_early_is_tried_again_and_a_stranger_is_not() {
    assert!(matches!(
        judged(&search(), "http://h/", answer(200, &[JSON], "{\"issues\":[")),
        Verdict::Again { .. }
    ));
    assert!(matches!(judged(&search(), "http://h/", answer(200, &[JSON], "[1, 2]\n")), Verdict::Page(_)));
    assert_eq!(failure(&search(), 200, &[JSON], "hello").code(), "body_not_json");
    assert_eq!(failure(&search(), 200, &[("content-type", "text/plain")], "hello").code(), "body_not_json");
}

#[test]
fn jiras_own_messages_reach_the_user() {
    let body = r#"{"errorMessages":["The value 'X' does not exist for the field 'project'."],"errors":{}}"#;
    let error = failure(&search(), 400, &[JSON], body);
    assert_eq!(error.code(), "jql_refused");
    assert!(error.to_string().contains("The value 'X' does not exist for the field 'project'."), "{error}");
    assert_eq!(failure(&Read::Project, 403, &[], "").code(), "forbidden");
    assert_eq!(failure(&Read::IssueWorklogs { id: 7 }, 404, &[JSON], "{}").code(), "not_found");
}

#[test]
fn a_denied_login_under_200_is_a_captcha() {
    let denied = ("x-seraph-loginreason", "AUTHENTICATION_DENIED");
    assert_eq!(failure(&search(), 200, &[JSON, denied], "{}").code(), "login_captcha");
}

#[test]
fn a_refusal_without_a_body_is_still_named() {
    let error = failure(&search(), 403, &[], "");
    assert!(error.code() == "forbidden" && error.to_string().contains("no text"), "{error}");
}

#[test]
fn a_search_that_is_not_able_to_sort_is_one_without_a_login() {
    let body = r#"{"errorMessages":["Not able to sort using field 'priority'."],"warningMessages":[]}"#;
    assert_eq!(failure(&search(), 400, &[JSON], body).code(), "login_anonymous");
}
