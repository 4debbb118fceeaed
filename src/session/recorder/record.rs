//! One call: what is known of it, and what it noted while it ran. Its lock is its own: only its session writes, and whoever
//! looks at just this call reads.

use super::{facts::Facts, lock, note::Note, tally, timeline::Timeline, view::End};
use crate::{
    agi::Request,
    call::{AtAsterisk, Outcome, Status},
    proto::{
        CallControl, CallEvent, Channel, call_control::Control, call_event::Event, end_call,
        resumption,
    },
    redact::{self, MASK, Redact},
    route::Route,
    telemetry::{metrics::CommandLabel, trace::TraceId},
};
use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};
use uuid::Uuid;

/// Services of one call that are named.
const SERVICES_MAX: usize = 8;

/// What is known as a call begins.
#[derive(Debug)]
pub struct Begun<'a> {
    /// Names the call everywhere.
    pub call_id: Uuid,
    /// Of its trace.
    pub trace_id: TraceId,
    /// When the connection was accepted.
    pub accepted_at: SystemTime,
    /// The route that it begins on.
    pub route: &'a Route,
    /// What it asked for.
    pub request: &'a Request,
    /// As the prelude has it.
    pub channel: &'a Channel,
    /// Of AGI().
    pub arguments: Vec<String>,
}

/// One call.
#[derive(Debug)]
pub struct Record {
    pub(super) call_id: Uuid,
    pub(super) accepted_at: SystemTime,
    pub(super) inner: Mutex<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) redact: Redact,
    pub(super) facts: Facts,
    pub(super) route: Arc<str>,
    pub(super) services: Vec<Arc<str>>,
    pub(super) timeline: Timeline,
    unanswered: usize,
    /// Since when the service has every result; none while a command runs.
    idle_since: Option<Duration>,
    setup: Option<Duration>,
    thinking: Option<Duration>,
    pub(super) end: Option<End>,
}

impl Record {
    pub(super) fn new(begun: Begun<'_>) -> Self {
        let redact = begun.route.policy.redact;
        Self {
            call_id: begun.call_id,
            accepted_at: begun.accepted_at,
            inner: Mutex::new(Inner {
                redact,
                route: Arc::clone(&begun.route.name),
                facts: Facts::new(&begun, redact),
                services: Vec::new(),
                timeline: Timeline::default(),
                unanswered: 0,
                idle_since: None,
                setup: None,
                thinking: None,
                end: None,
            }),
        }
    }

    /// Names the call everywhere.
    pub fn call_id(&self) -> Uuid {
        self.call_id
    }

    /// The route that it is on.
    pub fn route(&self) -> Arc<str> {
        Arc::clone(&lock(&self.inner).route)
    }

    /// Grows with every change.
    pub fn revision(&self) -> u32 {
        lock(&self.inner).timeline.revision
    }

    /// A service took the call.
    pub fn taken(&self, endpoint: &Arc<str>, now: Duration) {
        let mut inner = lock(&self.inner);
        if inner.services.last() != Some(endpoint) {
            if inner.services.len() == SERVICES_MAX {
                inner.services.remove(0);
            }
            inner.services.push(Arc::clone(endpoint));
        }
        inner.idle_since = Some(now);
        inner.event("taken", endpoint, now);
    }

    /// The service said something.
    pub fn control(&self, control: &CallControl, now: Duration) {
        let mut inner = lock(&self.inner);
        inner.setup.get_or_insert(now);
        match &control.control {
            Some(Control::Command(command)) => {
                let redact = inner.redact;
                let (name, arguments) = match &command.command {
                    Some(kind) => (CommandLabel::of(kind).text(), redact::arguments(kind, redact)),
                    None => (CommandLabel::UNKNOWN.text(), String::new()),
                };
                inner.command(command.id, name, &arguments, false, now);
            }
            Some(Control::Cancel(cancel)) => {
                inner.event("cancel", &format!("id={}", cancel.id), now);
            }
            Some(Control::Checkpoint(checkpoint)) => {
                inner.event("checkpoint", &format!("{} bytes", checkpoint.state.len()), now);
            }
            Some(Control::End(end)) => inner.event("end", next(end.next.as_ref()), now),
            Some(Control::Handoff(handoff)) => {
                let is_path = handoff.route.starts_with('/');
                let to = redact::value(&handoff.route, is_path && inner.redact.values);
                inner.event("handoff", &to, now);
            }
            Some(Control::Heartbeat(_)) | None => {}
        }
    }

    /// A line was written to Asterisk. `line`: what it is, kept only of a program whose route masks nothing of it.
    pub fn written(&self, what: AtAsterisk, line: &[u8], now: Duration) {
        let mut inner = lock(&self.inner);
        match what {
            AtAsterisk::Service { id } => inner.timeline.note(now, &Note::Written { id }),
            AtAsterisk::Bridge(name) => inner.event("bridge", name, now),
            AtAsterisk::Program(name) => {
                inner.setup.get_or_insert(now);
                let is_shown = inner.redact == Redact::NOTHING;
                let line = if is_shown { &String::from_utf8_lossy(line) } else { "" };
                let line = redact::short(line.trim_end());
                inner.command(0, name, &line, true, now);
            }
            AtAsterisk::Nobody if line == b"failure\n" => inner.event("bridge", "failure", now),
            AtAsterisk::Nobody => {}
        }
    }

