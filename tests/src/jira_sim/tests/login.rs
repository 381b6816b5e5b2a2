//! Logins, sessions, the CAPTCHA and what an anonymous visitor gets.

use serde_json::json;

use super::super::{Account, Flavour, JiraSim, SimConfig};
use super::{Client, small, start};

#[test]
fn a_wrong_password_is_one_failed_attempt_and_a_401_page() {
    let (sim, client) = small();
    let refused = client.basic("reader", "wrong").api("myself");
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("x-seraph-loginreason"), Some("AUTHENTICATED_FAILED"));
    assert!(refused.header("www-authenticate").unwrap().starts_with("OAuth realm=\"http%3A%2F%2F127.0.0.1"));
    assert!(refused.text().contains("Basic Authentication Failure - Reason : AUTHENTICATED_FAILED"));
    let stats = sim.stats();
    assert_eq!((stats.login_attempts, stats.failed_logins), (1, 1));
}

#[test]
fn after_three_failures_the_right_password_is_refused_until_the_reset() {
    let config = SimConfig { context_path: "/jira".to_owned(), ..SimConfig::generated(5, 1) };
    let (sim, client) = start(config);
    for _ in 0..3 {
        assert_eq!(client.clone().basic("reader", "wrong").api("myself").status, 401);
    }
    let locked = client.api("myself");
    assert_eq!(locked.status, 403);
    assert_eq!(locked.header("x-seraph-loginreason"), Some("AUTHENTICATION_DENIED"));
    let reason = format!("CAPTCHA_CHALLENGE; login-url={}/login.jsp", sim.url());
    assert_eq!(locked.header("x-authentication-denied-reason"), Some(reason.as_str()));
    let token = client.clone().header("authorization", "Bearer reader-token");
    assert_eq!(token.api("myself").status, 200, "tokens are not subject to it");
    let session = Client::anonymous(&sim)
        .post("/rest/auth/1/session", &json!({ "username": "reader", "password": "reader-password" }));
    assert_eq!(session.status, 403);
    assert_eq!(sim.stats().failed_logins, 5);
    sim.reset_captcha();
    assert_eq!(client.api("myself").status, 200);
}

#[test]
fn a_kept_cookie_saves_the_login_and_a_lost_one_makes_a_session_each() {
    let (sim, client) = small();
    let first = client.api("myself");
    assert_eq!(
        (first.header("x-ausername"), first.header("x-seraph-loginreason")),
        (Some("reader"), Some("OK"))
    );
    assert_eq!(first.header("x-anodeid"), Some("jira_node_1"));
    let with_cookie = client.clone().header("cookie", &first.cookie().unwrap());
    for _ in 0..5 {
        let again = with_cookie.api("myself");
        assert_eq!((again.status, again.cookie()), (200, None));
    }
    assert_eq!((sim.stats().sessions, sim.stats().login_attempts), (1, 1));
    for _ in 0..3 {
        client.api("myself");
    }
    assert_eq!((sim.stats().sessions, sim.stats().login_attempts), (4, 4));
}

#[test]
fn a_session_is_opened_shown_and_closed() {
    let (sim, _client) = small();
    let anonymous = Client::anonymous(&sim);
    assert_eq!(
        anonymous.post("/rest/auth/1/session", &json!({ "username": "reader", "password": "x" })).status,
        401
    );
    let opened = anonymous
        .post("/rest/auth/1/session", &json!({ "username": "reader", "password": "reader-password" }));
    assert_eq!(opened.json()["session"]["name"], "JSESSIONID");
    let member = anonymous.header("cookie", &opened.cookie().unwrap());
    assert_eq!(member.get("/rest/auth/1/session").json()["name"], "reader");
    assert_eq!(member.send("DELETE", "/rest/auth/1/session", None).status, 204);
    assert_eq!(member.api("myself").status, 401, "an expired cookie is refused, not anonymous");
}

#[test]
fn expired_sessions_are_renewed_only_with_credentials() {
    let (sim, client) = small();
    let cookie = client.api("myself").cookie().unwrap();
    sim.expire_sessions();
    assert_eq!(Client::anonymous(&sim).header("cookie", &cookie).api("serverInfo").status, 401);
    assert_eq!(client.header("cookie", &cookie).api("myself").status, 200);
}

#[test]
fn tokens_work_as_bearer_and_not_as_a_password() {
    for flavour in [Flavour::V8_20, Flavour::V9_12, Flavour::V10_3] {
        let (_sim, client) = start(SimConfig { flavour, ..SimConfig::generated(5, 1) });
        assert_eq!(
            client.clone().header("authorization", "Bearer reader-token").api("myself").json()["name"],
            "reader"
        );
        assert_eq!(client.clone().header("authorization", "Bearer other").api("myself").status, 401);
        assert_eq!(client.basic("reader", "reader-token").api("myself").status, 401);
    }
}

#[test]
fn version_11_takes_tokens_and_neither_passwords_nor_session_logins() {
    let (sim, client) = start(SimConfig { flavour: Flavour::V11_0, ..SimConfig::generated(5, 1) });
    for password in ["reader-password", "wrong"] {
        let refused = client.clone().basic("reader", password).api("myself");
        assert_eq!((refused.status, refused.header("x-seraph-loginreason")), (403, None));
        assert_eq!(refused.json()["message"], "Basic Authentication has been disabled on this instance.");
    }
    let session = json!({ "username": "reader", "password": "reader-password" });
    assert_eq!(Client::anonymous(&sim).post("/rest/auth/1/session", &session).status, 403);
    let with_token = Client::anonymous(&sim).header("authorization", "Bearer reader-token");
    assert_eq!(with_token.api("myself").json()["name"], "reader");
    let info = Client::anonymous(&sim).api("serverInfo").json();
    assert_eq!((&info["version"], &info["deploymentType"]), (&json!("11.0.1"), &json!("Server")));
    assert_eq!(sim.stats().failed_logins, 0, "no password was looked at, so none counts towards the lock");
}

#[test]
fn an_anonymous_visitor_sees_the_server_and_no_issue() {
    let (sim, _client) = small();
    let anonymous = Client::anonymous(&sim);
    let info = anonymous.api("serverInfo");
    assert_eq!((info.status, info.header("x-ausername")), (200, Some("anonymous")));
    assert_eq!(info.json()["versionNumbers"], json!([9, 12, 15]));
    let refused = anonymous.search("project = CTUCC AND issuetype = Bug", "");
    assert_eq!(
        (refused.status, refused.error().as_str()),
        (
            400,
            "The value 'CTUCC' does not exist for the field 'project'. | Field 'issuetype' does not exist or this field cannot be viewed by anonymous users."
        )
    );
    assert_eq!(anonymous.api("myself").status, 401);
    assert_eq!(anonymous.api("field").status, 401);
    assert_eq!(anonymous.api("project").json(), json!([]));
    assert_eq!(anonymous.api("issue/WEB-1").status, 401);
}

#[test]
fn the_time_zone_of_the_account_is_told_and_an_unknown_one_is_refused() {
    let account = |zone: &str| vec![Account::new("reader", "pw").in_zone(zone)];
    let (_sim, client) = start(SimConfig { accounts: account("Asia/Kolkata"), ..SimConfig::generated(5, 1) });
    assert_eq!(client.api("myself").json()["timeZone"], "Asia/Kolkata");
    let error =
        JiraSim::start(SimConfig { accounts: account("Mars/Olympus"), ..SimConfig::default() }).unwrap_err();
    assert!(error.to_string().contains("Mars/Olympus"));
}
