//! What is measured, in which order, and for how long: every run goes through every load, every load through every
//! subject, so that whatever else the machine does falls on all of them alike.

use crate::{
    abuse::Attack,
    cli::{Flags, Role},
    console::Look,
    events::{Pace, Storm},
    instruments,
    job::{Job, Outcome, Script},
    process::{self, Running},
    rows::{self, Row},
    world::{Settings, Subject, World},
};
use anyhow::Context;
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    time::{Duration, Instant},
};

/// One way to load a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Load {
    /// Calls that get one command after the other, so many at once.
    Steady(usize),
    /// Calls of five commands, 100 at once.
    Calls,
    /// One call, with every process on one core.
    OneCore,
    /// Calls that are held and idle.
    Held,
    /// 100 calls whose commands take their time.
    Paced,
    /// The same, with probes and half-open connections beside.
    Abused,
    /// 5,000 calls whose commands take a second each.
    Crowd,
    /// The same, with consoles open.
    Watched,
    /// The same, while somebody asks for the list of calls.
    Asked,
    /// Calls of five commands that take their time, 100 at once.
    PacedCalls,
    /// Calls of five commands, each driven by a process that is started for it.
    Scripts,
    /// Calls of five commands in other languages, 100 at once.
    Clients,
    /// Events to many subscribers, and actions meanwhile.
    Events(Pace),
}

/// All that was measured.
#[derive(Default)]
pub(crate) struct Results {
    pub(crate) outcomes: BTreeMap<(Load, Subject), Vec<Outcome>>,
    /// What makes figures doubtful, in words.
    pub(crate) complaints: Vec<String>,
    pub(crate) runs: usize,
    pub(crate) held: usize,
    pub(crate) seconds: f64,
    /// Of the instruments alone, for a command, in each run; none where the hop's own time for one is not asked for.
    pub(crate) instruments_ns: Vec<f64>,
}

/// How much of everything.
struct Sizes {
    runs: usize,
    warm_ms: u64,
    window_ms: u64,
    /// For loads where a second says little.
    long_ms: u64,
    events_ms: u64,
    held: usize,
    probes: u64,
    half_open: usize,
    asks: usize,
}

const FULL: Sizes = Sizes {
    runs: 6,
    warm_ms: 300,
    window_ms: 1_000,
    long_ms: 2_500,
    events_ms: 5_000,
    held: 9_000,
    probes: 10_000,
    half_open: 1_000,
    asks: 50,
};

const QUICK: Sizes = Sizes {
    runs: 1,
    warm_ms: 100,
    window_ms: 300,
    long_ms: 600,
    events_ms: 1_500,
    held: 1_000,
    probes: 1_000,
    half_open: 100,
    asks: 10,
};

/// How long a command takes at Asterisk in the paced loads: 5,000 commands a second, far from what two cores can do.
const THINK_MS: u64 = 20;

/// Live calls of those loads that look at the bridge, and how long their commands take: as many a second as in the paced ones.
const CROWD: usize = 5_000;
const CROWD_THINK_MS: u64 = 1_000;

/// Consoles that are open at once.
const CONSOLES: usize = 4;

/// Scripts that run at once: enough to keep two cores busy.
const SCRIPTS: usize = 16;

/// Of an Asterisk's events; one of them gets stuck.
const SUBSCRIBERS: usize = 50;

/// Beyond what a measurement itself takes.
const PATIENCE: Duration = Duration::from_secs(100);

/// Measures what `flags` ask for.
pub(crate) async fn run(flags: &Flags) -> anyhow::Result<Results> {
    let loads = rows::loads(&flags.only)?;
    let sizes = sizes(flags);
    let descriptors = process::raise_descriptors();
    let begun = Instant::now();
    let settings = Settings::new(flags, descriptors);
    let needed = |pinned: bool| {
        let loads = loads.iter().filter(|(load, _)| (**load == Load::OneCore) == pinned);
        loads.flat_map(|(_, subjects)| subjects).copied().collect::<BTreeSet<_>>()
    };
    let mut free = World::start(settings.clone(), &needed(false)).await?;
    let mut pinned = World::start(settings.on_one_core()?, &needed(true)).await?;

    let mut results =
        Results { runs: sizes.runs, held: held(&sizes, descriptors), ..Results::default() };
    for run in 0..sizes.runs {
        if rows::chosen(&flags.only).iter().any(Row::is_held_against_instruments) {
            results.instruments_ns.push(instruments::measure()?);
        }
        for (&load, subjects) in &loads {
            let world = if load == Load::OneCore { &mut pinned } else { &mut free };
            measure_all(world, (load, subjects), run, &sizes, &mut results).await?;
        }
    }
    free.stop().await;
    pinned.stop().await;
    results.seconds = begun.elapsed().as_secs_f64();
    Ok(results)
}

