//! Events of Asterisk, as server-sent events: `event`, `missed` and `server_state`, with the contract's messages as JSON. A reader
//! that is slow is told what it missed; nothing waits for it.

use super::{Failure, wrong_method};
use crate::{
    access::Shown,
    ami::Item,
    api::Parts,
    manage::{Watch, server_state, to_json},
    proto::WatchEventsRequest,
    sse,
};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, Method, Request, Response, header};
use http_body::Frame;
use http_body_util::StreamBody;
use hyper::body::Incoming;
use serde_json::json;
use std::convert::Infallible;
use tokio::time::timeout;
use tonic::{Status, body::Body};

pub(in crate::api) const EVENTS: &str = "/v1/events";
/// In front of the name of a header.
const HEADER: &str = "header.";

/// `GET /v1/events`.
pub(in crate::api) fn events(
    parts: &Parts,
    shown: &Shown,
    request: &Request<Incoming>,
) -> Response<Body> {
    watch(parts, shown, request).map_or_else(Failure::answer, stream)
}

fn watch(parts: &Parts, shown: &Shown, request: &Request<Incoming>) -> Result<Watch, Failure> {
    if request.method() != Method::GET {
        return Err(wrong_method("GET"));
    }
    let access = parts.manage.access(shown)?;
    let asked = read(request.uri().query().unwrap_or_default())?;
    Ok(parts.manage.watch_events(&access, asked)?)
}

/// `server=pbx1&name=Hangup&name=Newchannel&header.Channel=PJSIP/3200-1`.
fn read(query: &str) -> Result<WatchEventsRequest, Status> {
    let mut asked = WatchEventsRequest::default();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let value = value.into_owned();
        match (&*name, name.strip_prefix(HEADER)) {
            ("server", _) => asked.server = value,
            ("name", _) => asked.names.push(value),
            (_, Some(header)) => {
                asked.r#match.insert(header.to_owned(), value);
            }
            (_, None) => {
                let name = name.escape_default();
                return Err(Status::invalid_argument(format!(
                    "{name}: there is no such parameter"
                )));
            }
        }
    }
    Ok(asked)
}

fn stream(watch: Watch) -> Response<Body> {
    let events = stream::unfold(watch, |mut watch| async move {
        let text = match timeout(sse::SILENCE_MAX, watch.next()).await {
            // It ends when what was shown is good no more; who asks again is told why.
            Ok(told) => written(&told?.ok()?),
            Err(_) => sse::COMMENT.to_owned(),
        };
        Some((Ok::<_, Infallible>(Frame::data(Bytes::from(text))), watch))
    });
    let mut response = Response::new(Body::new(StreamBody::new(events)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(sse::CONTENT_TYPE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn written(told: &Item) -> String {
    let mut text = String::new();
    match told {
        Item::Event(event) => sse::event(&mut text, "event", &to_json(event)),
        Item::State(state) => {
            let state = serde_json::to_string(&server_state(state));
            let state = state.expect("messages are made of text");
            sse::event(&mut text, "server_state", &state);
        }
        Item::Missed(count) => {
            sse::event(&mut text, "missed", &json!({"missed": count.to_string()}).to_string());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_names_events_and_headers() {
        let asked = read("server=pbx1&name=Hangup&name=New*&header.Channel=PJSIP%2F1+a").unwrap();
        assert_eq!(
            (asked.server.as_str(), asked.names),
            ("pbx1", vec!["Hangup".into(), "New*".into()])
        );
        assert_eq!(asked.r#match["Channel"], "PJSIP/1 a");
        assert!(read("names=Hangup").unwrap_err().message().starts_with("names: "));
    }

    #[test]
    fn a_reader_that_is_slow_is_told_what_it_missed() {
        assert_eq!(written(&Item::Missed(7)), "event: missed\ndata: {\"missed\":\"7\"}\n\n");
    }
}
