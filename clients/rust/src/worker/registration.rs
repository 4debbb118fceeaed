//! A worker's registration at one address, kept up over reconnects. What becomes of the calls offered to it, it does not know.

use super::{
    Shared,
    offer::{decline, report, request, take},
};
use crate::{
    dial::{Dial, Pauses},
    drain::Stage,
    proto::{
        WorkerHello, WorkerReport, WorkerStatus, worker_offer::Offer, worker_report::Report,
        worker_service_client::WorkerServiceClient,
    },
    server::{ServeError, reason},
};
use futures_util::{StreamExt, stream};
use std::{collections::HashSet, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, transport::Endpoint};

/// How long to leave a bridge alone that is registered with by another address.
const STANDBY: Duration = Duration::from_secs(30);
/// Reports that wait to be sent. An offer that cannot be declined at once waits for room.
const REPORTS: usize = 16;

pub(super) struct Registration {
    pub(super) shared: Arc<Shared>,
    pub(super) name: String,
    pub(super) address: SocketAddr,
    /// The addresses that the names have now.
    pub(super) current: watch::Receiver<HashSet<SocketAddr>>,
    /// True once the worker is done.
    pub(super) closing: watch::Receiver<bool>,
}

/// How a registration came to its end.
enum Over {
    /// Dial again.
    Lost(String),
    /// By another address of the same bridge.
    Elsewhere,
    Refused(ServeError),
    Closed,
}

impl Registration {
    /// Keeps it up until the worker is done, the address is gone, or the bridge refuses it for good.
    pub(super) async fn run(mut self) -> Option<ServeError> {
        let mut pauses = Pauses::default();
        let mut told = String::new();
        loop {
            let mut bridge = None;
            let over = self.once(&mut bridge).await;
            self.shared.registered(self.address, None);
            if bridge.is_some() {
                pauses = Pauses::default();
                told.clear();
            }
            match over {
                Over::Closed => return None,
                Over::Refused(error) => return Some(error),
                Over::Elsewhere => {
                    tracing::info!(address = %self.address, "this bridge is registered with by another address");
                    self.sleep(STANDBY).await;
                }
                Over::Lost(why) => {
                    // It may be so for hours, and this is said of each try.
                    if told != why {
                        tracing::warn!(address = %self.address, "no registration with the bridge: {why}; it is dialled again");
                        told = why;
                    }
                    self.sleep(pauses.next()).await;
                }
            }
            let leave = self.shared.stopper.stage() > Stage::Serving;
            if leave || *self.closing.borrow() || !self.current.borrow().contains(&self.address) {
                return None;
            }
        }
    }

    /// Pauses, unless the worker stops.
    async fn sleep(&self, time: Duration) {
        tokio::select! {
            () = sleep(time) => {}
            () = self.shared.stopper.reached(Stage::Draining) => {}
        }
    }

