//! Commands that are stopped on the real Asterisk, a thousand times at random moments, and digits that come while nobody asks:
//! on Local channels and on calls over SIP.

use crate::runner::Runner;
use agi_bridge::{
    proto::{
        CallControl, CallEvent, CancelCommand, Command, CommandResult, EndCall, GetData,
        RecordFile, SayNumber, StreamFile, WaitForDigit,
        call_control::Control,
        call_event::Event,
        call_service_server::{CallService, CallServiceServer},
        command::Command as Kind,
        command_result::Outcome,
        recording_result::End,
    },
    scenario::Audio,
};
use kit::{
    asterisk::{Asterisk, Call, CallSpec, Dialplan, Place},
    bridge::Bridge,
};
use pbjson_types::Duration as Span;
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, sync::mpsc, time::timeout};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status, Streaming, transport::Server};

const LIMIT: Duration = Duration::from_secs(60);
/// Commands that are stopped, all in all, and the calls in which that is done.
const COMMANDS: u32 = 1000;
const CALLS: u32 = 8;

fn place() -> Place {
    Place::new("interrupt", "s", 1)
}

/// Puts what the tests need into the dialplan.
pub(crate) fn prepare(dialplan: &mut Dialplan) {
    dialplan.agi(&place());
}

/// Adds the tests.
pub(crate) fn add(runner: &mut Runner, asterisk: &Arc<Asterisk>) {
    runner.add(
        "interrupt: a thousand commands are stopped at random moments",
        a_thousand(Arc::clone(asterisk)),
    );
    runner.add("interrupt: digits come while nobody asks", digits(Arc::clone(asterisk), false));
    let name = "interrupt: digits come over sip while nobody asks, and commands are stopped";
    runner.add(name, digits(Arc::clone(asterisk), true));
}

/// One call, as a service has it.
struct Driven {
    events: Streaming<CallEvent>,
    controls: mpsc::Sender<Result<CallControl, Status>>,
    last_id: u32,
}

struct Calls(mpsc::Sender<Driven>);

#[tonic::async_trait]
impl CallService for Calls {
    type HandleCallStream = ReceiverStream<Result<CallControl, Status>>;

