//! The answers themselves.

use super::{
    Parts, Readiness, ReloadRequest, console, history,
    live::{self, Streams},
    permission::{self, By, Client, Right},
    phone::{self, Phones},
};
use crate::{
    admin::readiness::Condition,
    session::registry::{Callers, NotOne, Page, Summary},
    telemetry::metrics::Format,
};
use axum::{
    Extension, Json, Router,
    body::Bytes,
    extract::{
        DefaultBodyLimit, Path, Query, RawQuery, State,
        rejection::{BytesRejection, QueryRejection},
    },
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    fmt::Write,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{
    sync::{mpsc::error::TrySendError, oneshot},
    time::timeout,
};
use tracing::{info, warn};

/// No request of ours has a body worth reading.
pub(super) const BODY_BYTES_MAX: usize = 16 * 1024;
const CALLS_LIMIT: usize = 1_000;
/// For a configuration to be read, and its names to be looked up.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(8);

pub(super) type Shared = State<Arc<Parts>>;

pub(super) fn router(parts: Arc<Parts>) -> Router {
    Router::new()
        .route("/livez", get(alive))
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/version", get(version))
        .route("/calls", get(calls))
        .route("/calls/ended", get(history::ended))
        .route("/calls/{id}", get(history::call))
        .route("/calls/{id}/hangup", post(hang_up))
        .route("/routes", get(list_routes))
        .route("/events", get(live::events))
        .route("/phone", post(phone::dial))
        .route("/phone/{id}/press", post(phone::press))
        .route("/phone/{id}/hangup", post(phone::hang_up))
        .route("/", get(console::page))
        .route("/console/{file}", get(console::file))
        .route("/reload", post(reload))
        .fallback(async || {
            Failure(StatusCode::NOT_FOUND, "there is nothing at this path".to_owned())
        })
        .method_not_allowed_fallback(async || {
            Failure(StatusCode::METHOD_NOT_ALLOWED, "this path takes another method".to_owned())
        })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(Extension(Streams::default()))
        .layer(Extension(Arc::<Phones>::default()))
        .with_state(parts)
}

impl Parts {
    /// By what a client may do what needs `right`.
    pub(super) fn may(&self, client: &Client, right: Right) -> Result<By, permission::Refusal> {
        client.may(right, &self.settings.load())
    }
}

/// An error as the client gets it.
pub(super) struct Failure(pub(super) StatusCode, pub(super) String);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = (self.0, Json(json!({"error": self.1}))).into_response();
        if self.0 == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
        }
        response
    }
}

async fn alive() -> &'static str {
    "ok\n"
}

async fn ready(State(parts): Shared, RawQuery(query): RawQuery) -> Response {
    let ready = parts.readiness.is_ready();
    let verbose = query.is_some_and(|query| {
        query.split('&').any(|part| part.split('=').next() == Some("verbose"))
    });
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut text = if verbose { conditions(&parts.readiness) } else { String::new() };
    text.push_str(if ready { "ok\n" } else { "not ready\n" });
    (status, text).into_response()
}

fn conditions(readiness: &Readiness) -> String {
    Condition::ALL.into_iter().fold(String::new(), |mut text, condition| {
        let sign = if readiness.holds(condition) { '+' } else { '-' };
        writeln!(text, "[{sign}] {}", condition.text()).expect("a String takes every text");
        text
    })
}

async fn metrics(
    State(parts): Shared,
    client: Client,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    parts.may(&client, Right::Metrics)?;
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let format = Format::accepted(&accepted.collect::<Vec<_>>().join(","));
    let page = parts.metrics.page(format);
    Ok(([(header::CONTENT_TYPE, format.content_type())], page).into_response())
}

async fn version() -> Response {
    Json(json!({"name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION")}))
        .into_response()
}

#[derive(Debug, Deserialize)]
struct CallsQuery {
    limit: Option<usize>,
    #[serde(default)]
    offset: usize,
    route: Option<String>,
    #[serde(default)]
    callers: bool,
}

#[derive(Debug, Serialize)]
struct Calls {
    active: usize,
    calls: Vec<Summary>,
    truncated: bool,
}

async fn calls(
    State(parts): Shared,
    client: Client,
    query: Result<Query<CallsQuery>, QueryRejection>,
) -> Result<Json<Calls>, Failure> {
    let Query(query) = query?;
    parts.may(&client, Right::See)?;
    let callers = if query.callers {
        parts.may(&client, Right::Change)?;
        Callers::Shown
    } else {
        Callers::Hidden
    };
    let limit = query.limit.unwrap_or(CALLS_LIMIT);
    let page = Page { offset: query.offset, limit, route: query.route.as_deref() };
    let (active, calls) = parts.registry.page(&page, SystemTime::now(), callers);
    let truncated = query.offset.saturating_add(calls.len()) < active;
    Ok(Json(Calls { active, truncated, calls }))
}

async fn list_routes(State(parts): Shared, client: Client) -> Result<Json<Value>, Failure> {
    parts.may(&client, Right::See)?;
    Ok(Json(json!({"routes": live::routes(&parts)})))
}

async fn hang_up(
    State(parts): Shared,
    client: Client,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Failure> {
    let (by, peer) = (parts.may(&client, Right::Change)?, client.address());
    taken(body)?;
    let call_id = parts.registry.hang_up_one(&id)?;
    info!(name: "agibridge.admin.hangup", %peer, by = by.text(), %call_id, "an operator ends a call");
    Ok((StatusCode::ACCEPTED, Json(json!({"call_id": call_id.to_string()}))).into_response())
}

async fn reload(
    State(parts): Shared,
    client: Client,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Failure> {
    let (by, peer) = (parts.may(&client, Right::Change)?, client.address());
    taken(body)?;
    info!(name: "agibridge.admin.reload", %peer, by = by.text(), "an operator asks for a reload");
    let (answer, answered) = oneshot::channel();
    parts.reload.try_send(ReloadRequest { answer }).map_err(|error| match error {
        TrySendError::Full(_) => Failure(StatusCode::CONFLICT, "a reload is under way".to_owned()),
        TrySendError::Closed(_) => unavailable("the bridge is stopping"),
    })?;
    let report = timeout(RELOAD_TIMEOUT, answered)
        .await
        .map_err(|_| unavailable("the reload takes long; its result will stand in the log"))?
        .map_err(|_| unavailable("the bridge is stopping"))?;
    let status = if report.in_force { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok((status, Json(report)).into_response())
}

/// Nothing is asked of a body but to be short; reading it keeps the connection's end orderly.
pub(super) fn taken(body: Result<Bytes, BytesRejection>) -> Result<(), Failure> {
    body.map(drop).map_err(|error| Failure(error.status(), error.body_text()))
}

fn unavailable(why: &str) -> Failure {
    Failure(StatusCode::SERVICE_UNAVAILABLE, why.to_owned())
}

impl From<QueryRejection> for Failure {
    fn from(error: QueryRejection) -> Self {
        Self(error.status(), error.body_text())
    }
}

impl From<permission::Refusal> for Failure {
    fn from(refusal: permission::Refusal) -> Self {
        warn!(name: "agibridge.admin.refused", %refusal, "a request to the admin port was refused");
        Self(refusal.status(), refusal.to_string())
    }
}

impl From<NotOne> for Failure {
    fn from(error: NotOne) -> Self {
        let status = match error {
            NotOne::Unknown => StatusCode::NOT_FOUND,
            NotOne::Ambiguous(_) => StatusCode::CONFLICT,
        };
        Self(status, error.to_string())
    }
}
