//! Tests of who is offered a call, without sockets and by a clock that stands still.

use super::{offering::By, *};
use crate::{
    proto::{
        CallEvent, CallOffer, CallStarted, OfferWithdrawn, call_event::Event, worker_offer::Offer,
    },
    route::{Service, Target},
    secret::Secret,
    upstream::{AttemptError, Opening},
};
use futures_util::{FutureExt as _, future::BoxFuture};
use proptest::prelude::*;
use roster::PENALTY;
use std::{collections::HashMap, time::Duration};
use tokio::{io::DuplexStream, time::Instant};

const SECOND: Duration = Duration::from_secs(1);

fn service() -> Arc<Service> {
    let mut service = crate::upstream::tests::service("x", 1);
    service.url = "worker://sales".into();
    service.target = Target::Worker { group: "sales".into() };
    Arc::new(service)
}

fn opening() -> Opening {
    let started = CallStarted { call_id: "c".into(), route: "r".into(), ..CallStarted::default() };
    Opening {
        metadata: Vec::new(),
        started: Arc::new(CallEvent { event: Some(Event::Started(Box::new(started))) }),
        capacity: 4,
        prelude: Arc::default(),
        trace: None,
        trace_argument: false,
    }
}

fn by(span: Duration) -> By {
    let at = Instant::now() + span;
    By { soon: at, last: at }
}

/// A worker without a network.
struct Worker {
    registration: Registration,
    offers: mpsc::Receiver<WorkerOffer>,
}

impl Worker {
    fn new(workers: &Arc<Workers>, id: &str, max_calls: u32) -> Self {
        Self::with(workers, id, max_calls, Identity::default()).expect("registered")
    }

    fn with(
        workers: &Arc<Workers>,
        id: &str,
        max_calls: u32,
        identity: Identity,
    ) -> Result<Self, RegisterError> {
        let (sender, mut offers) = mpsc::channel(64);
        let hello = WorkerHello {
            worker_id: id.into(),
            groups: vec!["sales".into(), "lab".into()],
            max_calls,
            ..WorkerHello::default()
        };
        let registration = workers.register(hello, identity, Registered::default(), sender)?;
        let first = offers.try_recv().expect("the first offer").offer;
        assert!(matches!(first, Some(Offer::Registered(_))));
        Ok(Self { registration, offers })
    }

    fn status(&self, draining: bool, load: f64) {
        self.registration.status(&WorkerStatus { draining, load });
    }

    fn offered(&mut self) -> Option<CallOffer> {
        match self.offers.try_recv().ok()?.offer? {
            Offer::Call(call) => Some(call),
            Offer::Registered(_) | Offer::Withdrawn(_) | Offer::Heartbeat(_) => panic!("no offer"),
        }
    }

    fn withdrawn(&mut self) -> Option<String> {
        match self.offers.try_recv().ok()?.offer? {
            Offer::Withdrawn(OfferWithdrawn { token }) => Some(token),
            Offer::Registered(_) | Offer::Call(_) | Offer::Heartbeat(_) => panic!("not withdrawn"),
        }
    }
}

type Offering = BoxFuture<'static, (Result<WorkerLink, AttemptError>, Asked)>;

fn offer(workers: &Arc<Workers>, mut asked: Asked, by: By) -> Offering {
    let workers = Arc::clone(workers);
    async move {
        let offered = workers.offer(&service(), "sales", &opening(), &mut asked, by).await;
        (offered, asked)
    }
    .boxed()
}

/// An offer that was made, and waits.
fn made(workers: &Arc<Workers>) -> Offering {
    let mut offering = offer(workers, Asked::default(), by(SECOND));
    assert!((&mut offering).now_or_never().is_none(), "somebody must have been asked");
    offering
}

const PINGS: Pings = Pings { interval: SECOND, timeout: SECOND };

fn take(workers: &Workers, token: &str) -> Result<DuplexStream, TakeError> {
    let (ours, theirs) = tokio::io::duplex(1024);
    workers.take(token, &Identity::default())?.websocket(theirs, Format::Proto, PINGS)?;
    Ok(ours)
}

fn named(name: &str) -> Identity {
    Identity { token: Some(Secret::new(name)), ..Identity::default() }
}

