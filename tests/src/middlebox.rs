//! What stands between an agent and its relay in a company, in small: interceptors that make certificates, proxies that strip,
//! portals that answer for others. Each is a real listener on the loopback interface that lives as long as its handle.

mod authority;
mod connect_proxy;
mod tls_server;

pub use authority::{Authority, Validity};
pub use connect_proxy::{ConnectProxy, Mood};
pub use tls_server::{Certificates, Conduct, Head, Reply, TlsServer};

use tokio::io::{AsyncRead, AsyncReadExt};

/// Reads up to the blank line; `None` when the peer hangs up before.
async fn read_head<S: AsyncRead + Unpin>(stream: &mut S) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}
