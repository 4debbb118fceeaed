//! Every instrument of the bridge, and the handles through which calls use them. Knows nothing of how a page is written.
//!
//! Each core has instruments of its own ([`CoreMetrics`]), found once; an observation is one or two additions to memory
//! that no other core writes. The page sums them up when it is asked for.

mod collect;
mod exemplar;
mod family;
mod instrument;
mod label;
mod manager;
mod page;
mod process;

pub use label::{
    ActionOutcome, Cause, CommandLabel, Connection, Failure, OutcomeLabel, Rejection, Rung,
    Transport, status_text,
};
pub use manager::ManagerMetrics;
pub use page::Format;
pub(super) use {
    exemplar::Exemplar,
    family::{Family, Kind, Labels, Sample, Value},
    instrument::Totals,
};

use super::counts::Counts;
use crate::{
    archive,
    proto::{call_ended::Reason, hangup::Source},
    telemetry::trace::TraceId,
};
use instrument::{Counter, Gauge, Histogram};
use label::ERRORS;
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, SystemTime},
};
use tonic::Code;

/// The instruments of the process.
#[derive(Debug)]
pub struct Metrics {
    cores: Mutex<Vec<Arc<CoreMetrics>>>,
    config: Mutex<Config>,
    workers: OnceLock<Workers>,
    spans: OnceLock<Arc<Counts>>,
    managers: Mutex<BTreeMap<Arc<str>, Arc<ManagerMetrics>>>,
    transcripts: OnceLock<Arc<archive::Counts>>,
    points: OnceLock<Arc<Counts>>,
    without_exemplars: AtomicBool,
    since: SystemTime,
}

/// Counts the workers that are connected, by group.
struct Workers(Box<dyn Fn() -> Vec<(Arc<str>, usize)> + Send + Sync>);

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Workers")
    }
}

/// The instruments of one core.
#[derive(Debug)]
pub struct CoreMetrics {
    connections: [Counter; Connection::COUNT],
    rejected: [Counter; Rejection::COUNT],
    /// By command and outcome; most pairs never come up.
    commands: Vec<[OnceLock<Box<Histogram>>; OutcomeLabel::COUNT]>,
    overhead: Histogram,
    routes: Mutex<HashMap<Arc<str>, Arc<RouteMetrics>>>,
}

/// The instruments of one route on one core.
#[derive(Debug)]
pub struct RouteMetrics {
    active: Gauge,
    queued: Gauge,
    duration: [Histogram; END_REASONS],
    setup: [Histogram; Transport::COUNT],
    hangup: [Counter; HANGUP_SOURCES],
    opened: [[Counter; CODES]; Transport::COUNT],
    lost: [Counter; CODES],
    resumed: [Counter; Cause::COUNT],
    dead_air: Histogram,
    ladder: [Counter; Rung::COUNT],
    failed: [Counter; Failure::COUNT],
    refused: [Counter; ERRORS],
    desync: Counter,
}

/// Counts one call as active, with its queued commands, until it is dropped.
#[derive(Debug)]
pub struct ActiveCall {
    route: Arc<RouteMetrics>,
    queued: AtomicU32,
}

