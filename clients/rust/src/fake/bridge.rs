//! The bridge's part in a fake call: takes controls, and gives events, as the contract has them.

use super::{
    Close, FakeCall, FakeRun, HandlerEnd, StreamExt, VecDeque, When, proto,
    reply::{self, Reply},
    time,
};
use futures_util::stream::BoxStream;
use proto::{
    CallControl, CallEvent, call_control::Control, call_ended::Reason, call_event::Event,
    command_error::Code, command_result::Outcome,
};
use std::{mem, time::Duration};
use tokio::time::{Instant, sleep_until};

/// As long as a thumb takes.
const HELD: Duration = Duration::from_millis(100);

type Controls = BoxStream<'static, Result<CallControl, Close>>;

/// A command that runs until then.
struct Runs {
    id: u32,
    reply: Reply,
    until: Instant,
    can_be_stopped: bool,
}

pub(super) struct Bridge {
    call: FakeCall,
    controls: Controls,
    events: VecDeque<CallEvent>,
    /// What waits for its turn; none is the end.
    waiting: VecDeque<Option<proto::Command>>,
    runs: Option<Runs>,
    /// Commands for which there was no room, by their ids.
    full: Vec<u32>,
    results: usize,
    succeeded: bool,
    gone: bool,
    grace: Option<Instant>,
    /// No more controls come.
    closed: bool,
    over: bool,
    run: FakeRun,
}

impl Bridge {
    pub(super) fn new(call: FakeCall, controls: Controls) -> Self {
        let mut events = VecDeque::new();
        events.push_back(event(Event::Started(Box::new(call.started.clone()))));
        if let Some(at) = call.draining {
            events.push_back(event(Event::Draining(proto::Draining { deadline: Some(at.into()) })));
        }
        let mut this = Self {
            call,
            controls,
            events,
            waiting: VecDeque::new(),
            runs: None,
            full: Vec::new(),
            results: 0,
            succeeded: true,
            gone: false,
            grace: None,
            closed: false,
            over: false,
            run: FakeRun {
                handler: HandlerEnd::Returned,
                commands: Vec::new(),
                checkpoints: Vec::new(),
                cancelled: Vec::new(),
                end: None,
                handoff: None,
                released: None,
            },
        };
        let pressed = mem::take(&mut this.call.pressed);
        this.press(&pressed);
        this.after_results();
        this
    }

