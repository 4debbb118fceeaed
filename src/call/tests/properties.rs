//! Random histories of a call: commands, cancels, replies, hangups, losses and time, in any order.
//!
//! [`Watch`] asserts the rules while they run; here stands what must be true of a whole history.

use super::{
    asterisk::{Manner, reply},
    command, control, dial, end, get_data, get_variable, noop, set_variable, settings, stream_file,
    wait_for_digit,
    watch::Watch,
};
use crate::{
    call::{Call, Loss, LossKind, Pressed},
    proto::{
        CancelCommand, Checkpoint, Handoff, call_control::Control, call_ended::Reason,
        command::Command as Kind, command_error::Code, command_result::Outcome,
    },
};
use proptest::prelude::*;
use std::time::Duration;

#[derive(Debug, Clone)]
enum Operation {
    Opened,
    OpenFailed,
    Command {
        kind: u8,
        skip_ids: i8,
        requires_success: bool,
        timeout: Option<u8>,
    },
    Cancel(u32),
    /// What the manager says of a key.
    Pressed(Pressed),
    Digit,
    End,
    Checkpoint(bool),
    Handoff(bool),
    Reply(Manner),
    /// The caller hangs up: from now on the channel is dead; the line comes at once, or never (AGISIGHUP=no).
    Hangup {
        told: bool,
    },
    Stray,
    Closed,
    ServiceDone,
    ServiceLost,
    Operator,
    Drain,
    Drained,
    Wait(u16),
}

fn operation() -> impl Strategy<Value = Operation> {
    let manner = prop_oneof![
        6 => Just(Manner::Well), 2 => Just(Manner::Minus), 1 => Just(Manner::Unknown), 1 => Just(Manner::Usage)
    ];
    prop_oneof![
        4 => Just(Operation::Opened),
        1 => Just(Operation::OpenFailed),
        24 => (0..8_u8, prop_oneof![8 => Just(1_i8), 1 => -1..4_i8], any::<bool>(), proptest::option::weighted(0.2, 1..20_u8))
            .prop_map(|(kind, skip_ids, requires_success, timeout)| Operation::Command { kind, skip_ids, requires_success, timeout }),
        3 => (1..20_u32).prop_map(Operation::Cancel),
        2 => prop_oneof![Just(Pressed::Yes), Just(Pressed::No), Just(Pressed::Perhaps)].prop_map(Operation::Pressed),
        1 => Just(Operation::Digit),
        2 => Just(Operation::End),
        1 => any::<bool>().prop_map(Operation::Checkpoint),
        1 => any::<bool>().prop_map(Operation::Handoff),
        24 => manner.prop_map(Operation::Reply),
        3 => any::<bool>().prop_map(|told| Operation::Hangup { told }),
        1 => Just(Operation::Stray),
        1 => Just(Operation::Closed),
        1 => Just(Operation::ServiceDone),
        2 => Just(Operation::ServiceLost),
        1 => Just(Operation::Operator),
        1 => Just(Operation::Drain),
        1 => Just(Operation::Drained),
        8 => (1..8000_u16).prop_map(Operation::Wait),
    ]
}

fn kind(number: u8) -> Option<Kind> {
    Some(match number {
        0 => noop(),
        1 => stream_file(),
        2 => get_data(),
        3 => get_variable(),
        4 => dial(),
        5 => wait_for_digit(),
        6 => set_variable(),
        _ => return None,
    })
}

/// A call, its watcher, and the world around it.
struct World {
    call: Call,
    watch: Watch,
    now: Duration,
    last_id: u32,
    opened: bool,
    service_gone: bool,
    dead: bool,
    told: bool,
    stray: bool,
    closed: bool,
}

impl World {
    /// `resume_for`: in seconds.
    fn new(resume_for: u64) -> Self {
        let mut settings = settings();
        settings.policy.resume_for = Duration::from_secs(resume_for);
        Self {
            call: Call::new(settings, Duration::ZERO),
            watch: Watch::default(),
            now: Duration::ZERO,
            last_id: 0,
            opened: false,
            service_gone: false,
            dead: false,
            told: false,
            stray: false,
            closed: false,
        }
    }