#[tokio::test(start_paused = true)]
async fn a_taken_offer_is_a_link_that_holds_a_place() {
    let workers = Workers::new();
    let mut worker = Worker::new(&workers, "w", 1);
    let offering = made(&workers);
    let call = worker.offered().unwrap();
    assert_eq!((&*call.call_id, &*call.route, &*call.group), ("c", "r", "sales"));
    assert_eq!(call.expires_in.map(|span| (span.seconds, span.nanos)), Some((1, 0)));
    assert_eq!(call.token.len(), 48);
    let _socket = take(&workers, &call.token).unwrap();
    let link = offering.await.0.unwrap();
    assert_eq!(link.endpoint(), "w");

    let full = offer(&workers, Asked::default(), by(SECOND)).await.0.unwrap_err();
    assert_eq!(full.to_string(), "no worker of sales has room (1 connected)");
    drop(link);
    drop(made(&workers));
    assert!(worker.offered().is_some());
}

#[tokio::test(start_paused = true)]
async fn the_least_loaded_worker_with_room_is_asked_first_and_each_one_once() {
    let workers = Workers::new();
    let mut all = ["a", "b", "c", "d"].map(|id| Worker::new(&workers, id, 1));
    all[0].status(false, 0.9);
    all[1].status(false, 0.1);
    all[2].status(false, 0.5);
    all[3].status(true, 0.0);
    let mut asked = Asked::default();
    for next in [1, 2, 0] {
        let mut offering = offer(&workers, asked, by(SECOND));
        assert!((&mut offering).now_or_never().is_none());
        let token = all[next].offered().expect("its turn").token;
        let reason = "no\nroom".to_owned();
        all[next].registration.declined(&OfferDeclined { token, reason });
        let (declined, then) = offering.await;
        let worker = ["a", "b", "c"][next].to_owned();
        let reason = "no room".to_owned();
        assert_eq!(declined.unwrap_err(), AttemptError::Declined { worker, reason });
        asked = then;
    }
    let (nobody, _) = offer(&workers, asked, by(SECOND)).await;
    assert_eq!(nobody.unwrap_err().kind(), "no_worker");
    assert!(all[3].offered().is_none(), "it drains");
}

#[tokio::test(start_paused = true)]
async fn equally_loaded_workers_get_the_next_call_by_the_calls_they_have() {
    let workers = Workers::new();
    let mut both = ["a", "b"].map(|id| Worker::new(&workers, id, 0));
    let _first = made(&workers);
    let _second = made(&workers);
    assert!(both.iter_mut().all(|worker| worker.offered().is_some()));
}

#[tokio::test(start_paused = true)]
async fn an_expired_offer_is_void_and_its_worker_is_asked_last_for_a_while() {
    let workers = Workers::new();
    let mut stuck = Worker::new(&workers, "stuck", 0);
    let expired = made(&workers).await.0.unwrap_err();
    assert_eq!(expired, AttemptError::NotTaken { worker: "stuck".into() });
    let token = stuck.offered().unwrap().token;
    assert_eq!(stuck.withdrawn().as_ref(), Some(&token));
    assert_eq!(take(&workers, &token).unwrap_err(), TakeError::Void);

    let mut busy = Worker::new(&workers, "busy", 0);
    busy.status(false, 1.0);
    drop(made(&workers));
    assert!(stuck.offered().is_none());
    assert!(busy.offered().is_some());
    tokio::time::advance(PENALTY).await;
    drop(made(&workers));
    assert!(stuck.offered().is_some());
}

#[tokio::test(start_paused = true)]
async fn the_last_one_to_ask_has_the_time_that_is_left() {
    let workers = Workers::new();
    let mut worker = Worker::new(&workers, "w", 0);
    let now = Instant::now();
    let times = By { soon: now + SECOND, last: now + 3 * SECOND };
    assert!(offer(&workers, Asked::default(), times).now_or_never().is_none());
    assert_eq!(worker.offered().unwrap().expires_in.unwrap().seconds, 3);
    let other = Worker::new(&workers, "other", 0);
    worker.status(false, 0.0);
    other.status(false, 1.0);
    worker.withdrawn().unwrap();
    assert!(offer(&workers, Asked::default(), times).now_or_never().is_none());
    assert_eq!(worker.offered().unwrap().expires_in.unwrap().seconds, 1);
}

