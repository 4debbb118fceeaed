//! The game as a bridge sees it: over a real connection, with a script for Asterisk's side.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the game uses four commands; any other one fails the test"
)]

use super::{caller::Manner, *};
use crate::proto::{
    CallControl, CallEnded, CallEvent, CallStarted, CommandError, CommandResult, DigitResult,
    DigitsResult, Done, Draining, EndCall, Hangup, PlaybackResult, call_control::Control,
    call_event::Event, call_service_client::CallServiceClient, command::Command,
    command_error::Code, command_result::Outcome, end_call::Next,
};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Streaming, transport::Channel};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

#[tokio::test]
async fn a_whole_game_is_played() {
    let mut bridge = Bridge::start(Options { sums: 3, seed: Some(1), ..Options::default() }).await;
    let mut child = CallerBrain::new([Manner::Right, Manner::Silent, Manner::Wrong]);
    let end = bridge.play(|line| Reply::Keys(child.hear(line))).await.unwrap();

    assert_eq!(end.variables["GAME_SCORE"], "2/3");
    assert!(matches!(end.next, Some(Next::ContinueDialplan(_))));
    let prompts = [
        "hello",
        "auth-thankyou",
        "please-try-again",
        "im-sorry",
        "auth-thankyou",
        "vm-youhave",
        "vm-goodbye",
    ];
    assert_eq!(bridge.prompts(), prompts);
    assert_eq!(bridge.lines[0], "ANSWER");
    let last = &bridge.lines[bridge.lines.len() - 2..];
    assert_eq!(last, ["SAY NUMBER \"2\" \"\"", "STREAM FILE \"vm-goodbye\" \"\""]);
}

#[tokio::test]
async fn answers_of_two_digits_are_taken() {
    let options = Options { level: game::Level::Twenty, sums: 20, ..Options::default() };
    let mut bridge = Bridge::start(options).await;
    let mut child = CallerBrain::default();
    let end = bridge.play(|line| Reply::Keys(child.hear(line))).await.unwrap();
    assert_eq!(end.variables["GAME_SCORE"], "20/20");
}

#[tokio::test]
async fn a_silent_caller_is_asked_some_times_and_then_left() {
    let mut bridge = Bridge::start(Options { tries: 2, ..Options::default() }).await;
    let end = bridge.play(|_| Reply::Keys(None)).await.unwrap();
    assert_eq!(end.variables["GAME_SCORE"], "0/0");
    assert_eq!(bridge.prompts(), ["hello", "please-try-again", "vm-youhave", "vm-goodbye"]);
}

#[tokio::test]
async fn after_a_hangup_no_command_comes_but_the_score_does() {
    let mut bridge = Bridge::start(Options::default()).await;
    let mut child = CallerBrain::default();
    let mut questions = 0;
    let end = bridge.play(|line| {
        questions += usize::from(line.starts_with("GET DATA"));
        if questions == 2 { Reply::HangUp } else { Reply::Keys(child.hear(line)) }
    });
    assert_eq!(end.await.unwrap().variables["GAME_SCORE"], "1/1");
    assert!(bridge.lines.last().unwrap().starts_with("GET DATA"), "{:?}", bridge.lines);
}

#[tokio::test]
async fn a_draining_bridge_gets_its_call_back_after_the_sum() {
    let mut bridge = Bridge::start(Options::default()).await;
    bridge.tell(Event::Draining(Draining::default())).await;
    let mut child = CallerBrain::default();
    let end = bridge.play(|line| Reply::Keys(child.hear(line))).await.unwrap();
    assert_eq!(end.variables["GAME_SCORE"], "1/1");
}

#[tokio::test]
async fn a_prompt_that_is_missing_fails_the_dialplan_with_the_reason() {
    let mut bridge = Bridge::start(Options::default()).await;
    let end = bridge.play(|line| match line.starts_with("STREAM FILE") {
        true => Reply::Fail,
        false => Reply::Keys(None),
    });
    let Some(Next::FailDialplan(fail)) = end.await.unwrap().next else { panic!("no failure") };
    assert_eq!(fail.reason, "no such file");
}

#[tokio::test]
async fn a_call_that_ends_meanwhile_is_left_alone() {
    let mut bridge = Bridge::start(Options::default()).await;
    assert_eq!(bridge.play(|_| Reply::End).await, None);
    assert_eq!(bridge.lines, ["ANSWER"]);
}

#[tokio::test]
async fn the_service_says_that_it_is_healthy_until_it_stops() {
    let (address, stop, served) = served(Options::default()).await;
    let channel = Channel::from_shared(address).unwrap().connect().await.unwrap();
    let mut health = HealthClient::new(channel);
    for service in ["", "agibridge.v1.CallService"] {
        let request = HealthCheckRequest { service: service.to_owned() };
        let status = health.check(request).await.unwrap().into_inner().status();
        assert_eq!(status, ServingStatus::Serving, "{service}");
    }
    drop(health);
    stop.send(()).unwrap();
    served.await.unwrap();
}

