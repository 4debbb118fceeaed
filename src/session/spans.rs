//! The spans of one call: the call's own, one for each attempt to reach a service, one for each command. Knows what they mean, and
//! nothing of how a call runs. A call whose trace is not recorded keeps none.

use crate::{
    call::{Answer, Answered, Blame, Outcome, Status},
    proto::{self, resumption},
    route::Service,
    telemetry::{
        metrics::{Transport, status_text},
        span::{CallEnd, CallFacts, Command, Link, Parent, Resumed, Span, Stream, What},
        trace::{SpanId, TraceContext},
        tracer::Tracer,
    },
    upstream::{Attempt, AttemptError},
};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};
use tonic::Code;

/// Commands that are kept until their answer; more than a call takes, so that only those count that are never answered.
const ASKED_MAX: usize = 4_096;

/// A call's hand on tracing.
#[derive(Debug)]
pub(super) struct Spans {
    own: Own,
    /// Commands of the service that have no answer yet, in order.
    asked: VecDeque<Asked>,
    stream: Option<OpenStream>,
    /// The stream of a service that had the call before.
    before: Option<Link>,
    ended: bool,
}

/// What every span of the call needs.
#[derive(Debug, Clone)]
struct Own {
    tracer: Arc<Tracer>,
    call: Arc<CallFacts>,
    route: Option<Arc<str>>,
    context: TraceContext,
    accepted_at: SystemTime,
}

/// A command that came.
#[derive(Debug)]
struct Asked {
    id: u32,
    at: Duration,
    /// The span of the service that it is for.
    parent: Option<Box<TraceContext>>,
}

/// The stream of a service that took the call.
#[derive(Debug)]
pub(super) struct OpenStream {
    own: SpanId,
    start: SystemTime,
    stream: Box<Stream>,
    link: Option<Link>,
}

/// The attempts to reach a service, while one is sought.
#[derive(Debug)]
pub(super) struct Attempts {
    own: Own,
    before: Option<Link>,
    resumption: Option<Resumed>,
    taken: Mutex<Option<OpenStream>>,
}

impl Spans {
    /// A call begins. `context`: its span, which says whether it is recorded.
    pub(super) fn begin(
        tracer: &Arc<Tracer>,
        context: &TraceContext,
        call: CallFacts,
        route: Option<&Arc<str>>,
        accepted_at: SystemTime,
    ) -> Self {
        let own = Own {
            tracer: Arc::clone(tracer),
            call: Arc::new(call),
            route: route.cloned(),
            context: context.clone(),
            accepted_at,
        };
        Self { own, asked: VecDeque::new(), stream: None, before: None, ended: false }
    }

    /// The call goes on by another route.
    pub(super) fn set_route(&mut self, route: &Arc<str>) {
        self.own.route = Some(Arc::clone(route));
    }

    /// A service is sought, for the first time or again; `None`: nothing is recorded of it.
    pub(super) fn seek(&self, resumption: Option<&proto::Resumption>) -> Option<Attempts> {
        let resumption = resumption.map(|resumption| Resumed {
            attempt: resumption.attempt,
            cause: match resumption.cause() {
                resumption::Cause::Handoff => "handoff",
                resumption::Cause::Unspecified | resumption::Cause::ServiceLost => "service_lost",
            },
        });
        let (own, before) = (self.own.clone(), self.before);
        let attempts = || Attempts { own, before, resumption, taken: Mutex::default() };
        self.own.context.sampled().then(attempts)
    }

    /// A service took the call.
    pub(super) fn opened(&mut self, stream: Option<OpenStream>, endpoint: &Arc<str>) {
        self.close_stream(Code::Ok);
        self.stream = stream.map(|mut open| {
            open.stream.endpoint = Some(Arc::clone(endpoint));
            open
        });
    }

    /// The stream to the service is over, if there is one; anything but OK is a fault.
    pub(super) fn close_stream(&mut self, code: Code) {
        let Some(OpenStream { own, start, mut stream, link }) = self.stream.take() else { return };
        stream.status = status_text(code);
        self.before = Some(Link { trace_id: self.own.context.trace_id, span_id: own });
        let error = (code != Code::Ok).then_some(stream.status);
        let span = Span { link, error, ..self.own.below(own, start, What::Stream(stream)) };
        self.own.tracer.record(span);
    }

