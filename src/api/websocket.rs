//! The same service over WebSocket: `/v1/worker` is `Register`, `/v1/calls/{token}` is `TakeCall`. Knows handshakes and close
//! codes, and nothing of what the messages mean.

use super::{
    Parts,
    register::{self, OFFERS_MAX},
    routes::{Answered, text},
    service,
};
use crate::{
    access::Shown,
    proto::{WorkerOffer, WorkerReport},
    upstream::{Format, Messages, Take},
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{
        CONNECTION, HOST, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
        SEC_WEBSOCKET_VERSION, UPGRADE,
    },
};
use hyper::{
    body::Incoming,
    upgrade::{OnUpgrade, Upgraded},
};
use hyper_util::rt::TokioIo;
use std::{
    future::poll_fn,
    pin::pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_util::sync::PollSender;
use tonic::{Code, Status, body::Body};
use tracing::debug;

/// From the answer to the handshake to the connection's change of protocol.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);
/// Offers that wait in the connection, on top of those that wait for it.
const CAPACITY: usize = 16;
/// The base64 of 16 bytes.
const KEY_LEN: usize = 24;

/// A handshake in order.
pub(super) struct Handshake {
    pub(super) upgrade: OnUpgrade,
    pub(super) format: Format,
    accept: HeaderValue,
}

/// `GET /v1/worker`.
pub(super) fn worker(parts: &Parts, shown: Shown, request: Request<Incoming>) -> Answered {
    if *parts.draining.borrow() {
        return Err(text(StatusCode::SERVICE_UNAVAILABLE, "the bridge is draining"));
    }
    let handshake = handshake(&shown, request)?;
    let (response, format) = (handshake.response(), handshake.format);
    let parts = parts.clone();
    tokio::spawn(async move {
        if let Some(io) = upgraded(handshake.upgrade).await {
            let pings = parts.pings();
            attend(parts, shown, Messages::server(io, format, CAPACITY, pings).await).await;
        }
    });
    Ok(response)
}

/// `GET /v1/calls/{token}`. The offer is taken by a handshake in order, and by nothing less.
pub(super) fn call(
    parts: &Parts,
    shown: &Shown,
    token: &str,
    request: Request<Incoming>,
) -> Answered {
    let handshake = handshake(shown, request)?;
    let take: Take = service::take(parts, shown, token).map_err(|status| refused(&status))?;
    let (response, format, pings) = (handshake.response(), handshake.format, parts.pings());
    tokio::spawn(async move {
        if let Some(io) = upgraded(handshake.upgrade).await
            && let Err(error) = take.websocket(io, format, pings)
        {
            debug!(%error, "a worker took an offer too late");
        }
    });
    Ok(response)
}

pub(super) async fn upgraded(upgrade: OnUpgrade) -> Option<TokioIo<Upgraded>> {
    timeout(UPGRADE_TIMEOUT, upgrade).await.ok()?.ok().map(TokioIo::new)
}

/// One worker's connection: its reports go in, offers come out, until either side ends it.
async fn attend(parts: Parts, shown: Shown, mut messages: Messages<WorkerReport, WorkerOffer>) {
    let (offers_in, mut offers) = mpsc::channel(OFFERS_MAX);
    let (reports_in, reports) = mpsc::channel(1);
    let mut reports_in = Some(PollSender::new(reports_in));
    let ended = {
        let reports = ReceiverStream::new(reports);
        let mut attending = pin!(register::attend(parts, shown, reports, offers_in));
        poll_fn(|cx| {
            // What it says may be the answer to what was just read, and what ends it may be said just now.
            for _ in 0..2 {
                if let Poll::Ready(ended) = attending.as_mut().poll(cx) {
                    return Poll::Ready(ended);
                }
                pump(cx, &mut messages, &mut offers, &mut reports_in);
            }
            Poll::Pending
        })
        .await
    };
    // What was offered last is void by now.
    if let Err(status) = ended {
        messages.abort(close_code(status.code()), status.message());
    } else {
        messages.finish();
        let goodbye = poll_fn(|cx| messages.poll_recv(cx).map(drop));
        let _ = timeout(UPGRADE_TIMEOUT, goodbye).await;
    }
}

/// Moves what can be moved now.
fn pump(
    cx: &mut Context<'_>,
    messages: &mut Messages<WorkerReport, WorkerOffer>,
    offers: &mut mpsc::Receiver<WorkerOffer>,
    reports: &mut Option<PollSender<Result<WorkerReport, Status>>>,
) {
    while messages.poll_ready_to_send(cx) == Poll::Ready(Ok(()))
        && let Poll::Ready(Some(offer)) = offers.poll_recv(cx)
    {
        // A failure shows on the receiving side.
        let _ = messages.try_send(&offer);
    }
    while let Some(sender) = reports
        && let Poll::Ready(Ok(())) = sender.poll_reserve(cx)
    {
        let report = match messages.poll_recv(cx) {
            Poll::Pending => {
                sender.abort_send();
                return;
            }
            Poll::Ready(Ok(Some(report))) => Ok(report),
            Poll::Ready(Ok(None)) => {
                *reports = None;
                return;
            }
            Poll::Ready(Err(lost)) => Err(Status::new(lost.code, lost.message)),
        };
        if sender.send_item(report).is_err() {
            *reports = None;
        }
    }
}

pub(super) fn handshake(
    shown: &Shown,
    mut request: Request<Incoming>,
) -> Result<Handshake, Box<Response<Body>>> {
    let headers = request.headers();
    // A browser opens it for a page of any site, and shows its reader's certificate.
    if !shown.has_token() && is_of_other_site(headers) {
        let why = "a web page of another site may not connect: show a token, or no `origin`";
        return Err(text(StatusCode::FORBIDDEN, why));
    }
    let bad = |why: &str| Err(text(StatusCode::BAD_REQUEST, why));
    if request.method() != Method::GET || request.version() != Version::HTTP_11 {
        return bad("this is a WebSocket: GET over HTTP/1.1");
    }
    if !has_token(headers, &UPGRADE, "websocket") || !has_token(headers, &CONNECTION, "upgrade") {
        let mut response = text(StatusCode::UPGRADE_REQUIRED, "this is a WebSocket");
        response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
        return Err(response);
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        let mut response = text(StatusCode::UPGRADE_REQUIRED, "WebSocket version 13 is spoken");
        response.headers_mut().insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        return Err(response);
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).filter(|key| key.len() == KEY_LEN);
    let Some(accept) = key
        .map(|key| derive_accept_key(key.as_bytes()))
        .and_then(|accept| HeaderValue::try_from(accept).ok())
    else {
        return bad("Sec-WebSocket-Key is missing, or no key");
    };
    let Some(format) = tokens(headers, &SEC_WEBSOCKET_PROTOCOL).find_map(Format::of_subprotocol)
    else {
        let known = Format::ALL.map(Format::subprotocol).join(" or ");
        return bad(&format!("no known subprotocol is offered: {known} is wanted"));
    };
    Ok(Handshake { upgrade: hyper::upgrade::on(&mut request), format, accept })
}

impl Handshake {
    pub(super) fn response(&self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, self.accept.clone());
        let format = HeaderValue::from_static(self.format.subprotocol());
        headers.insert(SEC_WEBSOCKET_PROTOCOL, format);
        response
    }
}

