//! Carries scripted calls by gRPC, as the server: the bridge opens a stream for each. Knows tonic; not what is played.

use super::{
    Recorder, Scripts,
    player::{self, Failed},
    port,
};
use agi_bridge::proto::{
    CallControl, CallEvent,
    call_service_server::{CallService, CallServiceServer},
};
use std::io;
use tokio::net::TcpStream;
use tokio_stream::{StreamExt, adapters, wrappers::ReceiverStream};
use tonic::{Request, Response, Status, Streaming, transport::Server};

struct Calls(Scripts);

type Said = Result<CallControl, Failed>;

/// Serves calls, and gRPC health, until the service is to stop: then no new calls.
pub(super) async fn serve(incoming: ReceiverStream<io::Result<TcpStream>>, scripts: Scripts) {
    let mut stop = scripts.stop.subscribe();
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<CallServiceServer<Calls>>().await;
    Server::builder()
        .add_service(health_service)
        .add_service(CallServiceServer::new(Calls(scripts)))
        .serve_with_incoming_shutdown(incoming, async move {
            port::stopped(&mut stop).await;
        })
        .await
        .expect("the service serves");
}

/// Writes down every event until the stream is over.
pub(super) async fn record(mut events: Streaming<CallEvent>, recorder: Recorder) {
    while let Ok(Some(event)) = events.message().await {
        if let Some(event) = event.event {
            recorder.note(event);
        }
    }
}

#[tonic::async_trait]
impl CallService for Calls {
    type HandleCallStream =
        adapters::Map<ReceiverStream<Said>, fn(Said) -> Result<CallControl, Status>>;

    async fn handle_call(
        &self,
        request: Request<Streaming<CallEvent>>,
    ) -> Result<Response<Self::HandleCallStream>, Status> {
        let mut events = request.into_inner();
        let first = events.message().await?;
        let (controls, receiver) = player::channel();
        let recorder = self.0.begin(first, controls)?;
        tokio::spawn(record(events, recorder));
        Ok(Response::new(ReceiverStream::new(receiver).map(status)))
    }
}

fn status(said: Said) -> Result<CallControl, Status> {
    said.map_err(|failed| match failed {
        Failed::Scripted => Status::internal("the script says so"),
        Failed::Restarting => Status::unavailable("the service is being restarted"),
    })
}
