//! A worker that dials in by gRPC, and drives every call with one async function of the test.

use super::{
    service::{Caller, Handler, Said, Watch},
    soon,
};
use agi_bridge::proto::{
    CallControl, CallOffer, WorkerHello, WorkerReport, worker_offer::Offer, worker_report::Report,
    worker_service_client::WorkerServiceClient,
};
use futures_util::{StreamExt as _, future};
use std::{future::Future, net::SocketAddr};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{
    CancellationHandle, Request, Status, Streaming,
    transport::{Channel, Endpoint},
};

/// The worker, until it is dropped.
#[derive(Debug)]
pub(crate) struct Worker {
    task: JoinHandle<()>,
    _watch: Watch,
}

impl Worker {
    /// Registers for `group` at a bridge's API port, and takes every call.
    pub(crate) async fn start<F>(
        api: SocketAddr,
        group: &str,
        handler: impl Fn(Caller) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), Status>> + Send + 'static,
    {
        let client = client(api).await;
        let (mut offers, reports) = hello(&client, group).await;
        let handler = Handler::new(handler);
        let watch = handler.watch();
        let task = tokio::spawn(async move {
            let _registered = reports;
            while let Ok(Some(offer)) = offers.message().await {
                if let Some(Offer::Call(CallOffer { token, .. })) = offer.offer {
                    tokio::spawn(take(client.clone(), token, handler.clone()));
                }
            }
        });
        Self { task, _watch: watch }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A connection to the API port.
pub(crate) async fn client(api: SocketAddr) -> WorkerServiceClient<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{api}")).unwrap();
    WorkerServiceClient::new(soon("a connection", endpoint.connect()).await.unwrap())
}

/// Says hello, and waits until the bridge knows the worker. It is withdrawn when the sender is dropped.
pub(crate) async fn hello(
    client: &WorkerServiceClient<Channel>,
    group: &str,
) -> (Streaming<agi_bridge::proto::WorkerOffer>, mpsc::Sender<WorkerReport>) {
    let (reports, receiver) = mpsc::channel(8);
    let hello = WorkerHello {
        worker_id: format!("{group}-{}", rand::random::<u32>()),
        groups: vec![group.to_owned()],
        ..WorkerHello::default()
    };
    reports.send(WorkerReport { report: Some(Report::Hello(hello)) }).await.unwrap();
    let asked = client.clone().register(ReceiverStream::new(receiver)).await;
    let mut offers = asked.unwrap().into_inner();
    let first = soon("the registration", offers.message()).await.unwrap().unwrap();
    assert!(matches!(first.offer, Some(Offer::Registered(_))), "{first:?}");
    (offers, reports)
}

/// Drives the call of one offer. A function that fails cancels the stream: its mere end would mean that it is done.
async fn take(mut client: WorkerServiceClient<Channel>, token: String, handler: Handler) {
    let (events, receiver) = mpsc::channel(1);
    let mut request = Request::new(());
    request.metadata_mut().insert("agibridge-offer-token", token.parse().unwrap());
    let metadata = request.metadata().clone();
    let cancel = request.cancellation_handle();
    let said = handler.begin(metadata, ReceiverStream::new(receiver).boxed());
    let request = request.map(|()| until_failed(said, cancel));
    let Ok(taken) = client.take_call(request).await else { return };
    let mut stream = taken.into_inner();
    while let Some(event) = stream.next().await {
        let ended = event.is_err();
        // A function that is over hears no more.
        let _ = events.send(event).await;
        if ended {
            break;
        }
    }
}

fn until_failed(
    said: ReceiverStream<Said>,
    cancel: CancellationHandle,
) -> impl Stream<Item = CallControl> {
    let mut cancel = Some(cancel);
    said.then(move |said| {
        let cancel = if matches!(said, Said::Failed(_)) { cancel.take() } else { None };
        async move {
            match said {
                Said::Control(control) => *control,
                Said::Frame(_) => panic!("gRPC has no frames"),
                Said::Failed(_) => {
                    if let Some(cancel) = cancel {
                        cancel.cancel();
                    }
                    future::pending().await
                }
            }
        }
    })
}
