//! Any history of a call: it does not panic, keeps one line at a time at Asterisk, answers every command once and in order,
//! whoever has the call by then, and ends by its own deadlines.

#![no_main]

use agi_bridge::{
    agi::Limits,
    call::{Action, Call, Loss, LossKind, Settings},
    proto::{
        self, CallControl, CancelCommand, Checkpoint, EndCall, Exec, GetData, GetVariable, Handoff,
        Noop, Resumption, SetVariable, StreamFile, WaitForDigit, call_control::Control,
        call_ended::Reason, call_event::Event, command::Command as Kind,
    },
    route::{Next, Policy, Quiet, Then},
};
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use prost::Message;
use std::{collections::VecDeque, time::Duration};

const OPERATIONS_MAX: usize = 200;
const JOURNAL_MAX: usize = 8;
/// What one wait counts in.
const WAIT: Duration = Duration::from_millis(100);
/// Longer than all waits of a history together: no limit of the call's own ends it on the way.
const CALL_MAX: Duration = Duration::from_secs(7_200);

#[derive(Debug, Arbitrary)]
struct History {
    /// The route keeps lost calls for another service.
    resumes: bool,
    operations: Vec<Operation>,
}

#[derive(Debug, Arbitrary)]
enum Operation {
    Opened,
    /// By a program that speaks AGI itself.
    OpenedRaw,
    OpenFailed,
    Command {
        kind: Sample,
        id: Id,
        requires_success: bool,
        timeout: Option<u8>,
    },
    /// As the stream brings it.
    Control(Vec<u8>),
    Cancel(u8),
    Checkpoint {
        bytes: u8,
        last_result_id: Option<u8>,
    },
    Handoff {
        known: bool,
    },
    End,
    ServiceDone,
    ServiceLost(Lost),
    /// A program that speaks AGI itself says this.
    Relay(Vec<u8>),
    RelayLine(Line),
    Reply(Manner),
    Hangup {
        told: bool,
    },
    Bytes(Vec<u8>),
    Closed,
    Operator,
    Drain,
    Drained,
    Wait(u8),
}

#[derive(Debug, Arbitrary)]
enum Sample {
    Noop,
    StreamFile,
    GetData,
    GetVariable,
    SetVariable(String, String),
    Exec(String, Vec<String>),
    WaitForDigit,
    None,
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Lost {
    Broken,
    Misbehaved,
    Stalled,
}

/// What chance alone would seldom write.
#[derive(Debug, Clone, Copy, Arbitrary)]
enum Line {
    Noop,
    Dead,
    Empty,
    Failure,
    Digits,
}

/// Who has the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attached {
    Nobody,
    Typed,
    Raw,
}

#[derive(Debug, Arbitrary)]
enum Id {
    Next,
    Low(u8),
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Manner {
    Success,
    Minus,
    Timeout,
    Unknown,
    Usage,
}

fuzz_target!(|history: History| {
    let mut world = World::new(history.resumes);
    for operation in history.operations.iter().take(OPERATIONS_MAX) {
        world.apply(operation);
    }
    world.forced = true;
    world.wait(2 * CALL_MAX);
    assert!(world.closed, "the call never ended");
    assert!(world.call.outcome().is_some());
});

/// A call, and what is around it.
struct World {
    call: Call,
    now: Duration,
    /// A service is sought.
    seeking: bool,
    attached: Attached,
    last_id: u32,
    /// Commands without a result, oldest first.
    asked: VecDeque<u32>,
    /// The line at Asterisk.
    line: Option<Vec<u8>>,
    dead: bool,
    told: bool,
    hangups: usize,
    ended: bool,
    half_closed: bool,
    closed: bool,
    /// Somebody made the bridge speak before the reply was there, or replies can no longer be told apart.
    forced: bool,
}

impl World {
    fn new(resumes: bool) -> Self {
        Self {
            call: Call::new(settings(resumes), Duration::ZERO),
            now: Duration::ZERO,
            seeking: true,
            attached: Attached::Nobody,
            last_id: 0,
            asked: VecDeque::new(),
            line: None,
            dead: false,
            told: false,
            hangups: 0,
            ended: false,
            half_closed: false,
            closed: false,
            forced: false,
        }
    }

