//! Calls in the hands of a program that speaks AGI itself.

use super::{settings, watch::Watch};
use crate::{
    call::{Blame, Call, Loss, LossKind, Status},
    proto::call_ended::Reason,
};
use proptest::prelude::*;
use std::time::Duration;

struct Story {
    call: Call,
    watch: Watch,
    now: Duration,
}

impl Story {
    fn begin() -> Self {
        let mut call = Call::new(settings(), Duration::ZERO);
        call.handle_opened_raw(Duration::from_millis(1));
        Self { call, watch: Watch::default(), now: Duration::from_secs(1) }
    }

    fn program(&mut self, bytes: &str) -> &mut Self {
        self.call.handle_relay(bytes.as_bytes(), self.now);
        self.drained()
    }

    fn program_closes(&mut self) -> &mut Self {
        self.call.handle_service_done(self.now);
        self.drained()
    }

    fn asterisk(&mut self, text: &str) -> &mut Self {
        self.watch.line = None;
        self.call.handle_asterisk(text.as_bytes(), self.now);
        self.drained()
    }

    fn asterisk_closes(&mut self) -> &mut Self {
        self.call.handle_asterisk_closed(self.now);
        self.drained()
    }

    fn drained(&mut self) -> &mut Self {
        self.watch.drain(&mut self.call);
        self
    }

    #[track_caller]
    fn ended(&self, reason: Reason, status: Option<Status>) {
        let outcome = self.call.outcome().expect("it ended");
        assert_eq!((outcome.reason, outcome.status), (reason, status), "{outcome:?}");
        assert!(self.watch.closed && self.watch.finished);
    }
}

#[test]
fn lines_go_one_at_a_time_and_replies_come_back_as_they_are() {
    let mut story = Story::begin();
    story.program("answer\nget data  \"beep\" 5000\n");
    assert_eq!(story.watch.lines, ["answer"]);
    story.asterisk("200 result=0\n");
    assert_eq!(story.watch.lines, ["answer", "get data  \"beep\" 5000"]);
    story.asterisk("520-Invalid command syntax.  Proper usage follows:\nHANGUP\n");
    assert_eq!(story.watch.relayed, "200 result=0\n");
    story.asterisk("520 End of proper usage.\n");
    let block =
        "520-Invalid command syntax.  Proper usage follows:\nHANGUP\n520 End of proper usage.\n";
    assert_eq!(story.watch.relayed, format!("200 result=0\n{block}"));
}

#[test]
fn a_value_of_two_lines_passes_whole() {
    let mut story = Story::begin();
    story.program("GET VARIABLE X\n").asterisk("200 result=1 (a\nb)\n");
    assert_eq!(story.watch.relayed, "200 result=1 (a\nb)\n");
}

#[test]
fn hangup_keeps_its_place_and_the_program_goes_on() {
    let mut story = Story::begin();
    story.program("WAIT FOR DIGIT 1000\n").asterisk("200 result=-1\nHANGUP\n");
    story.program("SET VARIABLE a b\n").asterisk("200 result=1\n");
    assert_eq!(story.watch.relayed, "200 result=-1\n(HANGUP)\n200 result=1\n");
    story.now += Duration::from_secs(1000);
    story.call.handle_timeout(story.now);
    story.drained().program("NOOP\n");
    assert_eq!(story.watch.lines.last().map(String::as_str), Some("NOOP"), "there is no grace");
    story.asterisk("200 result=0\n").program_closes();
    assert!(story.watch.half_closed);
    story.asterisk("HANGUP\n").asterisk_closes().ended(Reason::Hangup, None);
    assert_eq!(story.call.outcome().map(|outcome| outcome.blame()), Some(Blame::Caller));
}

#[test]
fn what_a_program_sent_before_it_closed_still_runs() {
    let mut story = Story::begin();
    story.program("ANSWER\nVERBOSE x\nSET VARIABLE a b").program_closes();
    assert_eq!(story.watch.lines, ["ANSWER"]);
    assert!(!story.watch.half_closed);
    story.asterisk("200 result=0\n").asterisk("200 result=1\n");
    assert_eq!(story.watch.lines, ["ANSWER", "VERBOSE x", "SET VARIABLE a b"]);
    assert!(story.watch.half_closed, "as soon as the last line was written");
    story.asterisk("200 result=1\nHANGUP\n").asterisk_closes().ended(Reason::Service, None);
    assert_eq!(story.watch.relayed, "200 result=0\n200 result=1\n200 result=1\n(HANGUP)\n");
}

