//! Single histories, each the name of one rule.

use super::{
    command, control, dial, driven, end, get_data, noop, settings, stream_file, watch::Watch,
};
use crate::{
    call::{Blame, Call, Loss, LossKind, Status},
    proto::{
        CancelCommand, Draining, EndCall, FailDialplan, GotoDialplan, HangUp, HangupChannel,
        call_control::Control, call_ended::Reason, call_event::Event, command::Command as Kind,
        command_error::Code, command_result::Outcome, end_call, hangup::Source,
    },
    route::{Next, Quiet},
};
use std::time::Duration;

const NOW: Duration = Duration::from_secs(1);

/// A call and its watcher, told in few words.
struct Story {
    call: Call,
    watch: Watch,
    now: Duration,
}

impl Story {
    fn of(call: Call) -> Self {
        let mut story = Self { call, watch: Watch::default(), now: NOW };
        story.watch.drain(&mut story.call);
        story
    }

    fn begin() -> Self {
        Self::of(driven())
    }

    fn command(&mut self, id: u32, kind: Kind) -> &mut Self {
        self.send(command(id, kind))
    }

    fn send(&mut self, command: crate::proto::Command) -> &mut Self {
        self.watch.asked.push_back(command.id);
        self.service(Control::Command(command))
    }

    fn service(&mut self, said: Control) -> &mut Self {
        self.call.handle_control(control(said), self.now);
        self.watch.drain(&mut self.call);
        self
    }

    /// Asterisk says this; a reply frees the line.
    fn asterisk(&mut self, text: &str) -> &mut Self {
        self.watch.line = self.watch.line.take().filter(|_| text == "HANGUP\n");
        self.call.handle_asterisk(text.as_bytes(), self.now);
        self.watch.drain(&mut self.call);
        self
    }

    fn closed(&mut self) -> &mut Self {
        self.call.handle_asterisk_closed(self.now);
        self.watch.drain(&mut self.call);
        self
    }

    fn after(&mut self, seconds: u64) -> &mut Self {
        self.now += Duration::from_secs(seconds);
        self.call.handle_timeout(self.now);
        self.watch.drain(&mut self.call);
        self
    }

    #[track_caller]
    fn lines(&self, expected: &[&str]) -> &Self {
        assert_eq!(self.watch.lines, expected);
        self
    }

    fn codes(&self) -> Vec<Option<Code>> {
        let code = |outcome: Option<&Outcome>| match outcome {
            Some(Outcome::Error(error)) => Some(error.code()),
            _ => None,
        };
        self.watch.results.iter().map(|result| code(result.outcome.as_ref())).collect()
    }

    #[track_caller]
    fn ended(&self, reason: Reason) {
        assert_eq!(self.watch.ended.as_ref().map(|ended| ended.reason()), Some(reason));
    }
}

