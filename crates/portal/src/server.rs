//! An HTTP server for the portal's router: it bears browsers that are slow on purpose, and many of them.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt;

/// Connections at the same time; more wait in the system's queue.
const CONNECTIONS: usize = 256;
/// From one request's end, or the connection's beginning, to the last of the next one's headers.
const HEADERS_WITHIN: Duration = Duration::from_secs(15);
/// For one connection, whatever it does.
const CONNECTION_LASTS: Duration = Duration::from_secs(120);
/// What is under way when it is to stop has so long.
const FINISH_WITHIN: Duration = Duration::from_secs(5);

/// Serves the [router](crate::Portal::router), or what was laid around it, by HTTP/1.1 until `stop` is done, and then what
/// is under way.
pub async fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()> + Send) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let (stopping, stopped) = watch::channel(false);
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = async {
            let place = Arc::clone(&room).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut stop => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            // Of the moment, such as too many open files: calls go on, and so does this after a breath.
            Err(error) => {
                tracing::warn!(%error, "the portal can't take a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (router, stopped) = (router.clone(), stopped.clone());
        tokio::spawn(async move {
            let _place = place;
            connection(TokioIo::new(stream), peer, router, stopped).await;
        });
    }
    let _ = stopping.send(true);
    drop(stopped);
    let _ = tokio::time::timeout(FINISH_WITHIN, stopping.closed()).await;
}

async fn connection(
    stream: TokioIo<tokio::net::TcpStream>,
    peer: std::net::SocketAddr,
    router: Router,
    mut stopped: watch::Receiver<bool>,
) {
    let service = hyper::service::service_fn(move |mut request: Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = router.clone().oneshot(request);
        async move { Ok::<_, Infallible>(answer.await.unwrap_or_else(|never| match never {})) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .serve_connection(stream, service);
    let mut served = std::pin::pin!(served);
    let ended = tokio::time::timeout(CONNECTION_LASTS, async {
        tokio::select! {
            ended = served.as_mut() => return ended,
            _ = stopped.wait_for(|stopped| *stopped) => {}
        }
        served.as_mut().graceful_shutdown();
        served.await
    });
    match ended.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a browser's connection ended"),
        Err(_) => tracing::debug!("a browser's connection lasted too long"),
    }
}
