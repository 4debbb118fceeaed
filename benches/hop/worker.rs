//! A worker that dials in to the bridge, and takes every call that it is offered: over one gRPC connection for all, or
//! a WebSocket for each.

use crate::{
    driver::{Driver, Next},
    host,
    websocket::{self, Socket},
};
use agi_bridge::{
    proto::{
        WorkerHello, WorkerOffer, WorkerReport, worker_offer::Offer, worker_report::Report,
        worker_service_client::WorkerServiceClient,
    },
    upstream::Format,
};
use anyhow::Context;
use futures_util::{SinkExt, StreamExt};
use std::net::SocketAddr;
use tokio::{net::TcpStream, sync::mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_tungstenite::{client_async, tungstenite::ClientRequestBuilder};
use tonic::{
    Request,
    transport::{Channel, Endpoint},
};

/// What the route's URL names.
pub(crate) const GROUP: &str = "bench";

/// What a WebSocket worker speaks.
const FORMAT: Format = Format::Proto;
const WINDOW_BYTES: u32 = 8 << 20;
/// The script never has more than one on its way.
const CONTROLS_MAX: usize = 2;

/// Plays the role over gRPC, until the bridge is gone.
pub(crate) async fn grpc(task: &[String]) -> anyhow::Result<()> {
    let channel = Endpoint::from_shared(format!("http://{}", api(task)?))?
        .tcp_nodelay(true)
        .initial_connection_window_size(WINDOW_BYTES)
        .connect()
        .await?;
    let client = WorkerServiceClient::new(channel);
    // Held: the end of the reports withdraws the worker.
    let (reports, receiver) = mpsc::channel(1);
    reports.send(hello()).await?;
    let mut offers = client.clone().register(ReceiverStream::new(receiver)).await?.into_inner();
    while let Some(offer) = offers.message().await? {
        if let Some(token) = taken(offer)? {
            let client = client.clone();
            tokio::spawn(async move {
                // A call that broke is the load's to count.
                let _ = take_by_grpc(client, &token).await;
            });
        }
    }
    Ok(())
}

/// Plays the role over WebSocket, until the bridge is gone.
pub(crate) async fn websocket(task: &[String]) -> anyhow::Result<()> {
    let api = api(task)?;
    let mut socket = connect(api, "/v1/worker").await?;
    socket.send(websocket::encode(FORMAT, &hello())?).await?;
    while let Some(frame) = socket.next().await {
        let Some(offer) = websocket::decode::<WorkerOffer>(FORMAT, &frame?)? else { continue };
        if let Some(token) = taken(offer)? {
            tokio::spawn(async move {
                // As above.
                let _ = take_by_websocket(api, &token).await;
            });
        }
    }
    Ok(())
}

/// The token of a call to take. Once the bridge knows the worker, the parent hears of it.
fn taken(offer: WorkerOffer) -> anyhow::Result<Option<String>> {
    Ok(match offer.offer {
        Some(Offer::Call(call)) => Some(call.token),
        Some(Offer::Registered(_)) => {
            host::say("ready")?;
            None
        }
        Some(Offer::Withdrawn(_) | Offer::Heartbeat(_)) | None => None,
    })
}

async fn take_by_grpc(mut client: WorkerServiceClient<Channel>, token: &str) -> anyhow::Result<()> {
    let (controls, receiver) = mpsc::channel(CONTROLS_MAX);
    let mut request = Request::new(ReceiverStream::new(receiver));
    request.metadata_mut().insert("agibridge-offer-token", token.parse()?);
    let mut events = client.take_call(request).await?.into_inner();
    let mut driver = Driver::new();
    while let Some(event) = events.message().await? {
        match driver.hear(event) {
            Next::Say(control) => controls.send(control).await?,
            Next::Wait => {}
            Next::Over => break,
        }
    }
    drop(controls);
    // A stream that is dropped before its end would be cancelled.
    while events.message().await?.is_some() {}
    Ok(())
}

async fn take_by_websocket(api: SocketAddr, token: &str) -> anyhow::Result<()> {
    let socket = connect(api, &format!("/v1/calls/{token}")).await?;
    websocket::drive(socket, FORMAT).await
}

async fn connect(api: SocketAddr, path: &str) -> anyhow::Result<Socket> {
    let uri = format!("ws://{api}{path}").parse()?;
    let request = ClientRequestBuilder::new(uri).with_sub_protocol(FORMAT.subprotocol());
    let stream = TcpStream::connect(api).await?;
    stream.set_nodelay(true)?;
    Ok(client_async(request, stream).await?.0)
}

fn hello() -> WorkerReport {
    let hello = WorkerHello {
        worker_id: "bench".to_owned(),
        groups: vec![GROUP.to_owned()],
        ..WorkerHello::default()
    };
    WorkerReport { report: Some(Report::Hello(hello)) }
}

fn api(task: &[String]) -> anyhow::Result<SocketAddr> {
    Ok(task.first().context("this role needs the address of a bridge")?.parse()?)
}
