//! The worker, against a bridge's API that is made up.

#![cfg(test)]

mod common;
#[path = "common/workers.rs"]
mod workers;

use agibridge::{
    Call, Error, ServeError, Worker,
    proto::{
        self, CallControl, OfferDeclined, WorkerStatus, call_control::Control,
        worker_report::Report,
    },
    secs,
};
use common::{done, ended, started};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_stream::StreamExt;
use tonic::{Code, Status, Streaming};
use workers::Bridge;

async fn answer(call: Call) -> Result<(), Error> {
    call.answer().await
}

fn worker(bridge: &Bridge) -> Worker {
    Worker::new(answer).bridge(bridge.address.to_string()).group("kit").signals(false)
}

async fn control(controls: &mut Streaming<CallControl>) -> Option<Control> {
    controls.message().await.unwrap().and_then(|it| it.control)
}

#[tokio::test]
async fn a_worker_registers_and_takes_a_call() {
    let bridge = Bridge::new().await;
    let worker = worker(&bridge).token("sesame").worker_id("w1").label("zone", "a").max_calls(4);
    let running = tokio::spawn(worker.run());
    let (registration, hello) = bridge.registered().await;
    assert_eq!((hello.worker_id.as_str(), hello.max_calls), ("w1", 4));
    assert_eq!((hello.groups, hello.labels["zone"].as_str()), (vec!["kit".to_owned()], "a"));
    assert_eq!(registration.metadata.get("authorization").unwrap(), "Bearer sesame");
    let agent = registration.metadata.get("user-agent").unwrap().to_str().unwrap();
    assert!(agent.starts_with(concat!("agi-bridge-rust/", env!("CARGO_PKG_VERSION"))), "{agent}");

    registration.call("offer-1").await;
    let (metadata, events, mut controls) = bridge.taken().await;
    assert_eq!(metadata.get("agibridge-offer-token").unwrap(), "offer-1");
    assert_eq!(metadata.get("authorization").unwrap(), "Bearer sesame");
    events.send(Ok(started("one"))).await.unwrap();
    assert!(matches!(control(&mut controls).await, Some(Control::Command(_))));
    events.send(Ok(done(1))).await.unwrap();
    assert_eq!(control(&mut controls).await, Some(Control::End(proto::EndCall::default())));
    events.send(Ok(ended())).await.unwrap();
    assert_eq!(control(&mut controls).await, None);
    running.abort();
}

#[tokio::test]
async fn a_call_whose_handler_fails_is_reset_and_not_ended() {
    let bridge = Bridge::new().await;
    let failing = Worker::new(|_| async { Err::<(), _>("no such customer") });
    let worker = failing.bridge(bridge.address.to_string()).group("kit").signals(false);
    let running = tokio::spawn(worker.run());
    let (registration, _) = bridge.registered().await;
    registration.call("offer-1").await;
    let (_, events, mut controls) = bridge.taken().await;
    events.send(Ok(started("one"))).await.unwrap();
    // hyper shows a reset by CANCEL as the end of the body, and drops the stream of the events.
    assert_eq!(controls.message().await.ok().flatten(), None, "an `end` would say that it is done");
    events.closed().await;
    running.abort();
}

#[tokio::test]
async fn what_a_worker_has_no_room_for_is_declined() {
    let bridge = Bridge::new().await;
    let running = tokio::spawn(worker(&bridge).max_calls(1).run());
    let (mut registration, _) = bridge.registered().await;
    registration.call("offer-1").await;
    let (_, events, mut controls) = bridge.taken().await;
    registration.call("offer-2").await;
    let declined = registration.report().await;
    assert!(
        matches!(declined, Some(Report::Declined(OfferDeclined { token, .. })) if token == "offer-2")
    );
    // There is room again once the first is over.
    events.send(Ok(started("one"))).await.unwrap();
    assert!(matches!(control(&mut controls).await, Some(Control::Command(_))));
    drop((events, controls));
    running.abort();
}

#[tokio::test]
async fn a_wrong_token_ends_the_worker_and_says_what_to_do() {
    let refusals = [
        (Code::Unauthenticated, "token"),
        (Code::PermissionDenied, "groups"),
        (Code::AlreadyExists, "worker_id"),
    ];
    for (code, advice) in refusals {
        let bridge = Bridge::new().await;
        let running = tokio::spawn(worker(&bridge).run());
        let registration = bridge.registration().await;
        registration.offers.send(Err(Status::new(code, "no"))).await.unwrap();
        let error = running.await.unwrap().unwrap_err();
        assert!(matches!(error, ServeError::Refused { .. }), "{error}");
        assert!(error.to_string().contains(advice), "{error}");
    }
}

