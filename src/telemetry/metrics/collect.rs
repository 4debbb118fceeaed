//! Sums the instruments of all cores up into families: here, and in `bridge`, and nowhere else stand their names.

mod bridge;

use super::{
    CODES, Cause, CommandLabel, Connection, CoreMetrics, END_REASONS, ERRORS, Failure,
    HANGUP_SOURCES, Metrics, OutcomeLabel, Rejection, RouteMetrics, Rung, Transport,
    family::{Family, Kind, Labels, Sample, Value},
    instrument::{Counter, Histogram, Totals},
    label::{end_reason, hangup_source, status},
    lock, process,
};
use crate::proto::command_error::Code as ErrorCode;
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};

/// What a command can be refused for.
const REFUSALS: [ErrorCode; 7] = [
    ErrorCode::InvalidArgument,
    ErrorCode::NotAllowed,
    ErrorCode::QueueFull,
    ErrorCode::Skipped,
    ErrorCode::Cancelled,
    ErrorCode::HungUp,
    ErrorCode::CallEnded,
];

pub(super) fn families(metrics: &Metrics) -> Vec<Family> {
    let cores = lock(&metrics.cores).clone();
    let routes = by_route(&cores);
    let mut families = Vec::from(calls(&routes));
    families.extend(faults(&routes));
    families.extend(commands(&cores, &routes));
    families.extend(streams(&routes));
    families.extend(connections(&cores));
    families.extend(bridge::families(metrics));
    families.extend(process::families());
    if metrics.without_exemplars.load(Ordering::Relaxed) {
        strip_exemplars(&mut families);
    }
    families
}

fn strip_exemplars(families: &mut [Family]) {
    for sample in families.iter_mut().flat_map(|family| &mut family.samples) {
        if let Value::Histogram(totals) = &mut sample.value {
            totals.exemplars.clear();
        }
    }
}

/// The same route's instruments on every core.
struct Route {
    name: Arc<str>,
    cores: Vec<Arc<RouteMetrics>>,
}

impl Route {
    fn counter(&self, pick: impl Fn(&RouteMetrics) -> &Counter) -> u64 {
        self.cores.iter().map(|core| pick(core).value()).sum()
    }

    fn histogram(&self, pick: impl Fn(&RouteMetrics) -> &Histogram) -> Option<Totals> {
        sum(self.cores.iter().map(|core| pick(core)))
    }

