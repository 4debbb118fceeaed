//! Calls that workers take over gRPC, to their good and bad ends.

use super::*;
use crate::proto::OfferDeclined;
use h2::Reason;
use tokio::net::TcpStream;
use tonic::Code;

#[tokio::test]
async fn a_whole_call_goes_both_ways_and_ends_well() {
    let bridge = Bridge::open_to_all().await;
    let mut worker = bridge.worker("w-1").await;
    let (link, mut driven) = tokio::join!(bridge.open("sales"), worker.next_call());
    let mut link = link.unwrap();
    assert_eq!((link.endpoint().as_str(), &*link.service().url), ("w-1", "worker://sales"));
    for _ in 0..100 {
        link.try_send(&heartbeat()).unwrap();
        assert_eq!(driven.events.message().await.unwrap(), Some(heartbeat()));
        driven.controls.send(beat()).await.unwrap();
        assert_eq!(recv(&mut link).await, Ok(Some(beat())));
    }
    link.try_send(&heartbeat()).unwrap();
    link.finish();
    assert_eq!(driven.events.message().await.unwrap(), Some(heartbeat()));
    assert_eq!(driven.events.message().await.unwrap(), None);
    drop(driven);
    assert_eq!(recv(&mut link).await, Ok(None));
    assert_eq!(recv(&mut link).await, Ok(None));
    assert_eq!(bridge.outcomes(), ["ok"]);
}

#[tokio::test]
async fn the_end_of_the_request_is_a_good_end() {
    let bridge = Bridge::open_to_all().await;
    let mut worker = bridge.worker("w").await;
    let (link, driven) = tokio::join!(bridge.open("sales"), worker.next_call());
    let mut link = link.unwrap();
    let Driven { controls, mut events } = driven;
    link.try_send(&heartbeat()).unwrap();
    drop(controls);
    assert_eq!(recv(&mut link).await, Ok(None));
    drop(link);
    assert_eq!(events.message().await.unwrap(), Some(heartbeat()), "what waited still comes");
    assert_eq!(events.message().await.unwrap(), None);
}

/// A call, and the stream of the worker that took it, frame by frame.
async fn taken(bridge: &Bridge, worker: &mut Worker) -> (Link, h2::SendStream<bytes::Bytes>) {
    let (link, stream) = tokio::join!(bridge.open("sales"), async {
        let token = worker.offered().await.token;
        let socket = TcpStream::connect(bridge.address).await.unwrap();
        let (mut requests, connection) = h2::client::handshake(socket).await.unwrap();
        tokio::spawn(connection);
        let request = http::Request::post("http://x/agibridge.v1.WorkerService/TakeCall")
            .header("content-type", "application/grpc")
            .header("agibridge-offer-token", token)
            .body(())
            .unwrap();
        let (response, stream) = requests.send_request(request, false).unwrap();
        assert_eq!(response.await.unwrap().status(), 200);
        stream
    });
    (link.unwrap(), stream)
}

/// As HAProxy ends the stream of a worker that has fallen, or that was quiet for too long.
#[tokio::test]
async fn a_stream_that_is_reset_right_after_its_end_is_a_loss() {
    let bridge = Bridge::open_to_all().await;
    let mut worker = bridge.worker("w").await;
    let (mut link, mut stream) = taken(&bridge, &mut worker).await;
    stream.send_data(bytes::Bytes::new(), true).unwrap();
    stream.send_reset(Reason::CANCEL);
    let lost = recv(&mut link).await.unwrap_err();
    assert_eq!(recv(&mut link).await, Ok(None), "{lost}");
}

#[tokio::test]
async fn a_reset_stream_is_a_loss() {
    let bridge = Bridge::open_to_all().await;
    let mut worker = bridge.worker("w").await;
    for (reason, code) in [
        (Reason::CANCEL, Code::Aborted),
        (Reason::NO_ERROR, Code::Aborted),
        (Reason::INTERNAL_ERROR, Code::Internal),
    ] {
        let (mut link, mut stream) = taken(&bridge, &mut worker).await;
        stream.send_reset(reason);
        let lost = recv(&mut link).await.unwrap_err();
        assert_eq!(lost.code, code, "{lost}");
    }
}

