//! The registry, alone: what is listed, who gets an order, when it is empty.

use super::*;
use futures_util::{FutureExt, future::poll_fn, task::noop_waker};
use std::thread;

#[test]
fn a_call_is_listed_until_its_handle_is_dropped() {
    let registry = Registry::new();
    let handle = registry.register(entry(1));
    handle.set_service("10.0.0.7:50051".into());
    handle.set_state(State::Command("GET DATA"));
    handle.set_commands(3);

    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_065);
    let listed = serde_json::to_value(registry.list_at(now, Callers::Hidden)).unwrap();
    let expected = serde_json::json!([{
        "call_id": Uuid::from_u128(1).to_string(), "route": "support", "service": "10.0.0.7:50051",
        "channel": "PJSIP/100-1", "state": "command", "command": "GET DATA", "commands": 3,
        "hung_up": false, "dead_air_seconds": 0.0, "age_seconds": 65, "accepted_at": "1970-01-12T13:46:40+00:00",
    }]);
    assert_eq!(listed, expected);
    assert_eq!(registry.active(), 1);

    drop(handle);
    assert_eq!((registry.active(), registry.list()), (0, vec![]));
}

#[test]
fn dead_air_is_listed_up_to_now() {
    let registry = Registry::new();
    let handle = registry.register(entry(1));
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_065);
    let listed = || {
        let call = registry.list_at(now, Callers::Hidden).remove(0);
        (call.dead_air_seconds, call.silent_since_seconds)
    };
    handle.set_dead_air((Duration::from_millis(2_500), None));
    assert_eq!(listed(), (2.5, None));
    handle.set_dead_air((Duration::from_millis(2_500), Some(Duration::from_secs(60))));
    assert_eq!(listed(), (7.5, Some(60.0)));
}

#[test]
fn a_callers_number_is_shown_only_when_asked_for() {
    let registry = Registry::new();
    let _handle = registry.register(entry(1));
    assert_eq!(registry.list()[0].caller_number, None);
    let shown = registry.list_at(SystemTime::now(), Callers::Shown);
    assert_eq!(shown[0].caller_number.as_deref(), Some("3200"));
}

#[test]
fn the_state_tells_of_a_hangup_while_no_command_runs() {
    let registry = Registry::new();
    let handle = registry.register(entry(1));
    let mut seen = vec![];
    handle.set_state(State::Command("EXEC"));
    handle.set_hung_up();
    for state in [State::Command("EXEC"), State::Ready, State::HungUp, State::Ending] {
        handle.set_state(state);
        seen.push(registry.list()[0].state);
    }
    assert_eq!(seen, ["command", "hung_up", "hung_up", "ending"]);
    assert!(registry.list()[0].hung_up);
}

#[test]
fn an_order_reaches_the_call_that_is_meant_by_id_or_beginning() {
    let registry = Registry::new();
    let first = registry.register(entry(0x0123 << 112));
    let second = registry.register(entry(0x0124 << 112));
    assert_eq!(registry.hang_up_one("012"), Err(NotOne::Ambiguous(2)));
    assert_eq!(registry.hang_up_one("9"), Err(NotOne::Unknown));
    assert_eq!(registry.hang_up_one(""), Err(NotOne::Unknown));
    assert_eq!(registry.hang_up_one("01240000-00"), Ok(Uuid::from_u128(0x0124 << 112)));
    assert_eq!((poll(&first), poll(&second)), (None, Some(Order::HangUp)));
    assert!(registry.hang_up(&Uuid::from_u128(0x0123 << 112).to_string()));
    assert!(!registry.hang_up(&Uuid::from_u128(7).to_string()));
    assert_eq!((poll(&first), poll(&second)), (Some(Order::HangUp), None));
}

#[test]
fn every_kind_of_order_comes_once_the_most_urgent_first() {
    let registry = Registry::new();
    let handle = registry.register(entry(1));
    registry.drain_all();
    registry.drain_all();
    registry.hang_up("0");
    registry.end_all();
    let orders: Vec<_> = std::iter::from_fn(|| poll(&handle)).collect();
    assert_eq!(orders, [Order::End, Order::HangUp, Order::Drain]);
    registry.drain_all();
    assert_eq!(poll(&handle), None);
}

#[test]
fn a_call_that_comes_during_the_drain_is_told_so() {
    let registry = Registry::new();
    registry.drain_all();
    assert_eq!(poll(&registry.register(entry(1))), Some(Order::Drain));
}

#[tokio::test]
async fn an_order_wakes_a_waiting_call() {
    let registry = Registry::new();
    let handle = registry.register(entry(1));
    let waiting = tokio::spawn(async move { poll_fn(|cx| handle.poll_orders(cx)).await });
    tokio::task::yield_now().await;
    registry.end_all();
    assert_eq!(waiting.await.unwrap(), Order::End);
}

#[tokio::test]
async fn the_wait_ends_with_the_last_call() {
    let registry = Registry::new();
    registry.wait_until_empty().await;
    let (first, second) = (registry.register(entry(1)), registry.register(entry(2)));
    let mut empty = Box::pin(registry.wait_until_empty());
    assert!(empty.as_mut().now_or_never().is_none());
    drop(first);
    assert!(empty.as_mut().now_or_never().is_none());
    drop(second);
    empty.await;
}

#[test]
fn no_call_that_registers_during_an_order_misses_it() {
    let registry = Registry::new();
    let handles: Vec<_> = thread::scope(|scope| {
        let adding = scope.spawn(|| (0..2_000).map(|n| registry.register(entry(n))).collect());
        registry.drain_all();
        adding.join().unwrap()
    });
    let handles: Vec<Handle> = handles;
    assert!(handles.iter().all(|handle| poll(handle) == Some(Order::Drain)));
}

fn poll(handle: &Handle) -> Option<Order> {
    match handle.poll_orders(&mut Context::from_waker(&noop_waker())) {
        Poll::Ready(order) => Some(order),
        Poll::Pending => None,
    }
}

fn entry(id: u128) -> Entry {
    Entry {
        call_id: Uuid::from_u128(id),
        route: "support".into(),
        channel: "PJSIP/100-1".to_owned(),
        caller_number: "3200".to_owned(),
        accepted_at: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000),
    }
}
