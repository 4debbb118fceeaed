//! Calls on the real Asterisk whose service is killed by SIGKILL: another instance carries them on, or the same one once
//! it is back, and Asterisk sees every command once.

use crate::runner::Runner;
use futures_util::future::select_all;
use kit::{
    asterisk::{Asterisk, Call, CallSpec, Dialplan, Place, State},
    bridge::Bridge,
    seat::{Instance, Kind, Seat},
};
use serde_json::{Value, json};
use std::{
    io::{self, Write as _},
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

const LIMIT: Duration = Duration::from_secs(30);
/// How long the only instance is away.
const AWAY: Duration = Duration::from_secs(2);
const PROMPT: &str = "loss-prompt";
/// Longer than the only instance is away: some of it is heard after that, some result is not waited for in vain.
const PROMPT_LENGTH: Duration = Duration::from_millis(2500);

/// What runs when the service is killed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// STREAM FILE.
    Prompt,
    /// GET DATA, and the caller presses keys only when the service is gone.
    Digits,
    /// EXEC Dial, to a channel that has answered.
    Dial,
    /// Nothing: the service is thinking.
    Thought,
}

/// A bridge, its seats, and a call whose first service has begun what is to be interrupted.
struct Stand {
    bridge: Bridge,
    seats: Vec<Seat>,
    running: Vec<Option<Instance>>,
    call: Call,
    moment: Moment,
    kind: Kind,
}

impl Moment {
    const ALL: [Self; 4] = [Self::Prompt, Self::Digits, Self::Dial, Self::Thought];

    fn name(self) -> &'static str {
        match self {
            Self::Prompt => "a prompt",
            Self::Digits => "GET DATA",
            Self::Dial => "Dial",
            Self::Thought => "a thought",
        }
    }

    /// The step in whose middle the service is killed.
    fn step(self) -> Value {
        match self {
            Self::Prompt => json!({"streamFile": {"file": PROMPT}}),
            Self::Digits => json!({"getData": {"file": "beep", "timeout": "20s", "maxDigits": 6}}),
            Self::Dial => json!({"exec": {
                "application": "Dial", "arguments": ["Local/answers@loss-phones", "5", "g"],
            }}),
            Self::Thought => json!({"wait": "60s"}),
        }
    }

    /// How its line begins, without quotes.
    fn line(self) -> Option<&'static str> {
        match self {
            Self::Prompt => Some("STREAM FILE loss-prompt"),
            Self::Digits => Some("GET DATA beep 20000 6"),
            Self::Dial => Some("EXEC Dial Local/answers@loss-phones,5,g"),
            Self::Thought => None,
        }
    }

    fn part(self) -> Value {
        json!({
            "steps": [
                {"setVariable": {"name": "LOSS", "value": "before"}},
                self.step(),
                {"setVariable": {"name": "LOSS", "value": "after"}},
                {"end": {"variables": {"RESULT": "ok"}}},
            ],
            "hangup": [
                {"setVariable": {"name": "LOSS", "value": "hung up"}},
                {"end": {}},
            ],
        })
    }
}

fn place() -> Place {
    Place::new("loss", "s", 1)
}

/// Puts what the tests need into the dialplan.
pub(crate) fn prepare(dialplan: &mut Dialplan) {
    dialplan.agi(&place()).sound(PROMPT, PROMPT_LENGTH);
    let answers = ["Answer()".to_owned(), "Wait(2)".to_owned(), "Hangup()".to_owned()];
    dialplan.add_all(&Place::new("loss-phones", "answers", 1), &answers);
}

/// Adds the tests.
pub(crate) fn add(runner: &mut Runner, asterisk: &Arc<Asterisk>) {
    for kind in Kind::ALL {
        for moment in Moment::ALL {
            runner.add(
                &format!(
                    "loss: another {} carries on in the middle of {}",
                    kind.name(),
                    moment.name()
                ),
                another_carries_on(Arc::clone(asterisk), kind, moment),
            );
        }
        for moment in [Moment::Prompt, Moment::Digits] {
            runner.add(
                &format!(
                    "loss: the only {} is back in the middle of {}",
                    kind.name(),
                    moment.name()
                ),
                the_only_one_is_back(Arc::clone(asterisk), kind, moment),
            );
        }
        runner.add(
            &format!("loss: a {} is told of a hangup while it was away", kind.name()),
            is_told_of_a_hangup(Arc::clone(asterisk), kind),
        );
    }
}

