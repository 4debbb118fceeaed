//! Every scenario over every transport of the contract: what a service is told, and what passes between Asterisk and the
//! bridge, must not depend on how the service is reached. One running bridge a transport, the simulated phone in front.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use agi_bridge::scenario::{self, Scenario};
use futures_util::future::join_all;
use kit::{
    bridge::Bridge,
    play::{self, Played},
    service::{Service, Transport},
    transcript::difference,
};
use std::{
    collections::VecDeque,
    fs,
    io::{self, Write as _},
    path::Path,
    sync::Arc,
};
use tokio::task::{JoinError, JoinSet};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios");
/// Scenarios at once, over all transports each: a loaded machine must keep the timing of prompts and digits.
const AT_ONCE_MAX: usize = 8;
/// What every other transport is compared with.
const MODEL: Transport = Transport::Grpc;

/// A bridge and the service behind it.
struct Stand {
    bridge: Bridge,
    service: Service,
}

/// What became of one transport.
struct Row {
    transport: Transport,
    /// Why nothing could be played over it.
    stand: Result<Arc<Stand>, String>,
    passed: usize,
    faults: Vec<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_scenario_is_the_same_over_every_transport() {
    let mut rows = join_all(Transport::ALL.map(Row::begin)).await;
    let scenarios = load();
    let count = scenarios.len();
    let mut waiting = VecDeque::from(scenarios);
    let mut running = JoinSet::new();
    loop {
        while running.len() < AT_ONCE_MAX
            && let Some((name, scenario)) = waiting.pop_front()
        {
            let stands: Vec<_> =
                rows.iter().map(|row| (row.transport, row.stand.clone().ok())).collect();
            running.spawn(async move { (name, play_all(&scenario, stands).await) });
        }
        let Some(done) = running.join_next().await else { break };
        let (name, verdicts) = done.unwrap();
        for (row, verdict) in rows.iter_mut().zip(verdicts) {
            row.note(&name, verdict);
        }
    }

    say(&table(&rows, count));
    let faults: Vec<String> = rows.iter().flat_map(Row::report).collect();
    let complete = rows.iter().all(|row| row.passed == count);
    // Before a panic: else every bridge would add its whole log.
    drop(rows);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(complete, "every scenario was played over every transport");
}

impl Row {
    /// Starts what it takes; a transport that cannot be had leaves the others alone.
    async fn begin(transport: Transport) -> Self {
        let stand = tokio::spawn(Stand::start(transport)).await;
        let stand = stand.map(Arc::new).map_err(|err| err.to_string());
        Self { transport, stand, passed: 0, faults: Vec::new() }
    }

    fn note(&mut self, scenario: &str, verdict: Option<Result<(), String>>) {
        match verdict {
            Some(Ok(())) => self.passed += 1,
            Some(Err(fault)) => self.faults.push(format!("{scenario}: {fault}")),
            None => {}
        }
    }

    fn report(&self) -> Vec<String> {
        let faults = self.stand.as_ref().err().into_iter().chain(&self.faults);
        faults.map(|fault| format!("{}: {fault}", self.transport.name())).collect()
    }
}

impl Stand {
    async fn start(transport: Transport) -> Self {
        let service = Service::start_on(transport).await;
        let api = if transport.dials_in() {
            "api: {listen: \"127.0.0.1:0\", workers: [{groups: [kit]}]}\n"
        } else {
            ""
        };
        let configuration = format!(
            "{api}routes:\n  - name: scenarios\n    path: /scenario\n    services: [{{url: \"{}\"}}]\n",
            service.url()
        );
        let program = Path::new(env!("CARGO_BIN_EXE_agi-bridge"));
        let bridge = Bridge::start(program, &configuration).await;
        if transport.dials_in() {
            service.dial(bridge.api().expect("the bridge says where its API listens")).await;
        }
        Self { bridge, service }
    }
}

/// Plays it over each transport that there is, at the same time.
async fn play_all(
    scenario: &Scenario,
    stands: Vec<(Transport, Option<Arc<Stand>>)>,
) -> Vec<Option<Result<(), String>>> {
    let scenario = Arc::new(scenario.clone());
    let plays = stands.into_iter().map(|(transport, stand)| {
        let scenario = Arc::clone(&scenario);
        async move {
            let stand = stand?;
            // What panics in there is the fault of this transport and this scenario.
            let play = tokio::spawn(async move {
                play::on_phone(&scenario, stand.bridge.agi(), &stand.service).await
            });
            Some((transport, play.await))
        }
    });
    let plays = join_all(plays).await;
    let model = plays.iter().flatten().find(|(transport, _)| *transport == MODEL);
    let model = model.and_then(|(_, played)| played.as_ref().ok()).map(Played::lines);
    let judge = |(transport, played)| judge(transport, played, model.as_deref());
    plays.into_iter().map(|play| play.map(judge)).collect()
}

fn judge(
    transport: Transport,
    played: Result<Played, JoinError>,
    model: Option<&[String]>,
) -> Result<(), String> {
    let played = played.map_err(|err| err.to_string())?;
    if !played.faults.is_empty() {
        return Err(format!("\n  {}\n{}", played.faults.join("\n  "), played.lines().join("\n")));
    }
    let Some(model) = model else {
        return Err(format!("{} has nothing to compare with", MODEL.name()));
    };
    match difference(MODEL.name(), model, transport.name(), &played.lines()) {
        Some(text) => Err(format!("the transcripts differ:\n{text}")),
        None => Ok(()),
    }
}

fn table(rows: &[Row], count: usize) -> String {
    let mut text = format!("\n{:<20}{:>10}{:>8}\n", "transport", "scenarios", "passed");
    for row in rows {
        let name = row.transport.name();
        text.push_str(&format!("{name:<20}{count:>10}{:>8}\n", row.passed));
    }
    text
}

fn load() -> Vec<(String, Scenario)> {
    let mut files: Vec<_> = fs::read_dir(FOLDER)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{FOLDER} has scenarios");
    let name = |path: &Path| path.file_stem().unwrap().to_string_lossy().into_owned();
    let load = |path: &Path| scenario::load(path).unwrap_or_else(|err| panic!("{err}"));
    files.iter().map(|path| (name(path), load(path))).collect()
}

/// To the terminal, also when the test passes.
fn say(text: &str) {
    // Nobody reads a closed output, and the verdict tells the same.
    let _ = writeln!(io::stdout(), "{text}");
}