#[test]
fn a_program_that_closes_during_a_prompt_stops_it() {
    let mut story = Story::begin();
    story.program("STREAM FILE beep \"\"\n").program_closes();
    assert!(story.watch.half_closed);
    // A command that is not stopped by that is waited for, however long it takes.
    story.now += Duration::from_secs(1000);
    story.call.handle_timeout(story.now);
    assert!(!story.drained().watch.closed);
    story.asterisk("200 result=0 endpos=8\n");
    story.now += Duration::from_secs(6);
    story.call.handle_timeout(story.now);
    story.drained().ended(Reason::Service, None);
}

#[test]
fn failure_is_the_programs_own_word() {
    let mut story = Story::begin();
    story.program("failure\n");
    assert_eq!(story.watch.lines, ["failure"]);
    story.asterisk_closes().ended(Reason::Service, Some(Status::Failed));
}

#[test]
fn a_line_that_would_harm_asterisk_is_answered_by_the_bridge() {
    let mut story = Story::begin();
    story.program("NOOP\nGET DATA f 1 5000\nNOOP\n").asterisk("200 result=0\n");
    assert_eq!(story.watch.lines, ["NOOP", "NOOP"]);
    let refused = "520 Invalid command syntax.  Proper usage not available.\n";
    assert_eq!(story.watch.relayed, format!("200 result=0\n{refused}"));
}

#[test]
fn asterisk_that_closes_ends_the_call() {
    let mut story = Story::begin();
    story.program("STREAM FILE beep \"\"\n").asterisk("200 res");
    story.asterisk_closes().ended(Reason::ConnectionLost, None);
    assert_eq!(story.watch.relayed, "200 res");
    let mut story = Story::begin();
    story.asterisk("HANGUP\nHANGUP\n").asterisk_closes().ended(Reason::Hangup, None);
    assert_eq!(story.watch.relayed, "(HANGUP)\n(HANGUP)\n");
}

#[test]
fn a_lost_program_is_not_resumed() {
    let mut story = Story::begin();
    let loss = Loss { kind: LossKind::Broken, detail: "no route to host".into() };
    story.call.handle_service_lost(&loss, story.now);
    story.drained();
    assert!(story.watch.lines[0].contains("LOST"), "{:?}", story.watch.lines);
}

#[test]
fn an_operator_ends_the_call_after_the_running_command() {
    let mut story = Story::begin();
    story.program("WAIT FOR DIGIT -1\nNOOP\n");
    story.call.handle_operator(story.now);
    story.drained().asterisk("200 result=0\n");
    assert_eq!(story.watch.relayed, "200 result=0\n");
    let line = story.watch.lines.last().map(String::as_str);
    assert_eq!(line, Some(r#"SET VARIABLE "AGIBRIDGE_STATUS" "OPERATOR""#));
    story.asterisk("200 result=1\n");
    assert_eq!(story.watch.relayed, "200 result=0\n", "the bridge's own lines are its own");
}

#[test]
fn a_program_that_never_ends_is_ended_by_the_longest_session() {
    let mut story = Story::begin();
    story.now = Duration::from_secs(3600);
    story.call.handle_timeout(story.now);
    story.drained();
    assert!(story.watch.lines[0].contains("LIMIT"), "{:?}", story.watch.lines);
}

#[test]
fn a_program_that_is_faster_than_asterisk_waits() {
    let mut story = Story::begin();
    story.program(&"NOOP\n".repeat(4000));
    assert!(!story.call.wants_relay());
    for _ in 0..4000 {
        story.asterisk("200 result=0\n");
    }
    assert!(story.call.wants_relay());
    assert_eq!(story.watch.relayed, "200 result=0\n".repeat(4000));
}

proptest! {
    #[test]
    fn every_line_is_answered_once_in_order_whatever_the_pieces(
        lines in prop::collection::vec("[A-Za-z\" ]{0,12}", 1..20),
        cut in 1..30_usize,
        replies in prop::collection::vec(prop_oneof![
            Just("200 result=0\n"), Just("510 Invalid or unknown command\n"),
            Just("520-Invalid command syntax.  Proper usage follows:\nx\n520 End of proper usage.\n"),
            Just("200 result=1 (a b)\n"),
        ], 20),
    ) {
        let mut story = Story::begin();
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let mut sent = text.as_bytes().chunks(cut);
        let mut expected = String::new();
        let failure = lines.iter().position(|line| line.trim_start().to_lowercase().starts_with("failure"));
        for (line, reply) in lines.iter().zip(&replies).take(failure.unwrap_or(lines.len())) {
            while story.watch.line.is_none() {
                let piece = sent.next().expect("a line that was sent is written");
                story.call.handle_relay(piece, story.now);
                story.drained();
            }
            prop_assert_eq!(story.watch.line.clone(), Some(format!("{line}\n")));
            let (head, tail) = reply.split_at(reply.len() / 2);
            story.call.handle_asterisk(head.as_bytes(), story.now);
            story.drained().asterisk(tail);
            expected.push_str(reply);
            prop_assert_eq!(&story.watch.relayed, &expected);
        }
    }
}