    /// The next event; `None` once the stream is over.
    pub(super) async fn next(&mut self) -> Option<Result<CallEvent, String>> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(Ok(event));
            }
            if self.over {
                return None;
            }
            if self.call.lost_after.is_some_and(|count| self.results >= count) {
                self.over = true;
                return Some(Err("the fake call's stream broke".to_owned()));
            }
            if self.runs.is_none() {
                match self.waiting.pop_front() {
                    Some(Some(command)) => self.begin(&command),
                    Some(None) => self.ended(self.reason(), ""),
                    None => {}
                }
                if !self.events.is_empty() {
                    continue;
                }
            }
            let (until, grace) = (self.runs.as_ref().map(|it| it.until), self.grace);
            let now = Instant::now();
            tokio::select! {
                biased;
                control = self.controls.next(), if !self.closed => self.control(control),
                () = sleep_until(until.unwrap_or(now)), if until.is_some() => self.finish(),
                () = sleep_until(grace.unwrap_or(now)), if grace.is_some() => {
                    self.ended(Reason::Hangup, "the grace is over");
                }
                else => return None,
            }
        }
    }

    /// Takes what the handler sent last.
    pub(super) async fn rest(&mut self) {
        while !self.closed {
            let control = self.controls.next().await;
            self.control(control);
        }
    }

    pub(super) fn into_run(self, handler: HandlerEnd) -> FakeRun {
        FakeRun { handler, ..self.run }
    }

    fn reason(&self) -> Reason {
        if self.gone { Reason::Hangup } else { Reason::Service }
    }

    fn control(&mut self, control: Option<Result<CallControl, Close>>) {
        match control {
            Some(Ok(CallControl { control })) => match control {
                Some(Control::Command(it)) => {
                    self.run.commands.push(it.clone());
                    let unanswered = self.waiting.len() + usize::from(self.runs.is_some());
                    if unanswered >= self.call.started.max_queued_commands as usize {
                        self.full.push(it.id);
                    }
                    self.waiting.push_back(Some(it));
                }
                Some(Control::Cancel(it)) => {
                    self.run.cancelled.push(it.id);
                    if it.interrupt
                        && let Some(runs) = &mut self.runs
                        && runs.id == it.id
                        && runs.can_be_stopped
                    {
                        self.finish();
                    }
                }
                Some(Control::Checkpoint(it)) => self.run.checkpoints.push(it),
                Some(Control::End(it)) => {
                    self.run.end = Some(it);
                    self.waiting.push_back(None);
                }
                Some(Control::Handoff(it)) => {
                    self.run.handoff = Some(it);
                    self.ended(Reason::Handoff, "handed over");
                }
                Some(Control::Heartbeat(_)) | None => {}
            },
            Some(Err(close)) => {
                if let Close::Released(why) = close {
                    self.run.released = Some(why);
                }
                self.closed = true;
            }
            None => self.closed = true,
        }
    }

    fn begin(&mut self, command: &proto::Command) {
        let id = command.id;
        let kind = command.command.as_ref();
        let name = kind.map_or("", |it| it.name());
        // It is answered in its place, as the bridge does it.
        if self.run.cancelled.contains(&id) {
            return self.answer(refused(Code::Cancelled).result(id, self.gone));
        }
        if self.full.contains(&id) {
            return self.answer(refused(Code::QueueFull).result(id, self.gone));
        }
        if command.requires_success && !self.succeeded {
            return self.answer(refused(Code::Skipped).result(id, self.gone));
        }
        if matches!(self.call.hangup, Some(When::At(at)) if at == name) {
            self.hang_up();
        }
        if self.gone && !reply::works_when_dead(kind) {
            return self.answer(refused(Code::HungUp).result(id, true));
        }
        let scripted = self.call.replies.get_mut(name).and_then(VecDeque::pop_front);
        let reply = scripted.unwrap_or_else(|| Reply::success(kind));
        for text in &reply.progress {
            let progress = proto::CommandProgress { id, text: text.clone() };
            self.events.push_back(event(Event::Progress(progress)));
        }
        if let Some(digits) = self.call.pressed_at.remove(name) {
            self.press(&digits);
        }
        let can_be_stopped = reply::can_be_stopped(kind);
        self.runs = Some(Runs { id, until: Instant::now() + reply.takes, reply, can_be_stopped });
    }

    fn finish(&mut self) {
        if let Some(Runs { id, reply, .. }) = self.runs.take() {
            self.answer(reply.result(id, self.gone));
        }
    }

    fn answer(&mut self, result: proto::CommandResult) {
        self.succeeded = !matches!(result.outcome, Some(Outcome::Error(_)));
        self.events.push_back(event(Event::Result(result)));
        self.results += 1;
        self.after_results();
    }

    fn after_results(&mut self) {
        if matches!(self.call.hangup, Some(When::After(count)) if count == self.results) {
            self.hang_up();
        }
    }

    fn press(&mut self, digits: &str) {
        self.events.extend(digits.chars().map(|digit| {
            let duration = Some(time::wire(HELD));
            event(Event::Digit(proto::Digit { digit: digit.into(), duration }))
        }));
    }

    fn hang_up(&mut self) {
        self.call.hangup = None;
        self.gone = true;
        self.grace = Some(Instant::now() + self.call.grace);
        self.events.push_back(event(Event::Hangup(proto::Hangup {
            source: proto::hangup::Source::Signal.into(),
            grace: Some(time::wire(self.call.grace)),
        })));
    }

    fn ended(&mut self, reason: Reason, detail: &str) {
        self.over = true;
        self.events.push_back(event(Event::Ended(proto::CallEnded {
            reason: reason.into(),
            detail: detail.to_owned(),
            duration: None,
            commands: u32::try_from(self.results).unwrap_or(u32::MAX),
        })));
    }
}

fn event(it: Event) -> CallEvent {
    CallEvent { event: Some(it) }
}

fn refused(code: Code) -> Reply {
    Outcome::Error(proto::CommandError { code: code.into(), detail: String::new() }).into()
}
