//! What `ManagerService` does, for those who have nothing but HTTP: the contract's messages as JSON. Knows no connections, and
//! nothing of Asterisk.
//!
//! No answer has a header of CORS, and a body must be `application/json`: a browser asks before it sends such a body from a page of
//! another origin, is told nothing, and does not send it. So a stranger's page starts no call by a certificate that the browser has.
//! A URL needs no credential: what may be done by it stands in it, and is signed.

mod events;

pub(super) use events::{EVENTS, events};

use super::{
    Parts,
    manager::{not_draining, trace},
};
use crate::{access::Shown, proto::OriginateRequest, telemetry::metrics::status_text};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{self, HeaderName},
};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use serde::Serialize;
use serde_json::json;
use std::time::Duration;
use tokio::time::timeout;
use tonic::{Code, Status, body::Body};

pub(super) const ORIGINATE: &str = "/v1/originate";

/// Far more than Asterisk takes in one action.
const BODY_MAX: usize = 256 * 1024;
/// For the whole body to come.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a request is not answered as it was meant.
struct Failure {
    http: StatusCode,
    status: Status,
    /// What the status wants to stand in the head.
    header: Option<(HeaderName, &'static str)>,
}

/// `/v1/originate`.
pub(super) async fn originate(
    parts: &Parts,
    shown: &Shown,
    request: Request<Incoming>,
) -> Response<Body> {
    let answer = if request.method() == Method::GET {
        get(parts, &request).await
    } else if request.method() == Method::POST {
        post(parts, shown, request).await
    } else {
        Err(wrong_method("GET, POST"))
    };
    answer.unwrap_or_else(Failure::answer)
}

/// A URL that is signed.
async fn get(parts: &Parts, request: &Request<Incoming>) -> Result<Response<Body>, Failure> {
    not_draining(parts)?;
    let (access, asked) = parts.manage.signed(request.uri().query().unwrap_or_default())?;
    if is_prefetch(request.headers()) {
        return Err(
            Status::permission_denied("a call is not started before somebody wants it").into()
        );
    }
    let told = parts.manage.originate(&access, asked, trace(request.headers())).await?;
    Ok(answer(StatusCode::OK, &told))
}

/// A browser that guesses where its user goes next.
fn is_prefetch(headers: &HeaderMap) -> bool {
    let names = ["sec-purpose", "purpose", "x-purpose", "x-moz"];
    let mut values = names.iter().filter_map(|name| headers.get(*name)?.to_str().ok());
    values.any(|value| value.contains("prefetch") || value.contains("preview"))
}

async fn post(
    parts: &Parts,
    shown: &Shown,
    request: Request<Incoming>,
) -> Result<Response<Body>, Failure> {
    // A stranger's body is not read.
    let access = parts.manage.access(shown)?;
    not_draining(parts)?;
    let (head, body) = request.into_parts();
    if !is_json(&head.headers) {
        let status =
            Status::invalid_argument("a body of `content-type: application/json` is wanted");
        return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, status));
    }
    let asked: OriginateRequest = serde_json::from_slice(&read(body).await?)
        .map_err(|error| Status::invalid_argument(format!("the body: {error}")))?;
    let told = parts.manage.originate(&access, asked, trace(&head.headers)).await?;
    Ok(answer(StatusCode::OK, &told))
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media = value.and_then(|value| value.split(';').next()).unwrap_or_default();
    media.trim().eq_ignore_ascii_case("application/json")
}

async fn read(body: Incoming) -> Result<Bytes, Failure> {
    let whole = timeout(BODY_TIMEOUT, Limited::new(body, BODY_MAX).collect()).await;
    let whole = whole.map_err(|_| {
        let status =
            Status::invalid_argument(format!("the body did not come within {BODY_TIMEOUT:?}"));
        Failure::new(StatusCode::REQUEST_TIMEOUT, status)
    })?;
    whole.map(|body| body.to_bytes()).map_err(|error| {
        if error.is::<LengthLimitError>() {
            let status = Status::invalid_argument(format!("the body: at most {BODY_MAX} bytes"));
            return Failure::new(StatusCode::PAYLOAD_TOO_LARGE, status);
        }
        Status::invalid_argument(format!("the body broke off: {error}")).into()
    })
}

fn answer(status: StatusCode, message: &impl Serialize) -> Response<Body> {
    let text = serde_json::to_vec(message).expect("messages are made of text, numbers and lists");
    let mut response = Response::new(Body::new(Full::new(Bytes::from(text))));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn wrong_method(allowed: &'static str) -> Failure {
    let status = Status::unimplemented(format!("this path takes {allowed} only"));
    let header = Some((header::ALLOW, allowed));
    Failure { header, ..Failure::new(StatusCode::METHOD_NOT_ALLOWED, status) }
}

impl Failure {
    fn new(http: StatusCode, status: Status) -> Self {
        Self { http, status, header: None }
    }

    fn answer(self) -> Response<Body> {
        let Self { http, status, header } = self;
        let error = json!({"status": status_text(status.code()), "detail": status.message()});
        let mut response = answer(http, &error);
        if let Some((name, value)) = header {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let code = status.code();
        let challenge = (header::WWW_AUTHENTICATE, "Bearer");
        let header = (code == Code::Unauthenticated).then_some(challenge);
        Self { header, ..Self::new(http_status(code), status) }
    }
}

/// As `google.rpc.Code` has it.
fn http_status(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => {
            StatusCode::BAD_REQUEST
        }
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::Cancelled | Code::Unknown | Code::Internal | Code::DataLoss => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}
