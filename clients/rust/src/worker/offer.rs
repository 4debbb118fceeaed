//! A call that a bridge offers a worker: taken or declined, and driven to its end. It knows nothing of how the worker is registered.

use super::Shared;
use crate::{
    drain::{Place, Stage},
    machine::{Close, Machine},
    proto::{
        CallControl, CallOffer, OfferDeclined, WorkerReport, worker_report::Report,
        worker_service_client::WorkerServiceClient,
    },
    server::reason,
    session,
};
use futures_util::{FutureExt, Stream, StreamExt};
use std::{future, sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use tonic::{
    CancellationHandle, Request,
    metadata::{AsciiMetadataValue, MetadataValue},
    transport::Channel,
};

/// How long the bridge may take to answer a `TakeCall`.
const TAKE: Duration = Duration::from_secs(10);
/// How long the connection has for what was sent before a stream is reset: a reset overtakes it.
const BEFORE_RESET: Duration = Duration::from_millis(100);

/// Takes a call, or says why not.
pub(super) fn take(
    shared: &Arc<Shared>,
    client: &WorkerServiceClient<Channel>,
    offer: &CallOffer,
    reports: Option<&mpsc::Sender<WorkerReport>>,
) -> Result<(), &'static str> {
    if shared.stopper.stage() > Stage::Serving {
        return Err("this worker is draining");
    }
    let machine = Machine::new();
    let Some(place) = shared.calls.enter(&machine, Some(shared.max_calls)) else {
        return Err("this worker has as many calls as it takes");
    };
    let offered = MetadataValue::try_from(&offer.token).map_err(|_| "the token is no header")?;
    let (shared, client, reports) = (Arc::clone(shared), client.clone(), reports.cloned());
    let offer = offer.clone();
    tokio::spawn(async move {
        // It may take its time, and the bridge is not to be kept waiting for heartbeats.
        let token = match shared.token.header().await {
            Ok(token) => token,
            Err(why) => {
                tracing::warn!(call = %offer.call_id, "a call is declined: there is no token: {why}");
                drop(place);
                return decline(reports.as_ref(), offer.token, "this worker has no token now")
                    .await;
            }
        };
        drop(reports);
        let mut request = request((), token);
        request.metadata_mut().insert("agibridge-offer-token", offered);
        let cancel = request.cancellation_handle();
        let request = request.map(|()| controls(Arc::clone(&machine), cancel));
        drive(shared, client, request, machine, place).await;
    });
    Ok(())
}

pub(super) fn request<T>(stream: T, token: Option<AsciiMetadataValue>) -> Request<T> {
    let mut request = Request::new(stream);
    if let Some(token) = token {
        request.metadata_mut().insert("authorization", token);
    }
    request
}

pub(super) async fn decline(
    reports: Option<&mpsc::Sender<WorkerReport>>,
    token: String,
    why: &str,
) {
    report(reports, Report::Declined(OfferDeclined { token, reason: why.to_owned() })).await;
}

pub(super) async fn report(reports: Option<&mpsc::Sender<WorkerReport>>, report: Report) {
    if let Some(reports) = reports {
        // It fails when the stream is over, which its other side tells.
        let _over = reports.send(WorkerReport { report: Some(report) }).await;
    }
}

/// The controls of a call that was taken. A stream that shall not count as done is reset: to end it would say so.
fn controls(
    machine: Arc<Machine>,
    cancel: CancellationHandle,
) -> impl Stream<Item = CallControl> + Send + 'static {
    let mut cancel = Some(cancel);
    session::controls(machine).filter_map(move |control| match control {
        Ok(control) => future::ready(Some(control)).left_future(),
        Err(Close::Done) => future::ready(None).left_future(),
        Err(Close::Failed(_) | Close::Released(_)) => {
            let cancel = cancel.take();
            let reset = async move {
                sleep(BEFORE_RESET).await;
                if let Some(cancel) = cancel {
                    cancel.cancel();
                }
                future::pending().await
            };
            reset.right_future()
        }
    })
}

/// Drives one call that was offered.
async fn drive(
    shared: Arc<Shared>,
    mut client: WorkerServiceClient<Channel>,
    request: Request<impl Stream<Item = CallControl> + Send + 'static>,
    machine: Arc<Machine>,
    place: Place,
) {
    let response = match timeout(TAKE, client.take_call(request)).await {
        Ok(Ok(response)) => response,
        // The caller is gone, or it was too late.
        Ok(Err(status)) => {
            return tracing::debug!("an offer could not be taken: {}", reason(&status));
        }
        Err(_) => return tracing::warn!("an offer could not be taken: the bridge does not answer"),
    };
    let (metadata, events, _) = response.into_parts();
    let events = events.map(|event| event.map_err(|it| reason(&it)));
    session::run(machine, Arc::clone(&shared.handler), events, Some(metadata), shared.cleanup)
        .await;
    drop(place);
}