impl Load {
    /// Who is put under it for the rows that compare hops.
    pub(crate) fn hops(self) -> &'static [Subject] {
        match self {
            Self::Steady(calls) if calls > 1_000 => &[Subject::Haproxy, Subject::Bridge],
            Self::Steady(_) | Self::OneCore => &Subject::HOPS,
            Self::Calls => &[Subject::Direct, Subject::Haproxy, Subject::Bridge],
            Self::Held | Self::Paced | Self::Abused => &[Subject::Haproxy, Subject::Bridge],
            Self::Crowd | Self::Watched | Self::Asked => &[Subject::Bridge],
            Self::PacedCalls | Self::Scripts | Self::Clients | Self::Events(_) => &[],
        }
    }

    fn job(self, sizes: &Sizes, held: usize) -> (usize, Script, u64, u64) {
        match self {
            Self::Steady(calls) => (calls, Script::Loop, sizes.window_ms, 0),
            Self::Calls => (100, Script::Five, sizes.window_ms, 0),
            Self::PacedCalls => (100, Script::Five, sizes.window_ms, THINK_MS),
            Self::Scripts => (SCRIPTS, Script::Five, sizes.long_ms, 0),
            Self::Clients => (100, Script::Five, sizes.long_ms, 0),
            Self::OneCore => (1, Script::Loop, sizes.window_ms, 0),
            Self::Held => (held, Script::Idle, sizes.warm_ms, 0),
            Self::Crowd | Self::Watched | Self::Asked => {
                (CROWD, Script::Loop, sizes.long_ms, CROWD_THINK_MS)
            }
            Self::Events(_) => (SUBSCRIBERS, Script::Loop, sizes.events_ms, 0),
            Self::Paced | Self::Abused => (100, Script::Loop, sizes.long_ms, THINK_MS),
        }
    }
}

/// One load on every subject, each time beginning with another one.
async fn measure_all(
    world: &mut World,
    (load, subjects): (Load, &BTreeSet<Subject>),
    run: usize,
    sizes: &Sizes,
    results: &mut Results,
) -> anyhow::Result<()> {
    let mut subjects: Vec<Subject> = subjects.iter().copied().collect();
    let first = run % subjects.len();
    subjects.rotate_left(first);
    for subject in subjects {
        if matches!(load, Load::Held | Load::Events(_)) {
            // Memory that calls before had must not be there to be used again.
            world.renew(subject).await?;
        }
        let Some((target, watch)) = world.target(subject) else { continue };
        let (calls, script, window_ms, think_ms) = load.job(sizes, results.held);
        let (role, peer) = subject.load();
        let warm_ms = sizes.warm_ms;
        let job = Job { target, peer, script, calls, warm_ms, window_ms, think_ms, watch };
        let outcome = match load {
            Load::Abused => abused(&job, world, sizes, results).await,
            Load::Watched => looked_at(&job, (world, subject), (CONSOLES, 0)).await,
            Load::Asked => looked_at(&job, (world, subject), (0, sizes.asks)).await,
            Load::Events(pace) => {
                let is_bare = subject == Subject::Fanout;
                let storm = Storm { job, asterisk: world.manager(subject), pace, is_bare };
                measure(role, &storm, storm.job.length(), world).await
            }
            Load::Steady(_)
            | Load::Calls
            | Load::OneCore
            | Load::Held
            | Load::Paced
            | Load::Crowd
            | Load::PacedCalls
            | Load::Scripts
            | Load::Clients => measure(role, &job, job.length(), world).await,
        };
        let outcome = outcome.with_context(|| format!("{load:?} on {}", subject.name()))?;
        note(run, load, subject, &outcome, results);
        results.outcomes.entry((load, subject)).or_default().push(outcome);
    }
    Ok(())
}

