//! What a worker says of itself, and when.

use super::*;
use crate::{
    access::{Peer, Shown},
    api::register::attend,
    proto::WorkerStatus,
};
use futures_util::stream;
use http::HeaderMap;
use tonic::Code;

async fn refused(bridge: &Bridge, first: WorkerReport) -> Status {
    let mut worker = Worker::begin(bridge.client().await, first, None).await.unwrap();
    worker.offers.message().await.unwrap_err()
}

#[tokio::test]
async fn a_hello_must_come_first_and_once() {
    let bridge = Bridge::open_to_all().await;
    for report in [None, Some(Report::Status(WorkerStatus::default()))] {
        let status = refused(&bridge, WorkerReport { report }).await;
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    }
    let mut worker = bridge.worker("w").await;
    worker.report(Report::Hello(hello("w", &["sales"]))).await;
    let status = worker.offers.message().await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    bridge.until_connected("sales", 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_hello_that_does_not_come_is_not_waited_for() {
    let (draining, drain) = watch::channel(false);
    let parts = Parts {
        tls: None,
        permits: Arc::default(),
        tokens: Arc::default(),
        workers: Workers::new(),
        manage: no_manage(),
        bridge_id: "b".into(),
        heartbeat: HEARTBEAT,
        draining: drain,
    };
    let peer = Arc::new(Peer { address: SocketAddr::from(([127, 0, 0, 1], 1)), certificate: None });
    let shown = Shown::new(&peer, &HeaderMap::new(), &parts.tokens).await;
    let (offers, _offered) = mpsc::channel(1);
    let ended = attend(parts, shown, stream::pending(), offers).await;
    assert_eq!(ended.unwrap_err().code(), Code::DeadlineExceeded);
    drop(draining);
}

#[tokio::test]
async fn a_hello_out_of_bounds_is_refused_by_the_name_of_its_field() {
    let bridge = Bridge::open_to_all().await;
    for (hello, field) in [
        (hello("", &["sales"]), "worker_id"),
        (hello("w", &[]), "groups"),
        (hello("w", &["a b"]), "groups"),
    ] {
        let status = refused(&bridge, WorkerReport { report: Some(Report::Hello(hello)) }).await;
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().starts_with(field), "{status}");
    }
}

#[tokio::test]
async fn a_worker_that_ends_its_reports_is_withdrawn() {
    let bridge = Bridge::open_to_all().await;
    let Worker { reports, mut offers, .. } = bridge.worker("w").await;
    bridge.until_connected("sales", 1).await;
    drop(reports);
    assert_eq!(offers.message().await.unwrap(), None);
    bridge.until_connected("sales", 0).await;
}

#[tokio::test]
async fn a_worker_that_comes_back_ends_its_older_stream() {
    let bridge = Bridge::open_to_all().await;
    let mut old = bridge.worker("w").await;
    let mut new = bridge.worker("w").await;
    assert_eq!(old.offers.message().await.unwrap_err().code(), Code::Aborted);
    let (link, _driven) = tokio::join!(bridge.open("sales"), new.next_call());
    assert!(link.is_ok());
}

#[tokio::test]
async fn the_drain_sends_workers_elsewhere_and_leaves_their_calls() {
    let bridge = Bridge::open_to_all().await;
    let mut worker = bridge.worker("w").await;
    let (link, mut driven) = tokio::join!(bridge.open("sales"), worker.next_call());
    let mut link = link.unwrap();
    bridge.draining.send_replace(true);
    assert_eq!(worker.offers.message().await.unwrap_err().code(), Code::Unavailable);
    bridge.until_connected("sales", 0).await;
    let late = Worker::dial(&bridge, hello("late", &["sales"]), None).await.map(|_| ());
    assert_eq!(late.unwrap_err().code(), Code::Unavailable);

    driven.controls.send(beat()).await.unwrap();
    assert_eq!(recv(&mut link).await, Ok(Some(beat())));
    link.try_send(&heartbeat()).unwrap();
    assert_eq!(driven.events.message().await.unwrap(), Some(heartbeat()));
}

/// A stream of offers may be quiet for hours, and no proxy bears that.
#[tokio::test(start_paused = true)]
async fn a_registered_worker_gets_a_heartbeat_each_time_that_it_is_due() {
    let (_draining, drain) = watch::channel(false);
    let parts = Parts {
        tls: None,
        permits: Arc::new(ArcSwap::from_pointee(vec![permit("*", Credential::Anybody)])),
        tokens: Arc::default(),
        workers: Workers::new(),
        manage: no_manage(),
        bridge_id: "b".into(),
        heartbeat: HEARTBEAT,
        draining: drain,
    };
    let peer = Arc::new(Peer { address: SocketAddr::from(([127, 0, 0, 1], 1)), certificate: None });
    let shown = Shown::new(&peer, &HeaderMap::new(), &parts.tokens).await;
    let (offers, mut offered) = mpsc::channel(8);
    let first = WorkerReport { report: Some(Report::Hello(hello("w", &["sales"]))) };
    let (reports, reported) = mpsc::channel(8);
    reports.send(Ok(first)).await.unwrap();
    let attending = tokio::spawn(attend(parts, shown, ReceiverStream::new(reported), offers));
    let begun = tokio::time::Instant::now();
    assert!(matches!(offered.recv().await.unwrap().offer, Some(Offer::Registered(_))));
    for beat in 1..=3 {
        assert_eq!(offered.recv().await.unwrap().offer, Some(Offer::Heartbeat(Heartbeat {})));
        assert_eq!(begun.elapsed(), beat * HEARTBEAT);
        let answer = WorkerReport { report: Some(Report::Heartbeat(Heartbeat {})) };
        reports.send(Ok(answer)).await.unwrap();
    }
    drop(reports);
    attending.await.unwrap().unwrap();
}
