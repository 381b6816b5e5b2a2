//! The support bundle holds what helps and no secret.

use super::Machine;
use crate::site::generated;
use flate2::read::GzDecoder;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tests::cluster::{Cluster, PASSWORD, USERNAME};
use tests::jira_sim::JiraSim;

fn unpack(file: &Path) -> BTreeMap<String, String> {
    let mut archive = tar::Archive::new(GzDecoder::new(std::fs::File::open(file).unwrap()));
    let mut files = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        files.insert(name, text);
    }
    files
}

/// An enrolled machine whose every secret is known, and the secrets.
async fn machine_with_secrets(cluster: &Cluster, jira: &str) -> (Machine, Vec<String>) {
    let machine = Machine::new();
    let private = |name: &str, text: &str| {
        let path = machine.file(name, text);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    };
    private("jira-password", &format!("{PASSWORD}\n"));
    private("proxy-password", "pr0xy-canary-91\n");
    let ca = machine.file("ca.pem", &super::ca_of(cluster)).display().to_string();
    let token = cluster.new_token("hq").await;
    let enrolled = machine
        .run(&["enroll", "--relay", &cluster.relay_url, "--relay-ca", &ca, "--token-stdin"], &token)
        .await;
    assert_eq!(enrolled.code, 0, "{enrolled:?}");
    let config = format!(
        "allow_jira = [\"{jira}\"]\n[log]\nfile = \"agent.log\"\n[proxy]\nusername = \"agent\"\npassword_file = \"proxy-password\"\n\
         [[jira]]\nurl = \"{jira}\"\nusername = \"{USERNAME}\"\npassword_file = \"jira-password\"\n"
    );
    private(
        "agent.log",
        &format!(
            "{{\"event\":\"link_down\",\"reason\":\"proxy said {PASSWORD}\"}}\n{{\"run\":\"r\",\"reason\":\"jira-canary-8\"}}\n"
        ),
    );
    private("agent.toml", &config);
    let identity = std::fs::read_to_string(machine.state().join("identity.json")).unwrap();
    let identity: Value = serde_json::from_str(&identity).unwrap();
    let seeds = identity["seeds"].as_object().unwrap().values().map(|seed| seed.as_str().unwrap().to_owned());
    let mut secrets: Vec<String> = seeds.collect();
    assert_eq!(secrets.len(), 2);
    secrets.extend([
        PASSWORD.to_owned(),
        "pr0xy-canary-91".to_owned(),
        token,
        "env-canary-55".to_owned(),
        "jira-canary-8".to_owned(),
    ]);
    (machine, secrets)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bundle_explains_the_machine_and_holds_no_secret() {
    let sim = JiraSim::start(generated(10, 1)).unwrap();
    let cluster = Cluster::relay_only().await;
    let (machine, secrets) = machine_with_secrets(&cluster, &sim.url()).await;
    let machine = machine.with("HTTPS_PROXY", "http://agent:env-canary-55@127.0.0.1:9");
    let file = machine.state().parent().unwrap().join("bundle.tar.gz");
    let config = machine.state().parent().unwrap().join("agent.toml").display().to_string();
    let bundle = file.display().to_string();
    let printed = machine.run(&["doctor", "--config", &config, "--bundle", &bundle], "").await;
    assert_eq!(printed.code, 1, "the proxy does not answer: {printed:?}");
    assert!(printed.stdout.contains("bundle.tar.gz"), "{printed:?}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    let files = unpack(&file);
    let names: Vec<_> = files.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["README.txt", "checks.json", "checks.txt", "config.json", "log.txt", "status.json", "system.json"]
    );
    let all = files.values().cloned().collect::<Vec<_>>().join("\n") + &printed.stdout + &printed.stderr;
    for secret in &secrets {
        assert!(!all.contains(secret.as_str()), "{secret} is in the bundle");
    }
    let config: Value = serde_json::from_str(&files["config.json"]).unwrap();
    assert_eq!(config["proxy"]["password_file"], "proxy-password");
    assert_eq!(config["jira"][0]["url"], sim.url());
    let checks: Value = serde_json::from_str(&files["checks.json"]).unwrap();
    assert_eq!(super::finding(&checks, "proxy")["code"], "proxy_refuses_connection");
    assert!(files["log.txt"].contains("link_down"), "{}", files["log.txt"]);
    let system: Value = serde_json::from_str(&files["system.json"]).unwrap();
    assert_eq!(system["proxy"]["named_by"], "HTTPS_PROXY", "{system:#}");
    assert!(system["state_files"].to_string().contains("identity.json"), "{system:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_configuration_does_not_leak_into_the_bundle() {
    let machine = Machine::new();
    let config = machine
        .file("agent.toml", "pasword = \"leak-canary-3\"\n[link]\nconnect_timeout_ms = \"leak-canary-4\"\n");
    let config = config.display().to_string();
    let file = machine.state().parent().unwrap().join("bundle.tar.gz");
    let bundle = file.display().to_string();
    let printed = machine.run(&["doctor", "--config", &config, "--bundle", &bundle], "").await;
    assert_eq!(printed.code, 2, "{printed:?}");
    let all = unpack(&file).into_values().collect::<Vec<_>>().join("\n");
    assert!(all.contains("config_invalid") && !all.contains("leak-canary"), "{all}");
}
