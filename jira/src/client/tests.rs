//! What a request looks like before it leaves.

use super::*;
use crate::client::allow::SearchAsk;
use crate::jql::Jql;

fn client(base_url: &str, credential: Credential) -> JiraClient {
    let site = Site { base_url: base_url.parse().unwrap(), extra_root_pem: None, way: crate::Way::default() };
    JiraClient::try_new(site, credential, Limits::default()).unwrap()
}

fn token() -> Credential {
    Credential::Token("secret".to_owned().into())
}

fn search() -> Read {
    Read::Search(SearchAsk {
        jql: Jql::all(),
        fields: vec!["summary".to_owned()],
        expand: vec!["changelog"],
        max_results: 100,
        start_at: 0,
    })
}

fn built(client: &JiraClient, read: &Read) -> reqwest::Request {
    client.request(read).build().unwrap()
}

#[tokio::test]
async fn a_post_says_that_it_is_no_forgery_and_comes_from_no_browser() {
    let sent = built(&client("https://jira.example", token()), &search());
    assert_eq!(sent.headers()["x-atlassian-token"], "no-check");
    assert_eq!(sent.headers()["content-type"], "application/json");
    // The name of the program is the client's own header.
    assert!(USER_AGENT.starts_with("uplink/"), "{USER_AGENT}");
}

#[tokio::test]
async fn a_condition_travels_in_the_body_however_long_it_is() {
    let sent = built(&client("https://jira.example", token()), &search());
    assert_eq!((sent.method().as_str(), sent.url().query()), ("POST", None));
    let body = String::from_utf8(sent.body().unwrap().as_bytes().unwrap().to_vec()).unwrap();
    assert!(body.contains("\"jql\""), "{body}");
}

#[tokio::test]
async fn nothing_rendered_is_asked_for() {
    let sent = built(&client("https://jira.example", token()), &search());
    let body: serde_json::Value = serde_json::from_slice(sent.body().unwrap().as_bytes().unwrap()).unwrap();
    assert_eq!(body["expand"], serde_json::json!(["changelog"]));
}

#[tokio::test]
async fn a_slash_at_the_end_of_the_address_makes_no_double_slash() {
    for base in [
        "https://jira.example",
        "https://jira.example/",
        "https://jira.example/jira/",
        "https://jira.example/jira",
    ] {
        let sent = built(&client(base, token()), &Read::Myself);
        assert!(sent.url().path().ends_with("/rest/api/2/myself"), "{}", sent.url());
        assert!(!sent.url().path().contains("//"), "{}", sent.url());
    }
}

#[tokio::test]
async fn a_password_is_sent_unasked_and_a_token_as_bearer() {
    let password = Credential::Password { username: "fred".to_owned(), password: "pw".to_owned().into() };
    let sent = built(&client("https://jira.example", password), &Read::Myself);
    assert_eq!(sent.headers()["authorization"], "Basic ZnJlZDpwdw==");
    let sent = built(&client("https://jira.example", token()), &Read::Myself);
    assert_eq!(sent.headers()["authorization"], "Bearer secret");
}