async fn another_carries_on(asterisk: Arc<Asterisk>, kind: Kind, moment: Moment) {
    let mut stand = Stand::begin(&asterisk, kind, moment, 2).await;
    let killed = stand.kill().await;
    let next = stand.running.iter().flatten().next().expect("another instance runs");
    let resumed = next.wait_for("that it took the call over", |it| is(it, "resumed")).await;
    stand.go_on().await;
    let sent = next.wait_for("that it sends a command", |it| is(it, "sent")).await;
    let answered = next.events().iter().filter(|it| it["event"] == "result").map(at).next();
    let since = match (moment, answered) {
        (Moment::Thought, _) | (_, None) => killed,
        (Moment::Prompt | Moment::Digits | Moment::Dial, Some(answered)) => answered,
    };
    say(&format!(
        "loss: {}, {}: taken over {:.1} ms after the kill; next command {:.1} ms after {}",
        kind.name(),
        moment.name(),
        ms(at(&resumed), killed),
        ms(at(&sent), since),
        if since == killed { "the kill" } else { "the result" },
    ));
    stand.ends_well(1).await;
}

async fn the_only_one_is_back(asterisk: Arc<Asterisk>, kind: Kind, moment: Moment) {
    let mut stand = Stand::begin(&asterisk, kind, moment, 1).await;
    stand.kill().await;
    // The caller presses while nobody has the call: what was pressed must not be lost.
    tokio::join!(tokio::time::sleep(AWAY), stand.go_on());
    stand.restart().await;
    stand.ends_well(1).await;
}

async fn is_told_of_a_hangup(asterisk: Arc<Asterisk>, kind: Kind) {
    let mut stand = Stand::begin(&asterisk, kind, Moment::Digits, 1).await;
    stand.kill().await;
    stand.call.hang_up().await;
    stand.call.until(LIMIT, "GET DATA is over", |state| !state.running).await;
    stand.restart().await;

    let state = stand.call.wait_until_gone(LIMIT).await;
    assert_eq!(variable(&state, "LOSS"), Some("hung up"), "{state:#?}");
    assert_eq!(variable(&state, "AGISTATUS"), Some("HANGUP"), "{state:#?}");
    assert_eq!(variable(&state, "AGIBRIDGE_STATUS"), None, "{state:#?}");
    let next = stand.running[0].as_ref().expect("it is back");
    let ended = next.wait_for("that the call ended", |it| is(it, "ended")).await;
    assert_eq!(ended["ended"]["reason"], "REASON_HANGUP", "{ended}");
    let events = next.events();
    let told = events.iter().filter(|it| it["event"] == "hangup").count();
    let known = events.iter().filter(|it| it["hung_up"] == true).count();
    assert_eq!(told + known, 1, "the hangup is told once: {events:#?}");
    let result = events.iter().find(|it| it["event"] == "result").expect("GET DATA's result");
    let hung_up = &result["result"]["error"]["code"];
    assert!(hung_up == "CODE_HUNG_UP" || result["result"]["hungUp"] == true, "{result}");
    assert!(stand.bridge.stop(LIMIT).await.success(), "the bridge ends well");
}