    /// The service wants a command.
    pub(super) fn asked(&mut self, command: &proto::Command, now: Duration) {
        let carrier = &command.trace_context;
        let rules = self.own.tracer.rules();
        let parent = if carrier.is_empty() || !rules.trace_context {
            None
        } else {
            TraceContext::remote(carrier)
        };
        let recorded = match &parent {
            Some(parent) => rules.sampler.samples(parent.trace_id, Some(parent.sampled())),
            None => self.own.context.sampled(),
        };
        if recorded && self.asked.len() < ASKED_MAX {
            self.asked.push_back(Asked { id: command.id, at: now, parent: parent.map(Box::new) });
        }
    }

    /// A command was answered: one of the service, or a line of the bridge itself.
    pub(super) fn answered(&mut self, answer: &Answer) {
        let asked = match answer.id {
            Some(id) => {
                // Answers come in the order of the commands; one before it will never get any.
                let Some(place) = self.asked.iter().position(|asked| asked.id == id) else {
                    return;
                };
                self.asked.drain(..=place).next_back()
            }
            None if self.own.context.sampled() => None,
            None => return,
        };
        if self.asked.is_empty() && self.asked.capacity() > 8 {
            self.asked = VecDeque::new();
        }
        let written = answer.at.saturating_sub(answer.elapsed.unwrap_or_default());
        let command = Command {
            id: answer.id,
            name: answer.command,
            outcome: answer.outcome.text(),
            queued: asked.as_ref().map(|asked| written.saturating_sub(asked.at)),
        };
        let error = answer.outcome.is_fault().then(|| answer.outcome.text());
        let parent = asked.and_then(|asked| asked.parent);
        self.command(command, (written, answer.at), error, parent.as_deref());
    }

    /// A line of a program that speaks AGI itself was answered.
    pub(super) fn relayed(&mut self, answered: &Answered, now: Duration) {
        if !self.own.context.sampled() {
            return;
        }
        let (outcome, is_fault) = match answered.code {
            0 => ("invalid_argument", true),
            Answered::NOT_ALLOWED => ("not_allowed", true),
            200 => ("raw", false),
            510 => ("unknown_command", true),
            511 => ("hung_up", false),
            520 => ("usage", true),
            _ => ("protocol_error", true),
        };
        let command = Command { id: None, name: answered.command, outcome, queued: None };
        let written = now.saturating_sub(answered.elapsed.unwrap_or_default());
        self.command(command, (written, now), is_fault.then_some(outcome), None);
    }

    /// The call is over.
    pub(super) fn end(&mut self, outcome: &Outcome) {
        let end = CallEnd {
            reason: Some(outcome.reason_text()),
            status: outcome.status.map(Status::as_str),
            commands: outcome.commands,
            dead_air: Some(outcome.dead_air),
        };
        let error = match outcome.blame() {
            Blame::None | Blame::Caller | Blame::Operator => None,
            Blame::Asterisk => Some(outcome.reason_text()),
            Blame::Service | Blame::Bridge => fault(outcome.status),
        };
        self.finish(end, error);
    }

    /// The call never got a service: it was turned away.
    pub(super) fn turned_away(&mut self, status: Status) {
        let status_text = Some(status.as_str());
        let end = CallEnd { reason: None, status: status_text, commands: 0, dead_air: None };
        self.finish(end, fault(Some(status)));
    }

    fn finish(&mut self, end: CallEnd, error: Option<&'static str>) {
        self.close_stream(Code::Ok);
        if std::mem::replace(&mut self.ended, true) || !self.own.context.sampled() {
            return;
        }
        let context = &self.own.context;
        let parent = context.parent.map(|span_id| Parent { span_id, remote: true });
        let start = self.own.accepted_at;
        let span = self.own.below(context.span_id, start, What::Call(end));
        self.own.tracer.record(Span { parent, error, ..span });
    }

