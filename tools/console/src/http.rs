//! The page and its JSON, by HTTP. Only GET; nothing in it comes from elsewhere, and no other site may read it.

use std::io;
use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};
use serde::Serialize;
use tokio::net::TcpListener;

use crate::view::{
    BrokerView, ClusterView, GroupLine, GroupView, MessagesView, TopicLine, TopicView, Wanted,
};
use crate::{Cluster, ConsoleError};

/// Answers on `listener` until `stop` is done, then finishes what it has begun.
///
/// # Errors
/// What accepting connections fails with.
pub async fn serve(
    listener: TcpListener,
    cluster: Cluster,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    axum::serve(listener, router(Arc::new(cluster))).with_graceful_shutdown(stop).await
}

fn router(cluster: Arc<Cluster>) -> Router {
    Router::new()
        .route("/", get(async || file("text/html; charset=utf-8", include_str!("../page/index.html"))))
        .route(
            "/console.css",
            get(async || file("text/css; charset=utf-8", include_str!("../page/console.css"))),
        )
        .route(
            "/console.js",
            get(async || file("text/javascript; charset=utf-8", include_str!("../page/console.js"))),
        )
        .route("/api/cluster", get(cluster_view))
        .route("/api/brokers/{id}", get(broker_view))
        .route("/api/topics", get(topic_lines))
        .route("/api/topics/{name}", get(topic_view))
        .route("/api/topics/{name}/messages", get(messages_view))
        .route("/api/groups", get(group_lines))
        .route("/api/groups/{id}", get(group_view))
        .fallback(async || failure(StatusCode::NOT_FOUND, "there is nothing here"))
        .layer(middleware::map_response(guarded))
        .with_state(cluster)
}

/// The page may load nothing from elsewhere, and nobody may frame it.
async fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'",
        ),
    );
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn file(content_type: &'static str, content: &'static str) -> Response {
    ([(header::CONTENT_TYPE, content_type)], content).into_response()
}

fn failure(status: StatusCode, message: &str) -> Response {
    (status, Json(serde_json::json!({ "error": message }))).into_response()
}

fn answer<T: Serialize>(found: Result<T, ConsoleError>) -> Response {
    match found {
        Ok(view) => Json(view).into_response(),
        Err(error) => {
            let status = match error {
                ConsoleError::NotFound(_) => StatusCode::NOT_FOUND,
                ConsoleError::Query(_) | ConsoleError::Address(_) => StatusCode::BAD_REQUEST,
                ConsoleError::Unreachable(_) | ConsoleError::Broker { .. } | ConsoleError::Refused { .. } => {
                    StatusCode::BAD_GATEWAY
                }
            };
            failure(status, &error.to_string())
        }
    }
}

type Looked = State<Arc<Cluster>>;

async fn cluster_view(State(cluster): Looked) -> Response {
    answer(ClusterView::load(&cluster).await)
}

async fn broker_view(State(cluster): Looked, Path(id): Path<String>) -> Response {
    match id.parse() {
        Ok(id) => answer(BrokerView::load(&cluster, id).await),
        Err(_) => failure(StatusCode::BAD_REQUEST, "a broker id is a number"),
    }
}

async fn topic_lines(State(cluster): Looked) -> Response {
    answer(TopicLine::load_all(&cluster).await)
}

async fn topic_view(State(cluster): Looked, Path(name): Path<String>) -> Response {
    answer(TopicView::load(&cluster, &name).await)
}

async fn messages_view(
    State(cluster): Looked,
    Path(name): Path<String>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Response {
    match wanted {
        Ok(Query(wanted)) => answer(MessagesView::load(&cluster, &name, &wanted).await),
        Err(rejection) => failure(StatusCode::BAD_REQUEST, &rejection.body_text()),
    }
}

async fn group_lines(State(cluster): Looked) -> Response {
    answer(GroupLine::load_all(&cluster).await)
}

async fn group_view(State(cluster): Looked, Path(id): Path<String>) -> Response {
    answer(GroupView::load(&cluster, &id).await)
}
