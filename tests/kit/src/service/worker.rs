//! A scripted worker: it dials in to a bridge, registers, and takes every call that it is offered. Knows registration and
//! offers; not what is played.

use super::{
    GROUP, Scripts, grpc,
    player::{self, Failed},
    port,
    websocket::{self, Format},
};
use agi_bridge::proto::{
    CallControl, OfferDeclined, Registered, WorkerHello, WorkerOffer, WorkerReport, WorkerStatus,
    worker_offer::Offer, worker_report::Report, worker_service_client::WorkerServiceClient,
};
use anyhow::{Context as _, bail};
use futures_util::{SinkExt as _, StreamExt as _, future, stream::BoxStream};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{error::Elapsed, timeout},
};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{
    CancellationHandle, Request,
    transport::{Channel, Endpoint},
};

/// For a connection and the bridge's answer to the first report.
const REGISTER_LIMIT: Duration = Duration::from_secs(10);
/// Reports that may wait for the connection.
const REPORTS_MAX: usize = 64;
/// What the kit's WebSocket workers speak.
const FORMAT: Format = Format::Json;

/// A worker of one bridge.
pub(super) struct Worker {
    link: Link,
    /// The header of that name.
    authorization: Option<String>,
    scripts: Scripts,
}

#[derive(Clone)]
enum Link {
    Grpc(WorkerServiceClient<Channel>),
    WebSocket(SocketAddr),
}

/// What a registered worker is offered. The worker is withdrawn when this is dropped.
pub(super) struct Offers {
    stream: BoxStream<'static, WorkerOffer>,
    /// Over gRPC, the stream of reports ends with it.
    reports: Option<mpsc::Sender<WorkerReport>>,
}

impl Worker {
    /// Connects to the bridge by gRPC.
    pub(super) async fn by_grpc(
        api: SocketAddr,
        bearer: Option<&str>,
        scripts: Scripts,
    ) -> anyhow::Result<Self> {
        let endpoint = Endpoint::from_shared(format!("http://{api}"))?
            .tcp_nodelay(true)
            .connect_timeout(REGISTER_LIMIT);
        let channel = endpoint.connect().await.context("no connection")?;
        Ok(Self::new(Link::Grpc(WorkerServiceClient::new(channel)), bearer, scripts))
    }

    /// Will connect to the bridge by WebSocket, anew for each call.
    pub(super) fn by_websocket(api: SocketAddr, bearer: Option<&str>, scripts: Scripts) -> Self {
        Self::new(Link::WebSocket(api), bearer, scripts)
    }

    fn new(link: Link, bearer: Option<&str>, scripts: Scripts) -> Self {
        let authorization = bearer.map(|token| format!("Bearer {token}"));
        Self { link, authorization, scripts }
    }

    /// Says hello and waits until the bridge knows the worker.
    pub(super) async fn register(&self) -> anyhow::Result<(Registered, Offers)> {
        let registration = async {
            let mut offers = self.offers().await?;
            match offers.stream.next().await.and_then(|offer| offer.offer) {
                Some(Offer::Registered(registered)) => Ok((registered, offers)),
                Some(other @ (Offer::Call(_) | Offer::Withdrawn(_) | Offer::Heartbeat(_))) => {
                    bail!("the bridge began with {other:?}")
                }
                None => bail!("the bridge closed, or said nothing that can be read"),
            }
        };
        timeout(REGISTER_LIMIT, registration)
            .await
            .map_err(|_: Elapsed| anyhow::anyhow!("no answer within {REGISTER_LIMIT:?}"))?
    }

    /// Takes every call that is offered, until the service is to stop. When there are no more offers, the calls go on.
    pub(super) async fn take_all(self, mut offers: Offers) {
        let worker = Arc::new(self);
        let mut stop = worker.scripts.stop.subscribe();
        let mut calls = JoinSet::new();
        let mut stopping = false;
        loop {
            let offer = tokio::select! {
                biased;
                () = port::stopped(&mut stop), if !stopping => {
                    stopping = true;
                    offers.report(Report::Status(WorkerStatus { draining: true, load: 0.0 })).await;
                    continue;
                }
                offer = offers.stream.next() => offer,
            };
            let Some(offer) = offer else { break };
            while calls.try_join_next().is_some() {}
            if let Some(Offer::Heartbeat(heartbeat)) = offer.offer
                && !worker.scripts.is_mute()
            {
                offers.report(Report::Heartbeat(heartbeat)).await;
            }
            if let Some(Offer::Call(offer)) = offer.offer {
                if stopping {
                    let reason = "the worker is being restarted".to_owned();
                    let declined = OfferDeclined { token: offer.token, reason };
                    offers.report(Report::Declined(declined)).await;
                    continue;
                }
                let worker = Arc::clone(&worker);
                // An offer that turns out to be void costs nothing, and the call's own recording stays empty.
                calls.spawn(async move { worker.take(&offer.token).await.ok() });
            }
        }
        while calls.join_next().await.is_some() {}
    }