#[tokio::test]
async fn a_bridge_that_goes_away_is_dialled_again() {
    let bridge = Bridge::new().await;
    let running = tokio::spawn(worker(&bridge).run());
    let (registration, first) = bridge.registered().await;
    registration.offers.send(Err(Status::unavailable("draining"))).await.unwrap();
    let (again, second) = bridge.registered().await;
    assert_eq!(first.worker_id, second.worker_id);
    // The process of the bridge goes, and another one comes in its place.
    drop((registration, again));
    let address = bridge.address.to_string();
    bridge.server.abort();
    let _gone = bridge.server.await;
    let bridge = loop {
        match TcpListener::bind(&address).await {
            Ok(free) => {
                drop(free);
                break Bridge::at(&address).await;
            }
            Err(_) => tokio::task::yield_now().await,
        }
    };
    let (_, third) = bridge.registered().await;
    assert_eq!(third.worker_id, second.worker_id);
    running.abort();
}

#[tokio::test]
async fn every_bridge_of_a_list_is_registered_with() {
    let (a, b) = (Bridge::new().await, Bridge::new().await);
    let names = Arc::new(std::sync::Mutex::new(Vec::new()));
    let told = Arc::clone(&names);
    let worker = worker(&a)
        .bridge(b.address.to_string())
        .on_registered(move |bridge| told.lock().unwrap().push(bridge.to_owned()));
    let running = tokio::spawn(worker.run());
    let (one, two) = tokio::join!(a.registered(), b.registered());
    for (bridge, registration) in [(&a, &one.0), (&b, &two.0)] {
        registration.call("offer").await;
        let (_, events, mut controls) = bridge.taken().await;
        events.send(Ok(started("one"))).await.unwrap();
        assert!(matches!(control(&mut controls).await, Some(Control::Command(_))));
    }
    assert_eq!(names.lock().unwrap().len(), 2);
    running.abort();
}

#[tokio::test]
async fn a_drain_is_told_and_calls_are_let_go_on() {
    let bridge = Bridge::new().await;
    let worker = worker(&bridge);
    let stopper = worker.stopper();
    let running = tokio::spawn(worker.run());
    let (mut registration, _) = bridge.registered().await;
    registration.call("offer-1").await;
    let (_, events, mut controls) = bridge.taken().await;
    events.send(Ok(started("one"))).await.unwrap();
    assert!(matches!(control(&mut controls).await, Some(Control::Command(_))));
    stopper.drain();
    let status = registration.report().await;
    assert!(
        matches!(status, Some(Report::Status(WorkerStatus { draining: true, .. }))),
        "{status:?}"
    );
    registration.call("offer-2").await;
    assert!(matches!(registration.report().await, Some(Report::Declined(_))));
    events.send(Ok(done(1))).await.unwrap();
    assert!(matches!(control(&mut controls).await, Some(Control::End(_))));
    events.send(Ok(ended())).await.unwrap();
    assert_eq!(control(&mut controls).await, None);
    drop(events);
    // The registration is closed when no call is left, and not before.
    assert_eq!(registration.report().await, None);
    drop(registration.offers);
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_second_signal_releases_the_calls_of_a_worker() {
    let bridge = Bridge::new().await;
    let worker = worker(&bridge).cleanup_timeout(secs(1));
    let stopper = worker.stopper();
    let running = tokio::spawn(worker.run());
    let (registration, _) = bridge.registered().await;
    registration.call("offer-1").await;
    let (_, events, mut controls) = bridge.taken().await;
    events.send(Ok(started("one"))).await.unwrap();
    assert!(matches!(control(&mut controls).await, Some(Control::Command(_))));
    stopper.stop();
    assert!(controls.next().await.is_none_or(|it| it.is_err()));
    drop((events, registration));
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn settings_that_cannot_work_say_so() {
    let none = Worker::new(answer).bridge("bridge:4575").run().await.unwrap_err();
    assert!(none.to_string().contains("group"), "{none}");
    let url = Worker::new(answer).bridge("http://bridge").group("a").run().await.unwrap_err();
    assert!(url.to_string().contains("agi-bridge:4575"), "{url}");
}
