//! Commands that are stopped at random moments, against an Asterisk that runs late: each has one result, in order, and no key that was
//! pressed for one reaches another.

use super::{
    command, control, driven, get_data, settings, stream_file, wait_for_digit, watch::Watch,
};
use crate::{
    call::{Action, Call, Pressed},
    proto::{
        CancelCommand, CommandResult, DigitResult, PlaybackResult, call_control::Control,
        call_event::Event, command_result::Outcome,
    },
};
use proptest::prelude::*;
use std::time::Duration;

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// For how long Asterisk makes a digit last that nobody reads.
const DIGIT: Duration = ms(120);
/// Whoever asks the manager waits no longer.
const ASKED_MAX: Duration = ms(2000);

/// It reaches the command.
const KEY: Operation = Operation::Key { refused: false, lost: false };

#[derive(Debug, Clone)]
enum Operation {
    Command(u8),
    Cancel {
        back: u8,
    },
    /// The key that was asked for reaches the channel, or is refused.
    Key {
        refused: bool,
        lost: bool,
    },
    /// What the manager said of it reaches the bridge.
    Answer,
    /// The command ends by itself.
    Ends,
    /// A reply reaches the bridge.
    Reply,
    Wait(u16),
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        4 => (0..3_u8).prop_map(Operation::Command),
        4 => (0..3_u8).prop_map(|back| Operation::Cancel { back }),
        3 => (prop::bool::weighted(0.2), prop::bool::weighted(0.2))
            .prop_map(|(refused, lost)| Operation::Key { refused, lost }),
        3 => Just(Operation::Answer),
        2 => Just(Operation::Ends),
        4 => Just(Operation::Reply),
        3 => (1..400_u16).prop_map(Operation::Wait),
    ]
}

/// A key on its way to the channel.
#[derive(Debug)]
struct Asked {
    digit: &'static str,
    /// The line that it is for, by its place among all lines.
    line: usize,
    at: Duration,
}

struct World {
    call: Call,
    watch: Watch,
    now: Duration,
    last_id: u32,
    /// Whether the last line that was written still runs.
    runs: bool,
    replies: Vec<String>,
    asked: Option<Asked>,
    answer: Option<Pressed>,
    /// Until when a key lies in the channel for whoever reads.
    loose: Duration,
}

impl World {
    fn new() -> Self {
        let mut call = driven();
        let mut watch = Watch::default();
        watch.drain(&mut call);
        Self {
            call,
            watch,
            now: ms(10),
            last_id: 0,
            runs: false,
            replies: Vec::new(),
            asked: None,
            answer: None,
            loose: Duration::ZERO,
        }
    }

    fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Command(kind) => {
                self.last_id += 1;
                let kind = match kind {
                    0 => stream_file(),
                    1 => wait_for_digit(),
                    _ => get_data(),
                };
                self.watch.asked.push_back(self.last_id);
                let command = command(self.last_id, kind);
                self.call.handle_control(control(Control::Command(command)), self.now);
            }
            Operation::Cancel { back } => {
                let id = self.last_id.saturating_sub((*back).into());
                let cancel = CancelCommand { id, interrupt: true };
                self.call.handle_control(control(Control::Cancel(cancel)), self.now);
            }
            Operation::Key { refused, lost } => self.key(*refused, *lost),
            Operation::Answer => {
                if let Some(answer) = self.answer.take() {
                    self.call.handle_pressed(answer, self.now);
                }
            }
            Operation::Ends if self.runs => {
                self.runs = false;
                let line = self.watch.lines.last().expect("it was written");
                self.replies.push(reply(line, "35"));
            }
            Operation::Ends => {}
            Operation::Reply => {
                if !self.replies.is_empty() {
                    let reply = self.replies.remove(0);
                    self.watch.line = None;
                    self.call.handle_asterisk(reply.as_bytes(), self.now);
                }
            }
            Operation::Wait(span) => self.wait(ms((*span).into())),
        }
        self.look();
    }

    fn key(&mut self, refused: bool, lost: bool) {
        let Some(asked) = self.asked.take() else { return };
        if refused {
            self.answer = Some(Pressed::No);
            return;
        }
        self.answer = Some(Pressed::Yes);
        if self.runs && lost {
            return; // it came before Asterisk began the command
        }
        if self.runs {
            assert_eq!(asked.line, self.watch.lines.len(), "a key that was for another command");
            self.runs = false;
            let line = self.watch.lines.last().expect("it was written");
            assert!(line.contains(asked.digit) || !line.starts_with("STREAM"), "{line}");
            self.replies.push(reply(line, "90"));
        } else {
            self.loose = self.now + DIGIT;
        }
    }

    fn wait(&mut self, span: Duration) {
        let until = self.now + span;
        loop {
            let asked = self.asked.as_ref().map(|asked| asked.at + ASKED_MAX);
            let due = [self.call.poll_timeout(), asked].into_iter().flatten().min();
            let Some(at) = due.filter(|at| *at <= until) else { break };
            self.now = self.now.max(at);
            if asked == Some(at) {
                self.key(false, false);
                let answer = self.answer.take().expect("it came");
                self.call.handle_pressed(answer, self.now);
            } else {
                self.call.handle_timeout(self.now);
            }
            self.look();
        }
        self.now = until;
    }

    /// Does what the call asks for.
    fn look(&mut self) {
        let before = self.watch.lines.len();
        self.watch.drain(&mut self.call);
        for digit in self.watch.pressed.drain(..) {
            assert!(self.asked.is_none() && self.answer.is_none(), "one key at a time");
            self.asked = Some(Asked { digit, line: self.watch.lines.len(), at: self.now });
        }
        if self.watch.lines.len() > before {
            assert!(self.now >= self.loose, "a key lies in the channel, and a command begins");
            assert!(self.asked.is_none(), "a key is on its way, and a command begins");
            self.runs = true;
        }
    }

    fn results(&self) -> &[CommandResult] {
        &self.watch.results
    }
}

