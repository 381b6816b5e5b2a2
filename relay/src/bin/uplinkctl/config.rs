//! Which relay, with which key, trusting whom: flag or environment before the configuration file before the default for a
//! relay on this machine.

use crate::cli::Global;
use crate::error::Error;
use serde::Deserialize;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use url::Url;

/// Where a relay listens that was started without flags.
pub(crate) const DEFAULT_RELAY: &str = "https://127.0.0.1:8443";
/// Folder that a relay started in the current folder fills; its key and authority are used for a relay on this machine only.
const LOCAL_DATA: &str = "relay-data";

/// What every request needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Address of the relay.
    pub(crate) relay: Url,
    /// File with the administrator's key, if one is known.
    pub(crate) key_file: Option<PathBuf>,
    /// Authority of the relay's certificate; `None` means those of the system.
    pub(crate) ca: Option<PathBuf>,
}

/// What one source (flags and environment, or the file) says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Layer {
    relay: Option<String>,
    key_file: Option<PathBuf>,
    ca: Option<PathBuf>,
}

/// Gathers the settings; reads the configuration file, if there is one.
pub(crate) fn load(global: &Global) -> Result<Settings, Error> {
    let given =
        Layer { relay: global.relay.clone(), key_file: global.key_file.clone(), ca: global.ca.clone() };
    let file = match (&global.config, default_file()) {
        (Some(path), _) => read(path)?,
        (None, Some(path)) if path.is_file() => read(&path)?,
        (None, _) => Layer::default(),
    };
    resolve(given, file, &|path| path.is_file())
}

fn default_file() -> Option<PathBuf> {
    directories::ProjectDirs::from("", "", "uplink").map(|dirs| dirs.config_dir().join("uplinkctl.toml"))
}

fn read(path: &Path) -> Result<Layer, Error> {
    let bad = |reason: String| Error::Config { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(|e| bad(e.to_string()))?;
    let layer = parse(&text).map_err(bad)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let beside = |file: Option<PathBuf>| file.map(|file| folder.join(file));
    Ok(Layer { relay: layer.relay, key_file: beside(layer.key_file), ca: beside(layer.ca) })
}

fn parse(text: &str) -> Result<Layer, String> {
    let source = config::File::from_str(text, config::FileFormat::Toml);
    let merged = config::Config::builder().add_source(source).build().map_err(|e| e.to_string())?;
    merged.try_deserialize().map_err(|e| e.to_string())
}

/// The rule of precedence; `exists` is asked about files of the default.
fn resolve(given: Layer, file: Layer, exists: &dyn Fn(&Path) -> bool) -> Result<Settings, Error> {
    let text = given.relay.filter(|t| !t.is_empty()).or(file.relay);
    let relay = relay_address(text.as_deref().unwrap_or(DEFAULT_RELAY))?;
    // The local key goes to a relay on this machine only: sent elsewhere it would be given away.
    let local = |name: &str| {
        let path = Path::new(LOCAL_DATA).join(name);
        (is_this_machine(&relay) && exists(&path)).then_some(path)
    };
    let filled = |path: Option<PathBuf>| path.filter(|p| !p.as_os_str().is_empty());
    let key_file = filled(given.key_file).or(file.key_file).or_else(|| local("admin.key"));
    let ca = filled(given.ca).or(file.ca).or_else(|| local("ca.pem"));
    Ok(Settings { relay, key_file, ca })
}

fn relay_address(text: &str) -> Result<Url, Error> {
    let bad = |reason: &str| Error::RelayAddress { text: text.to_owned(), reason: reason.to_owned() };
    let url = Url::parse(text).map_err(|e| bad(&e.to_string()))?;
    if url.scheme() != "https" {
        return Err(bad("it must start with https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("it must not hold a user name or password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad("leave out everything from `?` or `#` on"));
    }
    Ok(url)
}

fn is_this_machine(relay: &Url) -> bool {
    let host = relay.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(relay: Option<&str>, key_file: Option<&str>, ca: Option<&str>) -> Layer {
        Layer {
            relay: relay.map(str::to_owned),
            key_file: key_file.map(PathBuf::from),
            ca: ca.map(PathBuf::from),
        }
    }

    fn key_and_ca(settings: &Settings) -> (Option<&str>, Option<&str>) {
        (settings.key_file.as_deref().and_then(Path::to_str), settings.ca.as_deref().and_then(Path::to_str))
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let flag = layer(Some("https://flag:1"), None, None);
        let file = layer(Some("https://file:2"), Some("file.key"), None);
        let settings = resolve(flag, file.clone(), &|_| true).unwrap();
        assert_eq!(settings.relay.as_str(), "https://flag:1/");
        assert_eq!(key_and_ca(&settings), (Some("file.key"), None));
        let settings = resolve(Layer::default(), file, &|_| true).unwrap();
        assert_eq!(settings.relay.as_str(), "https://file:2/");
    }

    #[test]
    fn without_anything_the_relay_of_this_folder_is_meant() {
        let settings = resolve(Layer::default(), Layer::default(), &|_| true).unwrap();
        assert_eq!(settings.relay.as_str(), "https://127.0.0.1:8443/");
        assert_eq!(key_and_ca(&settings), (Some("relay-data/admin.key"), Some("relay-data/ca.pem")));
        let settings = resolve(Layer::default(), Layer::default(), &|_| false).unwrap();
        assert_eq!(key_and_ca(&settings), (None, None));
    }

    #[test]
    fn the_local_key_is_never_sent_to_another_machine() {
        let settings =
            resolve(layer(Some("https://relay.example.com"), None, None), Layer::default(), &|_| true)
                .unwrap();
        assert_eq!(key_and_ca(&settings), (None, None));
        for local in ["https://localhost:9", "https://127.0.0.7:9", "https://[::1]:9"] {
            let settings = resolve(layer(Some(local), None, None), Layer::default(), &|_| true).unwrap();
            assert!(settings.key_file.is_some(), "{local}");
        }
    }

    #[test]
    fn an_empty_variable_counts_as_not_set() {
        let settings =
            resolve(layer(Some(""), Some(""), Some("")), layer(None, Some("k"), Some("c")), &|_| false)
                .unwrap();
        assert_eq!(settings.relay.as_str(), "https://127.0.0.1:8443/");
        assert_eq!(key_and_ca(&settings), (Some("k"), Some("c")));
    }

    #[test]
    fn an_address_that_would_send_the_key_in_the_clear_is_refused() {
        for text in ["http://127.0.0.1:8443", "relay", "https://u:p@relay", "https://relay/?x=1"] {
            assert!(relay_address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn paths_of_the_file_are_beside_the_file_and_unknown_keys_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("uplinkctl.toml");
        std::fs::write(&path, "relay = \"https://r\"\nkey_file = \"my.key\"\n").unwrap();
        assert_eq!(read(&path).unwrap().key_file.unwrap(), folder.path().join("my.key"));
        std::fs::write(&path, "keyfile = \"my.key\"\n").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("keyfile"));
    }
}
