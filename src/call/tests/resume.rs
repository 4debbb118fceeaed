//! Histories of calls whose service is lost, or gives them away.

use super::{
    command, control, dial, driven, end, get_data, noop, settings, stream_file, watch::Watch,
};
use crate::{
    call::{Action, Call, Loss, LossKind, Status},
    proto::{
        Checkpoint, Command, Handoff, Resumption, call_control::Control, call_ended::Reason,
        call_event::Event, command::Command as Kind, command_error::Code, command_result::Outcome,
        resumption::Cause,
    },
};
use std::time::Duration;

/// A call, what it has asked for, and the time.
struct Story {
    call: Call,
    watch: Watch,
    now: Duration,
}

impl Story {
    /// A call of a route that keeps lost calls for ten seconds.
    fn begin() -> Self {
        let mut settings = settings();
        settings.policy.resume_for = Duration::from_secs(10);
        let mut call = Call::new(settings, Duration::ZERO);
        call.handle_opened(Duration::from_millis(1));
        Self { call, watch: Watch::default(), now: Duration::from_secs(1) }
    }

    fn drained(&mut self) -> &mut Self {
        self.watch.drain(&mut self.call);
        self
    }

    fn says(&mut self, said: Control) -> &mut Self {
        if let Control::Command(command) = &said {
            self.watch.asked.push_back(command.id);
        }
        self.call.handle_control(control(said), self.now);
        self.drained()
    }

    fn command(&mut self, id: u32, kind: Kind) -> &mut Self {
        self.says(Control::Command(command(id, kind)))
    }

    fn asterisk(&mut self, text: &str) -> &mut Self {
        self.watch.line = self.watch.line.take().filter(|_| text == "HANGUP\n");
        self.call.handle_asterisk(text.as_bytes(), self.now);
        self.drained()
    }

    fn lost(&mut self) -> &mut Self {
        self.lost_as(LossKind::Broken)
    }

    fn lost_as(&mut self, kind: LossKind) -> &mut Self {
        let loss = Loss { kind, detail: "the service was lost".into() };
        self.call.handle_service_lost(&loss, self.now);
        self.drained()
    }

    fn opened(&mut self) -> &mut Self {
        self.watch.seeking = false;
        self.call.handle_opened(self.now);
        self.drained()
    }

    fn handed_over(&mut self, state: &'static [u8]) -> &mut Self {
        let handoff = Handoff { route: "sales".into(), state: Some(state.into()) };
        self.call.handle_handoff(handoff, Ok(settings().policy), self.now);
        self.drained()
    }

    fn after(&mut self, seconds: u64) -> &mut Self {
        self.now += Duration::from_secs(seconds);
        self.call.handle_timeout(self.now);
        self.drained()
    }

    #[track_caller]
    fn resumption(&self) -> &Resumption {
        self.watch.resumptions.last().expect("another service is sought")
    }

    fn codes(&self) -> Vec<(u32, Option<Code>)> {
        let code = |outcome: Option<&Outcome>| match outcome {
            Some(Outcome::Error(error)) => Some(error.code()),
            _ => None,
        };
        self.watch.results.iter().map(|it| (it.id, code(it.outcome.as_ref()))).collect()
    }

    fn status(&self) -> Option<Status> {
        self.call.outcome().and_then(|outcome| outcome.status)
    }

    /// Asterisk answers all that is left to say, and closes.
    fn played_out(&mut self) -> &mut Self {
        while self.call.outcome().is_none() {
            self.asterisk("200 result=1\n");
        }
        self.call.handle_asterisk_closed(self.now);
        self.drained()
    }
}