impl Stand {
    async fn begin(asterisk: &Asterisk, kind: Kind, moment: Moment, instances: usize) -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_agi-bridge"));
        let seats: Vec<Seat> = (1..=instances)
            .map(|number| Seat::new(kind, program, &moment.part(), &format!("instance-{number}")))
            .collect();
        let configuration = format!(
            "{}routes:\n  - {{name: loss, path: /loss, services: {}}}\n",
            kind.sections(),
            kind.services(&seats)
        );
        let bridge = Bridge::start(program, &configuration).await;
        let mut running = Vec::new();
        for seat in &seats {
            running.push(Some(seat.start(bridge.api()).await));
        }
        let spec = CallSpec::new(&format!("agi://{}/loss", bridge.agi()), place());
        let call = Call::begin(asterisk, &spec).await;
        let begun = |state: &State| match moment {
            Moment::Prompt | Moment::Digits => {
                state.running && state.commands.iter().any(|line| moment.is(line))
            }
            // It is set once the other side has answered.
            Moment::Dial => variable(state, "DIALSTATUS") == Some("ANSWER"),
            Moment::Thought => variable(state, "LOSS") == Some("before") && !state.running,
        };
        call.until(LIMIT, moment.name(), begun).await;
        Self { bridge, seats, running, call, moment, kind }
    }

    /// Kills the instance that has the call; says when, in µs.
    async fn kill(&mut self) -> u64 {
        let has_it = self.running.iter().map(|instance| {
            let instance = instance.as_ref().expect("every instance runs");
            Box::pin(instance.wait_for("that it has the call", |it| is(it, "started")))
        });
        let (_, index, _) = select_all(has_it).await;
        let instance = self.running[index].take().expect("it runs");
        if self.moment == Moment::Thought {
            instance.wait_for("that the first step is answered", |it| is(it, "result")).await;
        }
        let now = SystemTime::UNIX_EPOCH.elapsed().expect("it is later than 1970");
        self.seats[index].kill(instance);
        u64::try_from(now.as_micros()).expect("it is not that late")
    }

    /// The caller does what ends the command that runs, if it does not end by itself.
    async fn go_on(&self) {
        if self.moment == Moment::Digits {
            self.call.press("42#").await;
        }
    }

    async fn restart(&mut self) {
        self.running[0] = Some(self.seats[0].start(self.bridge.api()).await);
    }

    /// The call ends as if nothing had been, after so many resumptions.
    async fn ends_well(self, resumptions: usize) {
        let state = self.call.wait_until_gone(LIMIT).await;
        let before = Some("SET VARIABLE LOSS before");
        let after = ["SET VARIABLE LOSS after", "SET VARIABLE RESULT ok"];
        let wanted: Vec<&str> = before.into_iter().chain(self.moment.line()).chain(after).collect();
        let commands: Vec<String> =
            state.commands.iter().map(|line| line.replace('"', "").trim_end().to_owned()).collect();
        assert_eq!(commands, wanted, "{}", self.kind.name());
        assert_eq!(variable(&state, "LOSS"), Some("after"), "{state:#?}");
        assert_eq!(variable(&state, "RESULT"), Some("ok"), "{state:#?}");
        assert_eq!(variable(&state, "AGISTATUS"), Some("SUCCESS"), "{state:#?}");
        assert_eq!(variable(&state, "AGIBRIDGE_STATUS"), None, "{state:#?}");

        let last = self.running.iter().flatten().next().expect("an instance runs");
        let ended = last.wait_for("that the call ended", |it| is(it, "ended")).await;
        assert_eq!(ended["ended"]["reason"], "REASON_SERVICE", "{ended}");
        let events = last.events();
        let resumed: Vec<&Value> = events.iter().filter(|it| it["event"] == "resumed").collect();
        assert_eq!(resumed.len(), resumptions, "{events:#?}");
        let results: Vec<&Value> = events.iter().filter(|it| it["event"] == "result").collect();
        match self.moment {
            Moment::Prompt => assert_eq!(results[0]["result"]["playback"]["digit"], Value::Null),
            Moment::Digits => assert_eq!(results[0]["result"]["digits"]["digits"], "42"),
            Moment::Dial => assert!(results[0]["result"]["exec"].is_object(), "{events:#?}"),
            Moment::Thought => assert_eq!(resumed[0]["running"], Value::Null),
        }
        if self.moment.line().is_some() {
            assert_eq!(resumed[0]["running"], 2, "{events:#?}");
        }
        assert!(self.bridge.stop(LIMIT).await.success(), "the bridge ends well");
    }
}

impl Moment {
    fn is(self, line: &str) -> bool {
        self.line().is_some_and(|wanted| line.replace('"', "").trim_end() == wanted)
    }
}

fn variable<'a>(state: &'a State, name: &str) -> Option<&'a str> {
    state.variables.get(name).map(String::as_str)
}

fn is(event: &Value, name: &str) -> Option<Value> {
    (event["event"] == name).then(|| event.clone())
}

fn at(event: &Value) -> u64 {
    event["at"].as_u64().unwrap_or_default()
}

fn ms(later: u64, earlier: u64) -> f64 {
    Duration::from_micros(later.saturating_sub(earlier)).as_secs_f64() * 1000.0
}

/// To the terminal, also when the test passes.
fn say(text: &str) {
    // Nobody reads a closed output, and the verdict tells the same.
    let _ = writeln!(io::stdout(), "{text}");
}
