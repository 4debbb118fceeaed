//! Whoever comes to the ports of a running bridge: by gRPC, by WebSocket, and over the admin port; and a call that runs meanwhile.

use super::{Asterisk, Service, Serving, command, end, soon};
use agi_bridge::proto::{
    ListServersRequest, Noop, WorkerHello, WorkerOffer, WorkerReport, command::Command as Kind,
    manager_service_client::ManagerServiceClient, worker_report::Report,
    worker_service_client::WorkerServiceClient,
};
use kit::http::ask;
use std::{net::SocketAddr, sync::Arc};
use tokio::{net::TcpStream, sync::Notify};
use tokio_stream::StreamExt as _;
use tokio_tungstenite::{
    client_async,
    tungstenite::{Error, client::IntoClientRequest as _},
};
use tonic::{
    Code, Request, Status, Streaming,
    metadata::MetadataMap,
    transport::{Channel, Endpoint},
};

/// What a door says: the code of gRPC, or the status of HTTP, and why.
pub(crate) type Outcome<C> = Result<(), (C, String)>;

/// All the doors of a bridge, for one who shows a token, or nothing. Plain text.
pub(crate) struct Doors {
    api: SocketAddr,
    admin: SocketAddr,
    token: Option<String>,
}

impl Doors {
    /// The doors of this bridge.
    pub(crate) fn of(bridge: &Serving, token: Option<&str>) -> Self {
        Self { api: bridge.api(), admin: bridge.admin, token: token.map(str::to_owned) }
    }

    /// Every door refuses, and says this.
    pub(crate) async fn refuse(&self, code: Code, status: u16, why: &str) {
        let worker = self.worker().await.map(|_| ()).unwrap_err();
        let said = [("worker", worker), ("manager", self.manager().await.unwrap_err())];
        for (door, refusal) in said {
            assert_eq!(refusal.code(), code, "{door}: {refusal} instead of {why}");
            assert!(refusal.message().contains(why), "{door}: {refusal} instead of {why}");
        }
        assert_eq!(self.websocket().await.unwrap_err().0, status, "{why}");
        let (answered, text) = self.admin("GET", "/calls").await.unwrap_err();
        assert_eq!(answered, status, "{text} instead of {why}");
        assert!(text.contains(why), "{text} instead of {why}");
    }

    /// Every door opens.
    pub(crate) async fn open(&self) {
        self.worker().await.unwrap();
        self.manager().await.unwrap();
        self.websocket().await.unwrap();
        self.admin("GET", "/calls").await.unwrap();
    }

    /// Registers for the group `sales`, for as long as the stream is held.
    pub(crate) async fn worker(&self) -> Result<Streaming<WorkerOffer>, Status> {
        let url = format!("http://{}", self.api);
        let channel = soon("a connection", Endpoint::from_shared(url).unwrap().connect()).await;
        register(channel.unwrap(), self.token.as_deref()).await
    }

    /// Asks for the servers.
    pub(crate) async fn manager(&self) -> Result<(), Status> {
        let url = format!("http://{}", self.api);
        let channel = soon("a connection", Endpoint::from_shared(url).unwrap().connect()).await;
        let mut request = Request::new(ListServersRequest {});
        show(request.metadata_mut(), self.token.as_deref());
        let mut client = ManagerServiceClient::new(channel.unwrap());
        soon("an answer", client.list_servers(request)).await.map(drop)
    }

    /// Opens the manager's WebSocket.
    pub(crate) async fn websocket(&self) -> Outcome<u16> {
        let url = format!("ws://{}/v1/manager", self.api);
        let mut request = url.into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", "agibridge.v1.json".parse().unwrap());
        if let Some(token) = &self.token {
            headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        let tcp = TcpStream::connect(self.api).await.unwrap();
        match soon("an answer", client_async(request, tcp)).await {
            Ok(_) => Ok(()),
            Err(Error::Http(answer)) => {
                let text = answer.body().as_deref().unwrap_or_default();
                Err((answer.status().as_u16(), String::from_utf8_lossy(text).into_owned()))
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Asks the admin port.
    pub(crate) async fn admin(&self, method: &str, path: &str) -> Outcome<u16> {
        let token = self.token.as_ref();
        let shown =
            token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        let asked = ask(self.admin, method, path, &shown);
        let (status, text) = soon("an answer", asked).await.unwrap();
        if status < 300 { Ok(()) } else { Err((status, text)) }
    }
}

/// Registers for the group `sales`, for as long as the stream is held.
pub(crate) async fn register(
    channel: Channel,
    token: Option<&str>,
) -> Result<Streaming<WorkerOffer>, Status> {
    let hello = WorkerHello {
        worker_id: format!("w-{}", rand::random::<u32>()),
        groups: vec!["sales".to_owned()],
        ..WorkerHello::default()
    };
    let hello = WorkerReport { report: Some(Report::Hello(hello)) };
    let reports = tokio_stream::iter([hello]).chain(tokio_stream::pending());
    let mut request = Request::new(reports);
    show(request.metadata_mut(), token);
    let mut client = WorkerServiceClient::new(channel);
    let mut offers = soon("an answer", client.register(request)).await?.into_inner();
    soon("the registration", offers.message()).await?;
    Ok(offers)
}

fn show(metadata: &mut MetadataMap, token: Option<&str>) {
    if let Some(token) = token {
        metadata.insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
}

/// A call that runs, whatever else happens, until it is asked to end.
pub(crate) struct Held {
    service: Service,
    proceed: Arc<Notify>,
}

impl Held {
    pub(crate) async fn prepare() -> Self {
        let proceed = Arc::new(Notify::new());
        let told = Arc::clone(&proceed);
        let service = Service::start(move |mut caller| {
            let told = Arc::clone(&told);
            async move {
                caller.started().await;
                caller.send(command(1, Kind::Noop(Noop { text: "before".into() }))).await;
                caller.result().await;
                told.notified().await;
                caller.send(command(2, Kind::Noop(Noop { text: "after".into() }))).await;
                caller.result().await;
                caller.send(end()).await;
                caller.ended().await;
                Ok(())
            }
        });
        Self { service: service.await, proceed }
    }

    /// Routes to its service, as YAML.
    pub(crate) fn routes(&self) -> String {
        let url = self.service.url();
        format!("[{{name: test, path: '/test/{{colour}}', services: [{{url: '{url}'}}]}}]")
    }

    pub(crate) async fn begin(&self, bridge: &Serving) -> Asterisk {
        let mut asterisk = Asterisk::call(bridge.agi).await;
        asterisk.expect(r#"NOOP "before""#, "200 result=0\n").await;
        asterisk
    }

    /// It goes on as if nothing had been.
    pub(crate) async fn finish(&self, mut asterisk: Asterisk) {
        self.proceed.notify_one();
        asterisk.expect(r#"NOOP "after""#, "200 result=0\n").await;
        assert_eq!(asterisk.finish().await, [""; 0]);
    }
}