    fn labels(&self, others: impl IntoIterator<Item = (&'static str, String)>) -> Labels {
        std::iter::once(("route", self.name.to_string())).chain(others).collect()
    }
}

fn by_route(cores: &[Arc<CoreMetrics>]) -> Vec<Route> {
    let mut routes: BTreeMap<Arc<str>, Vec<Arc<RouteMetrics>>> = BTreeMap::new();
    for core in cores {
        for (name, route) in lock(&core.routes).iter() {
            routes.entry(Arc::clone(name)).or_default().push(Arc::clone(route));
        }
    }
    routes.into_iter().map(|(name, cores)| Route { name, cores }).collect()
}

fn calls(routes: &[Route]) -> [Family; 4] {
    let active = routes.iter().map(|route| {
        let active: i64 = route.cores.iter().map(|core| core.active.value()).sum();
        number(route.labels([]), active as f64)
    });
    let duration = pairs(routes, END_REASONS).filter_map(|(route, reason)| {
        let totals = route.histogram(|core| &core.duration[reason])?;
        Some(histogram(route.labels([("end_reason", end_reason(reason))]), totals))
    });
    let setup = pairs(routes, Transport::COUNT).filter_map(|(route, transport)| {
        let totals = route.histogram(|core| &core.setup[transport])?;
        let label = ("transport", Transport::text_of(transport).to_owned());
        Some(histogram(route.labels([label]), totals))
    });
    let hangup = pairs(routes, HANGUP_SOURCES).filter_map(|(route, source)| {
        let count = route.counter(|core| &core.hangup[source]);
        counted(route.labels([("source", hangup_source(source))]), count)
    });
    [
        family(("agibridge.call.active", "{call}"), "Calls that live now.", Kind::UpDown, active),
        family(
            ("agibridge.call.duration", "s"),
            "From the accept of a call to its end.",
            Kind::Histogram,
            duration,
        ),
        family(
            ("agibridge.call.setup.duration", "s"),
            "From the accept of a call to the first message of its service.",
            Kind::Histogram,
            setup,
        ),
        family(
            ("agibridge.call.hangup", "{hangup}"),
            "Calls whose caller is gone, by how the bridge knew.",
            Kind::Counter,
            hangup,
        ),
    ]
}

/// What callers feel when something is slow or wrong.
fn faults(routes: &[Route]) -> [Family; 5] {
    // Shown from 0 on: a counter that begins at 1 was never seen to grow, and what is counted here is rare.
    let dead_air = routes.iter().filter_map(|route| {
        Some(histogram(route.labels([]), all(route.cores.iter().map(|core| &core.dead_air))?))
    });
    let ladder = pairs(routes, Rung::COUNT).map(|(route, rung)| {
        let count = route.counter(|core| &core.ladder[rung]);
        number(route.labels([("rung", Rung::text_of(rung).to_owned())]), count as f64)
    });
    let failed = pairs(routes, Failure::COUNT).map(|(route, failure)| {
        let count = route.counter(|core| &core.failed[failure]);
        number(route.labels([("status", Failure::text_of(failure).to_owned())]), count as f64)
    });
    let desync = routes
        .iter()
        .map(|route| number(route.labels([]), route.counter(|core| &core.desync) as f64));
    let refused = pairs(routes, ERRORS).filter_map(|(route, code)| {
        let count = route.counter(|core| &core.refused[code]);
        let code_text = OutcomeLabel::text_of(code);
        let shown = count > 0 || REFUSALS.iter().any(|known| *known as usize == code);
        shown.then(|| number(route.labels([("code", code_text)]), count as f64))
    });
    [
        family(
            ("agibridge.call.dead_air", "s"),
            "Spells in which the caller of an answered channel heard nothing, as no command had come.",
            Kind::Histogram,
            dead_air,
        ),
        family(
            ("agibridge.call.ladder", "{rung}"),
            "What the bridge did by itself for calls whose service failed.",
            Kind::Counter,
            ladder,
        ),
        family(
            ("agibridge.call.failed", "{call}"),
            "Calls that left a status for the dialplan, by AGIBRIDGE_STATUS.",
            Kind::Counter,
            failed,
        ),
        family(
            ("agibridge.call.desync", "{call}"),
            "Calls whose replies could no longer be matched to commands.",
            Kind::Counter,
            desync,
        ),
        family(
            ("agibridge.command.refused", "{command}"),
            "Commands that were answered with an error and never written, by its code.",
            Kind::Counter,
            refused,
        ),
    ]
}

fn commands(cores: &[Arc<CoreMetrics>], routes: &[Route]) -> [Family; 3] {
    let duration = (0..CommandLabel::COUNT).flat_map(|command| {
        (0..OutcomeLabel::COUNT).filter_map(move |outcome| {
            let totals = sum(cores
                .iter()
                .filter_map(|core| core.commands[command][outcome].get())
                .map(Box::as_ref))?;
            let command = ("command", CommandLabel::text_of(command).to_owned());
            Some(histogram(vec![command, ("outcome", OutcomeLabel::text_of(outcome))], totals))
        })
    });
    let overhead = sum(cores.iter().map(|core| &core.overhead));
    let queued = routes.iter().map(|route| {
        let queued: i64 = route.cores.iter().map(|core| core.queued.value()).sum();
        number(route.labels([]), queued as f64)
    });
    [
        family(
            ("agibridge.command.duration", "s"),
            "From the write of a command to its reply; zero for one that was refused.",
            Kind::Histogram,
            duration,
        ),
        family(
            ("agibridge.command.overhead", "s"),
            "Time that the bridge added to a command and its result.",
            Kind::Histogram,
            overhead.map(|totals| histogram(vec![], totals)),
        ),
        family(
            ("agibridge.command.queued", "{command}"),
            "Commands that wait to be written to Asterisk.",
            Kind::UpDown,
            queued,
        ),
    ]
}

fn streams(routes: &[Route]) -> [Family; 3] {
    let opened = pairs(routes, Transport::COUNT * CODES).filter_map(|(route, pair)| {
        let (transport, code) = (pair / CODES, pair % CODES);
        let count = route.counter(|core| &core.opened[transport][code]);
        let transport = ("transport", Transport::text_of(transport).to_owned());
        counted(route.labels([transport, ("status", status(code).to_owned())]), count)
    });
    let lost = pairs(routes, CODES).filter_map(|(route, code)| {
        let count = route.counter(|core| &core.lost[code]);
        counted(route.labels([("status", status(code).to_owned())]), count)
    });
    let resumed = pairs(routes, Cause::COUNT).map(|(route, cause)| {
        let count = route.counter(|core| &core.resumed[cause]);
        number(route.labels([("cause", Cause::text_of(cause).to_owned())]), count as f64)
    });
    [
        family(
            ("agibridge.stream.opened", "{stream}"),
            "Attempts to open a stream to a service, by gRPC status.",
            Kind::Counter,
            opened,
        ),
        family(
            ("agibridge.stream.lost", "{stream}"),
            "Streams that broke in the middle of a call, by gRPC status.",
            Kind::Counter,
            lost,
        ),
        family(
            ("agibridge.call.resumed", "{resumption}"),
            "Searches for another service for a call that one had.",
            Kind::Counter,
            resumed,
        ),
    ]
}

fn connections(cores: &[Arc<CoreMetrics>]) -> [Family; 2] {
    let total = |pick: &dyn Fn(&CoreMetrics) -> u64| {
        cores.iter().map(|core| pick(core)).sum::<u64>() as f64
    };
    let results = (0..Connection::COUNT).map(|result| {
        let label = ("result", Connection::text_of(result).to_owned());
        number(vec![label], total(&|core| core.connections[result].value()))
    });
    let reasons = (0..Rejection::COUNT).map(|reason| {
        let label = ("reason", Rejection::text_of(reason).to_owned());
        number(vec![label], total(&|core| core.rejected[reason].value()))
    });
    [
        family(
            ("agibridge.connection", "{connection}"),
            "Connections to the AGI port, by what became of them.",
            Kind::Counter,
            results,
        ),
        family(
            ("agibridge.call.rejected", "{call}"),
            "Calls turned away before a service had them.",
            Kind::Counter,
            reasons,
        ),
    ]
}

/// Every route with every index below `count`.
fn pairs(routes: &[Route], count: usize) -> impl Iterator<Item = (&Route, usize)> {
    routes.iter().flat_map(move |route| (0..count).map(move |index| (route, index)))
}

/// `None` when nothing was observed.
fn sum<'a>(histograms: impl Iterator<Item = &'a Histogram>) -> Option<Totals> {
    all(histograms).filter(|totals| !totals.is_empty())
}

fn all<'a>(histograms: impl Iterator<Item = &'a Histogram>) -> Option<Totals> {
    histograms.map(Histogram::totals).reduce(|mut all, one| {
        all.add(&one);
        all
    })
}

fn family(
    (name, unit): (&'static str, &'static str),
    help: &'static str,
    kind: Kind,
    samples: impl IntoIterator<Item = Sample>,
) -> Family {
    Family { name, unit, help, kind, samples: samples.into_iter().collect() }
}

fn number(labels: Labels, value: f64) -> Sample {
    Sample { labels, value: Value::Number(value) }
}

/// `None` for zero, where most of the series never come up.
fn counted(labels: Labels, count: u64) -> Option<Sample> {
    (count > 0).then(|| number(labels, count as f64))
}

fn histogram(labels: Labels, totals: Totals) -> Sample {
    Sample { labels, value: Value::Histogram(totals) }
}