    fn apply(&mut self, operation: &Operation) {
        self.now += Duration::from_micros(10);
        let now = self.now;
        match operation {
            Operation::Opened if self.watch.seeking || !self.opened => {
                self.opened = true;
                self.service_gone = false;
                self.watch.seeking = false;
                self.call.handle_opened(now);
            }
            Operation::OpenFailed if self.watch.seeking || !self.opened => {
                self.opened = true;
                self.service_gone = true;
                self.watch.seeking = false;
                self.watch.asked.clear(); // nobody is there to be told
                self.call.handle_open_failed("nobody", now);
            }
            Operation::Opened | Operation::OpenFailed => {}
            Operation::Command { kind: number, skip_ids, requires_success, timeout } => {
                let id = self.last_id.saturating_add_signed(i32::from(*skip_ids));
                let mut wanted = command(id, noop());
                wanted.command = kind(*number);
                wanted.requires_success = *requires_success;
                wanted.timeout = timeout
                    .map(|seconds| pbjson_types::Duration { seconds: seconds.into(), nanos: 0 });
                if self.service_says(Control::Command(wanted)) {
                    self.last_id = self.last_id.max(id);
                }
            }
            Operation::Cancel(id) => {
                self.service_says(Control::Cancel(CancelCommand { id: *id, interrupt: true }));
            }
            Operation::Pressed(pressed) => self.call.handle_pressed(*pressed, now),
            Operation::Digit => self.call.handle_digit('5', Duration::from_millis(100), now),
            Operation::End => {
                self.service_says(end());
            }
            Operation::Checkpoint(large) => {
                let state = vec![0; if *large { 100_000 } else { 10 }];
                let last_result_id = self.watch.results.last().map(|result| result.id);
                let state = state.into();
                self.service_says(Control::Checkpoint(Checkpoint { state, last_result_id }));
            }
            Operation::Handoff(known) if self.is_there() => {
                let mut policy = settings().policy;
                policy.resume_for = Duration::from_secs(10);
                let target = if *known { Ok(policy) } else { Err("no such route".to_owned()) };
                self.call.handle_handoff(Handoff::default(), target, now);
                self.watch.drain(&mut self.call);
                self.note_whether_it_is_gone();
            }
            Operation::Handoff(_) => {}
            Operation::Reply(manner) => self.reply(*manner),
            Operation::Hangup { told } if !self.dead => {
                self.dead = true;
                self.told = *told;
                if *told && self.watch.line.is_none() {
                    self.asterisk_says("HANGUP\n");
                }
            }
            Operation::Hangup { .. } => {}
            Operation::Stray => {
                self.stray = true;
                self.watch.forced = true;
                self.asterisk_says("agi_evil: 1\n");
            }
            Operation::Closed => {
                self.closed = true;
                self.call.handle_asterisk_closed(now);
            }
            Operation::ServiceDone if self.opened && !self.service_gone => {
                self.service_gone = true;
                self.watch.asked.clear(); // nobody is there to be told
                self.call.handle_service_done(now);
            }
            Operation::ServiceLost if self.opened && !self.service_gone => {
                let loss = Loss { kind: LossKind::Broken, detail: "gone".into() };
                self.call.handle_service_lost(&loss, now);
                self.watch.drain(&mut self.call);
                self.service_gone = true;
                if !self.watch.seeking {
                    self.watch.asked.clear();
                }
            }
            Operation::ServiceDone | Operation::ServiceLost => {}
            Operation::Operator => {
                self.watch.forced = true;
                self.call.handle_operator(now);
            }
            Operation::Drain => self.call.handle_drain(pbjson_types::Timestamp::default(), now),
            Operation::Drained => {
                self.watch.forced = true;
                self.call.handle_drained(now);
            }
            Operation::Wait(milliseconds) => {
                self.wait(Duration::from_millis((*milliseconds).into()))
            }
        }
        self.watch.drain(&mut self.call);
    }

    fn is_there(&self) -> bool {
        self.opened && !self.service_gone && self.watch.ended.is_none() && !self.watch.dropped
    }

