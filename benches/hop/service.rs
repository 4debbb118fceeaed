//! A service behind the bridge: the same script as the FastAGI server's, in the words of the contract. It also is
//! the far end of the bare gRPC stream.

use crate::{host, job::Script, script};
use agi_bridge::proto::{
    CallControl, CallEvent, EndCall,
    call_control::Control,
    call_event::Event,
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
    script: Script,
    sent: usize,
    ended: bool,
}

#[tonic::async_trait]
impl CallService for Service {
    type HandleCallStream = BoxStream<'static, Result<CallControl, Status>>;

    async fn handle_call(
        &self,
        request: Request<Streaming<CallEvent>>,
    ) -> Result<Response<Self::HandleCallStream>, Status> {
        let call =
            Call { events: request.into_inner(), script: Script::Loop, sent: 0, ended: false };
        let controls = stream::try_unfold(call, |mut call| async move {
            Ok(call.next().await?.map(|control| (CallControl { control: Some(control) }, call)))
        });
        Ok(Response::new(controls.boxed()))
    }
}

impl Call {
    /// Waits for what calls for an answer. `None`: the call is over.
    async fn next(&mut self) -> Result<Option<Control>, Status> {
        while let Some(event) = self.events.message().await? {
            match event.event {
                Some(Event::Started(started)) => {
                    let path = started.environment.get("agi_network_script");
                    self.script = Script::of_path(path.map_or("", String::as_str));
                    return Ok(Some(self.command()));
                }
                Some(Event::Result(_)) => {
                    if let Some(control) = self.after_result() {
                        return Ok(Some(control));
                    }
                }
                Some(Event::Hangup(_) | Event::Ended(_)) => return Ok(None),
                Some(Event::Progress(_) | Event::Draining(_) | Event::Heartbeat(_)) | None => {}
            }
        }
        Ok(None)
    }

    fn after_result(&mut self) -> Option<Control> {
        if self.script.commands().is_none_or(|commands| self.sent < commands) {
            return Some(self.command());
        }
        let end = self.script == Script::Five && !self.ended;
        self.ended |= end;
        end.then(|| Control::End(EndCall::default()))
    }

    fn command(&mut self) -> Control {
        let command = script::command(self.sent);
        self.sent += 1;
        Control::Command(command)
    }
}
