//! Plays a scenario through a running bridge, with the real Asterisk's call or the simulated phone in front and the
//! scripted service behind it. Knows how the parts meet, and compares what came of it with what should.

use crate::{
    asterisk::{Asterisk, Call, CallSpec, Dialplan, Place},
    service::{Log, Recording, Service},
    tap::Tap,
    transcript::{Names, Transcript},
};
use agi_bridge::{
    phone::{Options, Phone},
    proto::{
        CallControl, call_control::Control, call_ended::Reason, call_event::Event,
        command::Command, end_call::Next,
    },
    scenario::{Act, Caller, Dial, Expect, Location, Scenario, ServiceStep, Subroutine},
};
use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// No scenario takes longer.
const LIMIT: Duration = Duration::from_secs(90);
/// How long a busy machine may take to close what is over.
const CLOSE_LIMIT: Duration = Duration::from_secs(20);

/// What came of a scenario.
#[derive(Debug)]
pub struct Played {
    /// Each connection to the bridge.
    pub transcripts: Vec<Transcript>,
    /// What the service was told.
    pub log: Log,
    /// Where it differs from what the scenario expects; empty: nowhere.
    pub faults: Vec<String>,
    run: String,
}

impl Played {
    /// What passed between Asterisk and the bridge, without what differs from run to run.
    pub fn lines(&self) -> Vec<String> {
        let names = Names::new().with(&self.run, "run");
        let lines = self.transcripts.iter().map(|transcript| transcript.normalised(&names));
        lines.collect::<Vec<_>>().join(&"(next connection)".to_owned())
    }
}

/// Where AGI() stands for this caller.
pub fn place(caller: &Caller) -> Place {
    let extension = caller.extension.as_deref().unwrap_or("s");
    Place::new(&caller.context, extension, caller.priority)
}

/// Puts what a scenario needs into a real Asterisk's dialplan.
pub fn prepare(dialplan: &mut Dialplan, scenario: &Scenario) {
    dialplan.agi(&place(&scenario.caller));
    for (name, length) in &scenario.asterisk.sounds {
        dialplan.sound(name, length.0);
    }
    for (context, extensions) in &scenario.asterisk.subroutines {
        for (extension, subroutine) in extensions {
            dialplan.add_all(&Place::new(context, extension, 1), &subroutine_lines(subroutine));
        }
    }
    for (target, dial) in &scenario.asterisk.dial {
        if let Some((extension, context)) =
            target.strip_prefix("Local/").and_then(|at| at.split_once('@'))
        {
            dialplan.add_all(&Place::new(context, extension, 1), &dial_lines(dial));
        }
    }
    for location in destinations(scenario) {
        dialplan.report(&location);
    }
}

/// Plays it on a real Asterisk.
///
/// # Panics
/// When Asterisk does not do what it is told, or the call does not end.
pub async fn on_asterisk(
    scenario: &Scenario,
    asterisk: &Asterisk,
    bridge: SocketAddr,
    service: &Service,
) -> Played {
    play(scenario, asterisk, Stage::set(scenario, bridge, service).await).await
}

/// Plays it on a real Asterisk, whose calls come to the bridge over its manager.
///
/// # Panics
/// When Asterisk does not do what it is told, or the call does not end.
pub async fn by_async_agi(scenario: &Scenario, asterisk: &Asterisk, service: &Service) -> Played {
    play(scenario, asterisk, Stage::without_socket(scenario, service)).await
}

async fn play(scenario: &Scenario, asterisk: &Asterisk, stage: Stage) -> Played {
    for family in families(scenario) {
        asterisk.ami().try_action("DBDelTree", &[("Family", &family)]).await;
    }
    for (path, value) in &scenario.caller.database {
        let (family, key) = path.split_once('/').expect("a scenario names family/key");
        asterisk.ami().action("DBPut", &[("Family", family), ("Key", key), ("Val", value)]).await;
    }
    let mut call = Call::begin(asterisk, &spec(&scenario.caller, &stage.url)).await;
    call.play(&scenario.caller.steps).await;
    let state = call.wait_until_gone(LIMIT).await;

    let mut faults = Faults::default();
    let expect = &scenario.expect;
    faults.check(
        "AGISTATUS",
        expect.agistatus.as_deref(),
        state.variables.get("AGISTATUS").map(String::as_str),
    );
    for (name, value) in &expect.variables {
        faults.compare(name, value.as_deref(), state.variables.get(name).map(String::as_str));
    }
    faults.check("position", expect.position.as_deref(), state.position.as_deref());
    stage.finish(expect, faults.0).await
}