#[tokio::test(start_paused = true)]
async fn an_offer_of_a_caller_who_is_gone_is_withdrawn() {
    let workers = Workers::new();
    let mut worker = Worker::new(&workers, "w", 1);
    drop(made(&workers));
    let token = worker.offered().unwrap().token;
    assert_eq!(worker.withdrawn().as_ref(), Some(&token));
    assert_eq!(take(&workers, &token).unwrap_err(), TakeError::Void);
    let _has_room_again = made(&workers);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_good_once_and_for_its_worker_only() {
    let workers = Workers::new();
    let mut worker = Worker::with(&workers, "w", 1, named("a")).unwrap();
    let offering = made(&workers);
    let token = worker.offered().unwrap().token;
    for thief in [Identity::default(), named("b")] {
        assert_eq!(workers.take(&token, &thief).map(|_| ()), Err(TakeError::NotYours));
    }
    let taken = workers.take(&token, &named("a")).unwrap();
    assert_eq!(workers.take(&token, &named("a")).map(|_| ()), Err(TakeError::Void));
    assert_eq!(workers.take("", &named("a")).map(|_| ()), Err(TakeError::Void));
    drop(taken);
    let gone = offering.await.0.unwrap_err();
    assert_eq!(gone, AttemptError::WorkerGone { worker: "w".into() }, "it brought no stream");
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_goes_leaves_its_offers_void_and_its_calls_counted() {
    let workers = Workers::new();
    let mut worker = Worker::new(&workers, "w", 2);
    let kept = made(&workers);
    let _socket = take(&workers, &worker.offered().unwrap().token).unwrap();
    let _link = kept.await.0.unwrap();
    let lost = made(&workers);
    let token = worker.offered().unwrap().token;
    drop(worker);
    assert_eq!(lost.await.0.unwrap_err(), AttemptError::WorkerGone { worker: "w".into() });
    assert_eq!(take(&workers, &token).unwrap_err(), TakeError::Void);
    assert_eq!(workers.connected("sales"), 0);

    let _back = Worker::new(&workers, "w", 2);
    let _second = made(&workers);
    let full = offer(&workers, Asked::default(), by(SECOND)).await.0.unwrap_err();
    assert_eq!(full.kind(), "no_worker");
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_comes_back_replaces_itself_and_nobody_else() {
    let workers = Workers::new();
    let mut old = Worker::with(&workers, "w", 0, named("a")).unwrap();
    let refused = Worker::with(&workers, "w", 0, named("b")).map(|_| ());
    assert_eq!(refused, Err(RegisterError::Taken));
    assert!(old.registration.replaced().now_or_never().is_none());
    let _new = Worker::with(&workers, "w", 0, named("a")).unwrap();
    old.registration.replaced().await;
    assert!(old.offers.recv().await.is_none());
    drop(old);
    assert_eq!(workers.connected("lab"), 1, "the old one does not withdraw the new one");
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_does_not_read_its_offers_is_passed_over() {
    let workers = Workers::new();
    let (sender, _unread) = mpsc::channel(2);
    let hello = WorkerHello {
        worker_id: "deaf".into(),
        groups: vec!["sales".into()],
        ..WorkerHello::default()
    };
    let deaf = workers.register(hello, Identity::default(), Registered::default(), sender).unwrap();
    let _first = made(&workers);
    let mut other = Worker::new(&workers, "other", 0);
    other.status(false, 1.0);
    let _second = made(&workers);
    assert!(other.offered().is_some());
    drop(deaf);
}

#[tokio::test(start_paused = true)]
async fn an_offer_of_another_worker_cannot_be_declined() {
    let workers = Workers::new();
    let mut worker = Worker::new(&workers, "w", 0);
    let mut offering = made(&workers);
    let token = worker.offered().unwrap().token;
    let other = Worker::new(&workers, "other", 0);
    other.registration.declined(&OfferDeclined { token: token.clone(), ..Default::default() });
    assert!((&mut offering).now_or_never().is_none());
    let _socket = take(&workers, &token).unwrap();
    assert!(offering.await.0.is_ok());
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Register(usize, u32),
    Leave(usize),
    Status(usize, bool),
    Offer,
    Take(usize),
    Decline(usize),
    /// The caller goes, or the call ends.
    End(usize),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => (0..3_usize, 1..4_u32).prop_map(|(who, max)| Step::Register(who, max)),
        1 => (0..3_usize).prop_map(Step::Leave),
        1 => (0..3_usize, any::<bool>()).prop_map(|(who, draining)| Step::Status(who, draining)),
        6 => Just(Step::Offer),
        4 => any::<usize>().prop_map(Step::Take),
        2 => any::<usize>().prop_map(Step::Decline),
        2 => any::<usize>().prop_map(Step::End),
        1 => (0..1500_u64).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..80)
}

/// What the workers of a random history see.
#[derive(Default)]
struct World {
    workers: Arc<Workers>,
    members: [Option<(Worker, u32)>; 3],
    offerings: Vec<Offering>,
    links: Vec<WorkerLink>,
    sockets: Vec<DuplexStream>,
    /// Offers that stand as far as their workers know, and who has them.
    tokens: Vec<(usize, String)>,
}

impl World {
    fn run(&mut self, step: Step) {
        match step {
            Step::Register(who, max) => {
                self.tokens.retain(|(owner, _)| *owner != who);
                self.members[who] = Some((Worker::new(&self.workers, &who.to_string(), max), max));
            }
            Step::Leave(who) => {
                self.tokens.retain(|(owner, _)| *owner != who);
                self.members[who] = None;
            }
            Step::Status(who, draining) => {
                if let Some((worker, _)) = &self.members[who] {
                    worker.status(draining, 0.0);
                }
            }
            Step::Offer => self.offerings.push(offer(&self.workers, Asked::default(), by(SECOND))),
            Step::Take(which) => {
                if let Some((_, token)) = pick(&mut self.tokens, which) {
                    self.sockets.extend(take(&self.workers, &token));
                }
            }
            Step::Decline(which) => {
                if let Some((who, token)) = pick(&mut self.tokens, which)
                    && let Some((worker, _)) = &self.members[who]
                {
                    let declined = OfferDeclined { token, reason: String::new() };
                    worker.registration.declined(&declined);
                }
            }
            Step::End(which) if which % 2 == 0 => drop(pick(&mut self.offerings, which / 2)),
            Step::End(which) => drop(pick(&mut self.links, which / 2)),
            Step::Wait(_) => {}
        }
    }

    /// Lets everybody see what happened, and counts.
    fn settle(&mut self) {
        self.offerings.retain_mut(|offering| match offering.now_or_never() {
            None => true,
            Some((outcome, _)) => {
                self.links.extend(outcome);
                false
            }
        });
        let mut taken: HashMap<String, u32> = HashMap::new();
        for link in &self.links {
            *taken.entry(link.endpoint().to_owned()).or_default() += 1;
        }
        for (who, member) in self.members.iter_mut().enumerate() {
            let Some((worker, max)) = member else { continue };
            let mut new = 0;
            while let Ok(WorkerOffer { offer: Some(offer) }) = worker.offers.try_recv() {
                match offer {
                    Offer::Call(call) => {
                        new += 1;
                        self.tokens.push((who, call.token));
                    }
                    Offer::Withdrawn(gone) => self.tokens.retain(|(_, it)| *it != gone.token),
                    Offer::Registered(_) | Offer::Heartbeat(_) => {}
                }
            }
            let standing = self.tokens.iter().filter(|(owner, _)| *owner == who).count();
            let calls = taken.get(&who.to_string()).copied().unwrap_or(0);
            if new > 0 {
                let all = calls + u32::try_from(standing).unwrap();
                assert!(all <= *max, "{all} of {max} at {who}");
            }
        }
    }
}

fn pick<T>(list: &mut Vec<T>, which: usize) -> Option<T> {
    (!list.is_empty()).then(|| list.swap_remove(which % list.len()))
}

proptest! {
    #[test]
    fn a_worker_is_never_offered_more_than_its_room(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut world = World::default();
            for step in steps {
                world.run(step);
                if let Step::Wait(ms) = step {
                    tokio::time::advance(Duration::from_millis(ms)).await;
                }
                world.settle();
            }
            let World { workers, members, offerings, links, .. } = world;
            drop((members, offerings, links));
            prop_assert!(workers.lock().is_empty(), "{:?}", workers);
            Ok(())
        })?;
    }
}
