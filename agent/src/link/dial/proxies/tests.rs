use super::*;
use crate::paths::ConfigFile;
use secrecy::ExposeSecret;

fn settings(change: impl FnOnce(&mut config::Proxy)) -> config::Proxy {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let mut given = config::load(&ConfigFile::Standard("/nonexistent/agent.toml".into())).unwrap().proxy;
    change(&mut given);
    given
}

fn environment(variables: &[(&str, &str)]) -> HashMap<String, String> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn relay(host: &str, port: u16) -> Endpoint {
    Endpoint { role: Role::Relay, host: host.to_owned(), port }
}

/// Which proxy leads to `host:8443` with these variables.
fn chosen(variables: &[(&str, &str)], host: &str) -> Option<String> {
    let proxies = Proxies::from_settings(&settings(|_| ()), &environment(variables)).unwrap();
    proxies.towards(&relay(host, 8443)).map(|proxy| proxy.at.to_string())
}

#[test]
fn the_environment_is_heard_in_either_case_and_https_proxy_first() {
    let all = ("ALL_PROXY", "socks5://all:1");
    assert_eq!(chosen(&[], "relay"), None);
    assert_eq!(chosen(&[all], "relay").unwrap(), "all:1");
    assert_eq!(chosen(&[all, ("https_proxy", "http://lower:3128")], "relay").unwrap(), "lower:3128");
    assert_eq!(
        chosen(&[("HTTPS_PROXY", "upper:3128"), ("https_proxy", "http://l")], "relay").unwrap(),
        "upper:3128"
    );
    assert_eq!(chosen(&[("HTTP_PROXY", "http://plain:1")], "relay"), None, "that is for http addresses");
    assert_eq!(chosen(&[("HTTPS_PROXY", "")], "relay"), None);
    assert_eq!(chosen(&[("HTTPS_PROXY", "http://usual")], "relay").unwrap(), "usual:80");
}

#[test]
fn hosts_listed_in_no_proxy_are_reached_without() {
    let listed =
        |list: &str, host: &str| chosen(&[("https_proxy", "http://p:1"), ("no_proxy", list)], host).is_none();
    for (list, host) in [
        ("*", "relay.example.com"),
        ("example.com", "relay.example.com"),
        ("example.com", "EXAMPLE.com"),
        (".example.com", "relay.example.com"),
        ("*.example.com", "relay.example.com"),
        ("other, example.com", "relay.example.com"),
        ("example.com:8443", "relay.example.com"),
        ("10.0.0.0/8", "10.1.2.3"),
        ("10.1.2.3:8443", "10.1.2.3"),
        ("[fd00::1]:8443", "fd00::1"),
        ("fd00::/8", "fd00::1"),
        ("::1", "::1"),
    ] {
        assert!(listed(list, host), "{host} goes through the proxy in spite of {list}");
    }
    for (list, host) in [
        ("", "relay.example.com"),
        ("example.com", "notexample.com"),
        ("example.com", "example.com.evil.net"),
        ("relay.example.com", "example.com"),
        ("example.com:443", "relay.example.com"),
        ("[fd00::1]:443", "fd00::1"),
        ("10.0.0.0/8", "11.1.2.3"),
        ("10.0.0.0/8", "10.example.com"),
        ("example.com:port", "example.com"),
    ] {
        assert!(!listed(list, host), "{host} does not go through the proxy because of {list}");
    }
}

#[test]
fn the_mode_decides_who_is_asked() {
    let variables = environment(&[("HTTPS_PROXY", "http://environment:1"), ("NO_PROXY", "relay")]);
    let at = |mode: ProxyMode, url: &str, without: &str| {
        let given = settings(|given| {
            given.mode = mode;
            url.clone_into(&mut given.url);
            given.no_proxy = vec![without.to_owned()];
        });
        let proxies = Proxies::from_settings(&given, &variables).unwrap();
        proxies.towards(&relay("relay", 443)).map(|proxy| proxy.at.to_string())
    };
    assert_eq!(at(ProxyMode::None, "http://configured:1", ""), None);
    assert_eq!(
        at(ProxyMode::Auto, "http://configured:1", "").unwrap(),
        "configured:1",
        "NO_PROXY is not about it"
    );
    assert_eq!(at(ProxyMode::Auto, "", ""), None, "NO_PROXY lists the relay");
    assert_eq!(at(ProxyMode::Explicit, "http://configured:1", "relay"), None);
    let given = settings(|given| given.mode = ProxyMode::Explicit);
    assert!(Proxies::from_settings(&given, &variables).unwrap_err().to_string().contains("proxy.url"));
}

#[test]
fn an_account_comes_from_the_password_file_or_the_variable() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("password");
    crate::private_file::write(&file, b"p:w/1\n", crate::private_file::Durability::Volatile).unwrap();
    let given: config::Proxy = serde_json::from_value(serde_json::json!({
        "mode": "auto", "url": "https://p", "username": "agent", "password_file": file, "no_proxy": [], "ca_file": "",
    }))
    .unwrap();
    settings(|_| ());
    let proxies = Proxies::from_settings(&given, &environment(&[])).unwrap();
    let proxy = proxies.towards(&relay("relay", 443)).unwrap();
    assert!(matches!(proxy.speaks, Speaks::Https(_)) && proxy.at.port == 443);
    assert_eq!(proxy.login.as_ref().unwrap().password.expose_secret(), "p:w/1");

    let variables = environment(&[("https_proxy", "http://agent:p%3Aw%2F1@p:3128")]);
    let proxies = Proxies::from_settings(&settings(|_| ()), &variables).unwrap();
    let login = proxies.towards(&relay("relay", 443)).unwrap().login.as_ref().unwrap();
    assert_eq!((login.username.as_str(), login.password.expose_secret()), ("agent", "p:w/1"));
    assert!(!format!("{proxies:?}").contains("p:w/1"), "the password shows in debug output");
}

#[test]
fn what_is_no_proxy_is_refused_by_its_setting_without_repeating_a_password() {
    for text in ["ftp://u:hunter2@p", "http://u:hunter2@:1", "http://u:hunter2@p:port"] {
        let error =
            Proxies::from_settings(&settings(|_| ()), &environment(&[("https_proxy", text)])).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("https_proxy") && !message.contains("hunter2"), "{message}");
    }
    let given = settings(|given| given.url = "http://u:hunter2@p".to_owned());
    let message = Proxies::from_settings(&given, &environment(&[])).unwrap_err().to_string();
    assert!(message.contains("proxy.password_file") && !message.contains("hunter2"), "{message}");
}