/// Plays it on the simulated phone.
///
/// # Panics
/// When the phone cannot call.
pub async fn on_phone(scenario: &Scenario, bridge: SocketAddr, service: &Service) -> Played {
    let stage = Stage::set(scenario, bridge, service).await;
    let phone = Phone::new(Options { timeout: LIMIT, ..Options::from(scenario) });
    let report =
        phone.call(&stage.url).await.unwrap_or_else(|err| panic!("the phone cannot call: {err}"));
    stage.finish(&scenario.expect, report.compare(&scenario.expect)).await
}

/// True when two scenarios that this holds for must not be played on one Asterisk at the same time.
pub fn needs_asterisk_alone(scenario: &Scenario) -> bool {
    let records = commands(scenario).any(|command| matches!(command, Command::RecordFile(_)));
    records || !families(scenario).is_empty()
}

/// One run of a scenario: its tap, its place at the service.
struct Stage {
    /// None: nothing passes over a socket.
    tap: Option<Tap>,
    recording: Recording,
    url: String,
    run: String,
    /// The script closes the stream, and is then told nothing more.
    closes: bool,
}

impl Stage {
    async fn set(scenario: &Scenario, bridge: SocketAddr, service: &Service) -> Self {
        let tap = Tap::start(bridge).await;
        let begin = format!("agi://{}", tap.address());
        Self { tap: Some(tap), ..Self::script(scenario, service, &begin) }
    }

    fn without_socket(scenario: &Scenario, service: &Service) -> Self {
        Self::script(scenario, service, "agi:async,")
    }

    /// `begin`: of what stands in AGI(), before the path.
    fn script(scenario: &Scenario, service: &Service, begin: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let key = COUNT.fetch_add(1, Ordering::Relaxed).to_string();
        let recording = service.script(&key, scenario.service.clone());
        let run = format!("run={key}");
        let url = format!("{begin}/scenario?{run}");
        let closes = scenario.service.iter().any(|step| matches!(step, ServiceStep::Close(_)));
        Self { tap: None, recording, url, run, closes }
    }

    async fn finish(mut self, expect: &Expect, faults: Vec<String>) -> Played {
        let transcripts = match &mut self.tap {
            Some(tap) => tap.wait_until_closed(CLOSE_LIMIT).await,
            None => Vec::new(),
        };
        let log = self.recording.wait_until_closed(CLOSE_LIMIT).await;
        let mut faults = Faults(faults);
        faults.service(expect, &log, self.closes);
        Played { transcripts, log, faults: faults.0, run: self.run }
    }
}

#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    /// Compares, if something is expected.
    fn check(&mut self, what: &str, expected: Option<&str>, got: Option<&str>) {
        if expected.is_some() {
            self.compare(what, expected, got);
        }
    }

    fn compare(&mut self, what: &str, expected: Option<&str>, got: Option<&str>) {
        if expected != got {
            self.0.push(format!("{what}: expected {expected:?}, got {got:?}"));
        }
    }

    fn service(&mut self, expect: &Expect, log: &Log, closes: bool) {
        let results = log.results();
        if let Some(expected) = &expect.results {
            if expected.len() != results.len() {
                self.0.push(format!(
                    "results: expected {}, got {}: {results:#?}",
                    expected.len(),
                    results.len()
                ));
            }
            for (index, (expected, result)) in expected.iter().zip(&results).enumerate() {
                if let Err(fault) = expected.compare(result) {
                    self.0.push(format!("results[{index}]: {fault}"));
                }
            }
        }
        if let Some(reason) = expect.ended
            && (!closes || log.ended().is_some())
        {
            let got = log.ended().map(|ended| ended.reason().as_str_name());
            self.compare("ended", Some(reason.as_str_name()), got);
        }
        let hung_up = log.ended().is_some_and(|ended| ended.reason() == Reason::Hangup);
        if log.hangups() > 1 || hung_up && log.hangups() == 0 {
            self.0.push(format!("the hangup was told {} times", log.hangups()));
        }
        let ends = log.events.iter().filter(|event| matches!(event, Event::Ended(_))).count();
        if !closes && (ends != 1 || !matches!(log.events.last(), Some(Event::Ended(_)))) {
            self.0.push(format!("the end was told {ends} times: {:#?}", log.events));
        }
    }
}

