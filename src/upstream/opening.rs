//! Rung 1 of what happens when a service fails: address after address, service after service, until one takes the
//! call or the time is over. Knows deadlines and order, and nothing that comes after.

use super::{
    Opening, Upstreams,
    address::{Active, Address},
    backoff::Backoff,
    error::{Attempt, AttemptError, Exhausted, Phase, Pushback, Refusal},
    grpc,
    link::Link,
};
use crate::route::{Policy, Remote, Service, Target};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep_until, timeout_at};

const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_CAP: Duration = Duration::from_millis(500);

/// See [`Upstreams::open`].
pub(super) async fn open(
    upstreams: &Upstreams,
    services: &[Arc<Service>],
    policy: &Policy,
    opening: &Opening,
    on_attempt: &(dyn Fn(&Attempt<'_>) + Sync),
) -> Result<Link, Exhausted> {
    let deadline = Instant::now() + policy.retry_for;
    let mut ladder = Ladder {
        upstreams,
        connect_timeout: policy.connect_timeout,
        deadline,
        opening,
        on_attempt,
        held: Vec::new(),
        slow: Vec::new(),
        exhausted: Exhausted::default(),
    };
    let mut backoff = Backoff::new(RETRY_FIRST, RETRY_CAP);
    loop {
        let again = match ladder.round(services).await {
            Round::Taken(link) => return Ok(*link),
            Round::Failed => Instant::now() + backoff.next(),
            Round::AllHeld => (Instant::now() + backoff.next()).max(ladder.held_until()),
            Round::NobodyLeft => return Err(ladder.exhausted),
        };
        if again >= deadline {
            return Err(ladder.exhausted);
        }
        sleep_until(again).await;
    }
}

/// How one round over all addresses went.
enum Round {
    Taken(Box<Link>),
    Failed,
    /// Each one asked to be left alone for a while, so that none was tried.
    AllHeld,
    /// Each one asked not to be tried again.
    NobodyLeft,
}

struct Ladder<'a> {
    upstreams: &'a Upstreams,
    connect_timeout: Duration,
    deadline: Instant,
    opening: &'a Opening,
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
            let last_service = index + 1 == services.len();
            let Some(remote) = service.remote() else { continue };
            let Ok(addresses) = self.addresses(service, remote, last_service).await else {
                (left, tried) = (true, true);
                continue;
            };
            left |= addresses.iter().any(|address| !self.is_banned(address));
            let mut untried: Vec<_> =
                addresses.iter().filter(|a| !self.is_held(a)).cloned().collect();
            while let Some(address) = self.take_best(&mut untried) {
                if Instant::now() >= self.deadline {
                    return Round::Failed;
                }
                tried = true;
                let last = last_service && untried.is_empty();
                if let Some(link) = self.attempt(service, &address, last).await {
                    return Round::Taken(Box::new(link));
                }
            }
        }
        match (left, tried) {
            (false, _) => Round::NobodyLeft,
            (true, false) => Round::AllHeld,
            (true, true) => Round::Failed,
        }
    }

    async fn addresses(
        &mut self,
        service: &Arc<Service>,
        remote: &Remote,
        last: bool,
    ) -> Result<Arc<[Arc<Address>]>, ()> {
        let begun = Instant::now();
        let by = if last { self.deadline } else { self.soon(begun) };
        let why = match timeout_at(by, self.upstreams.directory.addresses(service, remote)).await {
            Ok(Ok(addresses)) => return Ok(addresses),
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
    ) -> Option<Link> {
        let begun = Instant::now();
        let active = address.begin();
        let connect_by = self.soon(begun);
        let accept_by = if last { self.deadline } else { connect_by };
        match self.reach(service, active, (connect_by, accept_by)).await {
            Ok(link) => {
                address.forgive();
                self.report(service, Some(address), begun, None);
                Some(link)
            }
            Err(Refusal { error, pushback }) => {
                self.learn(service, address, &error, pushback);
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
    ) -> Result<Link, Refusal> {
        let opening = self.opening;
        match &service.target {
            Target::Grpc(remote) => {
                let pools = &self.upstreams.pools;
                grpc::open(pools, (service, remote), opening, active, by).await.map(Link::from)
            }
            Target::WebSocket { .. }
            | Target::FastAgi { .. }
            | Target::Worker { .. }
            | Target::Script { .. } => Err(AttemptError::Status {
                code: tonic::Code::Unimplemented,
                message: "not served yet".to_owned(),
            }
            .into()),
        }
    }

    fn learn(
        &mut self,
        service: &Service,
        address: &Arc<Address>,
        error: &AttemptError,
        pushback: Option<Pushback>,
    ) {
        if error.blames_address() {
            address.penalise();
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
        let address = address.map(|address| address.socket());
        let took = begun.elapsed();
        (self.on_attempt)(&Attempt { service, address, took, error: error.as_ref() });
        if let Some(error) = error {
            self.exhausted.add(service, address, error);
        }
    }

    fn soon(&self, begun: Instant) -> Instant {
        self.deadline.min(begun + self.connect_timeout)
    }

    fn is_held(&self, address: &Arc<Address>) -> bool {
        let now = Instant::now();
        self.held.iter().any(|(a, until)| Arc::ptr_eq(a, address) && until.is_none_or(|t| t > now))
    }

    fn is_banned(&self, address: &Arc<Address>) -> bool {
        self.held.iter().any(|(held, until)| Arc::ptr_eq(held, address) && until.is_none())
    }

    /// When the first held address may be tried again; now when none is held for a while.
    fn held_until(&self) -> Instant {
        self.held.iter().filter_map(|(_, until)| *until).min().unwrap_or_else(Instant::now)
    }
}
