//! A worker that is registered, from its hello to its end, over whatever carries its reports. Knows no transport.

use super::{Parts, permission};
use crate::{
    access::{Shown, expired},
    proto::{
        Heartbeat, Registered, WorkerHello, WorkerOffer, WorkerReport, worker_offer::Offer,
        worker_report::Report,
    },
    upstream::RegisterError,
};
use futures_util::{Stream, StreamExt as _};
use std::{fmt::Display, pin::pin, time::Duration};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, timeout},
};
use tonic::{Code, Status};
use tracing::{debug, info};

/// For a worker to say who it is.
pub(super) const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// Offers that wait when a worker does not read; one more goes to another worker.
pub(super) const OFFERS_MAX: usize = 1024;

/// Holds the worker registered until it ends, breaks a rule, is replaced, or the bridge drains. `Ok`: it ended its reports.
pub(super) async fn attend(
    parts: Parts,
    shown: Shown,
    mut reports: impl Stream<Item = Result<WorkerReport, Status>> + Unpin,
    offers: mpsc::Sender<WorkerOffer>,
) -> Result<(), Status> {
    let mut draining = parts.draining.clone();
    let hello = tokio::select! {
        hello = timeout(HELLO_TIMEOUT, reports.next()) => match hello {
            Err(_) => return Err(Status::deadline_exceeded("no hello came")),
            Ok(None) => return Ok(()),
            Ok(Some(report)) => first_hello(report?)?,
        },
        _ = draining.wait_for(|draining| *draining) => return Err(leaving()),
    };
    let identity = permission::may_serve(&shown, &parts.permits.load(), &hello.groups)?;
    let expires = permission::expires(&shown, &parts.permits.load());
    let mut expired = pin!(expired(expires));
    let registered = Registered { bridge_id: parts.bridge_id.to_string() };
    let mut beat = interval(parts.heartbeat);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beat.tick().await;
    let (worker, groups, peer) = (hello.worker_id.clone(), hello.groups.clone(), shown.address());
    let mut registration = parts
        .workers
        .register(hello, identity, registered, offers.clone())
        .map_err(|error| refused(&error))?;
    info!(worker, groups = groups.join(","), %peer, "a worker registered");
    let mut presence =
        Presence { worker: &worker, peer: &peer, why: "its connection was lost".to_owned() };
    let ended = loop {
        tokio::select! {
            report = reports.next() => match report {
                None => break Ok(()),
                Some(Err(status)) => break Err(status),
                Some(Ok(WorkerReport { report })) => match report {
                    Some(Report::Hello(_)) => break Err(Status::invalid_argument("hello: it came already")),
                    Some(Report::Status(status)) => registration.status(&status),
                    Some(Report::Declined(declined)) => registration.declined(&declined),
                    Some(Report::Heartbeat(_)) => {}
                    // Of a later version of the contract.
                    None => debug!(worker, "a report that is not known"),
                },
            },
            // Where there is no room, there is traffic enough.
            _ = beat.tick() => drop(offers.try_send(heartbeat())),
            () = registration.replaced() => {
                break Err(Status::aborted("a newer registration of this worker took the place of this one"));
            }
            _ = draining.wait_for(|draining| *draining) => break Err(leaving()),
            // With it no call could be taken: who is offered none loses none.
            () = &mut expired => {
                let why = "the JWT with which this worker registered has expired: register again";
                break Err(Status::unavailable(why));
            }
        }
    };
    presence.why = match &ended {
        Ok(()) => "it ended its reports".to_owned(),
        Err(status) => status.message().to_owned(),
    };
    ended
}

/// Tells the log when a worker goes, also when its stream is dropped under it.
struct Presence<'a, P: Display> {
    worker: &'a str,
    peer: &'a P,
    why: String,
}

impl<P: Display> Drop for Presence<'_, P> {
    fn drop(&mut self) {
        info!(worker = self.worker, peer = %self.peer, why = self.why, "a worker is gone");
    }
}

fn heartbeat() -> WorkerOffer {
    WorkerOffer { offer: Some(Offer::Heartbeat(Heartbeat {})) }
}

fn first_hello(report: WorkerReport) -> Result<WorkerHello, Status> {
    match report.report {
        Some(Report::Hello(hello)) => Ok(hello),
        Some(Report::Status(_) | Report::Declined(_) | Report::Heartbeat(_)) | None => {
            Err(Status::invalid_argument("hello: it must be the first report"))
        }
    }
}

fn refused(error: &RegisterError) -> Status {
    let code = match error {
        RegisterError::Hello(_) => Code::InvalidArgument,
        RegisterError::Taken => Code::AlreadyExists,
        RegisterError::TooMany => Code::ResourceExhausted,
    };
    Status::new(code, error.to_string())
}

fn leaving() -> Status {
    Status::unavailable("the bridge is draining")
}