fn spec(caller: &Caller, url: &str) -> CallSpec {
    let mut variables: Vec<(String, String)> = [
        ("CALLERID(num)", &caller.number),
        ("CALLERID(name)", &caller.name),
        ("CALLERID(dnid)", &caller.dialed_number),
        ("CALLERID(rdnis)", &caller.redirecting_number),
        ("CHANNEL(accountcode)", &caller.account_code),
        ("CHANNEL(language)", &caller.language),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(name, value)| (name.to_owned(), value.clone()))
    .collect();
    variables.extend(caller.variables.clone());
    CallSpec {
        arguments: caller.arguments.clone(),
        dead: caller.dead,
        answered: caller.answered,
        audio: caller.audio,
        variables,
        ..CallSpec::new(url, place(caller))
    }
}

fn subroutine_lines(subroutine: &Subroutine) -> Vec<String> {
    let last = if subroutine.abnormal {
        "Hangup()".to_owned()
    } else {
        format!("Return({})", subroutine.value)
    };
    vec![wait_line(subroutine.after.0), last]
}

fn dial_lines(dial: &Dial) -> Vec<String> {
    let text = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
    match dial {
        Dial::Answered { ring, talk } => {
            vec![
                "Ringing()".into(),
                wait_line(ring.0),
                "Answer()".into(),
                wait_line(talk.0),
                "Hangup()".into(),
            ]
        }
        Dial::Busy => text(&["Hangup(17)"]),
        Dial::Noanswer => text(&["Ringing()", "Wait(7200)"]),
        // Nothing stands there.
        Dial::Chanunavail => Vec::new(),
    }
}

fn wait_line(span: Duration) -> String {
    format!("Wait({})", span.as_secs_f64())
}

/// Every place where a call of this scenario may go on.
fn destinations(scenario: &Scenario) -> BTreeSet<Place> {
    let mut places = BTreeSet::new();
    let mut add = |at: &Location| {
        places.insert(Place::new(&at.context, &at.extension, at.priority));
    };
    for step in &scenario.caller.steps {
        if let Act::Redirect(to) = &step.act {
            add(to);
        }
    }
    for control in controls(scenario) {
        if let Some(Control::End(end)) = &control.control
            && let Some(Next::GotoDialplan(to)) = &end.next
        {
            add(&Location {
                context: to.context.clone(),
                extension: to.extension.clone(),
                priority: to.priority,
            });
        }
    }
    let position = scenario.expect.position.as_deref().unwrap_or_default();
    if let [context, extension, priority] = position.split(',').collect::<Vec<_>>()[..] {
        let priority = priority.parse().expect("expect.position ends in a number");
        add(&Location { context: context.into(), extension: extension.into(), priority });
    }
    places
}

/// The families of AstDB that it touches.
#[expect(clippy::wildcard_enum_match_arm, reason = "43 commands know no database")]
fn families(scenario: &Scenario) -> BTreeSet<String> {
    let given = scenario.caller.database.keys().filter_map(|path| path.split_once('/'));
    let used = commands(scenario).filter_map(|command| match command {
        Command::DatabaseDel(it) => Some(it.family.clone()),
        Command::DatabaseDelTree(it) => Some(it.family.clone()),
        Command::DatabaseGet(it) => Some(it.family.clone()),
        Command::DatabasePut(it) => Some(it.family.clone()),
        _ => None,
    });
    given.map(|(family, _)| family.to_owned()).chain(used).collect()
}

fn commands(scenario: &Scenario) -> impl Iterator<Item = &Command> {
    controls(scenario).filter_map(|control| match &control.control {
        Some(Control::Command(command)) => command.command.as_ref(),
        Some(Control::Cancel(_) | Control::Checkpoint(_) | Control::End(_))
        | Some(Control::Handoff(_) | Control::Heartbeat(_))
        | None => None,
    })
}

fn controls(scenario: &Scenario) -> impl Iterator<Item = &CallControl> {
    scenario.service.iter().flat_map(|step| match step {
        ServiceStep::Send(control) => std::slice::from_ref(&**control),
        ServiceStep::Batch(controls) => controls.as_slice(),
        ServiceStep::Wait(_) | ServiceStep::WaitFor(_) | ServiceStep::Close(_) => &[],
    })
}
