//! The rows of the table: how each figure comes from what was measured, and what it should be.

use crate::{
    events::Pace,
    job::Outcome,
    kind::Kind,
    language::Language,
    plan::{Load, Results},
    world::Subject,
};
use std::collections::{BTreeMap, BTreeSet};

/// A line of the table.
pub(crate) struct Row {
    /// What `--only` takes.
    pub(crate) id: String,
    pub(crate) title: &'static str,
    pub(crate) unit: &'static str,
    /// The load that it is taken from, and the one that it is compared with.
    load: Load,
    base: Option<Load>,
    figure: Figure,
    /// Whose figure is judged, and against whom it is held.
    pub(crate) of: Subject,
    pub(crate) against: Subject,
    pub(crate) judged: Judged,
    pub(crate) target: Option<Target>,
    /// What the prototype of the bridge's shape did.
    pub(crate) prototype: Option<f64>,
}

/// What is held against the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    /// The subject's figure over that of the one it is held against, of the same run.
    Ratio,
    /// The subject's figure itself.
    Itself,
}

/// What is good enough.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
}

#[derive(Clone, Copy)]
enum Figure {
    Commands,
    Calls,
    CommandCost,
    CallCost,
    Half,
    Tail,
    Memory,
    LoadBusy,
    /// The time that the list of calls takes, over that of the metrics.
    List,
    /// Of the first process watched and of its children.
    FamilyCost,
    /// Of all processes watched: the hop, where there is one, and who drives.
    WholeCost,
    /// Of the first process watched, for each event to all.
    EventCost,
    /// From an action to its answer.
    ActionHalf,
    ActionTail,
    /// Memory that the first process watched has more at the end.
    Growth,
}

/// A second, of an Asterisk.
const EVENTS: u32 = 10_000;

/// Every row, in the order of the table.
pub(crate) fn all() -> Vec<Row> {
    use Figure::{CallCost, Calls, CommandCost, Commands, Half, List, LoadBusy, Memory, Tail};
    use Target::{AtLeast, AtMost};
    let steady = Load::Steady;
    let mut rows = vec![
        row("rate-1", "commands, 1 call", "/s", steady(1), Commands),
        row("rate-100", "commands, 100 calls", "/s", steady(100), Commands).to(AtLeast(1.05), 1.08),
        row("rate-1000", "commands, 1,000 calls", "/s", steady(1_000), Commands)
            .to(AtLeast(1.25), 1.39),
        row("cpu-100", "CPU of the hop, 100 calls", "us/command", steady(100), CommandCost)
            .to(AtMost(0.80), 0.72),
        row("cpu-1000", "CPU of the hop, 1,000 calls", "us/command", steady(1_000), CommandCost)
            .to(AtMost(0.65), 0.57),
        row("calls", "calls of five, 100 at once", "/s", Load::Calls, Calls)
            .to(AtLeast(0.95), 1.02),
        row("calls-cpu", "CPU of the hop", "us/call", Load::Calls, CallCost).to(AtMost(0.95), 0.80),
        row("turn-p50", "turn time p50, 100 calls", "us", steady(100), Half),
        row("turn-p99", "turn time p99, 100 calls", "us", steady(100), Tail).to(AtMost(1.0), 0.82),
        row("one-core", "turn time p50, 1 call, 1 core", "us", Load::OneCore, Half)
            .to(AtMost(1.30), 1.21),
        row("memory", "memory of the hop, held calls", "KiB/call", Load::Held, Memory)
            .to(AtMost(20.0), 18.0)
            .of_the_bridge(None),
        row("cpu-5000", "CPU a command, 5,000 to 100 calls", "times", steady(5_000), CommandCost)
            .target(AtMost(1.6))
            .of_the_bridge(Some(steady(100))),
        row("abuse-p50", "turn time p50, abused to quiet", "times", Load::Abused, Half)
            .of_the_bridge(Some(Load::Paced)),
        row("abuse-p99", "turn time p99, abused to quiet", "times", Load::Abused, Tail)
            .of_the_bridge(Some(Load::Paced)),
        row("console-cpu", "CPU, 4 consoles open to none", "times", Load::Watched, CommandCost)
            .target(AtMost(1.05))
            .of_the_bridge(Some(Load::Crowd)),
        row("console-p50", "turn time p50, 4 consoles to none", "times", Load::Watched, Half)
            .of_the_bridge(Some(Load::Crowd)),
        row("console-p99", "turn time p99, 4 consoles to none", "times", Load::Watched, Tail)
            .of_the_bridge(Some(Load::Crowd)),
        row("console-list", "/calls to /metrics, 5,000 calls", "times", Load::Asked, List)
            .target(AtMost(2.0))
            .of_the_bridge(None),
        row("load-100", "load generator busy, 100 calls", "% of a core", steady(100), LoadBusy),
        row(
            "load-1000",
            "load generator busy, 1,000 calls",
            "% of a core",
            steady(1_000),
            LoadBusy,
        ),
    ];
    rows.extend(kinds());
    rows.extend(clients());
    rows.extend(events());
    rows
}

