//! The one loop of a call: it joins the socket, the machine and the service's link, and owns the clock.
//!
//! It decides nothing: what happened goes to [`Call`] with the time, and what `Call` asks is done.

mod upstream;

pub(super) use upstream::{Opening, open};

use super::{
    Core,
    digits::Listener,
    facts::{Facts, Place},
    keys,
    meter::Meter,
    recorder::Record,
    registry::{Handle, Order, State},
    service::{STALL_TIMEOUT, Side},
    socket::{Read, Socket},
    spans::Spans,
};
use crate::{
    agi::Key,
    call::{Action, Call, Outcome, Pressed},
    route::Service,
    transcript::Tape,
};
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep};

/// Turns of the loop before other calls of this core get theirs.
const TURNS_MAX: u32 = 32;

/// One call, running. Its output is how the call ended.
pub(super) struct Session {
    core: Arc<Core>,
    call: Call,
    socket: Socket,
    /// When the connection was accepted: the machine's zero.
    accepted: Instant,
    side: Side,
    /// Who has, or had, the call: for people, and by the configuration.
    service: Option<Arc<str>>,
    taken_by: Option<Arc<Service>>,
    /// Where a service wants the call to go, until the machine says that it goes.
    handoff: Option<Place>,
    /// The stream gets its end: until then it is kept, though the call may be over.
    finishing_until: Option<Duration>,
    socket_open: bool,
    /// A key that the manager is asked to press.
    pressing: Option<Pin<Box<dyn Future<Output = Pressed> + Send>>>,
    timer: Pin<Box<Sleep>>,
    timer_at: Duration,
    /// None for a call that is turned away.
    on_route: Option<OnRoute>,
}

/// What a call has that is on a route.
pub(super) struct OnRoute {
    pub(super) facts: Facts,
    pub(super) handle: Handle,
    pub(super) meter: Meter,
    /// None: no span leaves.
    pub(super) spans: Option<Box<Spans>>,
    /// None where nothing is noted.
    pub(super) record: Option<Arc<Record>>,
    /// None where no transcript is kept.
    pub(super) tape: Option<Box<Tape>>,
    /// None where the route does not want the caller's digits.
    pub(super) digits: Option<Listener>,
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
    pub(super) on_route: Option<OnRoute>,
    pub(super) core: Arc<Core>,
}

