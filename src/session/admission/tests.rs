//! Who is let in: peers, routes, rates, and that nothing grows.

use super::*;
use crate::{
    agi::Limits,
    route::{Policy, Remote, Service, Table, Target, When},
};

fn route(policy: Policy) -> Route {
    let service = Service {
        url: "grpc://h:1".into(),
        target: Target::Grpc(Remote { host: "h".into(), port: 1, tls: None }),
        token: None,
        headers: Vec::new(),
        weight: None,
        max_streams_per_connection: 100,
        keepalive_interval: Duration::from_secs(30),
        keepalive_timeout: Duration::from_secs(10),
        max_processes: 100,
    };
    Route {
        name: "ivr".into(),
        path: "/{*rest}".into(),
        when: When::default(),
        services: vec![Arc::new(service)],
        policy,
    }
}

fn rules() -> Rules {
    Rules {
        routes: Table::new(vec![route(Policy::default())]).expect("a table"),
        max_calls: 10,
        max_calls_per_peer: None,
        calls_per_second: None,
        calls_per_second_per_peer: None,
        prelude_timeout: Duration::from_secs(1),
        limits: Limits::default(),
    }
}

fn address(last: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, last])
}

/// A call of this peer.
fn call(
    admission: &Arc<Admission>,
    peer: u8,
    rules: &Rules,
    route: &Route,
) -> Result<Admitted, Rejection> {
    let pending = admission.enter(address(peer)).expect("room");
    admission.admit(&pending, rules, route).map_err(|over| over.rejection)
}

#[test]
fn one_peer_cannot_take_all_places() {
    let admission = Arc::new(Admission::default());
    let fill = |peer| std::iter::from_fn(|| admission.enter(address(peer))).collect::<Vec<_>>();
    let first = fill(1);
    assert_eq!(first.len(), PENDING_MAX / 2);
    let second = fill(2);
    assert_eq!(second.len(), PENDING_MAX / 4);
    assert!(admission.enter(address(3)).is_some());
    assert!(admission.enter("::ffff:10.0.0.1".parse().expect("an address")).is_none());
    drop((first, second));
    assert_eq!(fill(3).len(), PENDING_MAX / 2);
    assert_eq!(admission.pending.load(Ordering::Relaxed), 0);
}

#[test]
fn calls_are_limited_for_each_peer_and_for_each_route() {
    let admission = Arc::new(Admission::default());
    let rules = Rules { max_calls_per_peer: Some(2), ..rules() };
    let route = route(Policy { max_calls: Some(3), ..Policy::default() });
    let first = call(&admission, 1, &rules, &route).expect("the first");
    let second = call(&admission, 1, &rules, &route).expect("the second");
    assert_eq!(call(&admission, 1, &rules, &route).err(), Some(Rejection::PeerLimit));
    let third = call(&admission, 2, &rules, &route).expect("of another peer");
    assert_eq!(call(&admission, 2, &rules, &route).err(), Some(Rejection::RouteLimit));
    drop(first);
    let again = call(&admission, 1, &rules, &route).expect("room again");
    drop((second, third, again));
    assert!(
        admission
            .peers
            .get(&address(1), Duration::ZERO)
            .is_some_and(|it| it.calls.load(Ordering::Relaxed) == 0)
    );
}

#[test]
fn calls_come_no_faster_than_each_limit_allows() {
    let route = |rate| route(Policy { calls_per_second: rate, ..Policy::default() });
    let table = [
        (Rules { calls_per_second: Some(3), ..rules() }, None, Rejection::RateLimit),
        (Rules { calls_per_second_per_peer: Some(3), ..rules() }, None, Rejection::PeerRateLimit),
        (rules(), Some(3), Rejection::RouteRateLimit),
    ];
    for (rules, on_route, expected) in table {
        let admission = Arc::new(Admission::default());
        let calls: Vec<_> =
            (0..100).map(|_| call(&admission, 1, &rules, &route(on_route)).err()).collect();
        assert_eq!(calls[..3], [None, None, None]);
        assert!(calls.contains(&Some(expected)), "{calls:?}");
    }
}

#[test]
fn a_limit_is_named_by_its_key() {
    let admission = Arc::new(Admission::default());
    let rules = Rules { max_calls_per_peer: Some(0), ..rules() };
    let pending = admission.enter(address(1)).expect("room");
    let over = admission.admit(&pending, &rules, &route(Policy::default())).expect_err("over");
    assert!(over.detail.contains("agi.max_calls_per_peer"), "{}", over.detail);
}

#[test]
fn counts_are_right_across_threads() {
    let admission = Arc::new(Admission::default());
    let (rules, route) =
        (Rules { max_calls_per_peer: Some(5), ..rules() }, route(Policy::default()));
    let taken: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let calls: Vec<_> =
                        (0..100).filter_map(|_| call(&admission, 1, &rules, &route).ok()).collect();
                    calls.len()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    assert!(taken >= 5, "{taken}");
    let entry = admission.peers.get(&address(1), Duration::ZERO).expect("known");
    assert_eq!(entry.calls.load(Ordering::Relaxed), 0);
}

#[test]
fn addresses_that_come_and_go_take_no_memory() {
    let uses = Uses::<u32>::default();
    let held = uses.get(&0, Duration::ZERO).expect("room");
    for key in 1..200_000 {
        assert!(uses.get(&key, Duration::ZERO).is_some(), "{key}");
    }
    let kept: usize = uses.shards.iter().map(|shard| shard.lock().expect("ours").len()).sum();
    assert!(kept < 10_000, "{kept}");
    assert!(Arc::ptr_eq(&held, &uses.get(&0, Duration::ZERO).expect("still there")));

    let all: Vec<_> =
        (0..SHARDS as u32 * 4500).filter_map(|key| uses.get(&key, Duration::ZERO)).collect();
    assert_eq!(all.len(), SHARDS * ENTRIES_MAX);
}
