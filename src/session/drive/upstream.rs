//! The service's side of the loop: what it is told, what it says, and who is sought when it is gone.

use super::{OnRoute, Session};
use crate::{
    call::{Loss, LossKind},
    proto::{
        CallControl, CallEvent, Handoff, Resumption, call_control::Control, call_event::Event,
        resumption,
    },
    route::{Route, Service, Target},
    session::{
        Core,
        service::{FINISH_TIMEOUT, Raw, Readable, Side, Typed},
        spans::{Attempts, OpenStream},
    },
    telemetry::metrics::{RouteMetrics, Rung, Transport},
    upstream::{self, Attempt, AttemptError, Exhausted, Lost, Patience, RawRead, Taken},
};
use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tonic::Code;
use tracing::{debug, info};

/// A service being sought.
pub(in crate::session) type Opening =
    Pin<Box<dyn Future<Output = Result<(Taken, Option<OpenStream>), Exhausted>> + Send>>;

/// Seeks a service for a call, for so long; `last`: who is asked after all others, as it lost the call more than once.
pub(in crate::session) fn open(
    core: &Arc<Core>,
    route: &Arc<Route>,
    metrics: &Arc<RouteMetrics>,
    opening: upstream::Opening,
    (within, last): (Duration, Option<Arc<Service>>),
    attempts: Option<Attempts>,
) -> Opening {
    let (upstreams, route, metrics) =
        (Arc::clone(&core.upstreams), Arc::clone(route), Arc::clone(metrics));
    Box::pin(async move {
        let mut services = route.order(rand::random());
        services
            .sort_by_key(|service| last.as_ref().is_some_and(|last| Arc::ptr_eq(service, last)));
        let tried = AtomicU32::new(0);
        let on_attempt = |attempt: &Attempt<'_>| {
            if tried.fetch_add(1, Ordering::Relaxed) == 1 {
                metrics.rung(Rung::Retry);
            }
            let transport = transport(&attempt.service.target);
            if !matches!(attempt.error, Some(AttemptError::GivenUp)) {
                metrics.stream_opened(transport, attempt.code());
            }
            if let Some(attempts) = &attempts {
                attempts.note(attempt, transport);
            }
        };
        let patience = Patience { attempt: route.policy.connect_timeout, all: within };
        let taken = upstreams.open(&services, patience, &opening, &on_attempt).await?;
        Ok((taken, attempts.and_then(Attempts::into_taken)))
    })
}

fn transport(target: &Target) -> Transport {
    match target {
        Target::Grpc(_) => Transport::Grpc,
        Target::WebSocket { .. } => Transport::WebSocket,
        Target::Worker { .. } => Transport::Worker,
        Target::FastAgi { .. } => Transport::FastAgi,
        Target::Script { .. } => Transport::Script,
    }
}

/// What a program that speaks AGI itself gave.
enum Heard {
    Bytes,
    Closed,
    Broken(Lost),
}

impl Session {
    pub(super) fn tell(&mut self, event: Box<CallEvent>, now: Duration) {
        if let Some(record) = self.record() {
            record.told(&event, now);
        }
        if let Some(meter) = self.meter() {
            meter.event(&event);
        }
        self.log_event(&event);
        if let Side::Typed(typed) = &mut self.side {
            typed.tell(event);
        }
    }

    /// What an operator can see of a call before its spans have left.
    fn log_event(&self, event: &CallEvent) {
        let Some(facts) = self.facts() else { return };
        let (call_id, route) = (&facts.call_id, &facts.place.route.name);
        let (trace_id, span_id) = (facts.trace.trace_id, facts.trace.span_id);
        match &event.event {
            Some(Event::Hangup(hangup)) => {
                let source = hangup.source().as_str_name().trim_start_matches("SOURCE_");
                debug!(name: "agibridge.call.hangup", %call_id, %route, %trace_id, %span_id, source, "the caller is gone");
            }
            Some(Event::Draining(_)) => {
                debug!(name: "agibridge.call.draining", %call_id, %route, %trace_id, %span_id, "the service is told of the drain");
            }
            Some(
                Event::Started(_)
                | Event::Progress(_)
                | Event::Result(_)
                | Event::Ended(_)
                | Event::Digit(_)
                | Event::Heartbeat(_),
            )
            | None => {}
        }
    }

    pub(super) fn relay_hangup(&mut self, is_news: bool, now: Duration) {
        if let Some(record) = self.record().filter(|_| is_news) {
            record.hung_up(now);
        }
        if let Some(meter) = self.meter().filter(|_| is_news) {
            meter.hangup();
        }
        if let Side::Raw(raw) = &mut self.side {
            raw.link.hang_up();
        }
    }

