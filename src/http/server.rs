//! Accepts connections and serves them, within limits, until told to stop.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::backend::Backend;
use super::gate::{Gate, Peer};
use super::guard;
use super::limits::{MAX_HEAD_BYTES, MAX_TURNED_AWAY, Options, Places, STALLED_WITHIN};
use super::problem::Problem;
use super::routes::{App, router};
use super::stall::Stall;
use super::tls::Certificates;

/// How long accepting pauses after it failed, as it does when the process has no file handles left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop` is cancelled. Then it accepts nothing more, ends streams and long polls, and waits for answers
/// that have begun, at most [`Options::stop_within`].
pub async fn serve<B: Backend>(listener: TcpListener, backend: B, options: Options, stop: CancellationToken) {
    let options = Arc::new(options);
    let places = Arc::new(Places::of(&options));
    let gate = Arc::new(Gate::new(options.tokens.clone(), options.requests_per_second));
    let app = App { backend, options: Arc::clone(&options), places, gate, stop: stop.clone() };
    let served = accept_all(&listener, router(app), &options, &stop).await;
    // Whoever comes now is turned away by the system at once, and does not wait for those that are served still.
    drop(listener);
    end_all(served, &options).await;
}

/// Serves a router's addresses until `stop`; gives the connections that are left then.
pub(super) async fn accept_all(
    listener: &TcpListener,
    open: Router,
    options: &Arc<Options>,
    stop: &CancellationToken,
) -> JoinSet<()> {
    let full = turning_away(options);
    let connections = Arc::new(Semaphore::new(options.max_connections));
    let turned_away = Arc::new(Semaphore::new(MAX_TURNED_AWAY));
    let mut served = JoinSet::new();
    while let Some(((stream, peer), spare)) = next(listener, &turned_away, &mut served, stop).await {
        let (router, place) = match Arc::clone(&connections).try_acquire_owned() {
            Ok(place) => (open.clone(), place),
            Err(_) => (full.clone(), spare),
        };
        let service = FromPeer { peer: Peer(peer), router: TowerToHyperService::new(router) };
        let certificates = options.certificates.as_ref().map(|it| it.borrow().clone());
        served.spawn(reached(stream, certificates, service, place, options.headers_within, stop.clone()));
    }
    served
}

/// Waits for what has begun to be answered, for so long at most.
pub(super) async fn end_all(mut served: JoinSet<()>, options: &Options) {
    let all_ended = async { while served.join_next().await.is_some() {} };
    if tokio::time::timeout(options.stop_within, all_ended).await.is_err() {
        tracing::warn!(connections = served.len(), "http connections cut off at the stop");
        served.shutdown().await;
    }
}

/// The next connection, with a place for the case that it is one too many; `None` at the stop.
async fn next(
    listener: &TcpListener,
    turned_away: &Arc<Semaphore>,
    served: &mut JoinSet<()>,
    stop: &CancellationToken,
) -> Option<((TcpStream, IpAddr), OwnedSemaphorePermit)> {
    let accepted = async {
        let spare = Arc::clone(turned_away).acquire_owned().await.ok()?;
        Some((accept(listener).await, spare))
    };
    tokio::pin!(accepted);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return None,
            Some(_) = served.join_next() => {}
            accepted = &mut accepted => return accepted,
        }
    }
}

async fn accept(listener: &TcpListener) -> (TcpStream, IpAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer.ip()),
            Err(error) => {
                tracing::warn!(%error, "http connection not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// The router for one connection: every request of it comes from the same other end.
struct FromPeer {
    peer: Peer,
    router: TowerToHyperService<Router>,
}

impl Service<hyper::Request<Incoming>> for FromPeer {
    type Response = Response;
    type Error = Infallible;
    type Future = <TowerToHyperService<Router> as Service<hyper::Request<Incoming>>>::Future;

    fn call(&self, mut request: hyper::Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.peer);
        self.router.call(request)
    }
}

/// Serves one connection to its end, after its handshake where there is one.
async fn reached(
    stream: TcpStream,
    certificates: Option<Certificates>,
    service: FromPeer,
    place: OwnedSemaphorePermit,
    headers_within: Duration,
    stop: CancellationToken,
) {
    // Answers are small and complete; without this, each would wait for the caller's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let Some(Certificates(config)) = certificates else {
        return connection(stream, service, place, headers_within, stop).await;
    };
    let handshake = tokio::time::timeout(headers_within, TlsAcceptor::from(config).accept(stream));
    match stop.run_until_cancelled(handshake).await {
        Some(Ok(Ok(stream))) => connection(stream, service, place, headers_within, stop).await,
        Some(Ok(Err(error))) => tracing::debug!(%error, "http handshake failed"),
        Some(Err(_)) => tracing::debug!("http handshake took too long"),
        None => {}
    }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    service: FromPeer,
    place: OwnedSemaphorePermit,
    headers_within: Duration,
    stop: CancellationToken,
) {
    let _place = place;
    let stream = TokioIo::new(Stall::after(STALLED_WITHIN, stream));
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(headers_within)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(stream, service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "http connection ended");
    }
}

/// What a connection over the limit is told.
fn turning_away(options: &Arc<Options>) -> Router {
    let most = options.max_connections;
    let detail = format!("{most} connections are open; try again in a second");
    let busy = move || async move { Problem::busy("too_many_connections", detail) };
    guard::around(Router::new().fallback(busy), options).layer(middleware::from_fn(closing))
}

async fn closing(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