fn reply(line: &str, digit: &str) -> String {
    if line.starts_with("STREAM") {
        format!("200 result={digit} endpos=800\n")
    } else if line.starts_with("WAIT") {
        format!("200 result={digit}\n")
    } else {
        "200 result=12\n".to_owned()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_stopped_command_has_one_result_and_its_key_reaches_no_other(
        operations in prop::collection::vec(operation(), 1..60),
    ) {
        let mut world = World::new();
        operations.iter().for_each(|operation| world.apply(operation));
        for _ in 0..100 {
            for operation in [KEY, Operation::Answer, Operation::Ends, Operation::Reply, Operation::Wait(400)] {
                world.apply(&operation);
            }
        }
        prop_assert!(world.watch.asked.is_empty(), "unanswered: {:?}", world.watch.asked);
        for result in world.results() {
            let shown = format!("{result:?}");
            prop_assert!(!shown.contains("\"Z\""), "{}", shown);
        }
    }
}

/// A call with these commands, and what it does at once.
fn begun(kinds: &[crate::proto::command::Command]) -> World {
    let mut world = World::new();
    for kind in kinds {
        world.last_id += 1;
        world.watch.asked.push_back(world.last_id);
        let command = command(world.last_id, kind.clone());
        world.call.handle_control(control(Control::Command(command)), world.now);
    }
    world.look();
    world
}

fn cancel(world: &mut World, id: u32) {
    let cancel = CancelCommand { id, interrupt: true };
    world.call.handle_control(control(Control::Cancel(cancel)), world.now);
    world.look();
}

#[test]
fn the_cancel_key_stops_a_prompt_and_is_told_as_no_digit() {
    let mut world = begun(&[stream_file(), wait_for_digit()]);
    assert_eq!(world.watch.lines, ["STREAM FILE \"beep\" \"#Z\""]);
    cancel(&mut world, 1);
    world.apply(&KEY);
    world.apply(&Operation::Reply);
    let [result] = world.results() else { panic!("{:?}", world.results()) };
    let Some(Outcome::Playback(PlaybackResult { digit, .. })) = &result.outcome else {
        panic!("{result:?}")
    };
    assert_eq!(digit, "");
    assert_eq!(world.watch.lines.len(), 1, "the manager has not answered");
    world.apply(&Operation::Answer);
    assert_eq!(world.watch.lines.len(), 2, "the key was taken: nothing is waited for");
}

#[test]
fn a_key_that_came_too_late_is_waited_out() {
    let mut world = begun(&[wait_for_digit(), wait_for_digit()]);
    cancel(&mut world, 1);
    world.apply(&Operation::Ends);
    world.apply(&Operation::Reply);
    world.apply(&KEY);
    world.apply(&Operation::Answer);
    assert_eq!(world.watch.lines.len(), 1);
    world.apply(&Operation::Wait(400));
    assert_eq!(world.watch.lines.len(), 2);
    let digit = DigitResult { digit: "#".into() };
    assert_eq!(world.results()[0].outcome, Some(Outcome::Digit(digit)), "what came first counts");
}

#[test]
fn where_no_key_can_be_pressed_the_command_goes_on() {
    let mut world = begun(&[stream_file(), stream_file()]);
    cancel(&mut world, 1);
    world.apply(&Operation::Key { refused: true, lost: false });
    world.apply(&Operation::Answer);
    assert!(world.results().is_empty() && world.runs);
    // It may be tried again.
    cancel(&mut world, 1);
    assert!(world.asked.is_some());
}

#[test]
fn what_cannot_be_stopped_is_left_alone() {
    let mut world = begun(&[super::dial(), stream_file()]);
    cancel(&mut world, 1);
    assert!(world.asked.is_none());
    let mut settings = settings();
    settings.cancel_key = false;
    let mut call = Call::new(settings, Duration::ZERO);
    call.handle_opened(ms(1));
    call.handle_control(control(Control::Command(command(1, stream_file()))), ms(2));
    let line = std::iter::from_fn(|| call.poll_action())
        .find_map(|action| if let Action::Write(line) = action { Some(line) } else { None });
    assert_eq!(
        line.as_deref(),
        Some(&b"STREAM FILE \"beep\" \"#\"\n"[..]),
        "nobody could press it"
    );
}

#[test]
fn a_command_whose_timeout_is_over_can_still_be_stopped() {
    let mut world = World::new();
    world.last_id = 1;
    world.watch.asked.push_back(1);
    let mut slow = command(1, stream_file());
    slow.timeout = Some(pbjson_types::Duration { seconds: 1, nanos: 0 });
    world.call.handle_control(control(Control::Command(slow)), world.now);
    world.look();
    world.wait(ms(1500));
    assert_eq!(world.results().len(), 1);
    cancel(&mut world, 1);
    assert!(world.asked.is_some());
}

#[test]
fn the_service_is_told_digits_but_not_the_keys_of_the_bridge() {
    let mut world = begun(&[get_data(), get_data()]);
    let digits = |world: &World| -> String {
        let digit = |event: &Event| {
            if let Event::Digit(digit) = event { Some(digit.digit.clone()) } else { None }
        };
        world.watch.events.iter().filter_map(digit).collect()
    };
    for key in ['1', 'Z', '#'] {
        world.call.handle_digit(key, ms(120), world.now);
    }
    cancel(&mut world, 1);
    for key in ['2', '#', '#'] {
        world.call.handle_digit(key, ms(120), world.now);
    }
    world.look();
    assert_eq!(digits(&world), "1#2#", "one # was the bridge's");
}

#[test]
fn a_key_that_was_lost_is_pressed_again() {
    let mut world = begun(&[stream_file()]);
    cancel(&mut world, 1);
    world.apply(&Operation::Key { refused: false, lost: true });
    world.apply(&Operation::Answer);
    world.apply(&Operation::Wait(400));
    assert!(world.asked.is_some());
    world.apply(&KEY);
    world.apply(&Operation::Answer);
    world.apply(&Operation::Reply);
    assert_eq!(world.results().len(), 1);
}