    fn command(
        &self,
        command: Command,
        (start, end): (Duration, Duration),
        error: Option<&'static str>,
        parent: Option<&TraceContext>,
    ) {
        let at = |since: Duration| self.own.accepted_at + since;
        let mut span = self.own.below(SpanId::random(), at(start), What::Command(command));
        (span.end, span.error) = (at(end), error);
        if let Some(parent) = parent {
            let call = Link::to(&self.own.context);
            span.link = (parent.trace_id != span.trace_id).then_some(call);
            span.trace_id = parent.trace_id;
            span.parent = Some(Parent { span_id: parent.span_id, remote: true });
            span.tracestate = parent.tracestate.as_deref().map(Arc::from);
        }
        self.own.tracer.record(span);
    }
}

impl Drop for Spans {
    /// The bridge stops without waiting for the call.
    fn drop(&mut self) {
        if !self.ended {
            let cut_off = CallEnd { reason: None, status: None, commands: 0, dead_air: None };
            self.finish(cut_off, Some("cut_off"));
        }
    }
}

impl Own {
    /// A span below that of the call, which ends now.
    fn below(&self, span_id: SpanId, start: SystemTime, what: What) -> Span {
        Span {
            trace_id: self.context.trace_id,
            span_id,
            parent: Some(Parent { span_id: self.context.span_id, remote: false }),
            tracestate: self.context.tracestate.as_deref().map(Arc::from),
            start,
            end: SystemTime::now(),
            link: None,
            error: None,
            call: Some(Arc::clone(&self.call)),
            route: self.route.clone(),
            what,
        }
    }
}

impl Attempts {
    /// An attempt has ended: in vain, or as a stream.
    pub(super) fn note(&self, attempt: &Attempt<'_>, transport: Transport) {
        let Some(context) = attempt.trace else { return };
        let start = SystemTime::now().checked_sub(attempt.took).unwrap_or(self.own.accepted_at);
        let stream = Box::new(Stream {
            transport,
            server: server(attempt.service),
            peer: attempt.address,
            endpoint: None,
            status: status_text(attempt.code()),
            resumption: self.resumption,
        });
        let Some(error) = attempt.error else {
            let taken = OpenStream { own: context.span_id, start, stream, link: self.before };
            *self.taken.lock().unwrap_or_else(PoisonError::into_inner) = Some(taken);
            return;
        };
        let span = self.own.below(context.span_id, start, What::Stream(stream));
        let error = (*error != AttemptError::GivenUp).then(|| error.kind());
        self.own.tracer.record(Span { link: self.before, error, ..span });
    }

