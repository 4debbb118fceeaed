//! A gRPC service behind the bridge. It also is the far end of the bare gRPC stream.

use crate::{
    driver::{Driver, Next},
    host,
};
use agi_bridge::proto::{
    CallControl, CallEvent,
    call_service_server::{CallService, CallServiceServer},
};
use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::net::TcpListener;
use tonic::{Request, Response, Status, Streaming, transport::server::TcpIncoming};

/// Far above what a bench has in flight on one connection.
const WINDOW_BYTES: u32 = 8 << 20;

/// Plays the role, until it is killed.
pub(crate) async fn main() -> anyhow::Result<()> {
    let listener = host::listen()?;
    host::say_ready(&listener)?;
    let incoming = TcpIncoming::from(TcpListener::from_std(listener)?).with_nodelay(Some(true));
    tonic::transport::Server::builder()
        .initial_connection_window_size(WINDOW_BYTES)
        .add_service(CallServiceServer::new(Service))
        .serve_with_incoming(incoming)
        .await?;
    Ok(())
}

struct Service;

/// One call: commands go out as results come in, with no task and no queue between.
struct Call {
    events: Streaming<CallEvent>,
    driver: Driver,
}

#[tonic::async_trait]
impl CallService for Service {
    type HandleCallStream = BoxStream<'static, Result<CallControl, Status>>;

    async fn handle_call(
        &self,
        request: Request<Streaming<CallEvent>>,
    ) -> Result<Response<Self::HandleCallStream>, Status> {
        let call = Call { events: request.into_inner(), driver: Driver::new() };
        let controls = stream::try_unfold(call, |mut call| async move {
            Ok(call.next().await?.map(|control| (control, call)))
        });
        Ok(Response::new(controls.boxed()))
    }
}

impl Call {
    /// Waits for what calls for an answer. `None`: the call is over.
    async fn next(&mut self) -> Result<Option<CallControl>, Status> {
        while let Some(event) = self.events.message().await? {
            match self.driver.hear(event) {
                Next::Say(control) => return Ok(Some(control)),
                Next::Wait => {}
                Next::Over => return Ok(None),
            }
        }
        Ok(None)
    }
}