/// Runs one job in a process of its own.
async fn measure(
    role: Role,
    job: &impl Serialize,
    length: Duration,
    world: &World,
) -> anyhow::Result<Outcome> {
    let mut command = process::role(role, world.cpu())?;
    command.arg(serde_json::to_string(job)?);
    if role == Role::Starter {
        command.arg(world.script());
    }
    let mut running = Running::start(command, true)?;
    let line = running.line(PATIENCE + length).await?;
    running.end(PATIENCE).await?;
    Ok(serde_json::from_str(&line)?)
}

/// The same while somebody else knocks at the same port.
async fn abused(
    job: &Job,
    world: &World,
    sizes: &Sizes,
    results: &mut Results,
) -> anyhow::Result<Outcome> {
    let attack = Attack {
        target: job.target,
        probes: sizes.probes,
        over_ms: job.warm_ms + job.window_ms,
        half_open: sizes.half_open,
    };
    let mut command = process::role(Role::Abuse, None)?;
    command.arg(serde_json::to_string(&attack)?);
    let mut abuse = Running::start(command, true)?;
    anyhow::ensure!(abuse.line(PATIENCE).await? == "ready", "the probes are not ready");
    let outcome = measure(Role::Load, job, job.length(), world).await?;
    let said = abuse.line(PATIENCE).await?;
    if said != format!("probed {}", sizes.probes) {
        results.complaints.push(format!("of {} probes only: {said}", sizes.probes));
    }
    abuse.end(PATIENCE).await?;
    Ok(outcome)
}

/// The same while somebody looks at the bridge.
async fn looked_at(
    job: &Job,
    (world, subject): (&World, Subject),
    (consoles, asks): (usize, usize),
) -> anyhow::Result<Outcome> {
    let admin = world.admin(subject).context("this subject cannot be looked at")?;
    let look = Look { admin, consoles, asks, calls: job.calls };
    let mut command = process::role(Role::Console, None)?;
    command.arg(serde_json::to_string(&look)?);
    let mut looking = Running::start(command, true)?;
    anyhow::ensure!(looking.line(PATIENCE).await? == "ready", "nobody can look at the bridge");
    let mut outcome = measure(Role::Load, job, job.length(), world).await?;
    if asks > 0 {
        outcome.looked = serde_json::from_str(&looking.line(PATIENCE).await?)?;
    }
    anyhow::ensure!(consoles == 0 || !looking.has_ended(), "the consoles were closed");
    looking.stop().await;
    Ok(outcome)
}

fn note(run: usize, load: Load, subject: Subject, outcome: &Outcome, results: &mut Results) {
    let line = format!(
        "run {} of {}: {load:?} on {}: {:.0} commands/s, p50 {:.0} us, p99 {:.0} us, {} errors",
        run + 1,
        results.runs,
        subject.name(),
        outcome.turns as f64 / outcome.seconds,
        outcome.p50_ns as f64 / 1e3,
        outcome.p99_ns as f64 / 1e3,
        outcome.errors,
    );
    // Progress only: nobody may be there to see it.
    let _ = writeln!(std::io::stderr(), "{line}");
    if outcome.errors > 0 {
        let (errors, fault) = (outcome.errors, outcome.fault.as_deref().unwrap_or("unknown"));
        let name = subject.name();
        results.complaints.push(format!("{load:?} on {name}: {errors} calls broke: one {fault}"));
    }
}

fn sizes(flags: &Flags) -> Sizes {
    if flags.quick {
        return QUICK;
    }
    Sizes { runs: flags.runs as usize, ..FULL }
}

/// As many as the plan says, or as the descriptors allow HAProxy.
fn held(sizes: &Sizes, descriptors: u64) -> usize {
    sizes.held.min(usize::try_from(descriptors.saturating_sub(500) / 2).unwrap_or(usize::MAX))
}