#[test]
fn the_command_at_asterisk_goes_on_and_its_result_goes_to_the_next_service() {
    let mut story = Story::begin();
    story.command(1, noop()).asterisk("200 result=0\n");
    story.command(2, get_data()).command(3, noop()).lost();
    let resumption = story.resumption();
    assert_eq!(resumption.running, Some(command(2, get_data())));
    assert_eq!(resumption.results.iter().map(|it| it.id).collect::<Vec<_>>(), [1]);
    assert_eq!((resumption.attempt, resumption.last_command_id), (1, 3));
    assert_eq!((resumption.cause(), resumption.hung_up), (Cause::ServiceLost, false));
    story.opened();
    assert_eq!(story.watch.lines.len(), 2, "no command runs twice, and none that was dropped");
    story.asterisk("200 result=12\n");
    assert_eq!(story.codes(), [(1, None), (2, None), (3, Some(Code::Cancelled))]);
    story.command(4, noop());
    assert_eq!(story.watch.lines.len(), 3, "the next service goes on");
}

#[test]
fn a_result_that_came_while_nobody_was_there_is_told() {
    let mut story = Story::begin();
    story.command(1, stream_file()).command(2, noop()).lost();
    story.asterisk("200 result=0 endpos=800\n");
    assert_eq!(story.codes(), []);
    story.opened();
    assert_eq!(story.codes(), [(1, None), (2, Some(Code::Cancelled))]);
    story.lost();
    let results: Vec<_> = story.resumption().results.iter().map(|it| it.id).collect();
    assert_eq!((results, story.resumption().attempt), (vec![1, 2], 2));
}

#[test]
fn the_last_checkpoint_and_the_results_behind_it_are_handed_on() {
    let mut story = Story::begin();
    for id in 1..=3 {
        story.command(id, noop()).asterisk("200 result=0\n");
    }
    let state = bytes::Bytes::from_static(b"asked for the pin");
    story.says(Control::Checkpoint(Checkpoint { state: state.clone(), last_result_id: Some(2) }));
    story.lost();
    assert_eq!(story.resumption().checkpoint, Some(state));
    assert_eq!(story.resumption().results.iter().map(|it| it.id).collect::<Vec<_>>(), [3]);
    assert!(!story.resumption().results_truncated);
}

#[test]
fn a_hangup_in_between_is_told_once_and_its_grace_runs_on() {
    let mut story = Story::begin();
    story.command(1, stream_file()).lost();
    story.asterisk("200 result=-1 endpos=8\n").asterisk("HANGUP\n");
    story.asterisk("511 Command Not Permitted on a dead channel or intercept routine\n");
    assert_eq!(story.watch.hangups, []);
    story.after(4).opened();
    let [hangup] = story.watch.hangups[..] else { panic!("{:?}", story.watch.hangups) };
    assert_eq!(hangup.grace.map(|it| it.seconds), Some(6));
    // What comes first is the hangup, then the result that came before.
    assert!(matches!(story.watch.events[..], [Event::Hangup(_), Event::Result(_)]));
    story.lost();
    assert!(story.resumption().hung_up);
    story.opened();
    assert_eq!(story.watch.hangups.len(), 1, "a service was told already");
    story.after(6);
    assert_eq!(story.watch.ended.as_ref().map(|it| it.reason()), Some(Reason::Hangup));
}

#[test]
fn nobody_in_time_is_a_lost_call() {
    let mut story = Story::begin();
    story.command(1, stream_file()).lost();
    story.call.handle_open_failed("grpc://a:1: connection refused", story.now);
    story.drained().asterisk("200 result=0 endpos=8\n").played_out();
    assert_eq!(story.status(), Some(Status::Lost));
    let detail = &story.call.outcome().expect("it ended").detail;
    assert_eq!(detail, "the service was lost; then: grpc://a:1: connection refused");
}

#[test]
fn a_search_that_never_ends_is_given_up() {
    let mut story = Story::begin();
    story.lost().after(11).played_out();
    assert_eq!(story.status(), Some(Status::Lost));
}

#[test]
fn a_service_that_breaks_the_contract_gets_no_successor() {
    let mut story = Story::begin();
    story.lost_as(LossKind::Misbehaved).played_out();
    assert_eq!((story.status(), story.watch.resumptions.len()), (Some(Status::ProtocolError), 0));
}

