//! A permitted Jira: the way there, what answers, and one login.

use super::{Machine, are_skipped, fails, finding, only_jira, passes};
use crate::site::{config, generated};
use std::sync::Arc;
use tests::cluster::{PASSWORD, Printed, USERNAME};
use tests::jira_sim::{FaultKind, GeneratedSite, JiraSim, RunningSim, SimConfig, SiteSource};
use tests::middlebox::{Authority, Certificates, Conduct, TlsServer, Validity};
use tokio::net::TcpListener;

const INFO: &str = "/rest/api/2/serverInfo";
pub(super) const MYSELF: &str = "/rest/api/2/myself";

pub(super) fn sim() -> RunningSim {
    JiraSim::start(generated(10, 1)).unwrap()
}

fn sim_at_the_root() -> RunningSim {
    let site = GeneratedSite { issues: 10, ..GeneratedSite::default() };
    JiraSim::start(SimConfig { context_path: String::new(), ..config(SiteSource::Generated(site)) }).unwrap()
}

/// What `doctor` says of one Jira. There is no relay: its checks are skipped, and the agent is not enrolled.
async fn look_at(jira: &str) -> Printed {
    only_jira(Machine::new().doctor(&["--allow-jira", jira], "").await)
}

pub(super) async fn log_in(jira: &str, password: &str) -> Printed {
    let args = ["--allow-jira", jira, "--username", USERNAME, "--password-stdin"];
    only_jira(Machine::new().doctor(&args, password).await)
}