fn is_of_other_site(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).map(HeaderValue::as_bytes);
    headers.get_all(ORIGIN).iter().any(|origin| {
        let origin = origin.as_bytes();
        let site = origin.strip_prefix(b"https://").or_else(|| origin.strip_prefix(b"http://"));
        site.is_none() || site != host
    })
}

fn tokens<'a>(headers: &'a HeaderMap, name: &'a HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',').map(str::trim))
}

fn has_token(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    tokens(headers, name).any(|token| token.eq_ignore_ascii_case(wanted))
}

pub(super) fn refused(status: &Status) -> Box<Response<Body>> {
    let code = if status.code() == Code::Unauthenticated {
        StatusCode::UNAUTHORIZED
    } else if status.code() == Code::PermissionDenied {
        StatusCode::FORBIDDEN
    } else if status.code() == Code::Unavailable {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::NOT_FOUND
    };
    text(code, status.message())
}

/// How a worker's connection is closed for the reason of a status.
pub(super) fn close_code(code: Code) -> u16 {
    const STATUSES: u16 = 4000;
    match code {
        Code::InvalidArgument
        | Code::DeadlineExceeded
        | Code::PermissionDenied
        | Code::Unauthenticated => 1008,
        Code::Unavailable => 1012,
        Code::ResourceExhausted => 1013,
        Code::Internal => 1011,
        Code::Ok => 1000,
        Code::Cancelled
        | Code::Unknown
        | Code::NotFound
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::DataLoss => STATUSES + u16::try_from(i32::from(code)).unwrap_or_default(),
    }
}
