//! One gRPC stream on an HTTP/2 connection: request, framing of what goes out, verdict on the response.
//! Statuses and the framing of what comes in are tonic's. Knows no calls and no addresses.
//!
//! HTTP/2 is used without hyper between: a call needs no task and no buffer of its own while it is quiet, can be
//! reset at any moment, and the peer's stream limit can be read.

use super::connection::Connection;
use crate::upstream::{
    MESSAGE_MAX,
    error::{AttemptError, Pushback, Refusal},
};
use bytes::{BufMut as _, Bytes, BytesMut};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Request, Response, StatusCode, header, response};
use http_body::{Body, Frame};
use prost::Message;
use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tonic::{
    Code, Status,
    codec::{BufferSettings, Streaming},
};
use tonic_prost::ProstDecoder;

const HEADER: usize = 5;
/// The decoder's buffer grows from nothing to what messages need: most calls are quiet.
const DECODE_BUFFER: usize = 0;
const DETAILS: &str = "grpc-status-details-bin";
const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// A message in its gRPC frame, uncompressed; none when it is too large.
pub(super) fn frame(message: &impl Message) -> Option<Bytes> {
    let len = message.encoded_len();
    if len > MESSAGE_MAX {
        return None;
    }
    let mut buffer = BytesMut::with_capacity(HEADER + len);
    buffer.put_u8(0);
    buffer.put_u32(u32::try_from(len).ok()?);
    message.encode_raw(&mut buffer);
    Some(buffer.freeze())
}

/// Why a stream was not opened.
#[derive(Debug)]
pub(super) enum Unopened {
    /// The connection was over, or full, before the service saw the stream: another connection may do.
    Stale(AttemptError),
    /// The service had its chance.
    Failed(AttemptError),
}

/// Opens a stream with `request` and sends `first`, with `eos` as all that it sends. Returns once the response's headers are here; dropped before
/// that, it resets the stream.
pub(super) async fn open(
    connection: &Connection,
    request: Request<()>,
    first: Bytes,
    eos: bool,
) -> Result<(Response<RecvStream>, Outgoing), Unopened> {
    let mut requests = connection.requests();
    let stale = |error: h2::Error| Unopened::Stale(AttemptError::Http2(error.to_string()));
    poll_fn(|cx| requests.poll_ready(cx)).await.map_err(stale)?;
    let (response, stream) = requests.send_request(request, false).map_err(stale)?;
    drop(requests);
    let mut outgoing = Outgoing { stream, eos: false, done: false };
    outgoing.send(first, eos).map_err(stale)?;
    match response.await {
        Ok(response) => Ok((response, outgoing)),
        Err(error) => {
            let unseen = error.is_io()
                || error.is_go_away()
                || error.reason() == Some(Reason::REFUSED_STREAM);
            let error = AttemptError::Http2(error.to_string());
            Err(if unseen { Unopened::Stale(error) } else { Unopened::Failed(error) })
        }
    }
}

/// What the headers of a response mean: the service took the call, or it did not.
pub(super) fn accept<M: Message + Default + 'static>(
    response: Response<RecvStream>,
) -> Result<Streaming<M>, Refusal> {
    let (mut head, body) = response.into_parts();
    // tonic panics on details that are no base64, and nobody here reads them.
    head.headers.remove(DETAILS);
    let status = Status::from_header_map(&head.headers);
    let decoder = ProstDecoder::new(BufferSettings::new(DECODE_BUFFER, 0));
    match status {
        Some(status) if status.code() == Code::Ok => {
            Ok(Streaming::new_empty(decoder, Incoming(body)))
        }
        Some(status) => Err(Refusal {
            error: AttemptError::Status {
                code: status.code(),
                message: status.message().to_owned(),
            },
            pushback: pushback(&head.headers),
        }),
        None if head.status != StatusCode::OK => Err(AttemptError::of_http(head.status).into()),
        None if !is_grpc(&head) => Err(AttemptError::NotGrpc(content_type(&head)).into()),
        None => {
            let max = Some(MESSAGE_MAX);
            Ok(Streaming::new_response(decoder, Incoming(body), head.status, None, max))
        }
    }
}

/// The sending half of a stream. Dropping it resets the stream, unless `close` or `reset` was called.
pub(super) struct Outgoing {
    stream: SendStream<Bytes>,
    eos: bool,
    done: bool,
}

