//! One attempt to start a call, from the request to the outcome. Writes one `Originate`, or none; never two.

use super::{
    dispatch::{Dispatch, Signal, Signals},
    journal::{self, Entry},
    originate::{Memory, Progress, Requests, other_content},
    plan::Plan,
    unanswered,
};
use crate::{
    ami::{
        Action, Link, SendError,
        originate::{Attempt, Fact, Ids, Outcome, State, Step, Verdict},
    },
    proto::OriginateResponse,
    telemetry::trace::TraceContext,
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};
use tonic::Status;
use tracing::{info, warn};

/// For Asterisk to queue a call, or to say why not.
const TAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// For Asterisk to say whether there is a channel.
const QUERY_TIMEOUT: Duration = Duration::from_secs(5);
/// Before it is asked again, when it did not answer.
const QUERY_PAUSE: Duration = Duration::from_secs(1);

/// What is to be done.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) link: Link,
    pub(super) plan: Plan,
    /// The id of its channel.
    pub(super) channel: String,
    /// Of the request, if it has an id by which it may be repeated.
    pub(super) fingerprint: Option<String>,
    /// Of the request.
    pub(super) trace: TraceContext,
}

pub(super) struct Pursuit {
    order: Order,
    ids: Ids,
    signals: Signals,
    begun: Instant,
    tell: watch::Sender<Progress>,
}

/// How it begins.
enum Start {
    /// The entry that stands for it at Asterisk, if it may be repeated.
    Fresh(Option<Entry>),
    /// It was asked for before, by an earlier process or another bridge.
    Known(Entry),
}

impl Pursuit {
    pub(super) fn new(
        order: Order,
        dispatch: &Arc<Dispatch>,
        tell: watch::Sender<Progress>,
    ) -> Self {
        let signals = dispatch.follow(order.link.server(), &order.channel);
        let ids = Ids { channel: order.channel.clone(), action: None };
        Self { order, ids, signals, begun: Instant::now(), tell }
    }

    /// Until the outcome is known, or known to stay unknown.
    pub(super) async fn run(mut self, requests: &Requests) {
        let (progress, memory) = match self.pursue(requests).await {
            Ok((response, memory)) => (Progress::Done(response), memory),
            Err(status) => (Progress::NotSent(status), Memory::Elsewhere),
        };
        let Self { order, signals, tell, .. } = self;
        // A repeated request begins its own signals.
        drop(signals);
        tell.send_replace(progress);
        requests.finish(&order.channel, memory);
    }

    async fn pursue(&mut self, requests: &Requests) -> Result<(OriginateResponse, Memory), Status> {
        let (verdict, entry) = match self.start(requests).await? {
            Start::Known(entry) => match entry.outcome() {
                Some(outcome) => {
                    let (channel, detail) = (entry.channel.clone(), entry.detail.clone());
                    let verdict = Verdict { outcome, channel, detail };
                    return Ok((self.response(verdict), Memory::Elsewhere));
                }
                None => (
                    self.follow(Attempt::resumed(Duration::ZERO, entry.rings_for())).await,
                    Some(entry),
                ),
            },
            Start::Fresh(entry) => {
                let attempt = match self.originate().await {
                    Ok(attempt) => attempt,
                    Err(status) => {
                        self.unwritten(entry, requests).await;
                        return Err(status);
                    }
                };
                (self.follow(attempt).await, entry)
            }
        };
        let memory = self.keep(&verdict, entry).await;
        Ok((self.response(verdict), memory))
    }

    /// Asks Asterisk whether the request is new, and has it remember it.
    async fn start(&self, requests: &Requests) -> Result<Start, Status> {
        let Order { link, plan, channel, .. } = &self.order;
        let Some(fingerprint) = &self.order.fingerprint else { return Ok(Start::Fresh(None)) };
        let is_unsent = requests.take_unsent(channel);
        let known = if is_unsent { None } else { journal::read(link, channel).await? };
        if let Some(entry) = known {
            if entry.fingerprint != *fingerprint {
                return Err(other_content());
            }
            return Ok(Start::Known(entry));
        }
        let entry = Entry::new(fingerprint.clone(), plan.ring_timeout);
        if let Err(status) = journal::write(link, channel, &entry).await {
            // It may have been written all the same.
            requests.unsent(channel);
            return Err(status);
        }
        Ok(Start::Fresh(Some(entry)))
    }