/// The rows of services other than gRPC ones, each held against gRPC; and scripts, against whoever starts them itself.
fn kinds() -> Vec<Row> {
    use Figure::{CallCost, Calls, CommandCost, FamilyCost, Half, Memory, Tail};
    let steady = Load::Steady(100);
    let figures = [
        ("cpu-100", "CPU of the hop, 100 calls", "us/command", steady, CommandCost),
        ("calls-cpu", "CPU of the hop, calls of five", "us/call", Load::Calls, CallCost),
        ("cpu-paced", "the same, 20 ms a command", "us/command", Load::Paced, CommandCost),
        (
            "calls-cpu-paced",
            "calls of five, 20 ms a command",
            "us/call",
            Load::PacedCalls,
            CallCost,
        ),
        ("turn-p50", "turn time p50, 100 calls", "us", steady, Half),
        ("turn-p99", "turn time p99, 100 calls", "us", steady, Tail),
        ("memory", "memory of the hop, held calls", "KiB/call", Load::Held, Memory),
    ];
    let typed = Kind::ALL.into_iter().filter(|kind| *kind != Kind::Script);
    let mut rows: Vec<Row> = typed
        .flat_map(|kind| {
            figures.map(|(id, title, unit, load, figure)| {
                let row = row(id, title, unit, load, figure).on(kind, Subject::Bridge);
                match (figure, kind) {
                    (CommandCost | CallCost, Kind::Traced) => row.target(Target::AtMost(1.25)),
                    (CommandCost | CallCost, Kind::FastAgi) => row.target(Target::AtMost(1.0)),
                    (CommandCost | CallCost, Kind::WebSocketProto | Kind::WebSocketJson) => {
                        row.target(Target::AtMost(1.2))
                    }
                    _ => row,
                }
            })
        })
        .collect();
    for (id, title, unit, figure) in [
        ("calls", "calls of five, 16 at once", "/s", Calls),
        ("calls-cpu", "CPU of the starter and its scripts", "us/call", FamilyCost),
    ] {
        let row = row(id, title, unit, Load::Scripts, figure);
        rows.push(row.on(Kind::Script, Subject::Starter));
    }
    rows
}

/// The rows of the client libraries, each behind the bridge, held against a FastAGI library of its language without one.
fn clients() -> Vec<Row> {
    let figures = [
        ("calls", "calls of five, 100 at once", "/s", Figure::Calls),
        ("calls-cpu", "CPU of bridge and service", "us/call", Figure::WholeCost),
    ];
    let of = |language: Language| {
        figures.map(|(id, title, unit, figure)| {
            let row = row(id, title, unit, Load::Clients, figure);
            let id = format!("client-{}-{id}", language.name());
            let (of, against) = (Subject::Client(language), Subject::Library(language));
            Row { id, of, against, ..row }
        })
    };
    Language::ALL.into_iter().flat_map(of).collect()
}

