//! Where the agent may listen, if it is asked to at all: only where nobody but this machine reaches it.

use std::net::SocketAddr;
#[cfg(unix)]
use std::path::PathBuf;

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Tcp(SocketAddr),
    #[cfg(unix)]
    Unix(PathBuf),
}

impl Place {
    /// Reads `127.0.0.1:9464`, `[::1]:9464` or `unix:/run/uplink-agent/metrics.sock`; nothing for the empty text.
    ///
    /// # Errors
    /// When it is none of these, or could be reached from elsewhere.
    pub(crate) fn parse(text: &str) -> Result<Option<Self>, String> {
        if text.is_empty() {
            return Ok(None);
        }
        #[cfg(unix)]
        if let Some(path) = text.strip_prefix("unix:") {
            let path = PathBuf::from(path);
            return if path.is_absolute() {
                Ok(Some(Self::Unix(path)))
            } else {
                Err("the path of a socket must be absolute, like unix:/run/uplink-agent/metrics.sock"
                    .to_owned())
            };
        }
        let address: SocketAddr =
            text.parse().map_err(|_| "give an address like 127.0.0.1:9464 or unix:/PATH".to_owned())?;
        if !address.ip().is_loopback() {
            return Err(format!("{} is not of this machine alone; use 127.0.0.1 or [::1]", address.ip()));
        }
        Ok(Some(Self::Tcp(address)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_places_of_this_machine_are_listened_on() {
        assert_eq!(Place::parse(""), Ok(None));
        assert!(matches!(Place::parse("127.0.0.1:9464"), Ok(Some(Place::Tcp(_)))));
        assert!(matches!(Place::parse("[::1]:9464"), Ok(Some(Place::Tcp(_)))));
        #[cfg(unix)]
        assert!(matches!(Place::parse("unix:/run/x.sock"), Ok(Some(Place::Unix(_)))));
        for text in ["0.0.0.0:9464", "[::]:9464", "10.0.0.1:9464", "localhost:9464", "9464", "unix:x.sock"] {
            assert!(Place::parse(text).is_err(), "{text}");
        }
    }
}
