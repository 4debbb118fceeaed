//! The span of a request to originate: from when it came until it is answered, or nobody waits for the answer any more. What it
//! starts goes on below it.

use crate::{
    proto::OriginateResponse,
    telemetry::{
        metrics::status_text,
        span::{Parent, RequestSpan, Span, What},
        trace::TraceContext,
        tracer::Tracer,
    },
};
use std::{sync::Arc, time::SystemTime};
use tonic::{Code, Status};

const METHOD: &str = "agibridge.v1.ManagerService/Originate";

#[derive(Debug)]
pub(super) struct Received {
    tracer: Option<Arc<Tracer>>,
    /// Of the client's own span, if it told of one.
    parent: Option<TraceContext>,
    context: TraceContext,
    start: SystemTime,
    told: Option<(Code, Option<&'static str>)>,
}

impl Received {
    pub(super) fn new(tracer: Option<Arc<Tracer>>, parent: Option<TraceContext>) -> Self {
        let mut context = parent.as_ref().map_or_else(TraceContext::root, TraceContext::child);
        if let Some(tracer) = &tracer {
            let wanted = parent.as_ref().map(TraceContext::sampled);
            let sampled = tracer.rules().sampler.samples(context.trace_id, wanted);
            context.set_sampled(sampled);
        } else if let Some(parent) = &parent {
            // Nobody will see a span of ours.
            context = parent.clone();
        }
        Self { tracer, parent, context, start: SystemTime::now(), told: None }
    }

    /// For whatever the request starts.
    pub(super) fn context(&self) -> &TraceContext {
        &self.context
    }

    pub(super) fn answered(&mut self, answer: &Result<OriginateResponse, Status>) {
        self.told = Some(match answer {
            Ok(told) => (Code::Ok, Some(told.outcome().as_str_name())),
            Err(status) => (status.code(), None),
        });
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        let Some(tracer) = &self.tracer else { return };
        if !self.context.sampled() {
            return;
        }
        let (code, outcome) = self.told.unwrap_or((Code::Cancelled, None));
        let status = status_text(code);
        tracer.record(Span {
            trace_id: self.context.trace_id,
            span_id: self.context.span_id,
            parent: self.parent.as_ref().map(|it| Parent { span_id: it.span_id, remote: true }),
            tracestate: self.context.tracestate.as_deref().map(Into::into),
            start: self.start,
            end: SystemTime::now(),
            link: None,
            error: is_fault(code).then_some(status),
            call: None,
            route: None,
            what: What::Request(RequestSpan { method: METHOD, status, outcome }),
        });
    }
}

/// As the conventions for servers have it: what a client did wrong is no fault.
fn is_fault(code: Code) -> bool {
    match code {
        Code::Unknown
        | Code::DeadlineExceeded
        | Code::Unimplemented
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => true,
        Code::Ok
        | Code::Cancelled
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unauthenticated => false,
    }
}