/// The rows of events to many subscribers, held against a bare program in the bridge's place.
fn events() -> Vec<Row> {
    use Figure::{ActionHalf, ActionTail, Commands, EventCost, Growth, Half, Tail};
    use Target::{AtLeast, AtMost};
    let (paced, quiet) = (Load::Events(Pace::Rate(EVENTS)), Load::Events(Pace::None));
    let followed = Load::Events(Pace::Followed);
    let row = |id, title, unit, load, figure| Row {
        of: Subject::Events,
        against: Subject::Fanout,
        judged: Judged::Itself,
        ..row(id, title, unit, load, figure)
    };
    let rate = f64::from(EVENTS);
    vec![
        row("events-rate", "events to 50, as fast as 49 read", "/s", followed, Commands)
            .target(AtLeast(rate)),
        row("events-paced", "events to 50 of 10,000 a second", "/s", paced, Commands)
            .target(AtLeast(0.99 * rate)),
        row("events-cpu", "CPU for one event to 50", "us/event", paced, EventCost),
        row("events-lag-p50", "Asterisk to subscriber, p50", "us", paced, Half),
        row("events-lag-p99", "the same, p99", "us", paced, Tail),
        row("events-memory", "memory more at the end", "MiB", paced, Growth).target(AtMost(32.0)),
        row("events-action-p50", "answer, 10,000 events to none", "times", paced, ActionHalf)
            .of_the_bridge(Some(quiet)),
        row("events-action-p99", "the same, p99", "times", paced, ActionTail)
            .of_the_bridge(Some(quiet)),
    ]
}

/// The rows whose name begins with one of `only`; all when there is none.
pub(crate) fn chosen(only: &[String]) -> Vec<Row> {
    let wanted = |row: &Row| only.is_empty() || only.iter().any(|name| row.id.starts_with(name));
    all().into_iter().filter(wanted).collect()
}

/// The loads that those rows need, and who is put under each.
pub(crate) fn loads(only: &[String]) -> anyhow::Result<BTreeMap<Load, BTreeSet<Subject>>> {
    let mut loads: BTreeMap<Load, BTreeSet<Subject>> = BTreeMap::new();
    for row in chosen(only) {
        for load in [Some(row.load), row.base].into_iter().flatten() {
            loads.entry(load).or_default().extend(row.subjects(load));
        }
    }
    if loads.is_empty() {
        let names: Vec<String> = all().into_iter().map(|row| row.id).collect();
        anyhow::bail!("no such row; there are: {}", names.join(", "));
    }
    Ok(loads)
}

fn row(
    id: &'static str,
    title: &'static str,
    unit: &'static str,
    load: Load,
    figure: Figure,
) -> Row {
    Row {
        id: id.to_owned(),
        title,
        unit,
        load,
        base: None,
        figure,
        of: Subject::Bridge,
        against: Subject::Haproxy,
        judged: Judged::Ratio,
        target: None,
        prototype: None,
    }
}

impl Row {
    fn to(self, target: Target, prototype: f64) -> Self {
        Self { target: Some(target), prototype: Some(prototype), ..self }
    }

    fn target(self, target: Target) -> Self {
        Self { target: Some(target), ..self }
    }

    fn of_the_bridge(self, base: Option<Load>) -> Self {
        Self { judged: Judged::Itself, base, ..self }
    }

    fn on(self, kind: Kind, against: Subject) -> Self {
        let id = format!("kind-{}-{}", kind.name(), self.id);
        Self { id, of: Subject::Kind(kind), against, ..self }
    }

    /// Whether it holds one subject against one other, and is no comparison of hops.
    pub(crate) fn is_of_a_pair(&self) -> bool {
        matches!(self.of, Subject::Kind(_) | Subject::Client(_) | Subject::Events)
    }

    /// Whether the instruments' own time is a share of this one: what a command costs with 100 calls.
    pub(crate) fn is_held_against_instruments(&self) -> bool {
        self.id == "cpu-100"
    }

    /// HAProxy, where a kind can be held against it too: before the same server.
    pub(crate) fn beside(&self) -> Option<Subject> {
        (self.of == Subject::Kind(Kind::FastAgi)).then_some(Subject::Haproxy)
    }