impl Session {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts { call, socket, accepted, opening, on_route, core } = parts;
        Self {
            core,
            call,
            socket,
            accepted,
            side: opening.map_or(Side::Nobody, Side::Opening),
            service: None,
            taken_by: None,
            handoff: None,
            finishing_until: None,
            socket_open: true,
            pressing: None,
            timer: Box::pin(tokio::time::sleep(Duration::MAX)),
            timer_at: Duration::MAX,
            on_route,
        }
    }

    /// Who has, or had, the call.
    pub(super) fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    /// What the call is known by, with the route that it is on at last.
    pub(super) fn facts(&self) -> Option<&Facts> {
        self.on_route.as_ref().map(|on_route| &on_route.facts)
    }

    /// The call is over.
    pub(super) fn count_end(&mut self, outcome: &Outcome, duration: Duration) {
        if let Some(meter) = self.meter() {
            meter.ended(outcome, duration);
        }
        self.trace_answers();
        if let Some(spans) = self.spans() {
            spans.end(outcome);
        }
    }

    /// What was said in the call.
    pub(super) fn take_tape(&mut self) -> Option<Box<Tape>> {
        self.on_route.as_mut()?.tape.take()
    }

    fn meter(&self) -> Option<&Meter> {
        self.on_route.as_ref().map(|on_route| &on_route.meter)
    }

    fn spans(&mut self) -> Option<&mut Spans> {
        self.on_route.as_mut()?.spans.as_deref_mut()
    }

    fn trace_answers(&mut self) {
        if let Some(OnRoute { spans: Some(spans), .. }) = &mut self.on_route {
            self.call.take_answers().for_each(|answer| spans.answered(&answer));
        }
    }

    fn record(&self) -> Option<&Record> {
        self.on_route.as_ref()?.record.as_deref()
    }

    fn tape(&mut self) -> Option<&mut Tape> {
        self.on_route.as_mut()?.tape.as_deref_mut()
    }

    /// Does what the machine asks, until it asks nothing.
    fn act(&mut self, now: Duration) -> Work {
        let mut work = Work::Nothing;
        while let Some(action) = self.call.poll_action() {
            match action {
                Action::Write(line) => {
                    work = Work::Commands;
                    if let Some(record) = self.record() {
                        record.written(self.call.at_asterisk(), &line, now);
                    }
                    if let Some(tape) = self.tape() {
                        tape.written(&line, now);
                    }
                    self.socket.write(&line);
                }
                Action::Event(event) => self.tell(event, now),
                Action::Result { command, event } => {
                    if let Some(meter) = self.meter() {
                        meter.result(command, &event);
                    }
                    work = Work::Commands;
                    self.tell(event, now);
                }
                Action::Relay { bytes, answered } => {
                    if let (Some(meter), Some(answered)) = (self.meter(), &answered) {
                        meter.answered(answered);
                        if let Some(record) = self.record() {
                            record.answered(answered.code, answered.elapsed, now);
                        }
                        work = Work::Commands;
                    }
                    if let (Some(spans), Some(answered)) = (self.spans(), &answered) {
                        spans.relayed(answered, now);
                    }
                    if let Side::Raw(raw) = &mut self.side {
                        raw.relay(&bytes);
                    }
                }
                Action::RelayHangup { is_news } => self.relay_hangup(is_news, now),
                Action::FinishService => self.finish_service(now),
                Action::DropService => self.cut_service_off(),
                Action::Reopen { resumption, within } => self.reopen(*resumption, within, now),
                Action::Press(key) => self.press(key),
                Action::Noted(note) => {
                    if let Some(meter) = self.meter() {
                        meter.note(note);
                    }
                }
                Action::HalfClose => {
                    self.tape_closed(now);
                    self.socket.half_close();
                }
                Action::Close => {
                    self.tape_closed(now);
                    self.socket_open = false;
                }
            }
        }
        self.trace_answers();
        self.flush(now);
        if !self.socket_open && self.finishing_until.is_some() {
            // The service may take its time with the end of its stream; Asterisk is not kept waiting for that.
            self.socket.close();
        }
        if let Some(meter) = self.meter().filter(|_| work == Work::Commands) {
            meter.overhead(self.accepted.elapsed().saturating_sub(now));
        }
        work
    }

    fn tape_closed(&mut self, now: Duration) {
        if let Some(tape) = self.tape() {
            tape.server_closed(now);
        }
    }

    fn poll_socket(&mut self, cx: &mut Context<'_>, now: Duration) -> bool {
        if self.socket.has_unsent() {
            let _ = self.socket.poll_flush(cx);
        }
        let call = &mut self.call;
        let mut tape = self.on_route.as_mut().and_then(|on_route| on_route.tape.as_deref_mut());
        let read = self.socket.poll_read(cx, |read| match read {
            Read::Bytes(bytes) => {
                if let Some(tape) = &mut tape {
                    tape.heard(bytes, now);
                }
                call.handle_asterisk(bytes, now);
                true
            }
            Read::Closed => {
                if let Some(tape) = &mut tape {
                    tape.asterisk_closed(now);
                }
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

    fn poll_orders(&mut self, cx: &mut Context<'_>, now: Duration) -> bool {
        let Some(on_route) = &self.on_route else { return false };
        let Poll::Ready(order) = on_route.handle.poll_orders(cx) else { return false };
        if let Some(record) = &on_route.record {
            record.ordered(order.text(), now);
        }
        match order {
            Order::HangUp => self.call.handle_operator(now),
            Order::Drain => self.call.handle_drain(self.core.shared.drain.deadline(), now),
            Order::End => self.call.handle_drained(now),
            Order::Cut => {
                self.call.handle_cut_off(now);
                // Its last event is written, as far as that is possible at once.
                self.act(now);
                self.drop_service();
            }
        }
        true
    }

    fn press(&mut self, key: Key) {
        let Some(facts) = self.facts() else { return };
        let (channel, trace) = (facts.unique_id.clone(), facts.trace.clone());
        let links = self.core.shared.links.clone();
        self.pressing = Some(Box::pin(keys::press(links, channel, key, trace)));
    }

    fn poll_keys(&mut self, cx: &mut Context<'_>, now: Duration) -> bool {
        if let Some(pressing) = &mut self.pressing
            && let Poll::Ready(pressed) = pressing.as_mut().poll(cx)
        {
            self.pressing = None;
            self.call.handle_pressed(pressed, now);
            return true;
        }
        let digits = self.on_route.as_mut().and_then(|on_route| on_route.digits.as_mut());
        let Some(Poll::Ready(Some(digit))) = digits.map(|digits| digits.poll_next(cx)) else {
            return false;
        };
        self.call.handle_digit(digit.key, digit.held, now);
        true
    }

    /// Waits for the earliest deadline. The timer is only moved forward in time when it fires, so that a busy call does
    /// not touch it.
    fn poll_timer(&mut self, cx: &mut Context<'_>, now: Duration) -> bool {
        let stalled = self.side.stalled_since().map(|since| since + STALL_TIMEOUT);
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
            let detail = format!("the service took nothing for {} s", STALL_TIMEOUT.as_secs());
            self.stalled(&detail, now);
        }
        if self.finishing_until.is_some_and(|at| now >= at) {
            self.drop_service();
        }
        self.call.handle_timeout(now);
    }

    /// A peer that never stops sending holds up neither the other side, nor orders, nor the clock.
    fn give_all_a_turn(&mut self, cx: &mut Context<'_>) {
        let others: [fn(&mut Self, &mut Context<'_>, Duration) -> bool; 5] = [
            Self::poll_opening,
            Self::poll_service,
            Self::poll_keys,
            Self::poll_orders,
            Self::poll_timer,
        ];
        for poll in others {
            let now = self.accepted.elapsed();
            if poll(self, cx, now) {
                self.act(now);
            }
        }
    }

    /// What the registry shows of the call.
    fn show(&self) {
        let Some(OnRoute { handle, meter, .. }) = &self.on_route else { return };
        meter.queued(self.call.queued());
        handle.set_commands(self.call.commands_written());
        handle.set_dead_air(self.call.dead_air());
        let state = match (self.call.outcome(), self.call.running()) {
            (Some(_), _) => State::Ending,
            (None, Some(name)) => State::Command(name),
            (None, None) if self.side.is_opening() => State::Opening,
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
                || this.poll_keys(cx, now)
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
