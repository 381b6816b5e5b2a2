//! The second step: TCP to whichever address answers first. Attempts are staggered (RFC 8305, "happy eyeballs"), so that a family or
//! a data centre that swallows packets costs a quarter of a second and not a time-out.

use super::error::{DialError, Endpoint, Step};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// How long one attempt has for itself before the next begins; RFC 8305 recommends it.
const STAGGER: Duration = Duration::from_millis(250);

/// What the race meets next.
enum Event {
    /// An attempt ended.
    Ended(SocketAddr, io::Result<TcpStream>),
    /// The attempts under way had their time for themselves.
    Begin,
    /// The time is up.
    Late,
}

/// Connects to the first of the addresses that answers; all of them together may take `limit`.
///
/// # Errors
/// When none answers: the refusal if there was one, since it says more than silence.
pub(crate) async fn connect(
    at: &Endpoint,
    addresses: &[SocketAddr],
    limit: Duration,
) -> Result<TcpStream, DialError> {
    let end = Instant::now() + limit;
    let mut waiting = addresses.iter().copied();
    let mut under_way = FuturesUnordered::new();
    let mut worst = None;
    let mut next_at = Instant::now();
    loop {
        if under_way.is_empty() || Instant::now() >= next_at {
            match waiting.next() {
                Some(address) => under_way.push(attempt(address)),
                None if under_way.is_empty() => {
                    return Err(worst.unwrap_or_else(|| nothing_to_try(at)));
                }
                None => {}
            }
            next_at = if waiting.len() == 0 { end } else { Instant::now() + STAGGER };
        }
        let event = tokio::select! {
            biased;
            Some((address, ended)) = under_way.next() => Event::Ended(address, ended),
            () = tokio::time::sleep_until(end) => Event::Late,
            () = tokio::time::sleep_until(next_at) => Event::Begin,
        };
        match event {
            Event::Ended(_, Ok(tcp)) => {
                tcp.set_nodelay(true).map_err(|error| unreachable(at, &error))?;
                return Ok(tcp);
            }
            Event::Ended(address, Err(error)) => {
                worst = Some(more_telling(worst, failure(at, address, &error)));
                next_at = Instant::now();
            }
            Event::Begin => {}
            Event::Late => {
                let late = DialError::Timeout { at: at.clone(), step: Step::Connect, limit };
                return Err(more_telling(worst, late));
            }
        }
    }
}

async fn attempt(address: SocketAddr) -> (SocketAddr, io::Result<TcpStream>) {
    (address, TcpStream::connect(address).await)
}

fn failure(at: &Endpoint, address: SocketAddr, error: &io::Error) -> DialError {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => DialError::Refused { at: at.clone(), address },
        _ => unreachable(at, error),
    }
}

fn unreachable(at: &Endpoint, error: &io::Error) -> DialError {
    DialError::Connect { at: at.clone(), reason: error.to_string() }
}

fn nothing_to_try(at: &Endpoint) -> DialError {
    DialError::Name { at: at.clone(), reason: "it has no address".to_owned() }
}

fn more_telling(before: Option<DialError>, now: DialError) -> DialError {
    match before {
        Some(refused @ DialError::Refused { .. }) => refused,
        _ => now,
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::Role;
    use super::*;
    use tokio::net::{TcpListener, TcpSocket};

    fn endpoint() -> Endpoint {
        Endpoint { role: Role::Relay, host: "relay".to_owned(), port: 1 }
    }

    /// An address that takes no further connection and says nothing, as a firewall that drops: a listener whose queue is full.
    struct BlackHole {
        address: SocketAddr,
        _listener: TcpListener,
        _queued: Vec<TcpStream>,
    }

    impl BlackHole {
        async fn dig() -> Self {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
            let listener = socket.listen(1).unwrap();
            let address = listener.local_addr().unwrap();
            let mut queued = Vec::new();
            // One that does not come through within this time never will: the loopback needs microseconds.
            while let Ok(tcp) =
                tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await
            {
                queued.push(tcp.unwrap());
            }
            Self { address, _listener: listener, _queued: queued }
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn an_address_that_swallows_packets_costs_a_quarter_of_a_second() {
        let hole = BlackHole::dig().await;
        let alive = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addresses = [hole.address, alive.local_addr().unwrap()];
        let began = Instant::now();
        let tcp = connect(&endpoint(), &addresses, Duration::from_secs(20)).await.unwrap();
        assert_eq!(tcp.peer_addr().unwrap(), addresses[1]);
        let took = began.elapsed();
        assert!(took >= STAGGER && took < Duration::from_secs(10), "{took:?}");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn silence_everywhere_is_a_timeout_and_a_refusal_says_more() {
        let hole = BlackHole::dig().await;
        let limit = Duration::from_millis(300);
        let error = connect(&endpoint(), &[hole.address], limit).await.unwrap_err();
        assert!(matches!(error, DialError::Timeout { step: Step::Connect, .. }), "{error}");
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let error = connect(&endpoint(), &[closed, hole.address], limit).await.unwrap_err();
        assert!(matches!(&error, DialError::Refused { address, .. } if *address == closed), "{error}");
    }

    #[tokio::test]
    async fn a_refused_address_is_followed_by_the_next_at_once() {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let alive = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addresses = [closed, alive.local_addr().unwrap()];
        let tcp = connect(&endpoint(), &addresses, Duration::from_secs(20)).await.unwrap();
        assert_eq!(tcp.peer_addr().unwrap(), addresses[1]);
    }

    #[tokio::test]
    async fn no_address_at_all_is_said_to_be_so() {
        let error = connect(&endpoint(), &[], Duration::from_secs(20)).await.unwrap_err();
        assert!(error.to_string().contains("no address"), "{error}");
    }
}
