//! The bridge's side of a stream, for tests.

#![allow(dead_code, reason = "each test program uses its part")]

use agibridge::proto::{
    self, CallControl, CallEvent, CallStarted, call_control::Control, call_event::Event,
    call_service_client::CallServiceClient, command_result::Outcome,
};
use std::{net::SocketAddr, time::Duration};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Status, Streaming, transport::Channel};

pub(crate) fn event(it: Event) -> CallEvent {
    CallEvent { event: Some(it) }
}

pub(crate) fn started(call_id: &str) -> CallEvent {
    let it =
        CallStarted { call_id: call_id.to_owned(), route: "test".to_owned(), ..Default::default() };
    event(Event::Started(Box::new(it)))
}

pub(crate) fn result(id: u32, outcome: Outcome) -> CallEvent {
    event(Event::Result(proto::CommandResult { id, outcome: Some(outcome), ..Default::default() }))
}

pub(crate) fn done(id: u32) -> CallEvent {
    result(id, Outcome::Done(proto::Done {}))
}

pub(crate) fn hangup(grace: Duration) -> CallEvent {
    event(Event::Hangup(proto::Hangup { source: 1, grace: grace.try_into().ok() }))
}

pub(crate) fn ended() -> CallEvent {
    event(Event::Ended(proto::CallEnded { reason: 1, ..Default::default() }))
}

/// One call, as the bridge has it.
pub(crate) struct Caller {
    events: Option<mpsc::Sender<CallEvent>>,
    controls: Streaming<CallControl>,
}

pub(crate) async fn dial(
    address: SocketAddr,
    authorization: Option<&str>,
) -> Result<Caller, Status> {
    let metadata = authorization.map(|it| ("authorization", it));
    dial_with(address, metadata.as_slice()).await
}

pub(crate) async fn dial_with(
    address: SocketAddr,
    metadata: &[(&'static str, &str)],
) -> Result<Caller, Status> {
    open(channel(address).await, metadata).await
}

async fn channel(address: SocketAddr) -> Channel {
    Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

async fn open(channel: Channel, metadata: &[(&'static str, &str)]) -> Result<Caller, Status> {
    let (events, sent) = mpsc::channel(64);
    let mut request = Request::new(ReceiverStream::new(sent));
    for (name, value) in metadata {
        request.metadata_mut().insert(*name, value.parse().unwrap());
    }
    let controls = CallServiceClient::new(channel).handle_call(request).await?.into_inner();
    Ok(Caller { events: Some(events), controls })
}

impl Caller {
    pub(crate) async fn send(&self, event: CallEvent) {
        self.events.as_ref().unwrap().send(event).await.unwrap();
    }

    pub(crate) async fn control(&mut self) -> Option<Control> {
        self.controls.message().await.unwrap().and_then(|it| it.control)
    }

    pub(crate) async fn end(&mut self) {
        self.send(ended()).await;
        self.close();
    }

    /// Ends the bridge's side.
    pub(crate) fn close(&mut self) {
        self.events = None;
    }

    /// How the stream ends, whatever comes before.
    pub(crate) async fn status(&mut self) -> Code {
        loop {
            match self.controls.message().await {
                Ok(Some(_)) => {}
                Ok(None) => return Code::Ok,
                Err(status) => return status.code(),
            }
        }
    }
}

/// The serving status: 1 is SERVING, 2 NOT_SERVING.
pub(crate) async fn health(address: SocketAddr) -> i32 {
    use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
    let mut client = HealthClient::new(channel(address).await);
    let request = HealthCheckRequest { service: "agibridge.v1.CallService".to_owned() };
    client.check(request).await.unwrap().into_inner().status
}

/// Whether the server tells its services.
pub(crate) async fn reflects(address: SocketAddr) -> bool {
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest,
    };
    let mut client = ServerReflectionClient::new(channel(address).await);
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let Ok(answer) = client.server_reflection_info(tokio_stream::iter([request])).await else {
        return false;
    };
    matches!(answer.into_inner().message().await, Ok(Some(it)) if format!("{it:?}").contains("agibridge.v1.CallService"))
}

/// An authority for one test.
#[cfg(feature = "tls")]
pub(crate) struct Pki(rcgen::CertifiedIssuer<'static, rcgen::KeyPair>);

#[cfg(feature = "tls")]
impl Pki {
    pub(crate) fn new() -> Self {
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        Self(rcgen::CertifiedIssuer::self_signed(parameters, key).unwrap())
    }

    pub(crate) fn authority(&self) -> String {
        self.0.pem()
    }

    /// A certificate and its key.
    pub(crate) fn issue(&self, name: &str) -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let parameters = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        (parameters.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }

    pub(crate) async fn dial(
        &self,
        address: SocketAddr,
        identity: Option<(String, String)>,
    ) -> Result<Caller, Box<dyn std::error::Error>> {
        use tonic::transport::{Certificate, ClientTlsConfig, Identity};
        let mut tls = ClientTlsConfig::new()
            .domain_name("localhost")
            .ca_certificate(Certificate::from_pem(self.authority()));
        if let Some((certificate, key)) = identity {
            tls = tls.identity(Identity::from_pem(certificate, key));
        }
        let endpoint = Channel::from_shared(format!("https://{address}"))?.tls_config(tls)?;
        Ok(open(endpoint.connect().await?, &[]).await?)
    }
}