    /// Who is put under a load for it.
    fn subjects(&self, load: Load) -> Vec<Subject> {
        if load == Load::Events(Pace::None) {
            // Actions are for the bridge alone.
            return vec![self.of];
        }
        if self.is_of_a_pair() {
            return [self.of, self.against].into_iter().chain(self.beside()).collect();
        }
        load.hops().to_vec()
    }

    /// A subject's figures. Empty where it was not measured.
    pub(crate) fn figures(&self, results: &Results, subject: Subject) -> Vec<f64> {
        self.by_run(results, subject).into_iter().flatten().collect()
    }

    /// The subject's figure over another's of the same run.
    pub(crate) fn ratios(&self, results: &Results, against: Subject) -> Vec<f64> {
        let ours = self.by_run(results, self.of);
        let theirs = self.by_run(results, against);
        ours.iter().zip(theirs).filter_map(|(ours, theirs)| Some((*ours)? / theirs?)).collect()
    }

    /// `None` for a run in which calls broke.
    fn by_run(&self, results: &Results, subject: Subject) -> Vec<Option<f64>> {
        let of = |load| results.outcomes.get(&(load, subject)).map_or(&[][..], Vec::as_slice);
        let figure = |outcome| self.figure.of(outcome, results.held);
        let figures = of(self.load).iter().map(figure);
        let Some(base) = self.base else { return figures.collect() };
        figures
            .zip(of(base).iter().map(figure))
            .map(|(figure, base)| Some(figure? / base?))
            .collect()
    }
}

impl Target {
    pub(crate) fn is_reached(self, figure: f64) -> bool {
        match self {
            Self::AtLeast(bound) => figure >= bound,
            Self::AtMost(bound) => figure <= bound,
        }
    }

    pub(crate) fn words(self) -> String {
        match self {
            Self::AtLeast(bound) => format!(">= {bound:.2}"),
            Self::AtMost(bound) => format!("<= {bound:.2}"),
        }
    }
}

impl Figure {
    /// `None` where there is no hop to speak of, nothing came through it, or calls broke: how fast a hop loses
    /// calls is of no interest.
    fn of(self, outcome: &Outcome, held: usize) -> Option<f64> {
        if outcome.errors > 0 {
            return None;
        }
        let seconds = outcome.seconds;
        let hop_us = || match outcome.watched_ns.as_slice() {
            [hop, _behind] => Some(*hop as f64 / 1e3),
            _ => None,
        };
        let figure = match self {
            Self::Commands => outcome.turns as f64 / seconds,
            Self::Calls => outcome.calls as f64 / seconds,
            Self::CommandCost => hop_us()? / outcome.turns as f64,
            Self::CallCost => hop_us()? / outcome.calls as f64,
            Self::Half => outcome.p50_ns as f64 / 1e3,
            Self::Tail => outcome.p99_ns as f64 / 1e3,
            Self::Memory => *outcome.grown_bytes.first()? as f64 / 1024.0 / held as f64,
            Self::FamilyCost => {
                let family = outcome.watched_ns.first()? + outcome.children_ns;
                family as f64 / 1e3 / outcome.calls as f64
            }
            Self::WholeCost => {
                outcome.watched_ns.iter().sum::<u64>() as f64 / 1e3 / outcome.calls as f64
            }
            Self::List => outcome.looked.list_ns as f64 / outcome.looked.metrics_ns as f64,
            Self::LoadBusy => outcome.own_ns as f64 / 1e7 / seconds,
            Self::EventCost => *outcome.watched_ns.first()? as f64 / 1e3 / outcome.turns as f64,
            Self::ActionHalf => asked_us(outcome.asked.p50_ns)?,
            Self::ActionTail => asked_us(outcome.asked.p99_ns)?,
            Self::Growth => *outcome.grown_bytes.first()? as f64 / f64::from(1 << 20),
        };
        figure.is_finite().then_some(figure)
    }
}

/// `None`: nobody asked.
fn asked_us(ns: u64) -> Option<f64> {
    (ns > 0).then_some(ns as f64 / 1e3)
}
