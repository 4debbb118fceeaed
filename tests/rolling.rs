//! Instances of a service under three hundred calls, restarted one after another, or three at a time: no call notices. What is judged
//! is what Asterisk sees, a simulated one for each call: every line once, in order, and nothing else.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use futures_util::future::join_all;
use kit::{
    bridge::Bridge,
    seat::{Instance, Kind, Seat},
};
use serde_json::{Value, json};
use std::{collections::HashSet, net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    sync::watch,
    task::JoinSet,
    time::timeout,
};

const CALLS: usize = 300;
const INSTANCES: usize = 3;
/// Commands of a call between two restarts.
const STRIDE: usize = 4;
const STEPS: usize = STRIDE * (INSTANCES + 1);
/// No wait is longer; none is expected to come near.
const PATIENCE: Duration = Duration::from_secs(25);

/// How often it is looked whether all was told.
const POLL: Duration = Duration::from_millis(50);

/// How an instance ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Killed,
    Drained,
}

/// What all calls share.
struct Gates {
    /// Restarts that are over: a call stops before its gate until then, with a command at Asterisk.
    restarted: watch::Sender<usize>,
    /// Calls that a service has taken.
    taken: watch::Sender<usize>,
    /// Calls that came to each gate.
    arrived: watch::Sender<[usize; INSTANCES]>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_outlive_grpc_services_that_are_killed_in_turn() {
    restart_in_turn(Kind::Grpc, End::Killed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_outlive_grpc_services_that_drain_in_turn() {
    restart_in_turn(Kind::Grpc, End::Drained).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_outlive_websocket_services_that_are_killed_in_turn() {
    restart_in_turn(Kind::WebSocket, End::Killed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_outlive_websocket_services_that_drain_in_turn() {
    restart_in_turn(Kind::WebSocket, End::Drained).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_outlive_workers_that_are_killed_in_turn() {
    restart_in_turn(Kind::Worker, End::Killed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_outlive_workers_that_drain_in_turn() {
    restart_in_turn(Kind::Worker, End::Drained).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_outlive_grpc_services_that_drain_three_at_a_time() {
    restart_three_at_a_time(Kind::Grpc).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_outlive_websocket_services_that_drain_three_at_a_time() {
    restart_three_at_a_time(Kind::WebSocket).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_outlive_workers_that_drain_three_at_a_time() {
    restart_three_at_a_time(Kind::Worker).await;
}

/// The only instance: while it is away every call finds nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_calls_wait_for_the_only_grpc_service() {
    restart_the_only_one(Kind::Grpc).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_calls_wait_for_the_only_websocket_service() {
    restart_the_only_one(Kind::WebSocket).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_calls_wait_for_the_only_worker() {
    restart_the_only_one(Kind::Worker).await;
}

async fn restart_in_turn(kind: Kind, end: End) {
    run(kind, (INSTANCES, 1), replace(end)).await;
}

/// Of twice as many, so that as many others are there to take the calls.
async fn restart_three_at_a_time(kind: Kind) {
    run(kind, (2 * INSTANCES, INSTANCES), replace(End::Drained)).await;
}

fn replace(end: End) -> impl for<'a> Fn(&'a Seat, Instance, Option<SocketAddr>) -> Restarted<'a> {
    move |seat, instance, api| {
        Box::pin(async move {
            match end {
                End::Killed => seat.kill(instance),
                End::Drained => seat.terminate(instance).await,
            }
            seat.start(api).await
        })
    }
}

async fn restart_the_only_one(kind: Kind) {
    run(kind, (1, 1), |seat, instance, api| {
        Box::pin(async move {
            seat.kill(instance);
            // Nobody is there for so long.
            tokio::time::sleep(Duration::from_millis(1500)).await;
            seat.start(api).await
        })
    })
    .await;
}

type Restarted<'a> = std::pin::Pin<Box<dyn Future<Output = Instance> + 'a>>;

/// Makes the calls, and restarts instances, so many at once, each time when half of the calls stand before the next gate.
async fn run(
    kind: Kind,
    (instances, at_once): (usize, usize),
    restart: impl for<'a> Fn(&'a Seat, Instance, Option<SocketAddr>) -> Restarted<'a>,
) {
    let program = Path::new(env!("CARGO_BIN_EXE_agi-bridge"));
    let seats: Vec<Seat> = (1..=instances)
        .map(|number| Seat::new(kind, program, &part(), &format!("instance-{number}")))
        .collect();
    let configuration = format!(
        "{}routes:\n  - {{name: rolling, path: /rolling, services: {}}}\n",
        kind.sections(),
        kind.services(&seats)
    );
    let bridge = Bridge::start(program, &configuration).await;
    let mut running = Vec::new();
    for seat in &seats {
        running.push(Some(seat.start(bridge.api()).await));
    }

    let gates = Arc::new(Gates {
        restarted: watch::Sender::new(0),
        taken: watch::Sender::new(0),
        arrived: watch::Sender::default(),
    });
    let mut calls = JoinSet::new();
    for number in 0..CALLS {
        calls.spawn(call(number, bridge.agi(), Arc::clone(&gates)));
    }
    // A call that begins while nobody is there is another matter.
    let mut taken = gates.taken.subscribe();
    let all = timeout(PATIENCE, taken.wait_for(|taken| *taken == CALLS)).await;
    all.expect("all calls are taken").unwrap();
    for turn in 0..instances / at_once {
        let mut arrived = gates.arrived.subscribe();
        let half = arrived.wait_for(|arrived| arrived[turn] >= CALLS / 2);
        timeout(PATIENCE, half).await.expect("calls come to the gate").unwrap();
        let these = turn * at_once..(turn + 1) * at_once;
        let restarts = these
            .clone()
            .map(|place| restart(&seats[place], running[place].take().unwrap(), bridge.api()));
        let restarts: Vec<_> = restarts.collect();
        for (place, instance) in these.zip(join_all(restarts).await) {
            running[place] = Some(instance);
        }
        gates.restarted.send_replace(turn + 1);
    }
    gates.restarted.send_replace(INSTANCES);

    let mut faults = Vec::new();
    while let Some(done) = timeout(PATIENCE, calls.join_next()).await.expect("calls end") {
        faults.extend(done.unwrap().err());
    }
    let log = bridge.log();
    let warnings: Vec<_> = log.iter().filter(|line| !line.contains("\"INFO\"")).take(5).collect();
    assert!(
        faults.is_empty(),
        "{} calls: {:#?}\n{warnings:#?}",
        faults.len(),
        &faults[..faults.len().min(5)]
    );

    // Whoever had a call when it ended was told so; its last words may be on their way.
    let all_ended = async {
        while told(&seats, &running, "ended").len() < CALLS {
            tokio::time::sleep(POLL).await;
        }
    };
    timeout(PATIENCE, all_ended).await.expect("every call's end is told");
    assert_eq!(told(&seats, &running, "ended").len(), CALLS);
    let resumed: HashSet<String> = told(&seats, &running, "resumed").into_iter().collect();
    assert!(resumed.len() >= CALLS / 2, "{} calls changed hands", resumed.len());
}

/// The calls that any instance told such an event of.
fn told(seats: &[Seat], running: &[Option<Instance>], event: &str) -> Vec<String> {
    let gone = seats.iter().flat_map(Seat::events);
    let told = gone.chain(running.iter().flatten().flat_map(Instance::events));
    told.filter(|it| it["event"] == event).map(|it| it["call"].to_string()).collect()
}

/// Every call sets one variable after another.
fn part() -> Value {
    let step =
        |number: usize| json!({"setVariable": {"name": "STEP", "value": number.to_string()}});
    let mut steps: Vec<Value> = (1..=STEPS).map(step).collect();
    steps.push(json!({"end": {"variables": {"RESULT": "ok"}}}));
    json!({ "steps": steps })
}

/// One call, as Asterisk sees it; what is wrong with it.
async fn call(number: usize, bridge: SocketAddr, gates: Arc<Gates>) -> Result<(), String> {
    let fault = |text: String| format!("call {number}: {text}");
    let stream = TcpStream::connect(bridge).await.map_err(|err| fault(err.to_string()))?;
    let (from, mut to) = stream.into_split();
    let prelude = format!(
        "agi_network: yes\nagi_network_script: rolling\nagi_request: agi://127.0.0.1/rolling\n\
         agi_channel: Local/{number}@lab-00000001;1\nagi_uniqueid: {number}.0\n\n"
    );
    to.write_all(prelude.as_bytes()).await.map_err(|err| fault(err.to_string()))?;
    let mut lines = BufReader::new(from).lines();
    for step in 1..=STEPS + 1 {
        let wanted = match step {
            step if step <= STEPS => format!("SET VARIABLE \"STEP\" \"{step}\""),
            _ => "SET VARIABLE \"RESULT\" \"ok\"".to_owned(),
        };
        let line = timeout(PATIENCE, lines.next_line()).await;
        let line = line.map_err(|_| fault(format!("nothing came in place of {wanted}")))?;
        if !matches!(&line, Ok(Some(line)) if *line == wanted) {
            // Its reason comes next, if it is the bridge's own.
            let _ = to.write_all(b"200 result=1\n").await;
            let next = timeout(PATIENCE, lines.next_line()).await;
            return Err(fault(format!("{line:?}, {next:?} in place of {wanted}")));
        }
        answered_after(number, step, &gates).await;
        to.write_all(b"200 result=1\n").await.map_err(|err| fault(err.to_string()))?;
    }
    match timeout(PATIENCE, lines.next_line()).await {
        Ok(Ok(None)) => Ok(()),
        line => Err(fault(format!("{line:?} behind the last line"))),
    }
}

/// A command takes a while; one before a gate takes until the restart is over.
async fn answered_after(number: usize, step: usize, gates: &Gates) {
    let span = (number * 7 + step * 13) % 20;
    tokio::time::sleep(Duration::from_millis(span.try_into().unwrap())).await;
    if step == 1 {
        gates.taken.send_modify(|taken| *taken += 1);
    }
    let gate = step / STRIDE;
    if step.is_multiple_of(STRIDE) && (1..=INSTANCES).contains(&gate) {
        gates.arrived.send_modify(|arrived| arrived[gate - 1] += 1);
        let _ = gates.restarted.subscribe().wait_for(|restarted| *restarted >= gate).await;
    }
}
