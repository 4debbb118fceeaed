//! The handshake with a WebSocket service: the request, and what its answer means. Knows one connection, and no messages.

use super::{counted::Counted, format::Format, messages};
use crate::{
    route::{Remote, Service},
    upstream::{
        error::{AttemptError, Pushback, Refusal},
        header,
        io::{self, Io},
    },
};
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode, Uri,
    header::{
        CONNECTION, HOST, RETRY_AFTER, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
        SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
    },
    uri::PathAndQuery,
};
use std::time::Duration;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        Error,
        error::{ProtocolError, SubProtocolError},
        handshake::client::generate_key,
    },
};

/// The request for a WebSocket at `path`, with `metadata` and the headers of `service`.
/// Fails with what is wrong when the service's settings fit in no request.
pub(super) fn request(
    service: &Service,
    (remote, path): (&Remote, &str),
    metadata: &[(String, String)],
) -> Result<Request<()>, String> {
    let mut request = Request::new(());
    *request.uri_mut() = uri(remote, path)?;
    let host = HeaderValue::try_from(remote.authority())
        .map_err(|_| format!("{}: no header value", remote.host))?;
    let headers = request.headers_mut();
    headers.insert(HOST, host);
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    let key = HeaderValue::try_from(generate_key()).map_err(|error| error.to_string())?;
    headers.insert(SEC_WEBSOCKET_KEY, key);
    let offered = Format::ALL.map(Format::subprotocol).join(", ");
    let offered = HeaderValue::try_from(offered).map_err(|error| error.to_string())?;
    headers.insert(SEC_WEBSOCKET_PROTOCOL, offered);
    header::fill(headers, service, metadata)?;
    Ok(request)
}

/// Asks for a WebSocket over `io`. It is there once the service agreed to one of our subprotocols.
pub(super) async fn shake(
    io: Io,
    request: Request<()>,
) -> Result<(WebSocketStream<Counted>, Format), Refusal> {
    let asked = client_async_with_config(request, Counted::new(io), Some(messages::config()));
    let (socket, response) = asked.await.map_err(|error| refusal(&error))?;
    Ok((socket, agreed(response.headers())?))
}

fn uri(remote: &Remote, path: &str) -> Result<Uri, String> {
    let path = PathAndQuery::try_from(path).map_err(|error| format!("{path}: {error}"))?;
    Uri::builder()
        .scheme(if remote.tls.is_some() { "wss" } else { "ws" })
        .authority(remote.authority())
        .path_and_query(path)
        .build()
        .map_err(|error| error.to_string())
}

fn agreed(headers: &HeaderMap) -> Result<Format, AttemptError> {
    if let Some(extension) = headers.get(SEC_WEBSOCKET_EXTENSIONS).filter(|it| !it.is_empty()) {
        let what = format!("it answers with extension {extension:?}, and none was offered");
        return Err(AttemptError::NotWebSocket(what));
    }
    let chosen = headers.get(SEC_WEBSOCKET_PROTOCOL).and_then(|value| value.to_str().ok());
    chosen
        .and_then(Format::of_subprotocol)
        .ok_or_else(|| AttemptError::NotWebSocket("it answers with another subprotocol".to_owned()))
}

/// What a handshake that failed says of the service.
fn refusal(error: &Error) -> Refusal {
    let error = match error {
        Error::Http(response) => return refused(response),
        Error::Io(error) => AttemptError::Connect(io::plain(error)),
        Error::Protocol(ProtocolError::HandshakeIncomplete) => {
            AttemptError::Connect("connection closed during the handshake".to_owned())
        }
        Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(error)) => {
            AttemptError::NotWebSocket(subprotocol(*error).to_owned())
        }
        Error::Protocol(_)
        | Error::Capacity(_)
        | Error::Utf8(_)
        | Error::AttackAttempt
        | Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Tls(_)
        | Error::WriteBufferFull(_)
        | Error::Url(_)
        | Error::HttpFormat(_) => AttemptError::NotWebSocket(error.to_string()),
    };
    error.into()
}

fn subprotocol(error: SubProtocolError) -> &'static str {
    match error {
        SubProtocolError::NoSubProtocol => "it chose no subprotocol",
        SubProtocolError::InvalidSubProtocol
        | SubProtocolError::ServerSentSubProtocolNoneRequested => {
            "it chose a subprotocol that was not offered"
        }
    }
}

fn refused(response: &Response<Option<Vec<u8>>>) -> Refusal {
    let status = response.status();
    if status.is_success() || status == StatusCode::UPGRADE_REQUIRED {
        return AttemptError::NotWebSocket(format!("HTTP {status}")).into();
    }
    let may_wait =
        matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let pushback = if may_wait { retry_after(response.headers()) } else { None };
    Refusal { error: AttemptError::of_http(status), pushback }
}

/// As a number of seconds; a date says nothing to a clock that may differ.
fn retry_after(headers: &HeaderMap) -> Option<Pushback> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse::<u32>().ok()?;
    Some(Pushback::After(Duration::from_secs(seconds.into())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::tests::service;
    use tonic::Code;

    fn answer(status: u16, headers: &[(&'static str, &'static str)]) -> Refusal {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        refusal(&Error::Http(Box::new(response.body(None).expect("a response"))))
    }

    #[test]
    fn asks_for_both_subprotocols_at_the_path() {
        let remote = Remote { host: "::1".into(), port: 8080, tls: None };
        let request =
            request(&service("::1", 8080), (&remote, "/calls?v=1"), &[]).expect("a request");
        assert_eq!(request.uri(), "ws://[::1]:8080/calls?v=1");
        assert_eq!(request.headers()["host"], "[::1]:8080");
        let offered = "agibridge.v1.proto, agibridge.v1.json";
        assert_eq!(request.headers()["sec-websocket-protocol"], offered);
    }

    #[test]
    fn a_refusal_says_when_to_come_again() {
        let pushback = |status, value| answer(status, &[("retry-after", value)]).pushback;
        assert_eq!(pushback(503, "2"), Some(Pushback::After(Duration::from_secs(2))));
        assert_eq!(pushback(429, "7"), Some(Pushback::After(Duration::from_secs(7))));
        assert_eq!(pushback(503, "Wed, 21 Oct 2026 07:28:00 GMT"), None);
        assert_eq!(pushback(403, "2"), None);
    }

    #[test]
    fn a_redirect_and_a_plain_page_are_refusals() {
        let AttemptError::Status { code, message } =
            answer(302, &[("location", "ws://other/")]).error
        else {
            panic!("a status")
        };
        assert_eq!((code, message.as_str()), (Code::Unknown, "HTTP 302 Found"));
        assert_eq!(answer(200, &[]).error, AttemptError::NotWebSocket("HTTP 200 OK".to_owned()));
    }

    #[test]
    fn an_extension_that_nobody_offered_is_refused() {
        let headers = |extensions: &'static str| {
            HeaderMap::from_iter([
                (SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("agibridge.v1.json")),
                (SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_static(extensions)),
            ])
        };
        assert_eq!(agreed(&headers("")), Ok(Format::Json));
        assert!(agreed(&headers("permessage-deflate")).is_err());
    }
}