    async fn offers(&self) -> anyhow::Result<Offers> {
        let hello = WorkerReport { report: Some(Report::Hello(hello(self.scripts.name()))) };
        match &self.link {
            Link::Grpc(client) => {
                let (reports, receiver) = mpsc::channel(REPORTS_MAX);
                reports.send(hello).await.context("the receiver is here")?;
                let request = self.authorized(Request::new(ReceiverStream::new(receiver)))?;
                let offers = client.clone().register(request).await?.into_inner();
                let stream = until_wrong(offers).boxed();
                Ok(Offers { stream, reports: Some(reports) })
            }
            Link::WebSocket(api) => {
                let authorization = self.authorization.as_deref();
                let mut socket =
                    websocket::connect(*api, "/v1/worker", FORMAT, authorization).await?;
                socket.send(FORMAT.encode(&hello)).await?;
                let offers = until_wrong(socket).filter_map(|frame| {
                    future::ready(FORMAT.decode::<WorkerOffer>(&frame).transpose())
                });
                Ok(Offers { stream: until_wrong(offers).boxed(), reports: None })
            }
        }
    }

    /// Drives the call of this offer to its end.
    async fn take(&self, token: &str) -> anyhow::Result<()> {
        match &self.link {
            Link::Grpc(client) => self.take_by_grpc(client.clone(), token).await,
            Link::WebSocket(api) => {
                let path = format!("/v1/calls/{token}");
                let authorization = self.authorization.as_deref();
                let socket = websocket::connect(*api, &path, FORMAT, authorization).await?;
                websocket::carry(socket, FORMAT, &self.scripts).await;
                Ok(())
            }
        }
    }

    async fn take_by_grpc(
        &self,
        mut client: WorkerServiceClient<Channel>,
        token: &str,
    ) -> anyhow::Result<()> {
        let (controls, receiver) = player::channel();
        let mut request = self.authorized(Request::new(()))?;
        request.metadata_mut().insert("agibridge-offer-token", token.parse()?);
        let cancel = request.cancellation_handle();
        let request = request.map(|()| until_failed(receiver, cancel.clone()));
        let mut events = client.take_call(request).await?.into_inner();
        let first = events.message().await?;
        match self.scripts.begin(first, controls) {
            Ok(recorder) => grpc::record(events, recorder).await,
            Err(_) => cancel.cancel(),
        }
        Ok(())
    }

    fn authorized<T>(&self, mut request: Request<T>) -> anyhow::Result<Request<T>> {
        if let Some(authorization) = &self.authorization {
            request.metadata_mut().insert("authorization", authorization.parse()?);
        }
        Ok(request)
    }
}

/// What comes until something goes wrong.
fn until_wrong<T, E>(stream: impl Stream<Item = Result<T, E>>) -> impl Stream<Item = T> {
    tokio_stream::StreamExt::map_while(stream, Result::ok)
}

impl Offers {
    /// Whoever cannot be told hears it by the end of its streams.
    async fn report(&mut self, report: Report) {
        if let Some(reports) = &self.reports {
            let _ = reports.send(WorkerReport { report: Some(report) }).await;
        }
    }
}

/// Without a name, one of its own for each worker of this process: it may be one of several at a bridge.
fn hello(name: Option<&str>) -> WorkerHello {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let number = || COUNT.fetch_add(1, Ordering::Relaxed);
    WorkerHello {
        worker_id: name.map_or_else(|| format!("{GROUP}-{}", number()), str::to_owned),
        groups: vec![GROUP.to_owned()],
        ..WorkerHello::default()
    }
}

/// What the player says. When the service fails the whole stream is cancelled: its mere end would mean that the service
/// is done.
fn until_failed(
    controls: mpsc::Receiver<Result<CallControl, Failed>>,
    cancel: CancellationHandle,
) -> impl Stream<Item = CallControl> {
    let mut cancel = Some(cancel);
    ReceiverStream::new(controls).then(move |control| {
        let cancel = if control.is_err() { cancel.take() } else { None };
        async move {
            match control {
                Ok(control) => control,
                Err(Failed::Scripted | Failed::Restarting) => {
                    if let Some(cancel) = cancel {
                        cancel.cancel();
                    }
                    future::pending().await
                }
            }
        }
    })
}
