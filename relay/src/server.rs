//! The listener: TLS in front of HTTP/1.1, one task a network connection, and a drain that lets requests finish.

use crate::api;
use crate::node::Shared;
use crate::session::admit::Peer;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;

/// A handshake or a request's head that takes longer is dropped.
const HEAD_WAIT: Duration = Duration::from_secs(10);
/// After a failed accept (no file descriptors left): waiting helps, spinning does not.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Serves until the node stops.
pub(crate) async fn serve(node: Shared, listener: TcpListener, acceptor: TlsAcceptor, sockets: usize) {
    let router = api::router(node.clone());
    let room = Arc::new(Semaphore::new(sockets));
    loop {
        let permit = tokio::select! {
            () = node.stop.cancelled() => return,
            permit = room.clone().acquire_owned() => permit,
        };
        let Ok(permit) = permit else { return };
        let accepted = tokio::select! {
            () = node.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let caller = (stream, Peer(peer));
                node.tasks.spawn(connection(node.clone(), caller, acceptor.clone(), router.clone(), permit));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a network connection");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

async fn connection(
    node: Shared,
    (stream, peer): (TcpStream, Peer),
    acceptor: TlsAcceptor,
    router: axum::Router,
    permit: OwnedSemaphorePermit,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no nodelay");
    }
    let tls = match tokio::time::timeout(HEAD_WAIT, acceptor.accept(stream)).await {
        Ok(Ok(tls)) => tls,
        Ok(Err(error)) => return tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => return tracing::debug!("a TLS handshake took too long"),
    };
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WAIT);
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(peer);
        router.call(request)
    });
    let serving = http.serve_connection(TokioIo::new(tls), service).with_upgrades();
    let mut serving = std::pin::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = node.stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a network connection ended badly");
    }
    // An upgraded socket lives on in its session, which is bounded by the number of enrolled agents.
    drop(permit);
}