    fn apply(&mut self, operation: &Operation) {
        self.now += Duration::from_micros(10);
        let now = self.now;
        match operation {
            Operation::Opened if self.seeking => {
                self.seeking = false;
                self.attached = Attached::Typed;
                self.call.handle_opened(now);
            }
            Operation::OpenedRaw if self.seeking => {
                self.seeking = false;
                self.attached = Attached::Raw;
                self.asked.clear();
                self.call.handle_opened_raw(now);
            }
            Operation::OpenFailed if self.seeking => {
                self.seeking = false;
                self.call.handle_open_failed("nobody", now);
            }
            Operation::Opened | Operation::OpenedRaw | Operation::OpenFailed => {}
            Operation::Command { kind, id, requires_success, timeout } => {
                let id = match id {
                    Id::Next => self.last_id.saturating_add(1),
                    Id::Low(id) => u32::from(*id),
                };
                let timeout = timeout
                    .map(|seconds| pbjson_types::Duration { seconds: seconds.into(), nanos: 0 });
                let (command, requires_success) = (kind.command(), *requires_success);
                let command =
                    proto::Command { id, command, requires_success, timeout, ..Default::default() };
                self.say(CallControl { control: Some(Control::Command(command)) });
            }
            Operation::Control(bytes) => {
                if let Ok(control) = CallControl::decode(bytes.as_slice()) {
                    self.say(control);
                }
            }
            Operation::Cancel(id) => {
                let cancel = CancelCommand { id: u32::from(*id), interrupt: true };
                self.say(CallControl { control: Some(Control::Cancel(cancel)) });
            }
            Operation::End => {
                self.say(CallControl { control: Some(Control::End(EndCall::default())) })
            }
            Operation::Checkpoint { bytes, last_result_id } => {
                let state = vec![0; usize::from(*bytes)].into();
                let last_result_id = last_result_id.map(u32::from);
                let checkpoint = Checkpoint { state, last_result_id };
                self.say(CallControl { control: Some(Control::Checkpoint(checkpoint)) });
            }
            Operation::Handoff { known } if self.attached == Attached::Typed => {
                let handoff = Handoff { route: "sales".to_owned(), state: None };
                let policy = known.then(|| settings(true).policy);
                self.call.handle_handoff(handoff, policy.ok_or_else(|| "none".to_owned()), now);
            }
            Operation::ServiceDone if self.attached != Attached::Nobody => {
                if self.attached == Attached::Typed {
                    self.attached = Attached::Nobody;
                }
                self.call.handle_service_done(now);
            }
            Operation::ServiceLost(kind) if self.attached != Attached::Nobody => {
                self.attached = Attached::Nobody;
                let kind = match kind {
                    Lost::Broken => LossKind::Broken,
                    Lost::Misbehaved => LossKind::Misbehaved,
                    Lost::Stalled => LossKind::Stalled,
                };
                let loss = Loss { kind, detail: "gone".to_owned() };
                self.call.handle_service_lost(&loss, now);
            }
            Operation::Handoff { .. } | Operation::ServiceDone | Operation::ServiceLost(_) => {}
            Operation::Relay(bytes) => self.relay(bytes),
            Operation::RelayLine(line) => self.relay(match line {
                Line::Noop => b"NOOP x\n",
                Line::Dead => b"answer\n",
                Line::Empty => b"\n",
                Line::Failure => b"failure\n",
                Line::Digits => b"GET DATA beep 1 1024\n",
            }),
            Operation::Reply(manner) => self.reply(*manner),
            Operation::Hangup { told } if !self.dead => {
                self.dead = true;
                self.told = *told;
                if *told && self.line.is_none() {
                    self.call.handle_asterisk(b"HANGUP\n", now);
                }
            }
            Operation::Hangup { .. } => {}
            Operation::Bytes(bytes) => {
                self.forced = true;
                self.call.handle_asterisk(bytes, now);
            }
            Operation::Closed => self.call.handle_asterisk_closed(now),
            Operation::Operator => {
                self.forced = true;
                self.call.handle_operator(now);
            }
            Operation::Drain => self.call.handle_drain(pbjson_types::Timestamp::default(), now),
            Operation::Drained => {
                self.forced = true;
                self.call.handle_drained(now);
            }
            Operation::Wait(count) => self.wait(WAIT * u32::from(*count)),
        }
        self.act();
    }