impl Metrics {
    /// Nothing counted yet.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            cores: Mutex::default(),
            config: Mutex::default(),
            workers: OnceLock::new(),
            spans: OnceLock::new(),
            managers: Mutex::default(),
            transcripts: OnceLock::new(),
            points: OnceLock::new(),
            without_exemplars: AtomicBool::new(false),
            since: SystemTime::now(),
        })
    }

    /// Instruments for one more core. Asked for once as the core starts: what is made here stays.
    pub fn core(&self) -> Arc<CoreMetrics> {
        let core = Arc::new(CoreMetrics::new());
        lock(&self.cores).push(Arc::clone(&core));
        core
    }

    /// The configuration was read, at start or again.
    pub fn config_loaded(&self, in_force: bool, at: SystemTime) {
        let mut config = lock(&self.config);
        config.in_force = in_force;
        if in_force {
            config.loads += 1;
            config.last = Some(at);
        } else {
            config.failures += 1;
        }
    }

    /// The routes that calls may come by: their counters show 0 before the first call, so that its loss is seen to grow
    /// from there.
    pub fn routes<'a>(&self, names: impl Iterator<Item = &'a Arc<str>>) {
        if let Some(core) = lock(&self.cores).first() {
            names.for_each(|name| drop(core.route(name)));
        }
    }

    /// How many calls may live at once.
    pub fn calls_max(&self, max: usize) {
        lock(&self.config).calls_max = max;
    }

    /// The bridge shuts down: since when, and by when all calls are ended.
    pub fn draining(&self, since: SystemTime, deadline: SystemTime) {
        lock(&self.config).drain.get_or_insert((since, deadline));
    }

    /// Who counts the workers that are connected, by group, whenever the page is asked for: the groups that the configuration
    /// names, and no others. The first one counts.
    pub fn count_workers(
        &self,
        count: impl Fn() -> Vec<(Arc<str>, usize)> + Send + Sync + 'static,
    ) {
        let _ = self.workers.set(Workers(Box::new(count)));
    }

    /// Whoever exports spans counts them here. The first one counts.
    pub fn count_spans(&self, counts: &Arc<Counts>) {
        let _ = self.spans.set(Arc::clone(counts));
    }

    /// The instruments of the link to an Asterisk, by its name in the configuration.
    pub fn manager(&self, server: &Arc<str>) -> Arc<ManagerMetrics> {
        let mut managers = lock(&self.managers);
        let found = managers.entry(Arc::clone(server));
        Arc::clone(found.or_insert_with(|| Arc::new(ManagerMetrics::new())))
    }

    /// The link to this Asterisk is no longer wanted.
    pub fn forget_manager(&self, server: &str) {
        lock(&self.managers).remove(server);
    }

    /// Whoever writes transcripts counts them here. The first one counts.
    pub fn count_transcripts(&self, counts: &Arc<archive::Counts>) {
        let _ = self.transcripts.set(Arc::clone(counts));
    }

    /// Whoever exports metrics counts their points here. The first one counts.
    pub fn count_points(&self, counts: &Arc<Counts>) {
        let _ = self.points.set(Arc::clone(counts));
    }

    /// No exemplar is shown from now on.
    pub fn hide_exemplars(&self) {
        self.without_exemplars.store(true, Ordering::Relaxed);
    }

    /// Since when everything is counted.
    pub fn since(&self) -> SystemTime {
        self.since
    }

    /// Everything, as text.
    pub fn page(&self, format: Format) -> String {
        page::write(&self.families(), format)
    }

    /// Everything.
    pub(super) fn families(&self) -> Vec<Family> {
        collect::families(self)
    }
}

impl CoreMetrics {
    /// The instruments of a route, by its name in the configuration. They stay for the life of the process: ask with
    /// names of the configuration only, and once a call at most.
    pub fn route(&self, name: &Arc<str>) -> Arc<RouteMetrics> {
        let mut routes = lock(&self.routes);
        if let Some(route) = routes.get(name) {
            return Arc::clone(route);
        }
        let route = Arc::new(RouteMetrics::new());
        routes.insert(Arc::clone(name), Arc::clone(&route));
        route
    }

    /// What became of a connection to the AGI port.
    pub fn connection(&self, result: Connection) {
        self.connections[result.index()].add(1);
    }

    /// A call was turned away before a service had it.
    pub fn rejected(&self, reason: Rejection) {
        self.rejected[reason.index()].add(1);
    }

    /// A command was answered. `elapsed`: from its write to its reply; `None`, for one that was never written, counts as zero.
    /// `trace`: that of its call, where that is sampled.
    pub fn command(
        &self,
        (command, outcome): (CommandLabel, OutcomeLabel),
        elapsed: Option<Duration>,
        trace: Option<TraceId>,
    ) {
        self.commands[command.index()][outcome.index()]
            .get_or_init(|| Box::new(Histogram::new(COMMAND_BOUNDS)))
            .observe(elapsed.unwrap_or_default(), trace);
    }

    /// Time that the bridge added to a command and its result.
    pub fn overhead(&self, added: Duration, trace: Option<TraceId>) {
        self.overhead.observe(added, trace);
    }

    fn new() -> Self {
        Self {
            connections: Default::default(),
            rejected: Default::default(),
            commands: (0..CommandLabel::COUNT)
                .map(|_| std::array::from_fn(|_| OnceLock::new()))
                .collect(),
            overhead: Histogram::new(OVERHEAD_BOUNDS),
            routes: Mutex::default(),
        }
    }
}

impl RouteMetrics {
    /// Counts a call as active.
    pub fn call_started(self: &Arc<Self>) -> ActiveCall {
        self.active.add(1);
        ActiveCall { route: Arc::clone(self), queued: AtomicU32::new(0) }
    }