    async fn handle_call(
        &self,
        request: Request<Streaming<CallEvent>>,
    ) -> Result<Response<Self::HandleCallStream>, Status> {
        let (controls, receiver) = mpsc::channel(64);
        let call = Driven { events: request.into_inner(), controls, last_id: 0 };
        self.0.send(call).await.map_err(|_| Status::unavailable("the test is over"))?;
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

/// A bridge with a link to this Asterisk, and the calls that come to its service.
struct Lab {
    asterisk: Arc<Asterisk>,
    bridge: Bridge,
    calls: mpsc::Receiver<Driven>,
}

impl Lab {
    async fn start(asterisk: Arc<Asterisk>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let (sender, calls) = mpsc::channel(CALLS as usize);
        tokio::spawn(
            Server::builder()
                .add_service(CallServiceServer::new(Calls(sender)))
                .serve_with_incoming(TcpListenerStream::new(listener)),
        );
        let configuration = format!(
            "managers:\n  - {{name: lab, address: \"{}\", username: lab, secret: lab}}\n\
             defaults: {{connect_timeout: 10s, retry_for: 30s}}\n\
             routes:\n  - {{name: stop, path: /stop, digits: true, services: [{{url: \"grpc://{address}\"}}]}}\n",
            asterisk.manager()
        );
        let program = Path::new(env!("CARGO_BIN_EXE_agi-bridge"));
        let bridge = Bridge::start(program, &configuration).await;
        let connected = async {
            let said = |line: &String| {
                line.contains("connected to asterisk's manager") && !line.contains("not connected")
            };
            while !bridge.log().iter().any(said) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(LIMIT, connected).await.expect("the bridge logs in at the manager");
        Self { asterisk, bridge, calls }
    }

    async fn call(&mut self, sip: bool) -> (Call, Driven) {
        let mut spec = CallSpec::new(&format!("agi://{}/stop", self.bridge.agi()), place());
        spec.audio = Audio::Speech;
        spec.sip = sip;
        let call = Call::begin(&self.asterisk, &spec).await;
        let mut driven = timeout(LIMIT, self.calls.recv()).await.expect("in time").expect("a call");
        assert!(matches!(driven.event().await, Event::Started(_)));
        (call, driven)
    }
}

impl Driven {
    /// The next one that tells something.
    async fn event(&mut self) -> Event {
        let next = async {
            loop {
                let message = self.events.message().await.expect("the stream is whole");
                let event = message.and_then(|event| event.event).expect("the call goes on");
                if !matches!(event, Event::Heartbeat(_)) {
                    return event;
                }
            }
        };
        timeout(LIMIT, next).await.expect("an event in time")
    }

    /// The next result, which must be this command's.
    async fn result(&mut self, id: u32) -> CommandResult {
        loop {
            if let Event::Result(result) = self.event().await {
                assert_eq!(result.id, id, "one result each, in order");
                return result;
            }
        }
    }

    async fn say(&self, control: Control) {
        let control = CallControl { control: Some(control) };
        self.controls.send(Ok(control)).await.expect("the call goes on");
    }

    async fn command(&mut self, kind: Kind) -> u32 {
        self.last_id += 1;
        let command = Command { id: self.last_id, command: Some(kind), ..Command::default() };
        self.say(Control::Command(command)).await;
        self.last_id
    }

    async fn cancel(&self, id: u32) {
        self.say(Control::Cancel(CancelCommand { id, interrupt: true })).await;
    }
}

fn milliseconds(count: u32) -> Option<Span> {
    Some(Span { seconds: 0, nanos: i32::try_from(count).expect("less than a second") * 1_000_000 })
}

/// Some are so short that they end by themselves at about the time when they are stopped.
fn kind(number: u32, is_short: bool, call: u32) -> Kind {
    let timeout = if is_short { milliseconds(300) } else { Some(Span { seconds: 60, nanos: 0 }) };
    match number % 5 {
        0 => Kind::StreamFile(StreamFile {
            file: if is_short { "beep" } else { "demo-congrats" }.into(),
            escape_digits: "#".into(),
            offset_samples: 0,
        }),
        1 => Kind::SayNumber(SayNumber {
            number: if is_short { 1 } else { 777_777 },
            ..SayNumber::default()
        }),
        2 => Kind::RecordFile(RecordFile {
            file: format!("/tmp/interrupt-{call}"),
            format: "gsm".into(),
            timeout,
            ..RecordFile::default()
        }),
        3 => Kind::WaitForDigit(WaitForDigit { timeout }),
        _ => Kind::GetData(GetData {
            file: if is_short { "beep" } else { "demo-congrats" }.into(),
            timeout,
            max_digits: 9,
        }),
    }
}

/// What must be so of a command whose caller presses nothing.
fn nothing_was_pressed(result: &CommandResult) {
    let outcome = result.outcome.as_ref().expect("it has one");
    let digits = if let Outcome::Playback(it) = outcome {
        &it.digit
    } else if let Outcome::Digit(it) = outcome {
        &it.digit
    } else if let Outcome::Digits(it) = outcome {
        &it.digits
    } else if let Outcome::Recording(it) = outcome {
        &it.digit
    } else {
        panic!("{result:?}")
    };
    assert_eq!(digits, "", "{result:?}");
}

#[expect(clippy::print_stdout, reason = "what it measures is for whoever runs it")]
async fn a_thousand(asterisk: Arc<Asterisk>) {
    let mut lab = Lab::start(asterisk).await;
    let mut running = tokio::task::JoinSet::new();
    for number in 0..CALLS {
        let (call, driven) = lab.call(number % 2 == 1).await;
        running.spawn(async move { stop_many(number, call, driven).await });
    }
    let mut latencies = Vec::new();
    while let Some(took) = running.join_next().await {
        latencies.extend(took.expect("the call goes well"));
    }
    latencies.sort_unstable();
    let at = |share: usize| latencies[(latencies.len() - 1) * share / 100];
    println!(
        "interrupt: {} stopped; from cancel to result: median {:?}, 99 of 100 {:?}, longest {:?}",
        latencies.len(),
        at(50),
        at(99),
        at(100)
    );
    assert!(lab.bridge.stop(LIMIT).await.success(), "the bridge ends well");
}

/// How long it took from the cancel to the result, for those that were stopped.
async fn stop_many(number: u32, call: Call, mut driven: Driven) -> Vec<Duration> {
    let mut latencies = Vec::new();
    for round in 0..COMMANDS / CALLS {
        let is_short = rand::random_range(0..3) == 0;
        let id = driven.command(kind(round, is_short, number)).await;
        let moment = Duration::from_millis(rand::random_range(0..if is_short { 600 } else { 900 }));
        let early = timeout(moment, driven.result(id)).await;
        let asked = Instant::now();
        driven.cancel(id).await;
        // A next one that would take a stray key at once: it must run out by itself.
        let next =
            driven.command(Kind::WaitForDigit(WaitForDigit { timeout: milliseconds(250) })).await;
        let result = match early {
            Ok(result) => result,
            Err(_) => {
                let result = driven.result(id).await;
                if !is_short {
                    latencies.push(asked.elapsed());
                }
                result
            }
        };
        nothing_was_pressed(&result);
        if let (false, Some(Outcome::Recording(it))) = (is_short, &result.outcome) {
            assert_eq!(it.end(), End::Digit, "{result:?}");
        }
        let after = driven.result(next).await;
        nothing_was_pressed(&after);
        let waited = Duration::try_from(after.elapsed.expect("it ran")).expect("a span");
        assert!(
            waited >= Duration::from_millis(240),
            "a stray key ended {after:?} after {result:?}"
        );
    }
    driven.say(Control::End(EndCall::default())).await;
    call.wait_until_gone(LIMIT).await;
    latencies
}

async fn digits(asterisk: Arc<Asterisk>, sip: bool) {
    let mut lab = Lab::start(asterisk).await;
    let (call, mut driven) = lab.call(sip).await;
    assert!(call.channel().starts_with(if sip { "PJSIP/self-" } else { "Local/" }));
    call.press("12").await;
    let mut told = String::new();
    while told.len() < 2 {
        if let Event::Digit(digit) = driven.event().await {
            assert!(digit.duration.is_some());
            told.push_str(&digit.digit);
        }
    }
    assert_eq!(told, "12", "nothing asked for them");
    // While a command runs that takes one of them, and one that is stopped.
    let id = driven.command(Kind::WaitForDigit(WaitForDigit { timeout: None })).await;
    call.press("5").await;
    let get = driven.command(kind(4, false, 0)).await;
    let mut results = Vec::new();
    while told.len() < 3 || results.is_empty() {
        let event = driven.event().await;
        if let Event::Digit(digit) = event {
            told.push_str(&digit.digit);
        } else if let Event::Result(result) = event {
            results.push(result);
        } else {
            panic!("{event:?}")
        }
    }
    assert_eq!((&*told, results[0].id), ("125", id));
    call.press("7").await;
    let Event::Digit(seven) = driven.event().await else { panic!("no digit") };
    assert_eq!(seven.digit, "7");
    driven.cancel(get).await;
    let Event::Result(result) = driven.event().await else {
        panic!("the key of the bridge is told")
    };
    let Some(Outcome::Digits(digits)) = &result.outcome else { panic!("{result:?}") };
    assert_eq!((result.id, &*digits.digits, digits.timed_out), (get, "7", false));
    // Neither is the one that stops this.
    let wait = driven.command(Kind::WaitForDigit(WaitForDigit { timeout: None })).await;
    driven.cancel(wait).await;
    let event = driven.event().await;
    assert!(matches!(&event, Event::Result(result) if result.id == wait), "{event:?}");
    driven.say(Control::End(EndCall::default())).await;
    call.wait_until_gone(LIMIT).await;
    assert!(lab.bridge.stop(LIMIT).await.success(), "the bridge ends well");
}