#[test]
fn the_next_line_waits_for_the_whole_reply() {
    let mut story = Story::begin();
    story.command(1, noop()).command(2, stream_file()).lines(&[r#"NOOP "x""#]);
    story.asterisk("520-Invalid command syntax.  Proper usage follows:\n").asterisk("text\n");
    story.watch.line = Some("NOOP".into());
    assert_eq!(story.watch.lines.len(), 1);
    story.asterisk("520 End of proper usage.\n");
    assert_eq!(story.watch.lines.len(), 2);
    assert_eq!(story.codes(), [Some(Code::Usage)]);
}

#[test]
fn a_refused_command_is_answered_in_its_place() {
    let mut story = Story::begin();
    story.command(1, stream_file()).command(1, noop()).command(2, noop());
    assert!(story.watch.results.is_empty());
    story.asterisk("200 result=0 endpos=800\n").asterisk("200 result=0\n");
    assert_eq!(story.codes(), [None, Some(Code::InvalidArgument), None]);
}

#[test]
fn one_command_too_many_is_queue_full() {
    let mut story = Story::begin();
    for id in 1..=5 {
        story.command(id, noop());
    }
    for _ in 1..=4 {
        story.asterisk("200 result=0\n");
    }
    assert_eq!(story.codes(), [None, None, None, None, Some(Code::QueueFull)]);
}

#[test]
fn a_late_reply_is_dropped_and_the_next_command_waits_for_it() {
    let mut story = Story::begin();
    let mut slow = command(1, dial());
    slow.timeout = Some(pbjson_types::Duration { seconds: 2, nanos: 0 });
    story.send(slow).command(2, noop()).after(3);
    assert_eq!(story.codes(), [Some(Code::TimedOut)]);
    assert_eq!(story.watch.lines.len(), 1);
    story.asterisk("200 result=0\n").asterisk("200 result=0\n");
    assert_eq!(story.codes(), [Some(Code::TimedOut), None]);
}

#[test]
fn a_cancelled_command_was_never_written() {
    let mut story = Story::begin();
    story.command(1, stream_file()).command(2, get_data()).command(3, noop());
    story.service(Control::Cancel(CancelCommand { id: 2, interrupt: false }));
    story.asterisk("200 result=0 endpos=800\n").asterisk("200 result=0\n");
    assert_eq!(story.codes(), [None, Some(Code::Cancelled), None]);
    assert_eq!(story.watch.lines.len(), 2);
}

#[test]
fn a_sequence_stops_at_its_first_failure() {
    let mut story = Story::begin();
    let chained = |id| crate::proto::Command { requires_success: true, ..command(id, noop()) };
    story.command(1, stream_file()).send(chained(2)).send(chained(3)).command(4, noop());
    story
        .asterisk("200 result=-1 endpos=0\n")
        .asterisk("200 result=6\n")
        .asterisk("200 result=0\n");
    let skipped = Some(Code::Skipped);
    assert_eq!(story.codes(), [Some(Code::Failed), skipped, skipped, None]);
}

#[test]
fn a_hangup_is_told_while_a_command_runs_and_its_result_still_follows() {
    let mut story = Story::begin();
    story.command(1, dial()).command(2, stream_file()).command(3, noop()).asterisk("HANGUP\n");
    assert_eq!(story.watch.hangups.len(), 1);
    assert_eq!(story.watch.hangups[0].source(), Source::Signal);
    story.watch.line = Some("EXEC".into());
    story.asterisk("200 result=-1\n").asterisk("200 result=0\n");
    assert_eq!(story.codes(), [None, Some(Code::HungUp), None]);
    assert!(story.watch.results.iter().all(|result| result.hung_up));
}

#[test]
fn after_the_grace_the_session_is_closed() {
    let mut story = Story::begin();
    story.asterisk("HANGUP\n").after(11);
    assert!(story.watch.half_closed);
    story.ended(Reason::Hangup);
    story.asterisk("HANGUP\n").closed();
    assert!(story.watch.closed);
}

#[test]
fn a_service_that_is_done_after_the_hangup_ends_the_grace() {
    let mut story = Story::begin();
    story.asterisk("HANGUP\n").service(end());
    assert!(story.watch.half_closed);
    story.ended(Reason::Hangup);
}

#[test]
fn a_dead_channel_is_a_hangup() {
    let mut story = Story::begin();
    story.command(1, stream_file());
    story.asterisk("511 Command Not Permitted on a dead channel or intercept routine\n");
    assert_eq!(story.codes(), [Some(Code::HungUp)]);
    assert_eq!(story.watch.hangups[0].source(), Source::Reply);
}

#[test]
fn end_of_file_with_a_command_running_is_one_hangup_and_a_lost_connection() {
    let mut story = Story::begin();
    story.command(1, stream_file()).command(2, noop()).asterisk("200 resu").closed();
    let call_ended = Some(Code::CallEnded);
    assert_eq!(story.codes(), [call_ended, call_ended]);
    assert_eq!(story.watch.hangups.len(), 1);
    assert_eq!(story.watch.hangups[0].source(), Source::Connection);
    story.ended(Reason::ConnectionLost);
}

#[test]
fn asterisk_that_exits_on_hangup_ends_in_one_hangup() {
    let mut story = Story::begin();
    story.command(1, stream_file()).asterisk("200 result=-1 endpos=10\nHANGUP\nHANGUP\n").closed();
    assert_eq!(story.codes(), [Some(Code::HungUp)]);
    assert_eq!(story.watch.hangups.len(), 1);
    story.ended(Reason::Hangup);
}

#[test]
fn the_services_own_hangup_is_told_as_its_own() {
    let mut story = Story::begin();
    story.command(1, Kind::HangUp(HangUp::default())).asterisk("200 result=1\nHANGUP\n");
    assert_eq!(story.codes(), [None]);
    assert_eq!(story.watch.hangups[0].source(), Source::Service);
    assert_eq!(story.watch.hangups.len(), 1);
}

#[test]
fn a_stray_line_ends_the_call() {
    let mut story = Story::begin();
    story.asterisk("agi_evil: 1\n");
    story.lines(&[r#"SET VARIABLE "AGIBRIDGE_STATUS" "PROTOCOL_ERROR""#]);
    story.asterisk("200 result=1\n").asterisk("200 result=1\n");
    assert!(story.watch.half_closed);
    assert_eq!(story.watch.lines.last().map(String::as_str), Some("failure"));
    story.ended(Reason::ProtocolError);
}

#[test]
fn a_lost_service_leaves_the_running_command_alone() {
    let mut story = Story::begin();
    story.command(1, dial()).command(2, noop());
    story.watch.asked.clear();
    let loss = Loss { kind: LossKind::Broken, detail: "reset\nby peer".into() };
    story.call.handle_service_lost(&loss, story.now);
    story.watch.drain(&mut story.call);
    assert_eq!(story.watch.lines.len(), 1, "the Dial goes on");
    story.asterisk("200 result=0\n").asterisk("200 result=1\n").asterisk("200 result=1\n");
    assert_eq!(
        story.watch.lines[1..],
        [
            r#"SET VARIABLE "AGIBRIDGE_STATUS" "LOST""#,
            r#"SET VARIABLE "AGIBRIDGE_REASON" "reset by peer""#,
            "failure"
        ]
    );
    let outcome = story.call.outcome().cloned().expect("it is over");
    assert_eq!((outcome.status, outcome.blame()), (Some(Status::Lost), Blame::Service));
}

#[test]
fn what_was_sent_before_the_end_still_runs() {
    let mut story = Story::begin();
    story.command(1, stream_file()).command(2, noop()).service(end());
    story.asterisk("200 result=0 endpos=8\n").asterisk("200 result=0\n");
    assert_eq!(story.codes(), [None, None]);
    assert!(story.watch.half_closed && story.watch.finished);
    story.ended(Reason::Service);
}

#[test]
fn a_command_after_the_end_is_refused() {
    let mut story = Story::begin();
    story.command(1, stream_file()).service(end()).command(2, noop());
    story.asterisk("200 result=0 endpos=8\n");
    assert_eq!(story.codes(), [None, Some(Code::CallEnded)]);
    story.ended(Reason::Service);
}

#[test]
fn a_service_that_asks_for_failure_gets_it() {
    let mut story = Story::begin();
    let fail = end_call::Next::FailDialplan(FailDialplan { reason: "no agents".into() });
    let variables = [("Q".to_owned(), "1".to_owned())].into();
    story.service(Control::End(EndCall { variables, next: Some(fail) }));
    story.asterisk("200 result=1\n").asterisk("200 result=1\n").asterisk("200 result=1\n");
    story.lines(&[
        r#"SET VARIABLE "Q" "1""#,
        r#"SET VARIABLE "AGIBRIDGE_STATUS" "FAILED""#,
        r#"SET VARIABLE "AGIBRIDGE_REASON" "no agents""#,
        "failure",
    ]);
    story.ended(Reason::Service);
}

#[test]
fn a_place_in_the_dialplan_that_cannot_be_set_whole_is_not_set_in_part() {
    let mut story = Story::begin();
    let (context, extension) = ("a\nb".to_owned(), "s".to_owned());
    let goto = end_call::Next::GotoDialplan(GotoDialplan { context, extension, priority: 0 });
    story.service(Control::End(EndCall { next: Some(goto), ..EndCall::default() }));
    story.lines(&[]).ended(Reason::Service);
    let detail = story.watch.ended.as_ref().map(|ended| ended.detail.as_str());
    assert!(detail.is_some_and(|it| it.contains("set_context.context: holds LF")), "{detail:?}");
}

#[test]
fn an_end_that_hangs_up_is_no_news_of_a_hangup() {
    let mut story = Story::begin();
    let hang_up = Some(end_call::Next::HangUp(HangupChannel {}));
    story.service(Control::End(EndCall { next: hang_up, ..EndCall::default() }));
    story.lines(&["HANGUP"]);
    story.asterisk("200 result=1\nHANGUP\n");
    assert!(story.watch.hangups.is_empty());
    story.ended(Reason::Service);
}

#[test]
fn a_hangup_while_a_service_is_sought_ends_the_search() {
    let mut story = Story::of(Call::new(settings(), Duration::ZERO));
    story.asterisk("HANGUP\n");
    assert!(story.watch.dropped && story.watch.half_closed);
    assert_eq!(story.call.outcome().map(|outcome| outcome.reason), Some(Reason::Hangup));
}

#[test]
fn nobody_took_the_call() {
    let mut settings = settings();
    settings.policy.then.announce = Some("sorry".into());
    settings.policy.then.next =
        Next::Goto { context: "c".into(), extension: "e".into(), priority: 1 };
    let mut story = Story::of(Call::new(settings, Duration::ZERO));
    story.call.handle_open_failed("refused", story.now);
    story.watch.drain(&mut story.call);
    for reply in ["200 result=1\n", "200 result=1\n", "200 result=0 endpos=8\n"] {
        story.asterisk(reply);
    }
    story.asterisk("200 result=0\n").asterisk("200 result=0\n").asterisk("200 result=0\n");
    story.lines(&[
        r#"SET VARIABLE "AGIBRIDGE_STATUS" "UNAVAILABLE""#,
        r#"SET VARIABLE "AGIBRIDGE_REASON" "refused""#,
        r#"STREAM FILE "sorry" """#,
        r#"SET CONTEXT "c""#,
        r#"SET EXTENSION "e""#,
        r#"SET PRIORITY "1""#,
    ]);
    assert!(story.watch.half_closed);
}

#[test]
fn music_is_played_while_nobody_takes_the_call_and_stopped_when_somebody_does() {
    let mut settings = settings();
    settings.policy.quiet = Quiet::Music("jazz".into());
    let mut story = Story::of(Call::new(settings, Duration::ZERO));
    story.after(2).asterisk("200 result=0\n");
    story.call.handle_opened(story.now);
    story.watch.drain(&mut story.call);
    story.lines(&[r#"SET MUSIC "on" "jazz""#, r#"SET MUSIC "off""#]);
}

#[test]
fn a_call_over_a_limit_is_sent_back() {
    let call = Call::turned_away(settings(), Status::Limit, "10 calls", Duration::ZERO);
    let mut story = Story::of(call);
    story.asterisk("200 result=1\n").asterisk("200 result=1\n");
    assert_eq!(story.watch.lines.last().map(String::as_str), Some("failure"));
    assert!(story.watch.half_closed);
}

#[test]
fn an_operator_hangs_up_even_while_a_prompt_plays() {
    let mut story = Story::begin();
    story.command(1, stream_file()).watch.forced = true;
    story.call.handle_operator(story.now);
    story.watch.drain(&mut story.call);
    assert_eq!(story.watch.lines.len(), 1, "the prompt has a little time to end");
    story
        .after(5)
        .asterisk("200 result=1\n")
        .asterisk("200 result=1\n")
        .asterisk("200 result=1\nHANGUP\n");
    assert_eq!(story.watch.lines.last().map(String::as_str), Some("HANGUP"));
    assert_eq!(story.codes(), [Some(Code::CallEnded)]);
    assert!(story.watch.hangups.is_empty());
    story.ended(Reason::Operator);
}

#[test]
fn a_flood_of_refused_commands_is_cut_off() {
    let mut story = Story::begin();
    story.command(1, stream_file());
    for _ in 0..=super::super::REFUSALS_MAX {
        story.command(1, noop());
    }
    assert!(story.watch.dropped);
}

#[test]
fn a_flood_of_commands_that_are_taken_back_is_cut_off() {
    let mut story = Story::begin();
    story.command(1, dial());
    for id in 2..3000 {
        if !story.watch.dropped {
            story.command(id, noop());
            story.service(Control::Cancel(CancelCommand { id, interrupt: false }));
        }
    }
    assert!(story.watch.dropped);
}

#[test]
fn an_announcement_is_not_cut_by_the_time_that_the_command_before_it_had() {
    let mut settings = settings();
    settings.policy.then.announce = Some("sorry".into());
    let mut call = Call::new(settings, Duration::ZERO);
    call.handle_opened(Duration::from_millis(1));
    let mut story = Story::of(call);
    story.command(1, stream_file());
    story.call.handle_drained(story.now);
    story.watch.drain(&mut story.call);
    for reply in ["200 result=0 endpos=8\n", "200 result=1\n", "200 result=1\n"] {
        story.asterisk(reply);
    }
    story.after(6);
    assert_eq!(story.watch.lines.last().map(String::as_str), Some(r#"STREAM FILE "sorry" """#));
    assert!(!story.watch.half_closed, "the announcement still plays");
}

#[test]
fn a_drain_is_told_once_whenever_it_begins() {
    let deadline = pbjson_types::Timestamp { seconds: 7, nanos: 0 };
    for opened_first in [true, false] {
        let mut story = Story::of(Call::new(settings(), Duration::ZERO));
        for opened in [opened_first, !opened_first] {
            match opened {
                true => story.call.handle_opened(story.now),
                false => story.call.handle_drain(deadline, story.now),
            }
        }
        story.call.handle_drain(deadline, story.now);
        story.watch.drain(&mut story.call);
        let told = Event::Draining(Draining { deadline: Some(deadline) });
        assert_eq!(story.watch.events, [told]);
    }
}

#[test]
fn a_service_that_hangs_up_after_the_caller_did_changes_no_reason() {
    let mut story = Story::begin();
    let hang_up = Some(end_call::Next::HangUp(HangupChannel {}));
    story.asterisk("HANGUP\n");
    story.service(Control::End(EndCall { next: hang_up, ..EndCall::default() }));
    story.lines(&[]).ended(Reason::Hangup);
}

#[test]
fn a_dead_call_without_a_service_is_not_held_by_its_last_command() {
    let loss = Loss { kind: LossKind::Broken, detail: "gone".into() };
    for hangup_first in [true, false] {
        let mut story = Story::begin();
        story.command(1, dial());
        story.watch.asked.clear();
        for hangup in [hangup_first, !hangup_first] {
            match hangup {
                true => story.call.handle_asterisk(b"HANGUP\n", story.now),
                false => story.call.handle_service_lost(&loss, story.now),
            }
            story.watch.drain(&mut story.call);
        }
        story.after(9);
        assert!(!story.watch.half_closed, "the grace is 10 s");
        story.after(1);
        assert!(story.watch.half_closed);
        assert_eq!(story.call.outcome().map(|outcome| outcome.reason), Some(Reason::Hangup));
    }
}

#[test]
fn music_does_not_outlive_the_search_for_a_service() {
    let mut settings = settings();
    settings.policy.quiet = Quiet::Music(String::new());
    let mut story = Story::of(Call::new(settings, Duration::ZERO));
    story.after(2).asterisk("200 result=0\n");
    story.call.handle_open_failed("refused", story.now);
    story.watch.drain(&mut story.call);
    story.asterisk("200 result=0\n").asterisk("200 result=1\n").asterisk("200 result=1\n");
    assert_eq!(story.watch.lines[..2], [r#"SET MUSIC "on""#, r#"SET MUSIC "off""#]);
    assert_eq!(story.watch.lines.last().map(String::as_str), Some("failure"));
}

#[test]
fn a_reason_of_any_length_leaves_the_last_event_small() {
    let mut story = Story::begin();
    let reason = "\u{1f4de}".repeat(1 << 20);
    let fail = end_call::Next::FailDialplan(FailDialplan { reason });
    story.service(Control::End(EndCall { next: Some(fail), ..EndCall::default() }));
    story.asterisk("200 result=1\n").asterisk("200 result=1\n");
    story.ended(Reason::Service);
    assert!(story.watch.ended.as_ref().is_some_and(|ended| ended.detail.len() <= 1000));
}

#[test]
fn a_command_that_is_always_about_to_begin_ends_the_call() {
    let mut story = Story::begin();
    story.command(1, dial());
    for _ in 0..2000 {
        if story.watch.results.is_empty() {
            story.asterisk("100 result=0 Trying...\n");
        }
    }
    assert_eq!(story.codes(), [Some(Code::ProtocolError)]);
}

#[test]
fn a_quiet_stream_gets_a_heartbeat() {
    let mut story = Story::begin();
    story.after(10).after(10);
    assert_eq!(story.watch.events.len(), 1);
    story.after(10);
    assert_eq!(story.watch.events.len(), 1);
}

#[test]
fn a_step_that_asterisk_does_not_answer_holds_nothing_up() {
    let mut story = Story::begin();
    let fail = end_call::Next::FailDialplan(FailDialplan::default());
    story.service(Control::End(EndCall { next: Some(fail), ..EndCall::default() })).after(6);
    assert!(story.watch.half_closed);
    assert_eq!(story.watch.lines.last().map(String::as_str), Some("failure"));
    story.after(6);
    assert!(story.watch.closed);
}
