//! A busy Asterisk and many subscribers: this role plays both, and somebody who sends actions meanwhile, with the bridge or a bare
//! fan-out between them. A reader that does not get every event, in order, is a fault. One subscriber stops reading, and must be
//! told how many it missed once it reads again.

mod asker;
mod asterisk;
pub(crate) mod fanout;
mod reader;
mod tally;

use crate::{
    counters::{self, Reading},
    job::{Job, Outcome},
};
use reader::Kind;
use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, sync::Arc, thread, time::Duration};
use tally::{Phase, Tally};
use tokio::{runtime::Builder, time};

/// How fast Asterisk sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Pace {
    /// Nothing at all.
    None,
    /// So many a second.
    Rate(u32),
    /// As fast as the slowest reader follows, and never further ahead of it than what is kept for one.
    Followed,
}

/// One measurement, as JSON on the command line. The job's calls are subscribers, its target is the API.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Storm {
    pub(crate) job: Job,
    /// Where Asterisk's manager is to be.
    pub(crate) asterisk: SocketAddr,
    pub(crate) pace: Pace,
    /// Between them is the fan-out, and no bridge.
    pub(crate) is_bare: bool,
}

/// What came of the actions.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Asked {
    /// From the request to its answer; 0 where nothing was asked.
    pub(crate) p50_ns: u64,
    pub(crate) p99_ns: u64,
}

/// Who may watch, as the bridge is told.
pub(crate) const TOKEN: &str = "a-token-for-benches-only";

/// For all subscribers to be there, and for all events to have come once no more are sent.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);
/// More than the bridge, the connection and both kernels keep for one that is stuck.
const KEPT_MAX: u64 = 10_000;

/// The sections of the bridge's configuration.
pub(crate) fn sections(asterisk: SocketAddr) -> String {
    format!(
        "api: {{listen: \"127.0.0.1:0\", clients: [{{name: bench, token: {TOKEN}, events: \"*\", actions: [Ping], \
         watches: 1000, rate: 100000, running: 1000}}]}}\n\
         managers: [{{name: pbx1, address: \"{asterisk}\", username: lab, secret: lab}}]\n"
    )
}

/// Plays the role.
pub(crate) async fn main(task: &[String]) -> anyhow::Result<()> {
    let text = task.first().ok_or_else(|| anyhow::anyhow!("this role needs a storm"))?;
    let storm: Arc<Storm> = Arc::new(serde_json::from_str(text)?);
    let kinds = kinds(&storm);
    let tally = Arc::new(Tally::new(kinds.len()));
    let (ours, theirs) = (Arc::clone(&storm), Arc::clone(&tally));
    let asterisk = part(&tally, move || asterisk::run(ours, theirs));
    let (ours, theirs) = (Arc::clone(&storm), Arc::clone(&tally));
    let readers = part(&tally, move || reader::run(ours, kinds, theirs));
    let outcome = measure(&storm, &tally).await;
    tally.enter(Phase::Done);
    for part in [asterisk, readers] {
        anyhow::ensure!(part.join().is_ok(), "a part of the bench broke");
    }
    let mut outcome = outcome?;
    // The readers have told theirs by now.
    outcome.set_turn_times(tally.lags());
    (outcome.errors, outcome.fault) = tally.faults();
    outcome.tell()
}

async fn measure(storm: &Storm, tally: &Arc<Tally>) -> anyhow::Result<Outcome> {
    let (job, mut outcome) = (&storm.job, Outcome::default());
    until(tally, "subscribers are missing", || tally.all_ready()).await?;
    let before = counters::memory_bytes(&job.watch);
    tally.enter(Phase::Sending);
    let asking = (!storm.is_bare).then(|| tokio::spawn(asker::run(job.target, Arc::clone(tally))));

    time::sleep(job.warm()).await;
    let (first, heard) = (Reading::take(&job.watch), tally.heard_by_all());
    tally.measure(true);
    time::sleep(job.window()).await;
    let (last, heard_at_last) = (Reading::take(&job.watch), tally.heard_by_all());
    tally.measure(false);
    let after = counters::memory_bytes(&job.watch);
    first.until(&last, &mut outcome);
    outcome.turns = heard_at_last - heard;
    outcome.grown_bytes = after.iter().zip(before).map(|(after, before)| after - before).collect();

    tally.enter(Phase::Sent);
    until(tally, "events are missing", || tally.heard_by_all() == tally.sent()).await?;
    tally.enter(Phase::Resumed);
    if !storm.is_bare {
        until(tally, "who was stuck is not told all", || tally.stuck_heard() == tally.sent())
            .await?;
        let missed = tally.missed();
        anyhow::ensure!(tally.sent() < KEPT_MAX || missed > 0, "who was stuck missed nothing");
    }
    if let Some(asking) = asking {
        outcome.asked = asking.await??;
    }
    Ok(outcome)
}

/// Fails as soon as anybody has found a fault.
async fn until(tally: &Tally, late: &'static str, done: impl Fn() -> bool) -> anyhow::Result<()> {
    let all = async {
        while !done() {
            if let (1.., Some(fault)) = tally.faults() {
                anyhow::bail!("{fault}: {}", tally.words());
            }
            time::sleep(POLL).await;
        }
        Ok(())
    };
    time::timeout(PATIENCE, all).await.map_err(|_| anyhow::anyhow!("{late}: {}", tally.words()))?
}

/// Most speak gRPC, some each other protocol; the first one is the one that will be stuck.
fn kinds(storm: &Storm) -> Vec<Kind> {
    let kind = |number| match number {
        _ if storm.is_bare => Kind::Bare,
        1 | 2 => Kind::WebSocketProto,
        3 | 4 => Kind::WebSocketJson,
        5..=8 => Kind::ServerSent,
        _ => Kind::Grpc,
    };
    (0..storm.job.calls).map(kind).collect()
}

/// A thread with a runtime of its own. How it fails is everybody's.
fn part<F: Future<Output = anyhow::Result<()>>>(
    tally: &Arc<Tally>,
    run: impl FnOnce() -> F + Send + 'static,
) -> thread::JoinHandle<()> {
    let tally = Arc::clone(tally);
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build();
        let done = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run()));
        if let Err(error) = done {
            tally.fault(&error);
        }
    })
}
