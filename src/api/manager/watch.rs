//! `WatchEvents` over gRPC. The generated service takes messages, and would encode an event once for each subscriber; here it is
//! answered by what is encoded already. Knows nothing of Asterisk.

use super::Manager;
use crate::{
    api::service::MESSAGE_MAX,
    manage::{Watch, to_proto},
    proto::WatchEventsRequest,
};
use bytes::{BufMut as _, Bytes};
use futures_util::{Stream, stream};
use http_body::Body as HttpBody;
use std::{
    future::{Ready, ready},
    pin::Pin,
};
use tonic::{
    Request, Response, Status,
    body::Body,
    codec::{BufferSettings, Codec, EncodeBuf, Encoder},
    server::{Grpc, ServerStreamingService},
};
use tonic_prost::{ProstCodec, ProstDecoder};

/// Of the method.
pub(in crate::api) const WATCH_EVENTS: &str = "/agibridge.v1.ManagerService/WatchEvents";

type Events = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

/// Answers one request.
pub(in crate::api) async fn watch_events<B>(
    manager: &Manager,
    request: http::Request<B>,
) -> http::Response<Body>
where
    B: HttpBody + Send + 'static,
    B::Error: Into<tonic::codegen::StdError> + Send,
{
    Grpc::new(Encoded)
        .apply_max_message_size_config(Some(MESSAGE_MAX), Some(MESSAGE_MAX))
        .server_streaming(Watching(manager), request)
        .await
}

struct Watching<'a>(&'a Manager);

impl ServerStreamingService<WatchEventsRequest> for Watching<'_> {
    type Response = Bytes;
    type ResponseStream = Events;
    type Future = Ready<Result<Response<Events>, Status>>;

    fn call(&mut self, request: Request<WatchEventsRequest>) -> Self::Future {
        ready(self.0.watch(request).map(|watch| Response::new(events(watch))))
    }
}

fn events(watch: Watch) -> Events {
    Box::pin(stream::unfold(watch, |mut watch| async move {
        let told = watch.next().await?;
        Some((told.map(|item| to_proto(&item)), watch))
    }))
}

/// Messages that are encoded already.
struct Encoded;

impl Codec for Encoded {
    type Encode = Bytes;
    type Decode = WatchEventsRequest;
    type Encoder = Self;
    type Decoder = ProstDecoder<WatchEventsRequest>;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<WatchEventsRequest, _>::raw_decoder(BufferSettings::default())
    }
}

impl Encoder for Encoded {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}
