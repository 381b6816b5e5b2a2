//! One HTTP call to the relay, on the same way as the link: the same proxies, the same trust, and no second dialler.

use super::dial::Secured;
use crate::relay_address::RelayAddress;
use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::time::Duration;

/// An answer of a relay is far shorter.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// How long the relay may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error("the request cannot be written: {0}")]
    Request(#[from] http::Error),
    #[error("the connection broke: {0}")]
    Broken(#[from] hyper::Error),
    #[error("its answer is longer than {ANSWER_BYTES_MAX} bytes or breaks off: {0}")]
    Answer(String),
    #[error("it took longer than {} s to answer", ANSWER_TIMEOUT.as_secs())]
    Late,
}

/// What the relay answered.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// The relay's clock, as its answer has it.
    pub(crate) date: Option<String>,
    pub(crate) body: Bytes,
}

/// Posts JSON to a path of the relay and gives its answer.
///
/// # Errors
/// When no whole answer comes back.
pub(crate) async fn post_json(
    line: Secured,
    relay: &RelayAddress,
    path: &str,
    json: Vec<u8>,
) -> Result<Answer, CallError> {
    let request = Request::post(relay.path_of(path))
        .header(header::HOST, relay.authority())
        .header(header::USER_AGENT, concat!("uplink-agent/", env!("CARGO_PKG_VERSION")))
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONNECTION, "close")
        .body(Full::new(Bytes::from(json)))?;
    let exchange = async {
        let (mut sender, connection) = http1::handshake(TokioIo::new(line.stream)).await?;
        let answer = async {
            let response = sender.send_request(request).await?;
            let status = response.status();
            let date = response.headers().get(header::DATE);
            let date = date.and_then(|date| date.to_str().ok()).map(str::to_owned);
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|error| CallError::Answer(error.to_string()))?;
            Ok(Answer { status, date, body: body.to_bytes() })
        };
        // The line must be driven for as long as the answer is awaited; the answer's end is what counts.
        tokio::select! {
            answered = answer => answered,
            never = drive(connection) => never,
        }
    };
    tokio::time::timeout(ANSWER_TIMEOUT, exchange).await.map_err(|_| CallError::Late)?
}

/// Never ends before the answer: a line that ended well may still have left one to be read.
async fn drive<T, B, R>(connection: http1::Connection<T, B>) -> R
where
    T: hyper::rt::Read + hyper::rt::Write + Unpin,
    B: hyper::body::Body<Data: Send> + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if let Err(error) = connection.await {
        tracing::debug!(event = "call_broke", %error, "the line of a call broke");
    }
    std::future::pending().await
}