    /// A program that speaks AGI itself was answered with this code.
    pub fn answered(&self, code: u16, elapsed: Option<Duration>, now: Duration) {
        let outcome = match code {
            200 => "done",
            510 => "unknown_command",
            511 => "hung_up",
            520 => "usage",
            _ => "error",
        };
        let (is_error, text) = (code != 200, &code.to_string());
        lock(&self.inner).answer(Note::Answer { id: 0, elapsed, outcome, is_error, text }, now);
    }

    /// The service is told something.
    pub fn told(&self, event: &CallEvent, now: Duration) {
        let mut inner = lock(&self.inner);
        match &event.event {
            Some(Event::Result(result)) => {
                let Some(outcome) = &result.outcome else { return };
                let told = redact::told(outcome, inner.redact);
                let elapsed = result.elapsed.as_ref().and_then(|it| Duration::try_from(*it).ok());
                let redact::Told { outcome, is_error, text } = &told;
                let (id, is_error) = (result.id, *is_error);
                inner.answer(Note::Answer { id, elapsed, outcome, is_error, text }, now);
            }
            Some(Event::Progress(progress)) => {
                inner.event("progress", &format!("id={}", progress.id), now);
            }
            Some(Event::Hangup(hangup)) => {
                let source = hangup.source().as_str_name().trim_start_matches("SOURCE_");
                inner.event("hangup", &source.to_lowercase(), now);
            }
            Some(Event::Digit(digit)) => {
                let shown = if inner.redact.digits { MASK } else { digit.digit.as_str() };
                inner.event("digit", shown, now);
            }
            Some(Event::Draining(_)) => inner.event("draining", "", now),
            Some(Event::Started(_) | Event::Ended(_) | Event::Heartbeat(_)) | None => {}
        }
    }

    /// A program that speaks AGI itself is told that the caller is gone.
    pub fn hung_up(&self, now: Duration) {
        lock(&self.inner).event("hangup", "signal", now);
    }

    /// The stream of the service is gone.
    pub fn lost(&self, why: &str, now: Duration) {
        lock(&self.inner).event("lost", &redact::short(why), now);
    }

    /// An operator, or the end of a drain, ends the call.
    pub fn ordered(&self, what: &'static str, now: Duration) {
        lock(&self.inner).event("ordered", what, now);
    }

    /// Another service is sought, perhaps on another route: what that one keeps to itself is masked from now on.
    pub fn sought(&self, cause: resumption::Cause, attempt: u32, route: &Route, now: Duration) {
        let mut inner = lock(&self.inner);
        inner.route = Arc::clone(&route.name);
        inner.mask(route.policy.redact);
        let cause = cause.as_str_name().trim_start_matches("CAUSE_").to_lowercase();
        inner.event(
            "sought",
            &format!("cause={cause} attempt={attempt} route={}", route.name),
            now,
        );
    }

    /// The call is over.
    pub(super) fn end(&self, outcome: &Outcome, duration: Duration) -> tally::Told {
        let mut inner = lock(&self.inner);
        let (reason, blame) = (outcome.reason_text(), outcome.blame().as_str());
        inner.event("ended", reason, duration);
        inner.timeline.shrink();
        inner.end = Some(End {
            duration,
            commands: outcome.commands,
            dead_air: outcome.dead_air,
            reason,
            blame,
            status: outcome.status.map(Status::as_str),
            detail: redact::short(&outcome.detail),
        });
        tally::Told {
            route: Arc::clone(&inner.route),
            reason,
            blame,
            setup: inner.setup,
            thinking: inner.thinking,
            duration,
            bytes: size_of::<Self>() + inner.facts.bytes() + inner.timeline.bytes(),
        }
    }
}

impl Inner {
    fn event(&mut self, name: &'static str, text: &str, now: Duration) {
        self.timeline.note(now, &Note::Event { name, text });
    }

    fn command(
        &mut self,
        id: u32,
        name: &'static str,
        arguments: &str,
        is_written: bool,
        now: Duration,
    ) {
        if let Some(since) = self.idle_since.take() {
            let thought = now.saturating_sub(since);
            self.thinking = Some(self.thinking.unwrap_or_default().max(thought));
        }
        self.unanswered += 1;
        self.timeline.note(now, &Note::Command { id, name, arguments, is_written });
    }

    fn answer(&mut self, answer: Note<'_>, now: Duration) {
        self.unanswered = self.unanswered.saturating_sub(1);
        if self.unanswered == 0 {
            self.idle_since = Some(now);
        }
        self.timeline.note(now, &answer);
    }

    /// What was kept under a laxer route is not kept any more.
    fn mask(&mut self, redact: Redact) {
        let redact = self.redact.and(redact);
        if redact == self.redact {
            return;
        }
        self.redact = redact;
        self.timeline.mask(MASK);
        self.facts.mask(redact);
    }
}

fn next(next: Option<&end_call::Next>) -> &'static str {
    match next {
        None | Some(end_call::Next::ContinueDialplan(_)) => "continue",
        Some(end_call::Next::FailDialplan(_)) => "fail",
        Some(end_call::Next::GotoDialplan(_)) => "goto",
        Some(end_call::Next::HangUp(_)) => "hang_up",
    }
}