#[test]
fn the_budget_is_for_a_minute_and_not_for_good() {
    let mut story = Story::begin();
    for _ in 0..3 {
        story.lost().opened().after(10);
    }
    story.after(50);
    story.lost().opened();
    assert_eq!(story.watch.resumptions.len(), 4);
    story.lost().opened();
    story.lost().opened();
    story.lost();
    assert_eq!(story.watch.resumptions.len(), 6);
    story.played_out();
    assert_eq!(story.status(), Some(Status::Lost));
    let detail = &story.call.outcome().expect("it ended").detail;
    assert_eq!(detail, "the service was lost; it was resumed 3 times in the last minute");
}

#[test]
fn a_drain_is_told_to_the_next_service_too() {
    let mut story = Story::begin();
    story.call.handle_drain(pbjson_types::Timestamp::default(), story.now);
    story.drained().lost().opened();
    let told = story.watch.events.iter().filter(|event| matches!(event, Event::Draining(_)));
    assert_eq!(told.count(), 2);
}

#[test]
fn a_route_that_keeps_no_calls_does_not() {
    let mut call = driven();
    let loss = Loss { kind: LossKind::Broken, detail: "gone".into() };
    call.handle_service_lost(&loss, Duration::from_secs(1));
    let actions: Vec<_> = std::iter::from_fn(|| call.poll_action()).collect();
    assert!(!actions.iter().any(|action| matches!(action, Action::Reopen { .. })), "{actions:?}");
}

#[test]
fn an_end_that_was_asked_for_needs_nobody() {
    let mut story = Story::begin();
    story.command(1, stream_file()).says(end()).lost();
    story.asterisk("200 result=0 endpos=8\n");
    assert!(story.watch.half_closed && story.watch.resumptions.is_empty());
    assert_eq!(story.status(), None);
}

#[test]
fn a_call_that_is_given_away_ends_for_the_one_and_goes_on_for_the_other() {
    let mut story = Story::begin();
    story.command(1, noop()).asterisk("200 result=0\n");
    story.command(2, dial()).command(3, noop());
    story.handed_over(b"state");
    let ended =
        |event: &Event| matches!(event, Event::Ended(ended) if ended.reason() == Reason::Handoff);
    assert!(story.watch.events.iter().any(ended));
    let resumption = story.resumption();
    assert_eq!(resumption.cause(), Cause::Handoff);
    assert_eq!(resumption.checkpoint.as_deref(), Some(&b"state"[..]));
    assert_eq!(resumption.running.as_ref().map(|running: &Command| running.id), Some(2));
    assert_eq!(resumption.results, []);
    story.opened().asterisk("200 result=-1\n").asterisk("200 result=6\n");
    assert_eq!(story.codes()[1..], [(2, None), (3, Some(Code::Cancelled))]);
}

#[test]
fn nobody_takes_a_call_that_was_given_away() {
    let mut story = Story::begin();
    story.handed_over(b"");
    story.call.handle_open_failed("nobody", story.now);
    story.drained().played_out();
    assert_eq!(story.status(), Some(Status::Unavailable));
}

#[test]
fn a_circle_of_services_is_cut() {
    let mut story = Story::begin();
    for _ in 0..10 {
        story.handed_over(b"").opened();
    }
    story.handed_over(b"").played_out();
    assert_eq!(story.watch.resumptions.len(), 10);
    assert_eq!(story.status(), Some(Status::ProtocolError));
}

#[test]
fn a_state_that_is_too_large_goes_nowhere() {
    let mut story = Story::begin();
    let state = Some(vec![0; 64 * 1024 + 1].into());
    let handoff = Handoff { route: "sales".into(), state };
    story.call.handle_handoff(handoff, Ok(settings().policy), story.now);
    story.drained().played_out();
    assert_eq!((story.status(), story.watch.resumptions.len()), (Some(Status::ProtocolError), 0));
}

#[test]
fn a_route_that_does_not_exist_gets_no_call() {
    let mut story = Story::begin();
    let handoff = Handoff { route: "nowhere".into(), state: None };
    story.call.handle_handoff(handoff, Err("no route has this name".into()), story.now);
    story.drained().played_out();
    assert_eq!(story.status(), Some(Status::NoRoute));
    let detail = story.watch.ended.as_ref().map(|ended| ended.detail.as_str());
    assert_eq!(detail, Some("handed over to nowhere: no route has this name"));
}