/// What the bridge's end of the stream does with a command.
enum Reply {
    /// Asterisk runs it, and the caller presses these keys meanwhile.
    Keys(Option<String>),
    /// Asterisk cannot.
    Fail,
    /// The caller hangs up meanwhile.
    HangUp,
    /// The call ends before it is answered.
    End,
}

/// The bridge's end of one call.
struct Bridge {
    events: mpsc::Sender<CallEvent>,
    controls: Streaming<CallControl>,
    /// What Asterisk would have been told.
    lines: Vec<String>,
    _stop: oneshot::Sender<()>,
}

impl Bridge {
    async fn start(options: Options) -> Self {
        let (address, stop, _served) = served(options).await;
        let mut client: CallServiceClient<Channel> =
            CallServiceClient::connect(address).await.unwrap();
        let (events, to_service) = mpsc::channel(4);
        let started = CallStarted { call_id: "0190".to_owned(), ..CallStarted::default() };
        events.send(event(Event::Started(Box::new(started)))).await.unwrap();
        let response = client.handle_call(ReceiverStream::new(to_service)).await.unwrap();
        Self { events, controls: response.into_inner(), lines: vec![], _stop: stop }
    }

    /// Answers every command until the service is done, and gives its last word; `None` when it had none.
    async fn play(&mut self, mut answer: impl FnMut(&str) -> Reply) -> Option<EndCall> {
        let mut ended = None;
        while let Some(control) = self.controls.message().await.unwrap() {
            match control.control.unwrap() {
                Control::Command(command) => {
                    let line = line(command.command.as_ref().unwrap());
                    assert!(command.timeout.is_some(), "{line}");
                    let reply = answer(&line);
                    self.lines.push(line);
                    self.answer(command.id, &command.command.unwrap(), reply).await;
                }
                Control::End(end) => {
                    assert_eq!(ended.replace(end), None);
                    self.tell(Event::Ended(CallEnded::default())).await;
                }
                other => panic!("{other:?}"),
            }
        }
        ended
    }

    async fn answer(&self, id: u32, command: &Command, reply: Reply) {
        let error = |code: Code, detail: &str| {
            Outcome::Error(CommandError { code: code.into(), detail: detail.to_owned() })
        };
        let (outcome, hung_up) = match reply {
            Reply::Keys(keys) => (done(command, keys), false),
            Reply::Fail => (error(Code::Failed, "no such file"), false),
            Reply::HangUp => {
                self.tell(Event::Hangup(Hangup::default())).await;
                (error(Code::HungUp, ""), true)
            }
            Reply::End => return self.tell(Event::Ended(CallEnded::default())).await,
        };
        let result =
            CommandResult { id, hung_up, outcome: Some(outcome), ..CommandResult::default() };
        self.tell(Event::Result(result)).await;
    }

    async fn tell(&self, told: Event) {
        self.events.send(event(told)).await.unwrap();
    }

    /// The sound files that were played, but for the sums'.
    fn prompts(&self) -> Vec<&str> {
        let files = self.lines.iter().filter_map(|line| line.strip_prefix("STREAM FILE \""));
        files
            .filter_map(|rest| rest.strip_suffix("\" \"\""))
            .filter(|file| *file != "digits/minus")
            .collect()
    }
}

async fn served(options: Options) -> (String, oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = oneshot::channel();
    let served = tokio::spawn(async move {
        serve(listener, Subtraction::new(options), async { drop(stopped.await) }).await.unwrap();
    });
    (address, stop, served)
}

fn event(event: Event) -> CallEvent {
    CallEvent { event: Some(event) }
}

fn line(command: &Command) -> String {
    match command {
        Command::Answer(_) => "ANSWER".to_owned(),
        Command::StreamFile(prompt) => format!("STREAM FILE \"{}\" \"\"", prompt.file),
        Command::SayNumber(say) => format!("SAY NUMBER \"{}\" \"\"", say.number),
        Command::GetData(get) => {
            format!("GET DATA \"{}\" \"5000\" \"{}\"", get.file, get.max_digits)
        }
        other => panic!("{other:?}"),
    }
}

fn done(command: &Command, keys: Option<String>) -> Outcome {
    match command {
        Command::StreamFile(_) => Outcome::Playback(PlaybackResult::default()),
        Command::SayNumber(_) => Outcome::Digit(DigitResult::default()),
        Command::GetData(get) => {
            let timed_out = keys.is_none();
            let keys = keys.unwrap_or_default();
            let digits = keys.trim_end_matches('#').to_owned();
            let whole = digits.len() == get.max_digits as usize;
            assert!(timed_out || whole == (digits == keys), "{keys} is left over or not enough");
            Outcome::Digits(DigitsResult { digits, timed_out })
        }
        _ => Outcome::Done(Done {}),
    }
}