    pub(super) fn flush(&mut self, now: Duration) {
        match &mut self.side {
            Side::Nobody | Side::Opening(_) => {}
            Side::Typed(typed) => typed.flush(now),
            Side::Raw(raw) => {
                if !raw.flush(now) {
                    self.stalled("the program does not read its replies", now);
                } else if raw.is_over() && self.finishing_until.is_some() {
                    self.drop_service();
                }
            }
        }
    }

    pub(super) fn finish_service(&mut self, now: Duration) {
        match &mut self.side {
            Side::Nobody | Side::Opening(_) => return,
            Side::Typed(typed) => typed.finish(),
            Side::Raw(raw) => raw.link.finish(),
        }
        self.finishing_until = Some(now + FINISH_TIMEOUT);
    }

    /// We reset the stream: the service sees CANCELLED, and so it is counted.
    pub(super) fn cut_service_off(&mut self) {
        if let (true, Some(meter)) = (self.side.is_open(), self.meter()) {
            meter.lost(Code::Cancelled);
        }
        self.close_stream(Code::Cancelled);
        self.drop_service();
    }

    fn close_stream(&mut self, code: Code) {
        if let Some(spans) = self.spans() {
            spans.close_stream(code);
        }
    }

    pub(super) fn drop_service(&mut self) {
        self.close_stream(Code::Ok);
        self.side = Side::Nobody;
        self.finishing_until = None;
    }

    pub(super) fn stalled(&mut self, detail: &str, now: Duration) {
        self.cut_service_off();
        if let Some(record) = self.record() {
            record.lost(detail, now);
        }
        let loss = Loss { kind: LossKind::Stalled, detail: detail.to_owned() };
        self.call.handle_service_lost(&loss, now);
    }

    /// Seeks another service for the call. One that is being told its end is left to that.
    pub(super) fn reopen(&mut self, resumption: Resumption, within: Duration, now: Duration) {
        self.close_stream(Code::Ok);
        let Some(on_route) = &mut self.on_route else { return };
        if let Side::Typed(typed) = std::mem::replace(&mut self.side, Side::Nobody) {
            tokio::spawn(typed.see_off());
        }
        self.finishing_until = None;
        let OnRoute { facts, handle, meter, spans, record, tape, digits } = on_route;
        if resumption.cause() == resumption::Cause::Handoff
            && let Some(place) = self.handoff.take()
        {
            facts.place = place;
            // The one before goes first: it would take the next one's place along.
            *digits = None;
            *digits = facts.digits(&self.core.shared.digits);
            handle.set_route(Arc::clone(&facts.place.route.name));
        }
        let route = &facts.place.route;
        if let Some(spans) = spans {
            spans.set_route(&route.name);
        }
        info!(
            name: "agibridge.call.resumed",
            call_id = %facts.call_id,
            route = %route.name,
            trace_id = %facts.trace.trace_id,
            span_id = %facts.trace.span_id,
            service = self.service.as_deref(),
            cause = resumption.cause().as_str_name().trim_start_matches("CAUSE_").to_lowercase(),
            attempt = resumption.attempt,
            "another service is sought"
        );
        if let Some(record) = record {
            record.sought(resumption.cause(), resumption.attempt, route, now);
        }
        match tape {
            Some(tape) if route.policy.record => tape.mask(route.policy.redact),
            Some(tape) => tape.cut(),
            None => {}
        }
        let metrics = self.core.metrics.route(&route.name);
        meter.resumed(resumption.cause(), Arc::clone(&metrics));
        // One that takes a call only to lose it must not use up what the next one could save.
        let last = self.taken_by.take().filter(|_| resumption.attempt > 1);
        let attempts = spans.as_ref().and_then(|spans| spans.seek(Some(&resumption)));
        let opening = facts.opening(Some(resumption));
        let search = (within, last);
        self.side = Side::Opening(open(&self.core, route, &metrics, opening, search, attempts));
    }

    pub(super) fn poll_opening(&mut self, cx: &mut Context<'_>, now: Duration) -> bool {
        let Side::Opening(opening) = &mut self.side else { return false };
        let Poll::Ready(opened) = opening.as_mut().poll(cx) else { return false };
        self.side = Side::Nobody;
        match opened {
            Ok((Taken::Typed(link), stream)) => {
                self.taken_by(link.endpoint(), link.service(), stream, now);
                self.side = Side::Typed(Typed::new(link));
                self.call.handle_opened(now);
            }
            Ok((Taken::Raw(link), stream)) => {
                self.taken_by(link.endpoint(), link.service(), stream, now);
                self.side = Side::Raw(Raw::new(link));
                self.call.handle_opened_raw(now);
            }
            Err(exhausted) => self.call.handle_open_failed(&exhausted.to_string(), now),
        }
        true
    }

