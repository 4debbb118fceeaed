//! The one loop of a call: it joins the socket, the machine and the service's link, and owns the clock.
//!
//! It decides nothing: what happened goes to [`Call`] with the time, and what `Call` asks is done.

use super::{
    Core,
    meter::Meter,
    registry::{Handle, Order, State},
    socket::{Read, Socket},
};
use crate::{
    call::{Action, Call, Loss, LossKind, Outcome},
    proto::CallEvent,
    route::Route,
    telemetry::metrics::{RouteMetrics, Transport},
    upstream::{self, Attempt, Exhausted, Link, SendError},
};
use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep};
use tonic::Code;

/// A service that takes no event for so long has stopped reading.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the end of the stream may take after its last event.
const FINISH_TIMEOUT: Duration = Duration::from_secs(5);
/// Turns of the loop before other calls of this core get theirs.
const TURNS_MAX: u32 = 32;

/// A service being sought.
pub(super) type Opening = Pin<Box<dyn Future<Output = Result<Link, Exhausted>> + Send>>;

/// Seeks a service for a call.
pub(super) fn open(
    core: &Arc<Core>,
    route: &Arc<Route>,
    metrics: &Arc<RouteMetrics>,
    opening: upstream::Opening,
) -> Opening {
    let (upstreams, route, metrics) =
        (Arc::clone(&core.upstreams), Arc::clone(route), Arc::clone(metrics));
    Box::pin(async move {
        let services = route.order(rand::random());
        let on_attempt =
            |attempt: &Attempt<'_>| metrics.stream_opened(Transport::Grpc, attempt.code());
        upstreams.open(&services, &route.policy, &opening, &on_attempt).await
    })
}

/// One call, running. Its output is how the call ended.
pub(super) struct Session {
    core: Arc<Core>,
    call: Call,
    socket: Socket,
    /// When the connection was accepted: the machine's zero.
    accepted: Instant,
    opening: Option<Opening>,
    link: Option<Link>,
    /// Who has, or had, the call.
    service: Option<Arc<str>>,
    /// Events that the link has no room for.
    backlog: VecDeque<Box<CallEvent>>,
    stalled_since: Option<Duration>,
    /// The stream gets its end: until then it is kept, though the call may be over.
    finishing_until: Option<Duration>,
    socket_open: bool,
    timer: Pin<Box<Sleep>>,
    timer_at: Duration,
    /// None for a call that is turned away.
    handle: Option<Handle>,
    meter: Option<Meter>,
}

/// What was done of what the machine asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    /// No command moved.
    Nothing,
    /// A line was written, or a command answered.
    Commands,
}

/// What a call is made of when its prelude was read.
pub(super) struct Parts {
    pub(super) call: Call,
    pub(super) socket: Socket,
    pub(super) accepted: Instant,
    pub(super) opening: Option<Opening>,
    pub(super) handle: Option<Handle>,
    pub(super) meter: Option<Meter>,
    pub(super) core: Arc<Core>,
}