pub(super) fn answer(status: u16, content_type: &str, body: &str) -> FaultKind {
    FaultKind::Answer { status, content_type: content_type.to_owned(), body: body.to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jira_passes_without_a_password_and_its_login_is_not_claimed() {
    let sim = sim();
    let document = look_at(&sim.url()).await.json();
    passes(&document, &["jira_name", "jira_connect", "jira_api"]);
    are_skipped(&document, &["jira_login", "relay_tls"]);
    assert!(finding(&document, "jira_api")["found"].as_str().unwrap().contains("9.12.15"), "{document:#}");
    assert_eq!(sim.stats().login_attempts, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_right_password_logs_in_once() {
    let sim = sim();
    let printed = log_in(&sim.url(), PASSWORD).await;
    passes(&printed.json(), &["jira_api", "jira_login"]);
    assert_eq!(sim.stats().login_attempts, 1);
    assert!(!printed.stdout.contains(PASSWORD));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_tried_exactly_once() {
    let sim = sim();
    let printed = log_in(&sim.url(), "not-the-password\n").await;
    fails(&printed, "jira_login", "jira_login_refused", &[USERNAME, "refused"]);
    let stats = sim.stats();
    assert_eq!((stats.login_attempts, stats.failed_logins), (1, 1), "{stats:?}");
    assert!(!printed.stdout.contains("not-the-password"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_captcha_names_the_login_page_and_is_not_tried_again() {
    let sim = sim();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for _ in 0..3 {
        let request = client.get(format!("{}{MYSELF}", sim.url()));
        request.basic_auth(USERNAME, Some("wrong")).send().await.unwrap();
    }
    sim.reset_stats();
    let printed = log_in(&sim.url(), PASSWORD).await;
    fails(&printed, "jira_login", "jira_login_captcha", &["login.jsp", "CAPTCHA"]);
    assert_eq!(sim.stats().login_attempts, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_context_path_is_answered_with_the_address_that_works() {
    let sim = sim();
    let root = format!("http://{}", sim.address());
    let printed = look_at(&root).await;
    let document = fails(&printed, "jira_api", "jira_context_path", &[&sim.url(), "9.12.15"]);
    passes(&document, &["jira_name", "jira_connect"]);
    are_skipped(&document, &["jira_login"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_404_at_a_wrong_context_path_is_answered_with_the_address_that_works() {
    let sim = sim_at_the_root();
    let printed = look_at(&format!("{}/jira", sim.url())).await;
    let words = [format!("answers at {}:", sim.url())];
    fails(&printed, "jira_api", "jira_context_path", &[&words[0]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_404_with_no_jira_nearby_suggests_nothing() {
    let sim = sim();
    sim.fail_next(INFO, 100, answer(404, "text/html", "<html>Not found</html>"));
    let printed = look_at(&sim.url()).await;
    let document = fails(&printed, "jira_api", "jira_context_path", &["404"]);
    let found = finding(&document, "jira_api")["found"].as_str().unwrap();
    assert!(!found.contains("answers at"), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_page_in_the_place_of_json_is_single_sign_on() {
    let sim = sim();
    sim.fail_next(INFO, 100, FaultKind::SsoPage);
    fails(&look_at(&sim.url()).await, "jira_api", "jira_login_page", &["sign-on"]);
    sim.clear_faults();
    let location = "https://idp.corp.example/saml".to_owned();
    sim.fail_next(INFO, 100, FaultKind::Redirect { location });
    fails(&look_at(&sim.url()).await, "jira_api", "jira_login_page", &["idp.corp.example"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn single_sign_on_that_spares_the_server_information_is_found_by_the_login() {
    let sim = sim();
    sim.fail_next(MYSELF, 100, FaultKind::SsoPage);
    let document = fails(&log_in(&sim.url(), PASSWORD).await, "jira_login", "jira_login_sso", &["sign-on"]);
    passes(&document, &["jira_api"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_looks_like_jira_is_none() {
    for (content_type, body) in [
        (
            "application/json",
            r#"{"baseUrl":"http://x","serverTitle":"Jira","serverTime":"2026-01-01T00:00:00.000+0000"}"#,
        ),
        ("application/json", r#"{"version":"","serverTime":"2026-01-01T00:00:00.000+0000"}"#),
        ("application/json", r#"{"version":"9.12.0"}"#),
        ("application/json", r#"["9.12.0"]"#),
        ("text/html", "<html><head><title>Guest Wi-Fi</title></head><body>Welcome</body></html>"),
        ("text/plain", r#"{"version":"9.12.0","serverTime":"2026-01-01T00:00:00.000+0000"}"#),
    ] {
        let sim = sim();
        sim.fail_next(INFO, 100, answer(200, content_type, body));
        fails(&look_at(&sim.url()).await, "jira_api", "jira_not_jira", &[]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_jira_and_a_gate_before_it_are_told_apart() {
    for (kind, code) in [
        (FaultKind::Gateway { status: 503 }, "jira_failing"),
        (FaultKind::EmptyForbidden, "jira_forbids"),
        (answer(401, "text/html", "<html>gate</html>"), "jira_forbids"),
    ] {
        let sim = sim();
        sim.fail_next(INFO, 100, kind);
        fails(&look_at(&sim.url()).await, "jira_api", code, &[]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn name_port_and_certificate_of_jira_have_their_own_codes() {
    let printed = look_at("https://no-such-jira.invalid/jira").await;
    let document = fails(&printed, "jira_name", "jira_name_unknown", &["no-such-jira.invalid"]);
    are_skipped(&document, &["jira_connect", "jira_tls", "jira_api", "jira_login"]);

    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let printed = look_at(&format!("http://{closed}")).await;
    let document = fails(&printed, "jira_connect", "jira_refuses_connection", &[]);
    passes(&document, &["jira_name"]);

    let authority = Authority::new("Corp Authority");
    let ca = authority.pem();
    let info = r#"{"version":"9.12.0","serverTime":"2026-01-01T00:00:00.000+0000"}"#;
    let conduct = Conduct::Answer(Arc::new(move |_| {
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{info}",
            info.len()
        )
        .into_bytes()
    }));
    let certificates = Certificates::One(&["127.0.0.1"], Validity::Now);
    let server = TlsServer::start(authority, certificates, conduct).await;
    let document = fails(&look_at(&server.url()).await, "jira_tls", "jira_untrusted", &["Corp Authority"]);
    assert!(finding(&document, "jira_tls")["issuer_met"].as_str().unwrap().contains("Corp Authority"));
    passes(&document, &["jira_connect"]);
    are_skipped(&document, &["jira_api"]);

    let machine = Machine::new();
    let ca = machine.file("jira-ca.pem", &ca).display().to_string();
    let printed = machine.doctor(&["--allow-jira", &server.url(), "--jira-ca", &ca], "").await;
    passes(&printed.json(), &["jira_tls", "jira_api"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_speaks_something_else_is_no_jira() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let greeter = tokio::spawn(async move {
        loop {
            let (mut tcp, _) = listener.accept().await.unwrap();
            drop(tokio::io::AsyncWriteExt::write_all(&mut tcp, b"220 mail.corp ESMTP\r\n").await);
        }
    });
    fails(&look_at(&format!("http://{address}")).await, "jira_connect", "jira_unreachable", &[]);
    greeter.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_of_the_premises_is_tried_and_its_file_must_be_private() {
    use std::os::unix::fs::PermissionsExt;
    let sim = sim();
    let machine = Machine::new();
    let password = machine.file("password", &format!("{PASSWORD}\n"));
    let entry = format!(
        "[[jira]]\nurl = \"{}\"\nusername = \"{USERNAME}\"\npassword_file = \"password\"\n",
        sim.url()
    );
    let config = machine.file("agent.toml", &entry).display().to_string();
    let mode = |mode| std::fs::set_permissions(&password, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o600);
    let printed = only_jira(machine.doctor(&["--config", &config], "").await);
    passes(&printed.json(), &["jira_login"]);
    assert_eq!(sim.stats().login_attempts, 1);
    mode(0o644);
    let printed = only_jira(machine.doctor(&["--config", &config], "").await);
    fails(&printed, "jira_login", "jira_password_unusable", &["chmod 0600"]);
    assert_eq!(sim.stats().login_attempts, 1, "a password that everybody can read was used");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_never_sent_to_one_of_several_jiras_by_chance() {
    let (one, other) = (sim(), sim());
    let both = [
        "--allow-jira",
        &one.url(),
        "--allow-jira",
        &other.url(),
        "--username",
        USERNAME,
        "--password-stdin",
    ];
    let printed = Machine::new().doctor(&both, PASSWORD).await;
    assert_eq!(printed.code, 2, "{printed:?}");
    assert_eq!(one.stats().login_attempts + other.stats().login_attempts, 0);
    let wanted = other.url();
    let chosen = [&both[..], &["--jira", &wanted]].concat();
    let printed = only_jira(Machine::new().doctor(&chosen, PASSWORD).await);
    passes(&printed.json(), &["jira_login"]);
    assert_eq!((one.stats().login_attempts, other.stats().login_attempts), (0, 1));
}
