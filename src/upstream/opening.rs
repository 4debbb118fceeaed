//! Rung 1 of what happens when a service fails: address after address, service after service, until one takes the
//! call or the time is over. Knows deadlines and order, and nothing that comes after.

use super::{
    Opening, Patience, Upstreams,
    address::{Active, Address},
    error::{Attempt, AttemptError, Exhausted, Phase, Pushback, Refusal},
    fastagi, grpc,
    link::{Link, Taken},
    script, websocket,
    worker::{Asked, By},
};
use crate::{
    backoff::Backoff,
    route::{Remote, Service, Target},
    telemetry::trace::TraceContext,
};
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep_until, timeout_at};

const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_CAP: Duration = Duration::from_millis(500);

/// See [`Upstreams::open`].
pub(super) async fn open(
    upstreams: &Upstreams,
    services: &[Arc<Service>],
    patience: Patience,
    opening: &Opening,
    on_attempt: &(dyn Fn(&Attempt<'_>) + Sync),
) -> Result<Taken, Exhausted> {
    let deadline = Instant::now() + patience.all;
    let mut ladder = Ladder {
        upstreams,
        connect_timeout: patience.attempt,
        deadline,
        opening: opening.clone(),
        attempt: None,
        trying: None,
        on_attempt,
        held: Vec::new(),
        slow: Vec::new(),
        exhausted: Exhausted::default(),
    };
    let mut backoff = Backoff::new(RETRY_FIRST, RETRY_CAP);
    loop {
        let again = match ladder.round(services).await {
            Round::Taken(taken) => return Ok(*taken),
            Round::Failed => Instant::now() + backoff.next(),
            Round::AllHeld => (Instant::now() + backoff.next()).max(ladder.held_until()),
            Round::NobodyLeft => return Err(std::mem::take(&mut ladder.exhausted)),
        };
        if again >= deadline {
            return Err(std::mem::take(&mut ladder.exhausted));
        }
        sleep_until(again).await;
    }
}

/// How one round over all addresses went.
enum Round {
    Taken(Box<Taken>),
    Failed,
    /// Each one asked to be left alone for a while, so that none was tried.
    AllHeld,
    /// Each one asked not to be tried again.
    NobodyLeft,
}

/// What came of one service in a round.
enum Visit {
    Taken(Box<Taken>),
    /// It was tried in vain.
    Failed,
    /// It may be tried later, and was not now.
    Held,
    /// There is nobody to try, now or later.
    Nobody,
}

struct Ladder<'a> {
    upstreams: &'a Upstreams,
    connect_timeout: Duration,
    deadline: Instant,
    /// As the service sees it that is tried now.
    opening: Opening,
    attempt: Option<TraceContext>,
    /// Which service is tried now, where and since when.
    trying: Option<(Arc<Service>, Option<SocketAddr>, Instant)>,
    on_attempt: &'a (dyn Fn(&Attempt<'_>) + Sync),
    // Addresses that asked to be left alone, until then or for good.
    held: Vec<(Arc<Address>, Option<Instant>)>,
    // Addresses that did not answer in time: the next round gives them the time that is left, after the others.
    slow: Vec<Arc<Address>>,
    exhausted: Exhausted,
}