impl Session {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts { call, socket, accepted, opening, handle, meter, core } = parts;
        Self {
            core,
            call,
            socket,
            accepted,
            opening,
            link: None,
            service: None,
            backlog: VecDeque::new(),
            stalled_since: None,
            finishing_until: None,
            socket_open: true,
            timer: Box::pin(tokio::time::sleep(Duration::MAX)),
            timer_at: Duration::MAX,
            handle,
            meter,
        }
    }

    /// The address of the service that has, or had, the call.
    pub(super) fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    /// The call is over.
    pub(super) fn count_end(&self, outcome: &Outcome, duration: Duration) {
        if let Some(meter) = &self.meter {
            meter.ended(outcome, duration);
        }
    }

    /// Does what the machine asks, until it asks nothing.
    fn act(&mut self, now: Duration) -> Work {
        let mut work = Work::Nothing;
        while let Some(action) = self.call.poll_action() {
            match action {
                Action::Write(line) => {
                    work = Work::Commands;
                    self.socket.write(&line);
                }
                Action::Event(event) => self.tell(event),
                Action::Result { command, event } => {
                    if let Some(meter) = &self.meter {
                        meter.result(command, &event);
                    }
                    work = Work::Commands;
                    self.tell(event);
                }
                Action::FinishService => self.finishing_until = Some(now + FINISH_TIMEOUT),
                Action::DropService => self.cut_service_off(),
                Action::HalfClose => self.socket.half_close(),
                Action::Close => self.socket_open = false,
            }
        }
        self.flush_backlog(now);
        if !self.socket_open && self.finishing_until.is_some() {
            // The service may take its time with the end of its stream; Asterisk is not kept waiting for that.
            self.socket.close();
        }
        if let Some(meter) = self.meter.as_ref().filter(|_| work == Work::Commands) {
            meter.overhead(self.accepted.elapsed().saturating_sub(now));
        }
        work
    }

    fn tell(&mut self, event: Box<CallEvent>) {
        if let Some(meter) = &self.meter {
            meter.event(&event);
        }
        if !self.backlog.is_empty() {
            return self.backlog.push_back(event);
        }
        let Some(link) = &mut self.link else { return };
        match link.try_send(&event) {
            Err(SendError::Full) => self.backlog.push_back(event),
            // How the stream ended shows when it is read.
            Ok(()) | Err(SendError::Closed | SendError::TooLarge) => {}
        }
    }

    fn flush_backlog(&mut self, now: Duration) {
        let Some(link) = &mut self.link else { return };
        while let Some(event) = self.backlog.front() {
            if link.try_send(event) == Err(SendError::Full) {
                self.stalled_since.get_or_insert(now);
                return;
            }
            self.backlog.pop_front();
            self.stalled_since = None;
        }
        self.backlog = VecDeque::new();
        if self.finishing_until.is_some() {
            link.finish();
        }
    }

    /// We reset the stream: the service sees CANCELLED, and so it is counted.
    fn cut_service_off(&mut self) {
        if let (Some(_), Some(meter)) = (&self.link, &self.meter) {
            meter.lost(Code::Cancelled);
        }
        self.drop_service();
    }

    fn drop_service(&mut self) {
        self.opening = None;
        self.link = None;
        self.backlog.clear();
        self.stalled_since = None;
        self.finishing_until = None;
    }

    fn poll_opening(&mut self, cx: &mut Context<'_>, now: Duration) -> bool {
        let Some(opening) = &mut self.opening else { return false };
        let Poll::Ready(opened) = opening.as_mut().poll(cx) else { return false };
        self.opening = None;
        match opened {
            Ok(link) => {
                let service: Arc<str> = link.endpoint().into();
                if let Some(handle) = &self.handle {
                    handle.set_service(Arc::clone(&service));
                }
                self.service = Some(service);
                self.link = Some(link);
                self.call.handle_opened(now);
            }
            Err(exhausted) => self.call.handle_open_failed(&exhausted.to_string(), now),
        }
        true
    }

    fn poll_socket(&mut self, cx: &mut Context<'_>, now: Duration) -> bool {
        if self.socket.has_unsent() {
            let _ = self.socket.poll_flush(cx);
        }
        let call = &mut self.call;
        let read = self.socket.poll_read(cx, |read| match read {
            Read::Bytes(bytes) => {
                call.handle_asterisk(bytes, now);
                true
            }
            Read::Closed => {
                call.handle_asterisk_closed(now);
                false
            }
        });
        let Poll::Ready(open) = read else { return false };
        if self.act(now) == Work::Nothing && open {
            // Part of a reply: Asterisk holds the rest back until this is acknowledged.
            self.socket.acknowledge();
        }
        true
    }

    fn poll_service(&mut self, cx: &mut Context<'_>, now: Duration) -> bool {
        let Some(link) = &mut self.link else { return false };
        if !self.backlog.is_empty() {
            // Whoever does not read is not read either: nothing grows with a service's speed.
            match link.poll_ready_to_send(cx) {
                Poll::Pending => return false,
                Poll::Ready(Ok(())) => return link.waiting() == 0,
                // The stream is over: how it ended shows when it is read.
                Poll::Ready(Err(_)) => {}
            }
        }
        let Poll::Ready(received) = link.poll_recv(cx) else { return false };
        match received {
            Ok(Some(control)) => {
                if let Some(meter) = &mut self.meter {
                    meter.control(now);
                }
                self.call.handle_control(control, now);
            }
            Ok(None) => {
                self.drop_service();
                self.call.handle_service_done(now);
            }
            Err(lost) => {
                self.drop_service();
                if let Some(meter) = &self.meter {
                    meter.lost(lost.code);
                }
                let loss = Loss { kind: LossKind::Broken, detail: lost.to_string() };
                self.call.handle_service_lost(&loss, now);
            }
        }
        true
    }

    fn poll_orders(&mut self, cx: &mut Context<'_>, now: Duration) -> bool {
        let Some(handle) = &self.handle else { return false };
        let Poll::Ready(order) = handle.poll_orders(cx) else { return false };
        match order {
            Order::HangUp => self.call.handle_operator(now),
            Order::Drain => self.call.handle_drain(self.core.shared.drain.deadline(), now),
            Order::End => self.call.handle_drained(now),
        }
        true
    }

    /// Waits for the earliest deadline. The timer is only moved forward in time when it fires, so that a busy call does
    /// not touch it.
    fn poll_timer(&mut self, cx: &mut Context<'_>, now: Duration) -> bool {
        let stalled = self.stalled_since.map(|since| since + STALL_TIMEOUT);
        let due =
            [self.call.poll_timeout(), stalled, self.finishing_until].into_iter().flatten().min();
        let Some(due) = due else { return false };
        if now >= due {
            self.time_out(stalled, now);
            return true;
        }
        if due < self.timer_at {
            self.arm(due);
        }
        let fired = self.timer.as_mut().poll(cx).is_ready();
        if fired {
            self.arm(due); // looked at again, with a fresh clock
        }
        fired
    }

    fn arm(&mut self, at: Duration) {
        self.timer_at = at;
        self.timer.as_mut().reset(self.accepted + at);
    }

    fn time_out(&mut self, stalled: Option<Duration>, now: Duration) {
        if stalled.is_some_and(|at| now >= at) {
            let detail = format!("the service took no event for {} s", STALL_TIMEOUT.as_secs());
            self.cut_service_off();
            self.call.handle_service_lost(&Loss { kind: LossKind::Stalled, detail }, now);
        }
        if self.finishing_until.is_some_and(|at| now >= at) {
            self.drop_service();
        }
        self.call.handle_timeout(now);
    }

    /// A peer that never stops sending holds up neither the other side, nor orders, nor the clock.
    fn give_all_a_turn(&mut self, cx: &mut Context<'_>) {
        let others: [fn(&mut Self, &mut Context<'_>, Duration) -> bool; 4] =
            [Self::poll_opening, Self::poll_service, Self::poll_orders, Self::poll_timer];
        for poll in others {
            let now = self.accepted.elapsed();
            if poll(self, cx, now) {
                self.act(now);
            }
        }
    }

    /// What the registry shows of the call.
    fn show(&self) {
        let Some(handle) = &self.handle else { return };
        if let Some(meter) = &self.meter {
            meter.queued(self.call.queued());
        }
        handle.set_commands(self.call.commands_written());
        let state = match (self.call.outcome(), self.call.running()) {
            (Some(_), _) => State::Ending,
            (None, Some(name)) => State::Command(name),
            (None, None) if self.opening.is_some() => State::Opening,
            (None, None) => State::Ready,
        };
        handle.set_state(state);
        if self.call.is_hung_up() {
            handle.set_hung_up();
        }
    }
}

impl Future for Session {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let this = &mut *self;
        // One look at the clock: the turns of a poll follow each other within microseconds.
        let mut now = this.accepted.elapsed();
        this.act(now);
        for _ in 0..TURNS_MAX {
            if !this.socket_open && this.finishing_until.is_none() {
                let outcome = this.call.outcome().cloned();
                return Poll::Ready(
                    outcome.expect("the socket is closed only by a call that has ended"),
                );
            }
            // In this order: a hangup overtakes the service's next command.
            let progress = (this.socket_open && this.poll_socket(cx, now))
                || this.poll_opening(cx, now)
                || this.poll_service(cx, now)
                || this.poll_orders(cx, now);
            if !progress {
                if !this.poll_timer(cx, now) {
                    this.show();
                    return Poll::Pending;
                }
                now = this.accepted.elapsed();
            }
            this.act(now);
        }
        this.give_all_a_turn(cx);
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