    /// The service says something, if it is there.
    fn say(&mut self, control: CallControl) {
        if self.attached != Attached::Typed {
            return;
        }
        if let Some(Control::Command(command)) = &control.control {
            self.asked.push_back(command.id);
            self.last_id = self.last_id.max(command.id);
            // A line of the service's own making may be answered by more, or less, than one reply.
            self.forced |= matches!(command.command, Some(Kind::Raw(_)));
        }
        self.call.handle_control(control, self.now);
    }

    /// The program says something, if it is there and the call takes more of it.
    fn relay(&mut self, bytes: &[u8]) {
        if self.attached == Attached::Raw && self.call.wants_relay() {
            self.call.handle_relay(bytes, self.now);
        }
    }

    /// Asterisk answers, as much of it as a call sees.
    fn reply(&mut self, manner: Manner) {
        let Some(line) = self.line.take() else { return };
        let mut reply = reply_to(&line, self.dead, manner);
        if std::mem::take(&mut self.told) && self.hangups == 0 {
            reply.extend_from_slice(b"HANGUP\n");
        }
        let (head, tail) = reply.split_at(reply.len() / 2);
        self.call.handle_asterisk(head, self.now);
        self.act();
        self.call.handle_asterisk(tail, self.now);
    }

    /// Time passes, and every deadline on the way is kept.
    fn wait(&mut self, span: Duration) {
        let until = self.now + span;
        self.act();
        while let Some(at) = self.call.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.call.handle_timeout(self.now);
            self.act();
            let next = self.call.poll_timeout();
            assert!(next.is_none_or(|next| next > self.now), "not met: {next:?}");
        }
        self.now = until;
    }

    /// Takes all that the call asks for.
    fn act(&mut self) {
        while let Some(action) = self.call.poll_action() {
            assert!(!self.closed, "after Close: {action:?}");
            match action {
                Action::Write(bytes) => self.written(&bytes),
                Action::Event(event) | Action::Result { event, .. } => {
                    assert_eq!(self.attached, Attached::Typed, "nobody hears {event:?}");
                    self.told(event.event.expect("an event says something"));
                }
                Action::Relay { bytes, .. } => {
                    assert_eq!(self.attached, Attached::Raw, "nobody hears {bytes:?}");
                }
                Action::RelayHangup { is_news } => self.hangups += usize::from(is_news),
                Action::FinishService => self.attached = Attached::Nobody,
                // An attempt that is under way is given up too.
                Action::DropService => (self.seeking, self.attached) = (false, Attached::Nobody),
                Action::Reopen { resumption, .. } => self.reopen(&resumption),
                // The manager never answers: the key may come or not.
                Action::Press(_) | Action::Noted(_) => {}
                Action::HalfClose => self.half_closed = true,
                Action::Close => self.closed = true,
            }
        }
        assert!(self.hangups <= 1, "the caller is gone once");
        assert_eq!(self.call.is_ended(), self.closed);
        assert_eq!(self.call.poll_timeout().is_none(), self.closed, "a wait without a deadline");
    }

    /// What the next service is told holds of what the one before did.
    fn reopen(&mut self, resumption: &Resumption) {
        assert_eq!(self.attached, Attached::Nobody, "two services have the call");
        (self.seeking, self.ended) = (true, false);
        if let Some(running) = &resumption.running {
            assert_eq!(self.asked.front(), Some(&running.id), "the oldest without a result");
        }
        assert!(resumption.last_command_id <= self.last_id);
        assert!(resumption.results.len() <= JOURNAL_MAX);
        assert!(!resumption.hung_up || self.hangups == 1, "that is told once in a call");
    }

