//! The HTTP port of operators: `/metrics` for Prometheus, `/healthz` while the process lives, `/readyz` when it may be relied
//! on. It answers from the first moment of the start, so that a long recovery can be watched.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::BrokerMetrics;

/// Why the port cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("gregor.metrics.listener={text}: {source}")]
pub struct HttpError {
    text: String,
    source: std::io::Error,
}

/// Binds `host:port` (an empty host is every address) and serves it until stopped. Returns the address that was bound.
pub async fn serve(
    text: &str,
    metrics: Arc<BrokerMetrics>,
    tasks: &TaskTracker,
    stop: CancellationToken,
) -> Result<SocketAddr, HttpError> {
    let failed = |source| HttpError { text: text.to_owned(), source };
    let address = if text.starts_with(':') { format!("[::]{text}") } else { text.to_owned() };
    let listener = match TcpListener::bind(&address).await {
        // A machine without IPv6 has no such wildcard.
        Err(_) if text.starts_with(':') => TcpListener::bind(format!("0.0.0.0{text}")).await,
        bound => bound,
    };
    let listener = listener.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let router = Router::new()
        .route("/metrics", get(scrape))
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(readiness))
        .with_state(metrics);
    tasks.spawn(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::error!(%error, "the metrics port is not served any more");
        }
    });
    tracing::info!(address = %bound, "metrics are served");
    Ok(bound)
}

async fn scrape(State(metrics): State<Arc<BrokerMetrics>>) -> Response {
    let page = metrics.page().await;
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page).into_response()
}

async fn readiness(State(metrics): State<Arc<BrokerMetrics>>) -> Response {
    let (ready, text) = metrics.readiness();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CONTENT_TYPE, "application/json")], text).into_response()
}
