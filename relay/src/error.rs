//! Why the relay cannot start or go on. One message to act on, one exit code.

use crate::config::ConfigError;
use crate::lake::LakeError;
use crate::store::StoreError;
use crate::tls::TlsError;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the relay ended.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// Wrong configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No usable certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The data folder or a file in it cannot be used.
    #[error("cannot use {path}: {source}; the relay needs to read and write its data folder")]
    Data {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another relay has the folder.
    #[error("{0} is in use by another relay; stop it, or give this one another folder with --data")]
    DataInUse(PathBuf),
    /// The port is taken or not allowed.
    #[error(
        "cannot listen on {address}: {source}; choose another address with --listen (port 0 takes a free one)"
    )]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The lake's folder cannot be used.
    #[error("cannot open the lake: {0}")]
    Lake(String),
    /// The database cannot be used.
    #[error("{0}")]
    Store(String),
    /// The operating system refused something basic.
    #[error("cannot start: {0}")]
    System(#[from] std::io::Error),
}

impl From<LakeError> for RelayError {
    fn from(error: LakeError) -> Self {
        Self::Lake(error.to_string())
    }
}

impl From<StoreError> for RelayError {
    fn from(error: StoreError) -> Self {
        Self::Store(error.to_string())
    }
}

impl RelayError {
    /// 2 for wrong use, else 1.
    pub fn exit_code(&self) -> u8 {
        if matches!(self, Self::Config(_)) { 2 } else { 1 }
    }
}
