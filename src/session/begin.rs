//! The beginning of a call: from an accepted socket to a route and a running session, or to a polite refusal.

use super::{
    Core, Rules, Shared,
    admission::{Admitted, Over, Pending},
    drive::{OnRoute, Parts, Session},
    facts::{Facts, Place},
    meter::Meter,
    parent,
    recorder::Begun,
    registry::Entry,
    socket::{Read, Socket, Stream},
    spans::Spans,
    timestamp,
};
use crate::{
    agi::{Limits, Prelude, PreludeError, PreludeReader, Request},
    archive::{self, Archive},
    async_agi::Arrival as AsyncCall,
    call::{Blame, Call, Outcome, Settings, Status},
    proto::Channel,
    redact::Redact,
    route::{self, Policy, Quiet, Route, Then},
    telemetry::{
        metrics::{Connection, Rejection},
        span::CallFacts,
        trace::TraceContext,
    },
    transcript::{Head, Tape},
};
use std::{
    future::poll_fn,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{
    io::AsyncWriteExt as _,
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tracing::{debug, info};
use uuid::Uuid;

/// The largest reply that is read. A service may be sent eight times as much: a raw reply is told twice, as text and as
/// value, and a byte that is no UTF-8 takes three.
const REPLY_BYTES_MAX: usize = 512 * 1024;
/// A call that is turned away is given this long, all in all.
const TURN_AWAY_TIMEOUT: Duration = Duration::from_secs(2);

/// Room for a connection of which nothing is known yet but its address; none, and it is told so.
pub fn enter(core: &Core, stream: &TcpStream, peer: SocketAddr) -> Option<Pending> {
    let pending = core.shared.admission.enter(peer.ip());
    if pending.is_none() {
        core.metrics.connection(Connection::OverLimit);
        // As much as can be done for nothing: the dialplan goes on, and knows that something failed.
        let _ = socket2::SockRef::from(stream).send(b"failure\n");
    }
    pending
}

/// Serves one connection from Asterisk, to its end.
pub async fn serve(core: Arc<Core>, stream: TcpStream, peer: SocketAddr) {
    let accepted = (Instant::now(), SystemTime::now());
    let Some(pending) = enter(&core, &stream, peer) else { return };
    serve_socket(core, Socket::new(stream.into()), (pending, peer), accepted).await;
}

/// Serves one async AGI call, to its end.
pub(crate) async fn serve_async(core: Arc<Core>, AsyncCall { mut pipe, peer }: AsyncCall) {
    let accepted = (Instant::now(), SystemTime::now());
    let Some(pending) = core.shared.admission.enter(peer.ip()) else {
        core.metrics.connection(Connection::OverLimit);
        // As to a socket. The pipe has room for it.
        let _ = pipe.write_all(b"failure\n").await;
        return;
    };
    serve_socket(core, Socket::new(Stream::Pipe(pipe)), (pending, peer), accepted).await;
}

async fn serve_socket(
    core: Arc<Core>,
    mut socket: Socket,
    (pending, peer): (Pending, SocketAddr),
    accepted: (Instant, SystemTime),
) {
    let rules = core.shared.rules.load_full();
    let read = timeout_at(accepted.0 + rules.prelude_timeout, read_prelude(&mut socket)).await;
    let (prelude, rest) = match read.unwrap_or(Err(NoCall::Timeout)) {
        Ok(read) => read,
        Err(fault) => {
            core.metrics.connection(fault.connection());
            if matches!(fault, NoCall::ProxyHeader | NoCall::Invalid(_)) {
                core.metrics.rejected(Rejection::ProtocolError);
            }
            debug!(%peer, %fault, "a connection that is no call");
            return;
        }
    };
    core.metrics.connection(Connection::Accepted);
    let (request, channel) = (prelude.request(), prelude.channel());
    let (rest, parent) = (rest.to_vec(), None);
    let mut arrival = Arrival { prelude, request, channel, rest, parent, peer, accepted };
    let mut chosen = choose(&core.shared, &rules, &arrival, &pending);
    if let Ok((route, ..)) = &chosen
        && arrival.has_parent_to_ask_for(&core, route)
    {
        let limits = socket.limits(rules.limits);
        let asked = Box::pin(parent::ask(&mut socket, limits, REPLY_BYTES_MAX));
        let deadline = accepted.0 + rules.prelude_timeout;
        match timeout_at(deadline, asked).await.unwrap_or(Err(parent::Fault::Late)) {
            Ok(told) => (arrival.parent, arrival.rest) = (told.value, told.rest),
            Err(fault) => {
                core.metrics.rejected(Rejection::ProtocolError);
                debug!(%peer, %fault, "a connection that is no call");
                return;
            }
        }
        // Others came meanwhile.
        chosen = room(&core.shared, &rules).and(chosen);
    }
    match chosen {
        Ok(chosen) => {
            drop(pending);
            Box::pin(drive(core, socket, arrival, rules, chosen)).await;
        }
        Err(Refusal { status, rejection, detail }) => {
            core.metrics.rejected(rejection);
            let spans = arrival.spans(&core, Uuid::now_v7(), &arrival.trace(&core), None);
            turn_away(&core, socket, &arrival, &rules, (status, &detail), spans).await;
            drop(pending);
        }
    }
}

/// A connection that showed itself to be a call.
struct Arrival {
    prelude: Prelude,
    request: Request,
    channel: Channel,
    /// What Asterisk sent behind its prelude: nothing, unless the prelude was forged.
    rest: Vec<u8>,
    /// What the channel variable TRACEPARENT holds, where it was asked for.
    parent: Option<String>,
    peer: SocketAddr,
    accepted: (Instant, SystemTime),
}

impl Arrival {
    /// A channel variable is not in the prelude: to read it costs a round trip before a service is sought, so a route must
    /// want it, and the AGI URL say nothing.
    fn has_parent_to_ask_for(&self, core: &Core, route: &Route) -> bool {
        let in_query = self.request.query.iter().any(|(name, _)| name == "traceparent");
        let wanted = route.policy.trace_variable && core.tracing.trace_context;
        wanted && !in_query && self.rest.is_empty()
    }

    /// The call's span: below the one that the AGI URL or the channel names, or the first of a trace.
    fn trace(&self, core: &Core) -> TraceContext {
        let rules = &core.tracing;
        let mut trace = match (rules.trace_context, rules.baggage) {
            (false, false) => TraceContext::root(),
            _ => TraceContext::from_query(&self.request.query, self.parent.as_deref()),
        };
        if !rules.trace_context {
            trace = TraceContext { baggage: trace.baggage, ..TraceContext::root() };
        }
        if core.tracer.is_some() {
            let parent = trace.parent.map(|_| trace.sampled());
            trace.set_sampled(rules.sampler.samples(trace.trace_id, parent));
        }
        trace
    }

    fn spans(
        &self,
        core: &Core,
        call_id: Uuid,
        trace: &TraceContext,
        route: Option<&Arc<str>>,
    ) -> Option<Box<Spans>> {
        let tracer = core.tracer.as_ref()?;
        let number = &self.channel.caller_id_number;
        let call = CallFacts {
            call_id,
            channel: self.channel.name.clone(),
            unique_id: self.channel.unique_id.clone(),
            channel_type: self.channel.r#type.clone(),
            caller_number: (core.tracing.caller_numbers && !number.is_empty())
                .then(|| number.clone()),
            peer: self.peer,
        };
        Some(Box::new(Spans::begin(tracer, trace, call, route, self.accepted.1)))
    }
}

/// Why a connection is no call.
#[derive(Debug, thiserror::Error)]
enum NoCall {
    #[error("it closed without a word")]
    Probe,
    #[error("it closed in the middle of its prelude")]
    Cut,
    #[error("its prelude did not come in time")]
    Timeout,
    #[error("it begins with a PROXY protocol header, and its address is not in agi.proxy_protocol")]
    ProxyHeader,
    #[error(transparent)]
    Invalid(PreludeError),
}

impl From<PreludeError> for NoCall {
    fn from(error: PreludeError) -> Self {
        match error {
            PreludeError::NotAgi { start }
                if start.starts_with("PROXY ") || start.starts_with("\r\n\r\n\0\r\nQUIT") =>
            {
                Self::ProxyHeader
            }
            error @ (PreludeError::NotAgi { .. } | PreludeError::TooLong { .. }) => {
                Self::Invalid(error)
            }
        }
    }
}

impl NoCall {
    fn connection(&self) -> Connection {
        match self {
            Self::Probe => Connection::Probe,
            Self::Cut => Connection::Broken,
            Self::Timeout => Connection::PreludeTimeout,
            Self::ProxyHeader | Self::Invalid(_) => Connection::PreludeInvalid,
        }
    }
}

async fn read_prelude(socket: &mut Socket) -> Result<(Prelude, bytes::BytesMut), NoCall> {
    let mut reader = PreludeReader::new();
    loop {
        let read = poll_fn(|cx| {
            socket.poll_read(cx, |read| match read {
                Read::Bytes(bytes) => Ok(reader.push(bytes)?),
                Read::Closed if reader.is_empty() => Err(NoCall::Probe),
                Read::Closed => Err(NoCall::Cut),
            })
        });
        if let Some(prelude) = read.await? {
            return Ok((prelude, reader.into_rest()));
        }
    }
}

/// The route of a call, its parameters, and the call's place among the others.
type Chosen = (Arc<Route>, Vec<(String, String)>, Admitted);

/// Why a call is turned away.
struct Refusal {
    status: Status,
    rejection: Rejection,
    detail: String,
}

impl From<Over> for Refusal {
    fn from(Over { rejection, detail }: Over) -> Self {
        Self { status: Status::Limit, rejection, detail }
    }
}

/// The route of a call, or why it is turned away.
fn room(shared: &Shared, rules: &Rules) -> Result<(), Refusal> {
    if shared.drain.begun() {
        let detail = "the bridge is shutting down".to_owned();
        return Err(Refusal { status: Status::Draining, rejection: Rejection::Draining, detail });
    }
    if shared.registry.active() >= rules.max_calls {
        let detail =
            format!("{} calls are running, as many as agi.max_calls allows", rules.max_calls);
        return Err(Refusal { status: Status::Limit, rejection: Rejection::Limit, detail });
    }
    Ok(())
}

fn choose(
    shared: &Shared,
    rules: &Rules,
    arrival: &Arrival,
    pending: &Pending,
) -> Result<Chosen, Refusal> {
    room(shared, rules)?;
    let channel = &arrival.channel;
    let request = route::Request {
        path: &arrival.request.path,
        query: &arrival.request.query,
        context: &channel.context,
        extension: &channel.extension,
        dialed_number: &channel.dialed_number,
        account_code: &channel.account_code,
    };
    let Some(picked) = rules.routes.pick(&request) else {
        let detail = format!("no route for {}", arrival.request.path);
        return Err(Refusal { status: Status::NoRoute, rejection: Rejection::NoRoute, detail });
    };
    let admitted = shared.admission.admit(pending, rules, &picked.route)?;
    Ok((picked.route, picked.parameters, admitted))
}

async fn drive(
    core: Arc<Core>,
    socket: Socket,
    arrival: Arrival,
    rules: Arc<Rules>,
    (route, parameters, _admitted): Chosen,
) {
    let call_id = Uuid::now_v7();
    let trace = arrival.trace(&core);
    let spans = arrival.spans(&core, call_id, &trace, Some(&route.name));
    let Arrival { prelude, request, channel, rest, parent: _, peer, accepted } = arrival;
    debug!(
        name: "agibridge.call.started",
        %call_id,
        route = %route.name,
        trace_id = %trace.trace_id,
        span_id = %trace.span_id,
        %peer,
        channel = channel.name,
        "call started"
    );
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let record = core.shared.recorder.begin(|| Begun {
        call_id,
        trace_id: trace.trace_id,
        accepted_at: accepted.1,
        route: &route,
        request: &request,
        channel: &channel,
        arguments: prelude.arguments().map(lossy).collect(),
    });
    let (name, unique_id) = (channel.name, channel.unique_id);
    let handle = core.shared.registry.register(Entry {
        call_id,
        route: Arc::clone(&route.name),
        channel: name.clone(),
        caller_number: channel.caller_id_number,
        accepted_at: accepted.1,
    });
    if let Some(record) = &record {
        handle.set_record(Arc::clone(record));
    }
    let mut tape = route
        .policy
        .record
        .then(|| core.shared.archive.call_bytes())
        .flatten()
        .map(|bytes_max| Box::new(Tape::new(route.policy.redact, bytes_max)));
    let begun_on = tape.is_some().then(|| Arc::clone(&route));
    let metrics = core.metrics.route(&route.name);
    let settings = Settings {
        cancel_key: !core.shared.links.is_empty(),
        ..settings(route.policy.clone(), socket.limits(rules.limits))
    };
    let mut call = Call::new(settings, accepted.0.elapsed());
    if spans.is_some() {
        call.keep_answers();
    }
    if !rest.is_empty() {
        if let Some(tape) = &mut tape {
            tape.heard(&rest, accepted.0.elapsed());
        }
        call.handle_asterisk(&rest, accepted.0.elapsed());
    }
    let query = request.query.clone();
    let meter = Meter::new(&core.metrics, Arc::clone(&metrics), &trace);
    let facts = Facts {
        call_id,
        accepted_at: accepted.1,
        unique_id,
        prelude: Arc::new(prelude),
        request,
        trace,
        told: (core.tracing.trace_context, core.tracing.baggage),
        rules,
        place: Place { route: Arc::clone(&route), parameters, query },
    };
    let shared = Arc::clone(&core.shared);
    let (opening, within) = (facts.opening(None), route.policy.retry_for);
    let attempts = spans.as_ref().and_then(|spans| spans.seek(None));
    let digits = facts.digits(&shared.digits);
    let opening = super::drive::open(&core, &route, &metrics, opening, (within, None), attempts);
    let mut session = Session::new(Parts {
        call,
        socket,
        accepted: accepted.0,
        opening: Some(opening),
        on_route: Some(OnRoute {
            facts,
            handle,
            meter,
            spans,
            record: record.clone(),
            tape,
            digits,
        }),
        core,
    });
    drop(route);
    let outcome = (&mut session).await;
    let duration = accepted.0.elapsed();
    session.count_end(&outcome, duration);
    if let Some(record) = &record {
        shared.recorder.end(record, &outcome, duration);
    }
    let tape = session.take_tape();
    let Some(facts) = session.facts() else { return };
    if let (Some(tape), Some(route)) = (tape, begun_on) {
        keep(&shared.archive, *tape, facts, &route, (&outcome, duration));
    }
    info!(
        name: "agibridge.call.ended",
        %call_id,
        route = %facts.place.route.name,
        trace_id = %facts.trace.trace_id,
        span_id = %facts.trace.span_id,
        %peer,
        channel = name,
        service = session.service(),
        reason = outcome.reason_text(),
        blame = outcome.blame().as_str(),
        status = outcome.status.map(Status::as_str),
        detail = outcome.detail,
        commands = outcome.commands,
        dead_air_seconds = outcome.dead_air.as_secs_f64(),
        duration_seconds = duration.as_secs_f64(),
        "call ended"
    );
}

/// The transcript goes to its folder.
fn keep(
    archive: &Archive,
    tape: Tape,
    facts: &Facts,
    route: &Route,
    (outcome, lasted): (&Outcome, Duration),
) {
    let began = timestamp(facts.accepted_at);
    let mut ended = outcome.reason_text().to_owned();
    if outcome.blame() != Blame::None {
        ended.push_str(&format!(" by {}", outcome.blame().as_str()));
    }
    if !outcome.detail.is_empty() {
        ended.push_str(&format!(": {}", outcome.detail));
    }
    let text = tape.finish(&Head {
        call_id: facts.call_id,
        route: (&route.name, &route.path),
        began: &began,
        lasted,
        prelude: &facts.prelude,
        ended: &ended,
    });
    archive.keep(archive::name(&stamp(began), facts.call_id), text);
}

/// As `20260131T120000Z`.
fn stamp(at: pbjson_types::Timestamp) -> String {
    let seconds = pbjson_types::Timestamp { nanos: 0, ..at };
    let text = serde_json::to_value(seconds).unwrap_or_default();
    let digits = text.as_str().unwrap_or_default().split_once('+').unwrap_or_default().0;
    format!("{}Z", digits.replace(['-', ':'], ""))
}

async fn turn_away(
    core: &Arc<Core>,
    socket: Socket,
    arrival: &Arrival,
    rules: &Rules,
    (status, detail): (Status, &str),
    spans: Option<Box<Spans>>,
) {
    let settings = settings(refusing(), socket.limits(rules.limits));
    let call = Call::turned_away(settings, status, detail, Duration::ZERO);
    let session = Session::new(Parts {
        call,
        socket,
        accepted: Instant::now(),
        opening: None,
        on_route: None,
        core: Arc::clone(core),
    });
    let outcome: Option<Outcome> = tokio::time::timeout(TURN_AWAY_TIMEOUT, session).await.ok();
    if let Some(mut spans) = spans {
        spans.turned_away(status);
    }
    info!(
        name: "agibridge.call.turned_away",
        peer = %arrival.peer,
        channel = arrival.channel.name,
        path = arrival.request.path,
        status = status.as_str(),
        detail,
        told = outcome.is_some(),
        "call turned away"
    );
}

fn settings(policy: Policy, limits: Limits) -> Settings {
    let (random, reply_bytes_max) = (rand::random::<u128>, REPLY_BYTES_MAX);
    Settings { policy, limits, reply_bytes_max, cancel_key: false, random }
}

/// The policy of a call that has no route.
fn refusing() -> Policy {
    Policy {
        connect_timeout: Duration::ZERO,
        retry_for: Duration::ZERO,
        quiet_limit: Duration::ZERO,
        quiet: Quiet::Silence,
        resume_for: Duration::ZERO,
        resumes_per_minute: 0,
        journal_results: 0,
        checkpoint_limit: 0,
        hangup_grace: Duration::ZERO,
        heartbeat: Duration::MAX,
        max_queued_commands: 0,
        max_call_duration: TURN_AWAY_TIMEOUT,
        trace_argument: false,
        trace_variable: false,
        digits: false,
        then: Then { announce: None, next: route::Next::Fail },
        redact: Redact::default(),
        record: false,
        commands: Arc::default(),
        max_calls: None,
        calls_per_second: None,
    }
}
