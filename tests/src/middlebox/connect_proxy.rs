//! An HTTP proxy that takes CONNECT, in several moods.

use super::read_head;
use std::net::SocketAddr;
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What the proxy does with CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Opens the tunnel.
    Open,
    /// Answers with this head and closes.
    Refuse(&'static str),
    /// Says yes and then sends a web page of its own.
    Lie,
}

/// A listening proxy; it ends when dropped.
pub struct ConnectProxy {
    /// Its address.
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for ConnectProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl ConnectProxy {
    /// Starts listening on a free port of the loopback interface.
    pub async fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let task = tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                // A peer that hangs up in the middle is what these tests are about.
                tokio::spawn(async move { drop(serve(tcp, mood).await) });
            }
        });
        Self { address, task }
    }

    /// Its address as a setting.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn serve(mut tcp: TcpStream, mood: Mood) -> std::io::Result<()> {
    let Some(head) = read_head(&mut tcp).await else { return Ok(()) };
    let target = head.split_whitespace().nth(1).unwrap_or_default().to_owned();
    match mood {
        Mood::Open => {
            let mut upstream = TcpStream::connect(target).await?;
            tcp.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
            copy_bidirectional(&mut tcp, &mut upstream).await.map(drop)
        }
        Mood::Refuse(answer) => {
            tcp.write_all(format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n").as_bytes()).await?;
            tcp.shutdown().await
        }
        Mood::Lie => {
            tcp.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>Access denied</html>")
                .await?;
            tcp.shutdown().await
        }
    }
}