impl Ladder<'_> {
    async fn round(&mut self, services: &[Arc<Service>]) -> Round {
        let (mut left, mut tried) = (false, false);
        for (index, service) in services.iter().enumerate() {
            if Instant::now() >= self.deadline {
                return Round::Failed;
            }
            let last_service = index + 1 == services.len();
            let visit = match &service.target {
                Target::Grpc(remote)
                | Target::WebSocket { remote, .. }
                | Target::FastAgi { remote, .. } => self.visit(service, remote, last_service).await,
                Target::Worker { group } => self.ask_workers(service, group, last_service).await,
                Target::Script { program } => self.start(service, program).await,
            };
            match visit {
                Visit::Taken(taken) => return Round::Taken(taken),
                Visit::Failed => (left, tried) = (true, true),
                Visit::Held => left = true,
                Visit::Nobody => {}
            }
        }
        match (left, tried) {
            (false, _) => Round::NobodyLeft,
            (true, false) => Round::AllHeld,
            (true, true) => Round::Failed,
        }
    }

    /// Tries the addresses of a service that is dialled, but for those that are left alone.
    async fn visit(
        &mut self,
        service: &Arc<Service>,
        remote: &Remote,
        last_service: bool,
    ) -> Visit {
        let Ok(addresses) = self.addresses(service, remote, last_service).await else {
            return Visit::Failed;
        };
        let mut untried: Vec<_> = addresses.iter().filter(|a| !self.is_held(a)).cloned().collect();
        let mut tried = false;
        while let Some(address) = self.take_best(&mut untried) {
            if Instant::now() >= self.deadline {
                return Visit::Failed;
            }
            if !address.admits() {
                let alone = AttemptError::LeftAlone(address.alone_for().unwrap_or_default());
                self.exhausted.add(service, Some(address.socket()), alone);
                continue;
            }
            tried = true;
            let last = last_service && untried.is_empty();
            if let Some(taken) = self.attempt(service, &address, last).await {
                return Visit::Taken(Box::new(taken));
            }
        }
        match (tried, addresses.iter().any(|address| self.may_be_tried(address))) {
            (true, _) => Visit::Failed,
            (false, true) => Visit::Held,
            (false, false) => Visit::Nobody,
        }
    }

    /// Every worker of the group that has room, one after another.
    async fn ask_workers(
        &mut self,
        service: &Arc<Service>,
        group: &str,
        last_service: bool,
    ) -> Visit {
        let mut asked = Asked::default();
        loop {
            let begun = self.begin(service, None);
            if begun >= self.deadline {
                return Visit::Failed;
            }
            self.opening.tell_trace_in_started();
            let soon = self.soon(begun);
            let by = By { soon, last: if last_service { self.deadline } else { soon } };
            let first = asked.is_empty();
            let workers = &self.upstreams.workers;
            match workers.offer(service, group, &self.opening, &mut asked, by).await {
                Ok(link) => {
                    self.report(service, None, begun, None);
                    return Visit::Taken(Box::new(Taken::Typed(link.into())));
                }
                Err(AttemptError::NoWorker { .. }) if !first => return Visit::Failed,
                Err(error) => {
                    let nobody = matches!(error, AttemptError::NoWorker { .. });
                    self.report(service, None, begun, Some(error));
                    if nobody {
                        return Visit::Failed;
                    }
                }
            }
        }
    }

    /// Tries a service that runs here.
    async fn start(&mut self, service: &Arc<Service>, program: &Path) -> Visit {
        let begun = self.begin(service, None);
        let processes = self.upstreams.directory.processes();
        let by = self.soon(begun);
        match script::open(service, program, &self.opening, processes, by).await {
            Ok(link) => {
                self.report(service, None, begun, None);
                Visit::Taken(Box::new(Taken::Raw(link)))
            }
            Err(Refusal { error, .. }) => {
                self.report(service, None, begun, Some(error));
                Visit::Failed
            }
        }
    }

    async fn addresses(
        &mut self,
        service: &Arc<Service>,
        remote: &Remote,
        last: bool,
    ) -> Result<Arc<[Arc<Address>]>, ()> {
        let begun = self.begin(service, None);
        let by = if last { self.deadline } else { self.soon(begun) };
        let why = match timeout_at(by, self.upstreams.directory.addresses(service, remote)).await {
            Ok(Ok(addresses)) => {
                self.trying = None;
                return Ok(addresses);
            }
            Ok(Err(why)) => why.to_string(),
            Err(_) => "timed out".to_owned(),
        };
        self.report(service, None, begun, Some(AttemptError::Resolve(why)));
        Err(())
    }

    /// Healthy ones first, those that failed lately last, those that let this call wait at the very end; and of each
    /// kind the one with the fewest calls.
    fn take_best(&self, untried: &mut Vec<Arc<Address>>) -> Option<Arc<Address>> {
        let rank = |address: &Arc<Address>| {
            let slow = self.slow.iter().any(|known| Arc::ptr_eq(known, address));
            let penalised = address.is_penalised();
            (slow, !address.is_healthy(), penalised, address.active(), rand::random::<u32>())
        };
        let best = untried.iter().enumerate().min_by_key(|(_, address)| rank(address))?.0;
        Some(untried.swap_remove(best))
    }

    /// One attempt. Without an untried alternative (`last`) the service has all the time that is left to answer:
    /// a server may hold its headers until its first message.
    async fn attempt(
        &mut self,
        service: &Arc<Service>,
        address: &Arc<Address>,
        last: bool,
    ) -> Option<Taken> {
        let begun = self.begin(service, Some(address.socket()));
        let active = address.begin();
        let connect_by = self.soon(begun);
        let accept_by = if last { self.deadline } else { connect_by };
        match self.reach(service, active, (connect_by, accept_by)).await {
            Ok(taken) => {
                address.forgive();
                self.report(service, Some(address), begun, None);
                Some(taken)
            }
            Err(Refusal { error, pushback }) => {
                self.learn(service, (address, begun), &error, pushback);
                self.report(service, Some(address), begun, Some(error));
                None
            }
        }
    }

    async fn reach(
        &self,
        service: &Arc<Service>,
        active: Active,
        by: (Instant, Instant),
    ) -> Result<Taken, Refusal> {
        let opening = &self.opening;
        match &service.target {
            Target::Grpc(remote) => {
                let pools = &self.upstreams.pools;
                let link = grpc::open(pools, (service, remote), opening, active, by).await?;
                Ok(Taken::Typed(Link::from(link)))
            }
            Target::WebSocket { remote, path } => {
                let link = websocket::open((service, remote, path), opening, active, by).await?;
                Ok(Taken::Typed(Link::from(link)))
            }
            Target::FastAgi { remote, path } => {
                let (path, connect_by) = (path.as_deref(), by.0);
                let link =
                    fastagi::open(service, remote, path, opening, active, connect_by).await?;
                Ok(Taken::Raw(link))
            }
            Target::Worker { .. } | Target::Script { .. } => {
                Err(AttemptError::Resolve("it has no address".to_owned()).into())
            }
        }
    }

    fn learn(
        &mut self,
        service: &Service,
        (address, begun): (&Arc<Address>, Instant),
        error: &AttemptError,
        pushback: Option<Pushback>,
    ) {
        if error.means_full() {
            address.avoid();
        } else if error.blames_address() {
            address.failed(begun);
            self.upstreams.directory.failed(service);
        }
        if matches!(error, AttemptError::Timeout(Phase::Accepting)) {
            self.slow.push(address.clone());
        }
        if let Some(pushback) = pushback {
            self.held.retain(|(held, _)| !Arc::ptr_eq(held, address));
            let until = match pushback {
                Pushback::After(wait) => Some(Instant::now() + wait),
                Pushback::Never => None,
            };
            self.held.push((address.clone(), until));
        }
    }

    fn report(
        &mut self,
        service: &Arc<Service>,
        address: Option<&Arc<Address>>,
        begun: Instant,
        error: Option<AttemptError>,
    ) {
        self.trying = None;
        let address = address.map(|address| address.socket());
        let took = begun.elapsed();
        let trace = self.attempt.as_ref();
        (self.on_attempt)(&Attempt { service, address, took, error: error.as_ref(), trace });
        if let Some(error) = error {
            self.exhausted.add(service, address, error);
        }
    }

    /// An attempt begins: it has a span of its own.
    fn begin(&mut self, service: &Arc<Service>, address: Option<SocketAddr>) -> Instant {
        let begun = Instant::now();
        self.trying = Some((Arc::clone(service), address, begun));
        self.attempt = self.opening.trace.as_ref().map(TraceContext::child);
        self.opening.begin_attempt(self.attempt.as_ref());
        begun
    }

    fn soon(&self, begun: Instant) -> Instant {
        self.deadline.min(begun + self.connect_timeout)
    }

    fn is_held(&self, address: &Arc<Address>) -> bool {
        let now = Instant::now();
        self.held.iter().any(|(a, until)| Arc::ptr_eq(a, address) && until.is_none_or(|t| t > now))
    }

    /// Whether this call may come back to it: it did not ask to be spared, nor is it left alone for longer than there is time.
    fn may_be_tried(&self, address: &Arc<Address>) -> bool {
        let banned =
            self.held.iter().any(|(held, until)| Arc::ptr_eq(held, address) && until.is_none());
        let too_long =
            address.alone_for().is_some_and(|left| Instant::now() + left >= self.deadline);
        !banned && !too_long
    }

    /// When the first held address may be tried again; now when none is held for a while.
    fn held_until(&self) -> Instant {
        self.held.iter().filter_map(|(_, until)| *until).min().unwrap_or_else(Instant::now)
    }
}

impl Drop for Ladder<'_> {
    /// The call is over, or goes elsewhere, in the middle of an attempt: what was begun has its end.
    fn drop(&mut self) {
        if let Some((service, address, begun)) = self.trying.take() {
            let (took, error) = (begun.elapsed(), Some(&AttemptError::GivenUp));
            let trace = self.attempt.as_ref();
            (self.on_attempt)(&Attempt { service: &service, address, took, error, trace });
        }
    }
}
