//! Requests to originate: those that run, and those that are repeated. Knows nothing of events.

use super::{
    Access, Manage,
    plan::{self, Plan},
    pursuit::{Order, Pursuit},
    received::Received,
};
use crate::{
    ami::Link,
    proto::{OriginateRequest, OriginateResponse, originate_response::Outcome},
    telemetry::trace::TraceContext,
};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tonic::Status;
use uuid::Uuid;

/// Answers that are kept because Asterisk could not be told; one more is not kept.
const KEPT_MAX: usize = 10_000;

/// How far a request is.
#[derive(Debug, Clone)]
pub(super) enum Progress {
    /// Nothing was written yet, or Asterisk has not answered.
    Begun,
    /// Asterisk took the call.
    Taken,
    /// Nothing was written, and nothing will be.
    NotSent(Status),
    /// It is over.
    Done(OriginateResponse),
}

/// Requests by the ids of their channels.
#[derive(Debug, Default)]
pub(super) struct Requests {
    running: Mutex<HashMap<String, Running>>,
    /// Those of which Asterisk may keep an entry though nothing was dialled: they may be made again.
    unsent: Mutex<HashSet<String>>,
}

#[derive(Debug)]
struct Running {
    fingerprint: String,
    progress: watch::Receiver<Progress>,
}

/// What is left of a request when it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Memory {
    /// Nothing: Asterisk remembers it, or nobody needs to.
    Elsewhere,
    /// The answer.
    Here,
}

impl Requests {
    /// The request is over.
    pub(super) fn finish(&self, channel: &str, memory: Memory) {
        let mut requests = self.lock();
        if memory == Memory::Elsewhere || requests.len() > KEPT_MAX {
            requests.remove(channel);
        }
    }

    /// Nothing was dialled, and nothing will be.
    pub(super) fn unsent(&self, channel: &str) {
        let mut unsent = self.unsent.lock().unwrap_or_else(PoisonError::into_inner);
        if unsent.len() < KEPT_MAX {
            unsent.insert(channel.to_owned());
        }
    }

    /// Whether that is so. It is forgotten: something may be dialled now.
    pub(super) fn take_unsent(&self, channel: &str) -> bool {
        self.unsent.lock().unwrap_or_else(PoisonError::into_inner).remove(channel)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Manage {
    /// Starts a call, once: a repeated `request_id` gives the first one's answer. Whoever asked may go; the call goes on.
    /// `parent`: the trace that it belongs to.
    ///
    /// # Errors
    /// When nothing was sent to Asterisk. What became of a call that was is an answer, also when it is unknown.
    pub async fn originate(
        &self,
        access: &Access,
        request: OriginateRequest,
        parent: Option<TraceContext>,
    ) -> Result<OriginateResponse, Status> {
        let mut received = Received::new(self.0.links.tracer().cloned(), parent);
        let answer = self.run(access, request, received.context()).await;
        received.answered(&answer);
        answer
    }

    async fn run(
        &self,
        access: &Access,
        request: OriginateRequest,
        trace: &TraceContext,
    ) -> Result<OriginateResponse, Status> {
        access.quota.request()?;
        let link = self.link(access, &request.server)?;
        let plan = Plan::of(&request, &access.client.grant)?;
        let channel = if request.request_id.is_empty() {
            format!("agibridge-{}", Uuid::new_v4().simple())
        } else {
            plan::channel_id(&access.client.name, link.server(), &request.request_id)
        };
        let mut progress = self.begin(access, &request, link, plan, &channel, trace)?;
        let known = progress
            .wait_for(|progress| match progress {
                Progress::Begun => false,
                Progress::Taken => !request.wait_for_outcome,
                Progress::NotSent(_) | Progress::Done(_) => true,
            })
            .await;
        match known.as_deref() {
            Ok(Progress::Done(response)) => Ok(response.clone()),
            Ok(Progress::NotSent(status)) => Err(status.clone()),
            Ok(Progress::Begun | Progress::Taken) => Ok(OriginateResponse {
                outcome: Outcome::Accepted.into(),
                unique_id: channel,
                ..OriginateResponse::default()
            }),
            Err(_) => {
                Err(Status::unknown("the bridge stops: what becomes of the call is not known"))
            }
        }
    }

    /// Joins the request that runs under this id, or begins one.
    fn begin(
        &self,
        access: &Access,
        request: &OriginateRequest,
        link: Link,
        plan: Plan,
        channel: &str,
        trace: &TraceContext,
    ) -> Result<watch::Receiver<Progress>, Status> {
        let fingerprint = plan.fingerprint();
        let mut requests = self.0.requests.lock();
        if let Some(running) = requests.get(channel) {
            return if running.fingerprint == fingerprint {
                Ok(running.progress.clone())
            } else {
                Err(other_content())
            };
        }
        let place: OwnedSemaphorePermit = access.quota.run()?;
        let (tell, progress) = watch::channel(Progress::Begun);
        let running = Running { fingerprint: fingerprint.clone(), progress: progress.clone() };
        requests.insert(channel.to_owned(), running);
        drop(requests);
        let order = Order {
            link,
            plan,
            channel: channel.to_owned(),
            fingerprint: (!request.request_id.is_empty()).then_some(fingerprint),
            trace: trace.clone(),
        };
        let desk = Arc::clone(&self.0);
        tokio::spawn(async move {
            Pursuit::new(order, &desk.dispatch, tell).run(&desk.requests).await;
            drop(place);
        });
        Ok(progress)
    }
}

/// A request id that stands for something else already.
pub(super) fn other_content() -> Status {
    Status::already_exists(
        "request_id: another request has had this id, with other content: choose a new one",
    )
}