impl Outgoing {
    /// Whether the peer takes more now.
    pub(super) fn has_room(&mut self) -> bool {
        // One byte is enough to ask for: HTTP/2 holds the rest of a message that is larger than the window.
        self.stream.reserve_capacity(1);
        self.stream.capacity() > 0
    }

    pub(super) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), h2::Error>> {
        while !self.has_room() {
            match ready!(self.stream.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => return Poll::Ready(Err(Reason::STREAM_CLOSED.into())),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Hands `data` to HTTP/2; `eos`: and nothing follows.
    pub(super) fn send(&mut self, data: Bytes, eos: bool) -> Result<(), h2::Error> {
        self.eos |= eos;
        self.stream.send_data(data, eos)
    }

    /// The peer ended the stream well: end our half too.
    pub(super) fn close(&mut self) {
        if !self.eos {
            // Fails when the peer has reset it by now, which is as good.
            let _ = self.send(Bytes::new(), true);
        }
        self.done = true;
    }

    /// Nothing of the stream is wanted any more.
    pub(super) fn reset(&mut self) {
        self.done = true;
        self.stream.send_reset(Reason::CANCEL);
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        if !self.done {
            self.reset();
        }
    }
}

/// The receiving half of a stream, as tonic wants it.
struct Incoming(RecvStream);

impl Body for Incoming {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match ready!(self.0.poll_data(cx)) {
            Some(Ok(data)) => {
                // tonic asks for no more than the message at hand needs, so what is given out is as good as read.
                let released = self.0.flow_control().release_capacity(data.len());
                Poll::Ready(Some(released.map(|()| Frame::data(data)).map_err(broken)))
            }
            Some(Err(error)) => Poll::Ready(Some(Err(broken(error)))),
            None => match ready!(self.0.poll_trailers(cx)) {
                Ok(None) => Poll::Ready(None),
                Ok(Some(mut trailers)) => {
                    trailers.remove(DETAILS);
                    Poll::Ready(Some(Ok(Frame::trailers(trailers))))
                }
                Err(error) => Poll::Ready(Some(Err(broken(error)))),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }
}

/// The status that stands for a broken stream. A connection that is gone is UNAVAILABLE, as everywhere in gRPC.
fn broken(error: h2::Error) -> Status {
    if error.is_io() || error.is_go_away() {
        return Status::unavailable(format!("connection lost: {error}"));
    }
    Status::from_error(Box::new(error))
}

fn is_grpc(head: &response::Parts) -> bool {
    let value = head.headers.get(header::CONTENT_TYPE).map(header::HeaderValue::as_bytes);
    value.is_some_and(|value| value.starts_with(b"application/grpc"))
}

fn content_type(head: &response::Parts) -> String {
    match head.headers.get(header::CONTENT_TYPE) {
        Some(value) => format!("content-type {value:?}"),
        None => "no content-type".to_owned(),
    }
}

fn pushback(headers: &HeaderMap) -> Option<Pushback> {
    let value = headers.get(PUSHBACK)?;
    // A value that is no number means "do not", as in gRPC's own clients.
    let ms = value.to_str().ok().and_then(|text| text.trim().parse::<i64>().ok()).unwrap_or(-1);
    Some(u64::try_from(ms).map_or(Pushback::Never, |ms| Pushback::After(Duration::from_millis(ms))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::CallControl;

    #[test]
    fn frames_have_a_flag_and_a_length() {
        let message = crate::proto::QueryParameter { key: "a".into(), value: String::new() };
        assert_eq!(frame(&message).as_deref(), Some(&[0, 0, 0, 0, 3, 0x0a, 1, b'a'][..]));
        assert_eq!(frame(&CallControl::default()).as_deref(), Some(&[0; 5][..]));
        let huge = crate::proto::QueryParameter { key: "a".repeat(MESSAGE_MAX), ..message };
        assert_eq!(frame(&huge), None);
    }

    #[test]
    fn pushback_is_a_wait_or_never() {
        let of = |value: &'static str| {
            let value = header::HeaderValue::from_static(value);
            pushback(&HeaderMap::from_iter([(PUSHBACK.parse().expect("a name"), value)]))
        };
        assert_eq!(of("250"), Some(Pushback::After(Duration::from_millis(250))));
        assert_eq!(of("-1"), Some(Pushback::Never));
        assert_eq!(of("soon"), Some(Pushback::Never));
        assert_eq!(pushback(&HeaderMap::new()), None);
    }
}