    async fn once(&mut self, bridge: &mut Option<String>) -> Over {
        let endpoint = match self.endpoint() {
            Ok(endpoint) => endpoint,
            Err(error) => return Over::Refused(error),
        };
        let token = match self.shared.token.header().await {
            Ok(token) => token,
            Err(why) if self.shared.token.is_given() => {
                return Over::Lost(format!("there is no token: {why}"));
            }
            Err(why) => return Over::Refused(ServeError::Setting(why)),
        };
        let channel = match endpoint.connect().await {
            Ok(channel) => channel,
            Err(error) => return Over::Lost(crate::handler::chain(&error.into())),
        };
        let mut client = WorkerServiceClient::new(channel);
        let (reports, reported) = mpsc::channel(REPORTS);
        let hello = WorkerHello {
            worker_id: self.shared.worker_id.clone(),
            groups: self.shared.groups.clone(),
            max_calls: u32::try_from(self.shared.max_calls).unwrap_or(u32::MAX),
            labels: self.shared.labels.clone(),
        };
        let hello = WorkerReport { report: Some(Report::Hello(hello)) };
        let outgoing = stream::iter([hello]).chain(ReceiverStream::new(reported));
        let mut offers = match client.register(request(outgoing, token)).await {
            Ok(response) => response.into_inner(),
            Err(status) => return self.over(&status, None),
        };

        let mut told = self.shared.stopper.stage() > Stage::Serving;
        let mut reports = Some(reports);
        loop {
            let draining = self.shared.stopper.reached(Stage::Draining);
            let closing = async {
                let _open = self.closing.wait_for(|it| *it).await;
            };
            let offer = tokio::select! {
                offer = offers.message() => offer,
                () = draining, if !told => {
                    told = true;
                    let status = WorkerStatus { draining: true, load: 0.0 };
                    report(reports.as_ref(), Report::Status(status)).await;
                    continue;
                }
                () = closing, if reports.is_some() => {
                    // Half-closed: the bridge closes its side.
                    reports = None;
                    continue;
                }
            };
            match offer.map(|it| it.and_then(|it| it.offer)) {
                Ok(Some(Offer::Registered(it))) => {
                    tracing::info!(bridge = %it.bridge_id, address = %self.address, "registered");
                    self.shared.registered(self.address, Some(&it.bridge_id));
                    if let Some(told) = &self.shared.on_registered {
                        told(&it.bridge_id);
                    }
                    *bridge = Some(it.bridge_id);
                }
                Ok(Some(Offer::Call(offer))) => {
                    if let Err(why) = take(&self.shared, &client, &offer, reports.as_ref()) {
                        decline(reports.as_ref(), offer.token, why).await;
                    }
                }
                Ok(Some(Offer::Heartbeat(it))) => {
                    report(reports.as_ref(), Report::Heartbeat(it)).await;
                }
                // What becomes of a withdrawn offer, taking it tells.
                Ok(Some(Offer::Withdrawn(_))) => {}
                Ok(None) if reports.is_none() => return Over::Closed,
                Ok(None) => return Over::Lost("the bridge closed the registration".to_owned()),
                Err(_) if reports.is_none() => return Over::Closed,
                Err(status) => return self.over(&status, bridge.as_deref()),
            }
        }
    }

    fn endpoint(&self) -> Result<Endpoint, ServeError> {
        let dial = Dial {
            name: &self.name,
            #[cfg(feature = "tls")]
            tls: self.shared.tls.as_ref(),
        };
        dial.endpoint(Some(self.address)).map_err(ServeError::Setting)
    }

    /// What the bridge's status means.
    fn over(&self, status: &Status, bridge: Option<&str>) -> Over {
        let advice = match status.code() {
            Code::Unauthenticated if self.shared.token.is_given() => {
                return Over::Lost(format!(
                    "the token is refused ({}), and the next one is tried: see that the bridge's `jwt` and `api.workers` \
                     have its issuer, audience and claims, and that the clocks agree",
                    status.message()
                ));
            }
            Code::Unauthenticated => "set `token` to one that stands in the bridge's `api.workers`",
            Code::PermissionDenied => {
                "have the bridge's `api.workers` permit these groups to this token"
            }
            Code::AlreadyExists => "another worker has this name: give each its own `worker_id`",
            Code::InvalidArgument => "correct `worker_id`, `group` or `label`",
            Code::Unimplemented => {
                "this is not the API of a bridge: use the address of `api.listen`"
            }
            Code::Aborted => {
                let elsewhere = bridge.is_some_and(|it| self.shared.elsewhere(it, self.address));
                if elsewhere {
                    return Over::Elsewhere;
                }
                return Over::Lost(format!(
                    "a worker with the same `worker_id` registered: {}",
                    reason(status)
                ));
            }
            Code::Ok
            | Code::Cancelled
            | Code::Unknown
            | Code::DeadlineExceeded
            | Code::NotFound
            | Code::ResourceExhausted
            | Code::FailedPrecondition
            | Code::OutOfRange
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss => return Over::Lost(reason(status)),
        };
        Over::Refused(ServeError::Refused {
            address: self.address.to_string(),
            reason: format!("{:?}: {}", status.code(), status.message()),
            advice,
        })
    }
}