    fn note_whether_it_is_gone(&mut self) {
        if self.watch.seeking {
            self.service_gone = true;
        } else if self.watch.dropped {
            self.service_gone = true; // it was cut off for what it said
            self.watch.asked.clear();
        }
    }

    /// Whether the service was there to say it.
    fn service_says(&mut self, said: Control) -> bool {
        let there = self.is_there();
        if there {
            if let Control::Command(command) = &said {
                self.watch.asked.push_back(command.id);
            }
            self.call.handle_control(control(said), self.now);
            self.watch.drain(&mut self.call);
            self.note_whether_it_is_gone();
        }
        there
    }

    fn asterisk_says(&mut self, text: &str) {
        self.call.handle_asterisk(text.as_bytes(), self.now);
    }

    fn reply(&mut self, manner: Manner) {
        if let Some(line) = self.watch.line.take() {
            let mut text = reply(&line, self.dead, manner);
            if self.dead && std::mem::take(&mut self.told) && self.watch.hangups.is_empty() {
                text.push_str("HANGUP\n");
            }
            // Segmentation must not matter.
            let (head, tail) = text.split_at(text.len() / 2);
            self.asterisk_says(head);
            self.watch.drain(&mut self.call);
            self.asterisk_says(tail);
        }
    }

    /// Time passes, with every deadline on the way kept.
    fn wait(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(at) = self.call.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.call.handle_timeout(self.now);
            self.watch.drain(&mut self.call);
            let next = self.call.poll_timeout();
            assert!(
                next.is_none_or(|next| next > self.now),
                "a deadline that was not met: {next:?}"
            );
        }
        self.now = until;
    }
}

fn code(outcome: Option<&Outcome>) -> Option<Code> {
    match outcome {
        Some(Outcome::Error(error)) => Some(error.code()),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_history_keeps_the_rules(
        operations in prop::collection::vec(operation(), 1..80),
        resume_for in prop_oneof![Just(0_u64), Just(10)],
    ) {
        let mut world = World::new(resume_for);
        world.apply(&Operation::Opened);
        for operation in &operations {
            world.apply(operation);
        }
        // Left alone, with an Asterisk that answers nothing more, every call ends by its own deadlines.
        let told_hangup = world.watch.hangups.len();
        world.watch.forced = true;
        world.wait(Duration::from_secs(4000));
        prop_assert!(world.watch.closed, "the call never ended");
        let outcome = world.call.outcome().cloned();
        prop_assert!(outcome.is_some());
        if let Some(ended) = &world.watch.ended {
            prop_assert!(world.watch.asked.is_empty());
            if told_hangup > 0 && !ended.detail.starts_with("an operator") && !world.closed {
                prop_assert_eq!(ended.reason(), Reason::Hangup);
            }
        }
        for line in &world.watch.lines_after_hangup {
            // The bridge's own question may cross the HANGUP that answers it.
            let permitted = ["CHANNEL STATUS", "NOOP", "EXEC", "SET VARIABLE", "GET VARIABLE", "GET FULL VARIABLE"];
            prop_assert!(permitted.iter().any(|word| line.starts_with(word)), "Hangup 2: {}", line);
        }
        for (before, result) in world.watch.results.iter().zip(world.watch.results.iter().skip(1)) {
            if code(result.outcome.as_ref()) == Some(Code::Skipped) {
                prop_assert!(code(before.outcome.as_ref()).is_some(), "Order 7");
            }
        }
        for result in &world.watch.results {
            let never_written = matches!(
                code(result.outcome.as_ref()),
                Some(Code::InvalidArgument | Code::QueueFull | Code::Skipped | Code::Cancelled)
            );
            prop_assert!(!(never_written && result.elapsed.is_some()));
        }
    }

    #[test]
    fn no_bytes_of_asterisk_break_a_call(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..20)) {
        let mut call = super::driven();
        let mut watch = Watch { forced: true, ..Watch::default() };
        watch.asked.push_back(1);
        call.handle_control(control(Control::Command(command(1, stream_file()))), Duration::ZERO);
        watch.drain(&mut call);
        for chunk in chunks {
            call.handle_asterisk(&chunk, Duration::ZERO);
            watch.drain(&mut call);
        }
    }
}