    /// The stream of the service that took the call.
    pub(super) fn into_taken(self) -> Option<OpenStream> {
        self.taken.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

fn server(service: &Service) -> Option<(Arc<str>, u16)> {
    service.remote().map(|remote| (remote.host.as_str().into(), remote.port))
}

/// A drain and an operator's order are no faults.
fn fault(status: Option<Status>) -> Option<&'static str> {
    match status? {
        Status::NoRoute => Some("no_route"),
        Status::Unavailable => Some("unavailable"),
        Status::Lost => Some("lost"),
        Status::Limit => Some("limit"),
        Status::ProtocolError => Some("protocol_error"),
        Status::Failed => Some("failed"),
        Status::Draining | Status::Operator => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        call::Word,
        proto::command_error::Code as ErrorCode,
        telemetry::{sampler::Sampler, tracer::Rules, tracer::Tracing},
    };
    use std::collections::HashMap;

    const RULES: Rules = Rules {
        sampler: Sampler::ParentBased(crate::telemetry::sampler::Root::On),
        trace_context: true,
        baggage: true,
        caller_numbers: false,
        queue_max: 8,
        batch_max: 8,
    };

    fn begin(rules: Rules, sampled: bool) -> (Arc<Tracing>, Spans) {
        let tracing = Tracing::new(rules);
        let mut context = TraceContext::root();
        context.set_sampled(sampled);
        let call = CallFacts {
            call_id: uuid::Uuid::nil(),
            channel: "Local/1".into(),
            unique_id: "1.1".into(),
            channel_type: "Local".into(),
            caller_number: None,
            peer: ([127, 0, 0, 1], 1).into(),
        };
        let route = Arc::from("r");
        let spans =
            Spans::begin(&tracing.core(1), &context, call, Some(&route), SystemTime::UNIX_EPOCH);
        (tracing, spans)
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn ask(spans: &mut Spans, id: u32, at: u64, traceparent: &str) {
        let context = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
        let trace_context = if traceparent.is_empty() { HashMap::new() } else { context };
        let command = proto::Command { id, trace_context, ..Default::default() };
        spans.asked(&command, seconds(at));
    }

    fn answer(id: impl Into<Option<u32>>, elapsed: u64, at: u64, outcome: Word) -> Answer {
        let elapsed = Some(seconds(elapsed));
        Answer { id: id.into(), command: "GET DATA", elapsed, at: seconds(at), outcome }
    }

    #[test]
    fn a_commands_time_at_asterisk_and_its_time_in_the_queue_are_apart() {
        let (tracing, mut spans) = begin(RULES, true);
        ask(&mut spans, 1, 10, "");
        ask(&mut spans, 2, 11, "");
        spans.answered(&answer(1, 2, 12, Word::Result("digits")));
        spans.answered(&answer(2, 3, 15, Word::Error(ErrorCode::Usage)));
        spans.answered(&answer(None, 1, 16, Word::Result("done")));
        let spans = tracing.take();
        let told = |span: &Span| match &span.what {
            What::Command(command) => (command.id, command.queued, command.outcome, span.error),
            other @ (What::Call(_) | What::Stream(_) | What::Action(_) | What::Request(_)) => {
                panic!("{other:?}")
            }
        };
        assert_eq!(told(&spans[0]), (Some(1), Some(seconds(0)), "digits", None));
        assert_eq!(told(&spans[1]), (Some(2), Some(seconds(1)), "usage", Some("usage")));
        assert_eq!(told(&spans[2]), (None, None, "done", None));
        assert_eq!(spans[1].start, SystemTime::UNIX_EPOCH + seconds(12));
        assert_eq!(spans[1].end, SystemTime::UNIX_EPOCH + seconds(15));
    }

    #[test]
    fn a_call_that_is_not_recorded_keeps_nothing_but_what_a_service_records() {
        let (tracing, mut spans) = begin(RULES, false);
        let recorded = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        ask(&mut spans, 1, 1, "");
        ask(&mut spans, 2, 1, recorded);
        assert!(spans.seek(None).is_none());
        spans.answered(&answer(1, 1, 2, Word::Result("done")));
        spans.answered(&answer(2, 1, 3, Word::Result("done")));
        spans.answered(&answer(None, 1, 3, Word::Result("done")));
        drop(spans);
        let spans = tracing.take();
        assert_eq!(spans.len(), 1);
        assert_eq!(spans[0].trace_id.to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert!(spans[0].link.is_some());
    }

    #[test]
    fn an_answer_that_never_came_holds_up_none_that_did() {
        let (tracing, mut spans) = begin(RULES, true);
        for id in [1, 2, 2, 3] {
            ask(&mut spans, id, u64::from(id), "");
        }
        for id in [2, 2, 3, 9] {
            spans.answered(&answer(id, 0, 9, Word::Error(ErrorCode::InvalidArgument)));
        }
        assert!(spans.asked.is_empty());
        assert_eq!(tracing.take().len(), 3);
    }

    #[test]
    fn a_call_that_is_cut_off_is_told_and_what_finds_no_room_is_counted() {
        let (tracing, mut spans) = begin(Rules { queue_max: 2, ..RULES }, true);
        for id in 1..=4 {
            ask(&mut spans, id, 1, "");
            spans.answered(&answer(id, 0, 1, Word::Result("done")));
        }
        assert_eq!(tracing.take().len(), 2);
        assert_eq!(tracing.counts().values(), [0, 2, 0]);
        drop(spans);
        assert_eq!(tracing.take()[0].error, Some("cut_off"));
    }
}