    /// The one place from which an `Originate` is sent. An error: it was never written.
    async fn originate(&mut self) -> Result<Attempt, Status> {
        let Order { link, plan, channel, trace, .. } = &self.order;
        let id = Link::fresh_id();
        self.ids.action = Some(id.as_str().to_owned());
        let action = plan
            .action(channel, id, &trace.traceparent())
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let mut attempt = Attempt::new(self.now(), plan.ring_timeout);
        let sent = link.send(action, TAKE_TIMEOUT, Some(trace)).await;
        let fact = match sent {
            Ok(reply) if reply.is_success() => Fact::Taken,
            Ok(reply) => Fact::Refused(reply.message().to_owned()),
            Err(SendError::Lost { .. } | SendError::TimedOut { .. }) => Fact::Lost,
            Err(
                error @ (SendError::NotConnected { .. }
                | SendError::Busy { .. }
                | SendError::Refused(_)),
            ) => return Err(unanswered(&error)),
        };
        let lost = fact == Fact::Lost;
        attempt.handle(fact, self.now());
        if lost && self.order.link.state().connected {
            attempt.handle(Fact::Restored, self.now());
        }
        Ok(attempt)
    }

    async fn follow(&mut self, mut attempt: Attempt) -> Verdict {
        let mut whole = true;
        loop {
            if attempt.is_taken() && matches!(*self.tell.borrow(), Progress::Begun) {
                self.tell.send_replace(Progress::Taken);
            }
            match attempt.poll(self.now()) {
                Step::Done(verdict) => return verdict,
                Step::Query => {
                    let fact = self.query().await;
                    let failed = fact == Fact::Lost;
                    attempt.handle(fact, self.now());
                    if failed {
                        sleep(QUERY_PAUSE).await;
                        if self.order.link.state().connected {
                            attempt.handle(Fact::Restored, self.now());
                        }
                    }
                }
                Step::Wait(until) => tokio::select! {
                    signal = self.signals.next(), if whole => match signal {
                        Some(Signal::Event(event)) => {
                            let header = |name: &str| event.headers.get(name);
                            for fact in Fact::of_event(&self.ids, header) {
                                attempt.handle(fact, self.now());
                            }
                        }
                        Some(Signal::Lost) => attempt.handle(Fact::Lost, self.now()),
                        Some(Signal::Restored) => attempt.handle(Fact::Restored, self.now()),
                        None => {
                            whole = false;
                            attempt.handle(Fact::Lost, self.now());
                            attempt.handle(Fact::Restored, self.now());
                        }
                    },
                    () = sleep_until(self.begun + until) => {}
                },
            }
        }
    }

    /// What Asterisk says of the channel now; `Lost`: nothing.
    async fn query(&self) -> Fact {
        let Order { link, channel, .. } = &self.order;
        let action = Action::new("Status").and_then(|action| action.header("Channel", channel));
        let Ok(action) = action else { return Fact::Lost };
        let Ok(reply) = link.send(action, QUERY_TIMEOUT, Some(&self.order.trace)).await else {
            return Fact::Lost;
        };
        if !reply.is_success() {
            let absent = reply.message().eq_ignore_ascii_case("No such channel");
            return if absent { Fact::Found(State::Absent) } else { Fact::Lost };
        }
        let found =
            reply.events.iter().find(|event| event.headers.get("Uniqueid") == Some(channel));
        Fact::Found(found.map_or(State::Absent, |event| {
            let name = event.headers.get("Channel").unwrap_or_default().to_owned();
            let up = event.headers.get("ChannelStateDesc") == Some("Up");
            if up { State::Up(name) } else { State::Pending(name) }
        }))
    }

    /// Has Asterisk remember what became of it. What is unknown is not kept: who asks again has Asterisk asked again.
    async fn keep(&self, verdict: &Verdict, entry: Option<Entry>) -> Memory {
        let Order { link, channel, .. } = &self.order;
        info!(
            server = %link.server(), unique_id = channel, outcome = verdict.outcome.as_str_name(), "an originated call is decided"
        );
        let Some(entry) = entry.filter(|_| verdict.outcome != Outcome::Unknown) else {
            return Memory::Elsewhere;
        };
        let entry = Entry {
            outcome: Some(verdict.outcome.into()),
            channel: verdict.channel.clone(),
            detail: verdict.detail.clone(),
            ..entry
        };
        match journal::write(link, channel, &entry).await {
            Ok(()) => Memory::Elsewhere,
            Err(status) => {
                warn!(server = %link.server(), unique_id = channel, error = status.message(), "asterisk could not be told the outcome of a request");
                Memory::Here
            }
        }
    }

    /// The action was not written: the request may be made again.
    async fn unwritten(&self, entry: Option<Entry>, requests: &Requests) {
        let Order { link, channel, .. } = &self.order;
        if entry.is_some() && journal::forget(link, channel).await.is_err() {
            requests.unsent(channel);
        }
    }

    fn response(&self, verdict: Verdict) -> OriginateResponse {
        OriginateResponse {
            outcome: verdict.outcome.into(),
            channel: verdict.channel,
            unique_id: self.order.channel.clone(),
            detail: verdict.detail,
        }
    }

    fn now(&self) -> Duration {
        self.begun.elapsed()
    }
}