    /// A call is over. `duration`: since it was accepted.
    pub fn call_ended(&self, reason: Reason, duration: Duration, trace: Option<TraceId>) {
        self.duration[reason as usize].observe(duration, trace);
    }

    /// A service took a call. `since_accept`: up to its first control message.
    pub fn setup(&self, transport: Transport, since_accept: Duration, trace: Option<TraceId>) {
        self.setup[transport.index()].observe(since_accept, trace);
    }

    /// The caller of an answered channel heard nothing for so long, as no command had come.
    pub fn dead_air(&self, spell: Duration, trace: Option<TraceId>) {
        self.dead_air.observe(spell, trace);
    }

    /// A rung of the ladder was taken for a call.
    pub fn rung(&self, rung: Rung) {
        self.ladder[rung.index()].add(1);
    }

    /// A call ended, and left this in AGIBRIDGE_STATUS.
    pub fn failed(&self, failure: Failure) {
        self.failed[failure.index()].add(1);
    }

    /// A command was answered without Asterisk. Counts errors only.
    pub fn refused(&self, outcome: OutcomeLabel) {
        if let Some(code) = outcome.as_error() {
            self.refused[code].add(1);
        }
    }

    /// Asterisk's replies could no longer be matched to commands.
    pub fn desync(&self) {
        self.desync.add(1);
    }

    /// The caller is gone.
    pub fn hangup(&self, source: Source) {
        self.hangup[source as usize].add(1);
    }

    /// An attempt to open a stream ended so.
    pub fn stream_opened(&self, transport: Transport, status: Code) {
        self.opened[transport.index()][status as usize].add(1);
    }

    /// An open stream broke.
    pub fn stream_lost(&self, status: Code) {
        self.lost[status as usize].add(1);
    }

    /// Another service is sought for a call.
    pub fn resumed(&self, cause: Cause) {
        self.resumed[cause.index()].add(1);
    }

    fn new() -> Self {
        Self {
            active: Gauge::default(),
            queued: Gauge::default(),
            duration: std::array::from_fn(|_| Histogram::new(CALL_BOUNDS)),
            setup: std::array::from_fn(|_| Histogram::new(SETUP_BOUNDS)),
            hangup: Default::default(),
            opened: Default::default(),
            lost: Default::default(),
            resumed: Default::default(),
            dead_air: Histogram::new(COMMAND_BOUNDS),
            ladder: Default::default(),
            failed: Default::default(),
            refused: Default::default(),
            desync: Counter::default(),
        }
    }
}

impl ActiveCall {
    /// The commands that wait to be written now.
    pub fn set_queued(&self, count: u32) {
        let before = self.queued.load(Ordering::Relaxed);
        if count != before {
            self.queued.store(count, Ordering::Relaxed);
            self.route.queued.add(i64::from(count) - i64::from(before));
        }
    }

    /// The instruments of its route.
    pub fn route(&self) -> &RouteMetrics {
        &self.route
    }
}

impl Drop for ActiveCall {
    fn drop(&mut self) {
        self.set_queued(0);
        self.route.active.add(-1);
    }
}

#[derive(Debug, Default)]
struct Config {
    in_force: bool,
    loads: u64,
    failures: u64,
    last: Option<SystemTime>,
    calls_max: usize,
    /// Since when, and until when.
    drain: Option<(SystemTime, SystemTime)>,
}

const END_REASONS: usize = Reason::Operator as usize + 1;
const HANGUP_SOURCES: usize = Source::Service as usize + 1;
const CODES: usize = Code::Unauthenticated as usize + 1;

const MILLISECOND: u64 = 1_000;
const SECOND: u64 = 1_000_000;