#[tokio::test]
async fn a_worker_that_vanishes_is_withdrawn_and_its_call_lost() {
    let bridge = Bridge::open_to_all().await;
    let address = bridge.address;
    // A runtime of its own stands for the worker's process: with it go its sockets, and nothing is said before.
    let process = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let held = runtime.block_on(async move {
            let endpoint = Channel::from_shared(format!("http://{address}")).unwrap();
            let client = WorkerServiceClient::new(endpoint.connect().await.unwrap());
            let first = WorkerReport { report: Some(Report::Hello(hello("w", &["sales"]))) };
            let mut worker = Worker::begin(client, first, None).await.unwrap();
            worker.offers.message().await.unwrap().unwrap();
            let driven = worker.next_call().await;
            (worker, driven)
        });
        drop(runtime);
        drop(held);
    });
    let mut link = bridge.open("sales").await.unwrap();
    let lost = recv(&mut link).await.unwrap_err();
    assert_eq!(lost.code, Code::Unavailable, "{lost}");
    bridge.until_connected("sales", 0).await;
    process.join().unwrap();
}

#[tokio::test]
async fn a_call_that_the_bridge_breaks_off_does_not_look_ended() {
    let bridge = Bridge::open_to_all().await;
    let mut worker = bridge.worker("w").await;
    let (link, mut driven) = tokio::join!(bridge.open("sales"), worker.next_call());
    drop(link.unwrap());
    assert_eq!(driven.events.message().await.unwrap_err().code(), Code::Aborted);
}

#[tokio::test]
async fn a_declined_call_goes_to_the_next_worker_at_once() {
    let bridge = Bridge::open_to_all().await;
    let mut first = bridge.worker("w-1").await;
    let opening = bridge.open_within("sales", Duration::from_secs(600), Duration::from_secs(600));
    let mut opening = Box::pin(opening);
    let token = tokio::select! {
        _ = &mut opening => panic!("nobody took it"),
        call = first.offered() => call.token,
    };
    let mut second = bridge.worker("w-2").await;
    first.report(Report::Declined(OfferDeclined { token, reason: "busy".into() })).await;
    let (link, _driven) = tokio::join!(opening, second.next_call());
    assert_eq!(link.unwrap().endpoint(), "w-2");
    assert_eq!(bridge.outcomes(), ["declined", "ok"]);
}

#[tokio::test]
async fn an_offer_that_is_not_taken_moves_on_and_the_late_take_is_refused() {
    let bridge = Bridge::open_to_all().await;
    let mut stuck = bridge.worker("stuck").await;
    let mut opening = Box::pin(bridge.open("sales"));
    let token = tokio::select! {
        _ = &mut opening => panic!("nobody took it"),
        call = stuck.offered() => call.token,
    };
    // It is the last one to ask, and would have all the time: so the caller gives up, and comes again.
    drop(opening);
    let mut other = bridge.worker("other").await;
    let (link, _driven) = tokio::join!(bridge.open("sales"), other.next_call());
    assert_eq!(link.unwrap().endpoint(), "other");
    let late = stuck.take(&token).await.map(|_| ()).unwrap_err();
    assert_eq!(late.code(), Code::NotFound, "{late}");
}

#[tokio::test]
async fn a_worker_that_never_takes_costs_its_calls_the_time_of_one_offer() {
    let bridge = Bridge::open_to_all().await;
    let _stuck = bridge.worker("stuck").await;
    let mut other = bridge.worker("other").await;
    let mut driven = Vec::new();
    for _ in 0..10 {
        let (link, call) = tokio::join!(bridge.open("sales"), other.next_call());
        driven.push((link.unwrap(), call));
    }
    let outcomes = bridge.outcomes();
    let expired = outcomes.iter().filter(|outcome| **outcome == "timeout").count();
    assert!(expired <= 1, "it is asked last after the first one: {outcomes:?}");
}

#[tokio::test]
async fn one_worker_serves_two_bridges() {
    let (one, other) = (Bridge::open_to_all().await, Bridge::open_to_all().await);
    let mut at_one = one.worker("w").await;
    let mut at_other = other.worker("w").await;
    let (first, _driven) = tokio::join!(one.open("sales"), at_one.next_call());
    let (second, mut driven) = tokio::join!(other.open("sales"), at_other.next_call());
    drop(first.unwrap());
    let mut second = second.unwrap();
    second.try_send(&heartbeat()).unwrap();
    assert_eq!(driven.events.message().await.unwrap(), Some(heartbeat()));
}

#[tokio::test]
async fn a_call_without_workers_waits_for_one_to_come() {
    let bridge = Bridge::open_to_all().await;
    let nobody = bridge.open_within("sales", Duration::from_secs(1), Duration::from_millis(10));
    let nobody = nobody.await.unwrap_err();
    assert_eq!(nobody.to_string(), "worker://sales: no worker of sales is connected");
    let (link, _driven) = tokio::join!(bridge.open("sales"), async {
        while bridge.outcomes().len() < 3 {
            yield_now().await;
        }
        bridge.worker("w").await.next_call().await
    });
    assert!(link.is_ok());
}