    fn written(&mut self, bytes: &[u8]) {
        assert!(!self.half_closed, "written after the half-close");
        assert_eq!(bytes.last(), Some(&b'\n'), "no whole line");
        assert!(!bytes.contains(&0));
        if self.attached == Attached::Raw {
            // Its replies are passed on line by line: one that holds several is taken for as many.
            self.forced |= bytes.starts_with(b"GET FULL VARIABLE");
        } else {
            assert!(!bytes.contains(&b'\r'));
        }
        if self.call.outcome().is_some() {
            return; // the last words: nothing is waited for any more
        }
        assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 1, "not one line");
        if !self.forced {
            assert_eq!(self.line, None, "a command is at Asterisk");
        }
        self.line = Some(bytes.to_vec());
    }

    fn told(&mut self, event: Event) {
        assert!(!self.ended, "after CallEnded: {event:?}");
        match event {
            Event::Result(result) => {
                assert_eq!(self.asked.pop_front(), Some(result.id), "one result each, in order");
                assert!(result.outcome.is_some());
            }
            Event::Hangup(_) => self.hangups += 1,
            Event::Ended(ended) => {
                self.ended = true;
                // After a handoff the next service gets the results that are left.
                let all_answered = self.asked.is_empty() || ended.reason() == Reason::Handoff;
                assert!(all_answered, "unanswered: {:?}", self.asked);
            }
            Event::Progress(_)
            | Event::Started(_)
            | Event::Draining(_)
            | Event::Digit(_)
            | Event::Heartbeat(_) => {}
        }
    }
}

impl Sample {
    fn command(&self) -> Option<Kind> {
        Some(match self {
            Self::Noop => Kind::Noop(Noop { text: "x".to_owned() }),
            Self::StreamFile => {
                Kind::StreamFile(StreamFile { file: "beep".to_owned(), ..StreamFile::default() })
            }
            Self::GetData => {
                Kind::GetData(GetData { file: "beep".to_owned(), ..GetData::default() })
            }
            Self::GetVariable => Kind::GetVariable(GetVariable { name: "X".to_owned() }),
            Self::SetVariable(name, value) => {
                Kind::SetVariable(SetVariable { name: name.clone(), value: value.clone() })
            }
            Self::Exec(application, arguments) => {
                Kind::Exec(Exec { application: application.clone(), arguments: arguments.clone() })
            }
            Self::WaitForDigit => Kind::WaitForDigit(WaitForDigit::default()),
            Self::None => return None,
        })
    }
}

fn reply_to(line: &[u8], dead: bool, manner: Manner) -> Vec<u8> {
    let line = String::from_utf8_lossy(line);
    let line = line.trim_end_matches('\n');
    let dead_safe =
        ["NOOP", "EXEC", "SET VARIABLE", "GET ", "VERBOSE", "DATABASE", "ASYNCAGI", "SPEECH"];
    if let Some(expression) =
        line.strip_prefix("GET FULL VARIABLE \"").and_then(|rest| rest.strip_suffix('"'))
    {
        let text = expression.replace("${X}", "val)\nHANGUP\nue");
        return format!("200 result=1 ({text})\n").into_bytes();
    }
    if dead && !dead_safe.iter().any(|word| line.starts_with(word)) {
        return b"511 Command Not Permitted on a dead channel or intercept routine\n".to_vec();
    }
    match manner {
        _ if line == "CHANNEL STATUS" => "200 result=6\n",
        Manner::Success => "200 result=0\n",
        Manner::Minus => "200 result=-1\n",
        Manner::Timeout => "200 result=12 (timeout)\n",
        Manner::Unknown => "510 Invalid or unknown command\n",
        Manner::Usage => "520-Invalid command syntax.  Proper usage follows:\nsome words\n520 End of proper usage.\n",
    }
    .as_bytes()
    .to_vec()
}

fn settings(resumes: bool) -> Settings {
    Settings {
        policy: Policy {
            connect_timeout: Duration::from_secs(1),
            retry_for: Duration::from_secs(3),
            quiet_limit: Duration::from_secs(2),
            quiet: Quiet::Ringing,
            resume_for: if resumes { Duration::from_secs(10) } else { Duration::ZERO },
            resumes_per_minute: 3,
            journal_results: JOURNAL_MAX,
            checkpoint_limit: 64,
            hangup_grace: Duration::from_secs(10),
            heartbeat: Duration::from_secs(300),
            max_queued_commands: 4,
            max_call_duration: CALL_MAX,
            trace_argument: false,
            trace_variable: false,
            digits: false,
            then: Then { announce: Some("sorry".to_owned()), next: Next::Fail },
            redact: agi_bridge::redact::Redact::default(),
            record: false,
            commands: std::sync::Arc::default(),
            max_calls: None,
            calls_per_second: None,
        },
        limits: Limits { line_bytes_max: 8190 },
        reply_bytes_max: 1 << 16,
        cancel_key: true,
        random: || 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef,
    }
}