/// Upper bounds of buckets, all in microseconds.
const CALL_BOUNDS: &[u64] = &[
    SECOND,
    5 * SECOND,
    15 * SECOND,
    30 * SECOND,
    60 * SECOND,
    120 * SECOND,
    300 * SECOND,
    600 * SECOND,
    1_800 * SECOND,
    3_600 * SECOND,
];
const COMMAND_BOUNDS: &[u64] = &[
    5 * MILLISECOND,
    10 * MILLISECOND,
    25 * MILLISECOND,
    50 * MILLISECOND,
    100 * MILLISECOND,
    250 * MILLISECOND,
    500 * MILLISECOND,
    SECOND,
    2_500 * MILLISECOND,
    5 * SECOND,
    10 * SECOND,
    30 * SECOND,
    60 * SECOND,
    120 * SECOND,
];
const SETUP_BOUNDS: &[u64] = &[
    MILLISECOND,
    2_500,
    5 * MILLISECOND,
    10 * MILLISECOND,
    25 * MILLISECOND,
    50 * MILLISECOND,
    100 * MILLISECOND,
    250 * MILLISECOND,
    500 * MILLISECOND,
    SECOND,
    2_500 * MILLISECOND,
    5 * SECOND,
    10 * SECOND,
];
const OVERHEAD_BOUNDS: &[u64] = &[
    50,
    100,
    250,
    500,
    MILLISECOND,
    2_500,
    5 * MILLISECOND,
    10 * MILLISECOND,
    25 * MILLISECOND,
    50 * MILLISECOND,
];

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{
        CommandError, DigitsResult, GetData, command::Command, command_error::Code as ErrorCode,
        command_result::Outcome,
    };
    use crate::telemetry::trace::TraceContext;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn the_page_sums_up_what_all_cores_saw() {
        let metrics = Metrics::new();
        let samples = samples(&observed(&metrics));
        let expected = [
            ("agibridge_call_active{route=\"support\"}", 1.0),
            (
                "agibridge_call_duration_seconds_bucket{route=\"support\",end_reason=\"hangup\",le=\"5.0\"}",
                1.0,
            ),
            ("agibridge_call_duration_seconds_count{route=\"support\",end_reason=\"hangup\"}", 2.0),
            ("agibridge_call_duration_seconds_sum{route=\"support\",end_reason=\"hangup\"}", 13.0),
            (
                "agibridge_call_setup_duration_seconds_count{route=\"support\",transport=\"grpc\"}",
                1.0,
            ),
            ("agibridge_call_hangup_total{route=\"support\",source=\"signal\"}", 2.0),
            ("agibridge_call_rejected_total{reason=\"no_route\"}", 1.0),
            ("agibridge_command_queued{route=\"support\"}", 2.0),
            (
                "agibridge_command_duration_seconds_count{command=\"GET DATA\",outcome=\"digits\"}",
                2.0,
            ),
            (
                "agibridge_command_duration_seconds_count{command=\"GET DATA\",outcome=\"queue_full\"}",
                1.0,
            ),
            ("agibridge_command_overhead_seconds_bucket{le=\"0.0001\"}", 1.0),
            (
                "agibridge_stream_opened_total{route=\"support\",transport=\"grpc\",status=\"UNAVAILABLE\"}",
                1.0,
            ),
            ("agibridge_stream_lost_total{route=\"support\",status=\"INTERNAL\"}", 1.0),
            ("agibridge_call_resumed_total{route=\"support\",cause=\"service_lost\"}", 1.0),
            ("agibridge_call_dead_air_seconds_bucket{route=\"support\",le=\"2.5\"}", 1.0),
            ("agibridge_call_dead_air_seconds_bucket{route=\"support\",le=\"1.0\"}", 0.0),
            ("agibridge_call_dead_air_seconds_sum{route=\"support\"}", 1.5),
            ("agibridge_call_ladder_total{route=\"support\",rung=\"announce\"}", 1.0),
            ("agibridge_call_ladder_total{route=\"support\",rung=\"fail\"}", 1.0),
            ("agibridge_call_failed_total{route=\"support\",status=\"LOST\"}", 1.0),
            ("agibridge_call_desync_total{route=\"support\"}", 1.0),
            ("agibridge_command_refused_total{route=\"support\",code=\"queue_full\"}", 1.0),
            ("agibridge_call_limit", 500.0),
            ("agibridge_drain_begin_timestamp_seconds", 2000.0),
            ("agibridge_drain_deadline_timestamp_seconds", 5600.0),
            ("agibridge_connection_total{result=\"probe\"}", 2.0),
            ("agibridge_connection_total{result=\"over_limit\"}", 0.0),
            ("agibridge_config_reload_success", 0.0),
            ("agibridge_config_reload_timestamp_seconds", 1000.5),
            ("agibridge_config_reload_total{result=\"refused\"}", 1.0),
        ];
        for (series, value) in expected {
            assert_eq!(samples.get(series), Some(&value), "{series}\n{samples:#?}");
        }
        let build = format!("agibridge_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
        assert_eq!(samples.get(&build), Some(&1.0));
        assert!(samples["process_resident_memory_bytes"] > 0.0);
    }

    #[test]
    fn every_line_of_a_page_is_as_the_format_wants_it() {
        let metrics = Metrics::new();
        observed(&metrics);
        for format in [Format::Text, Format::OpenMetrics] {
            let page = metrics.page(format);
            let mut typed = BTreeSet::<String>::new();
            for line in page.lines().filter(|line| *line != "# EOF") {
                let Some(comment) = line.strip_prefix("# ") else {
                    let (name, _) = line.split_once([' ', '{']).unwrap();
                    assert!(typed.iter().any(|family| belongs(name, family)), "{line}");
                    continue;
                };
                let [keyword, name, rest] = comment.splitn(3, ' ').collect::<Vec<_>>()[..] else {
                    panic!("{line}")
                };
                match keyword {
                    "HELP" => assert!(rest.ends_with('.') || rest.ends_with("time."), "{line}"),
                    "TYPE" => assert!(typed.insert(name.to_owned()), "{name} comes twice"),
                    _ => assert_eq!((keyword, format), ("UNIT", Format::OpenMetrics)),
                }
            }
            assert_eq!(page.ends_with("# EOF\n"), format == Format::OpenMetrics);
        }
    }

    #[test]
    fn a_call_that_is_dropped_leaves_no_gauge_behind() {
        let metrics = Metrics::new();
        let call = metrics.core().route(&"ivr".into()).call_started();
        call.set_queued(5);
        call.set_queued(3);
        assert_eq!(
            samples(&metrics.page(Format::Text))["agibridge_command_queued{route=\"ivr\"}"],
            3.0
        );
        drop(call);
        let samples = samples(&metrics.page(Format::Text));
        assert_eq!(samples["agibridge_command_queued{route=\"ivr\"}"], 0.0);
        assert_eq!(samples["agibridge_call_active{route=\"ivr\"}"], 0.0);
    }

    /// A page after a little of everything on two cores, while one call still lives.
    fn observed(metrics: &Metrics) -> String {
        let cores = [metrics.core(), metrics.core()];
        let command = CommandLabel::of(&Command::GetData(GetData::default()));
        let digits = OutcomeLabel::of(&Outcome::Digits(DigitsResult::default()));
        for (core, seconds) in cores.iter().zip([3, 10]) {
            core.connection(Connection::Probe);
            core.command((command, digits), Some(Duration::from_millis(40)), None);
            let route = core.route(&"support".into());
            let _call = route.call_started();
            route.hangup(Source::Signal);
            route.call_ended(Reason::Hangup, Duration::from_secs(seconds), None);
        }
        let (core, route) = (&cores[0], cores[1].route(&"support".into()));
        let call = route.call_started();
        call.set_queued(2);
        route.setup(Transport::Grpc, Duration::from_millis(4), None);
        route.stream_opened(Transport::Grpc, Code::Unavailable);
        route.stream_lost(Code::Internal);
        route.resumed(Cause::ServiceLost);
        core.rejected(Rejection::NoRoute);
        let full = CommandError { code: ErrorCode::QueueFull.into(), ..Default::default() };
        let full = OutcomeLabel::of(&Outcome::Error(full));
        core.command((command, full), None, None);
        route.refused(full);
        route.refused(digits);
        route.dead_air(Duration::from_millis(1_500), Some(TraceContext::root().trace_id));
        route.rung(Rung::Announce);
        route.rung(Rung::Fail);
        route.failed(Failure::Lost);
        route.desync();
        metrics.calls_max(500);
        let drain = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        metrics.draining(drain(2_000), drain(5_600));
        metrics.draining(drain(3_000), drain(6_600));
        core.overhead(Duration::from_micros(70), None);
        metrics.config_loaded(true, SystemTime::UNIX_EPOCH + Duration::from_millis(1_000_500));
        metrics.config_loaded(false, SystemTime::UNIX_EPOCH + Duration::from_secs(2_000));
        metrics.page(Format::Text)
    }

    fn samples(page: &str) -> BTreeMap<String, f64> {
        page.lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| {
                let (series, value) = line.rsplit_once(' ').unwrap();
                (series.to_owned(), value.parse().unwrap())
            })
            .collect()
    }

    fn belongs(sample: &str, family: &str) -> bool {
        ["", "_total", "_bucket", "_sum", "_count"]
            .iter()
            .any(|suffix| sample.strip_suffix(suffix) == Some(family))
    }
}