    fn taken_by(
        &mut self,
        endpoint: String,
        service: &Arc<Service>,
        stream: Option<OpenStream>,
        now: Duration,
    ) {
        let endpoint: Arc<str> = endpoint.into();
        if let Some(on_route) = &mut self.on_route {
            on_route.handle.set_service(Arc::clone(&endpoint));
            on_route.meter.opened(transport(&service.target));
            if let Some(record) = &on_route.record {
                record.taken(&endpoint, now);
            }
            if let Some(spans) = &mut on_route.spans {
                spans.opened(stream, &endpoint);
            }
        }
        self.service = Some(endpoint);
        self.taken_by = Some(Arc::clone(service));
    }

    pub(super) fn poll_service(&mut self, cx: &mut Context<'_>, now: Duration) -> bool {
        match &mut self.side {
            Side::Nobody | Side::Opening(_) => false,
            Side::Typed(_) => self.poll_typed(cx, now),
            Side::Raw(_) => self.poll_raw(cx, now),
        }
    }

    fn poll_typed(&mut self, cx: &mut Context<'_>, now: Duration) -> bool {
        let Side::Typed(typed) = &mut self.side else { return false };
        match typed.poll_may_read(cx) {
            Poll::Pending => return false,
            Poll::Ready(Readable::No { progress }) => return progress,
            Poll::Ready(Readable::Yes) => {}
        }
        let Poll::Ready(received) = typed.link.poll_recv(cx) else { return false };
        match received {
            Ok(Some(control)) => self.control(control, now),
            Ok(None) => {
                self.drop_service();
                self.call.handle_service_done(now);
            }
            Err(lost) => self.lost(&lost, now),
        }
        true
    }

    fn control(&mut self, control: CallControl, now: Duration) {
        if let Some(on_route) = &mut self.on_route {
            on_route.meter.heard(now);
            if let Some(record) = &on_route.record {
                record.control(&control, now);
            }
        }
        match control.control {
            Some(Control::Handoff(handoff)) => self.hand_over(handoff, now),
            Some(
                Control::Cancel(_)
                | Control::Checkpoint(_)
                | Control::End(_)
                | Control::Heartbeat(_),
            )
            | None => self.call.handle_control(control, now),
            Some(Control::Command(command)) => {
                if let Some(spans) = self.spans() {
                    spans.asked(&command, now);
                }
                let control = CallControl { control: Some(Control::Command(command)) };
                self.call.handle_control(control, now);
            }
        }
    }

    fn hand_over(&mut self, handoff: Handoff, now: Duration) {
        let Some(on_route) = &self.on_route else { return };
        let policy = match on_route.facts.handoff(&handoff.route) {
            Ok(place) => {
                let policy = place.route.policy.clone();
                self.handoff = Some(place);
                Ok(policy)
            }
            Err(why) => Err(why),
        };
        self.call.handle_handoff(handoff, policy, now);
    }

    fn lost(&mut self, lost: &Lost, now: Duration) {
        self.close_stream(lost.code);
        self.drop_service();
        if let Some(meter) = self.meter() {
            meter.lost(lost.code);
        }
        if let Some(record) = self.record() {
            record.lost(&lost.to_string(), now);
        }
        let loss = Loss { kind: LossKind::Broken, detail: lost.to_string() };
        self.call.handle_service_lost(&loss, now);
    }

    fn poll_raw(&mut self, cx: &mut Context<'_>, now: Duration) -> bool {
        let Side::Raw(raw) = &mut self.side else { return false };
        if raw.link.unsent() > 0 && raw.link.poll_flush(cx).is_ready() && raw.is_closed() {
            return true; // it may be over
        }
        if raw.is_closed() || !self.call.wants_relay() {
            return false;
        }
        let call = &mut self.call;
        let read = raw.link.poll_read(cx, |read| match read {
            RawRead::Bytes(bytes) => {
                call.handle_relay(bytes, now);
                Heard::Bytes
            }
            RawRead::Closed => Heard::Closed,
            RawRead::Broken(lost) => Heard::Broken(lost),
        });
        let Poll::Ready(heard) = read else { return false };
        match heard {
            Heard::Bytes => {
                if let Some(on_route) = &mut self.on_route {
                    on_route.meter.heard(now);
                }
            }
            Heard::Closed => {
                raw.close();
                self.call.handle_service_done(now);
            }
            Heard::Broken(lost) => self.lost(&lost, now),
        }
        true
    }
}
