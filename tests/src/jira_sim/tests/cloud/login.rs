//! Who is let in, and how a bad login shows.

use serde_json::json;

use super::super::{Client, RunningSim};
use super::{everything, small};

fn as_user(sim: &RunningSim, email: &str, token: &str) -> Client {
    Client::anonymous(sim).basic(email, token)
}

#[test]
fn server_information_says_cloud_without_a_login() {
    let (sim, _) = small();
    let info = Client::anonymous(&sim).v3("serverInfo").json();
    assert_eq!(
        (info["deploymentType"].as_str(), &info["versionNumbers"]),
        (Some("Cloud"), &json!([1001, 0, 0]))
    );
    assert_eq!(info["baseUrl"], sim.url());
}

#[test]
fn the_address_of_a_login_is_read_without_its_case() {
    let (sim, _) = small();
    let answer = as_user(&sim, "Reader@Example.COM", "reader-api-token").v3("myself");
    assert_eq!((answer.status, answer.header("x-seraph-loginreason")), (200, None));
    let myself = answer.json();
    assert_eq!(myself["emailAddress"], "reader@example.com");
    assert!(myself["accountId"].is_string() && myself["key"].is_null() && myself["name"].is_null());
}

#[test]
fn a_wrong_token_is_refused_by_myself_only() {
    let (sim, _) = small();
    let client = as_user(&sim, "reader@example.com", "old-token");
    let answer = client.v3("myself");
    assert_eq!((answer.status, answer.header("content-type")), (401, Some("text/html;charset=UTF-8")));
    assert_eq!(answer.text(), "Client must be authenticated to access this resource.");
    assert!(answer.header("www-authenticate").unwrap().starts_with("OAuth realm="));
    let key = &sim.keys()[0];
    for (path, status) in [
        ("project/search", 200),
        ("field", 200),
        ("issueLinkType", 200),
        ("serverInfo", 200),
        ("search/jql?jql=created%3E0", 200),
        (&format!("issue/{key}"), 404),
        ("users/search", 403),
    ] {
        let answer = client.v3(path);
        assert_eq!(
            (answer.status, answer.header("x-seraph-loginreason")),
            (status, Some("AUTHENTICATED_FAILED")),
            "{path}"
        );
    }
    assert_eq!(client.v3("project/search").json()["values"], json!([]));
    assert_eq!(client.found(&everything(&[])).json(), json!({ "issues": [], "isLast": true }));
    assert_eq!(sim.stats().failed_logins, 10);
}

#[test]
fn a_login_without_a_name_is_no_login_that_failed() {
    let (sim, _) = small();
    let answer = as_user(&sim, "", "reader-api-token").v3("field");
    assert_eq!((answer.status, answer.header("x-seraph-loginreason")), (200, None));
}

#[test]
fn a_bearer_that_is_no_connect_token_is_refused_everywhere() {
    let (sim, _) = small();
    let client = Client::anonymous(&sim).header("authorization", "Bearer reader-scoped-token");
    for path in ["serverInfo", "myself", "field"] {
        let answer = client.v3(path);
        assert_eq!((answer.status, answer.header("content-type")), (403, Some("application/json")));
        assert_eq!(answer.json(), json!({ "error": "Failed to parse Connect Session Auth Token" }));
    }
}

#[test]
fn a_scoped_token_is_good_behind_the_gateway_only() {
    let (sim, _) = small();
    let scoped = as_user(&sim, "reader@example.com", "reader-scoped-token");
    assert_eq!(scoped.v3("myself").status, 401);
    let cloud_id =
        Client::anonymous(&sim).get("/_edge/tenant_info").json()["cloudId"].as_str().unwrap().to_owned();
    let behind = |client: &Client, path: &str| client.get(&format!("/ex/jira/{cloud_id}/rest/api/3/{path}"));
    assert_eq!(behind(&scoped, "myself").json()["emailAddress"], "reader@example.com");
    let page = behind(&scoped, "search/jql?jql=created%3E0&fields=summary").json();
    let address = page["issues"][0]["self"].as_str().unwrap();
    assert!(address.starts_with(&format!("{}/ex/jira/{cloud_id}/rest/api/3/issue/", sim.url())), "{address}");
    let refused = behind(&as_user(&sim, "reader@example.com", "wrong"), "field");
    assert_eq!((refused.status, refused.json()["code"].as_u64()), (401, Some(401)));
    assert_eq!(scoped.get("/ex/jira/other-site/rest/api/3/myself").status, 404);
    assert_eq!(sim.stats().requests_matching("GET /rest/api/3/myself"), 2);
}

#[test]
fn nothing_of_server_is_there() {
    let (_sim, client) = small();
    for path in ["/rest/api/2/user/list", "/rest/auth/1/session", "/secure/Dashboard.jspa"] {
        assert_eq!(client.get(path).status, 404, "{path}");
    }
    let wrong = client.send("PUT", "/rest/api/3/myself", None);
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("GET")));
    assert!(wrong.header("content-type").unwrap().starts_with("application/problem+json"));
}
