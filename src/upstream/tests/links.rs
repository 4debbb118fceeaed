//! A call's stream from its taking to its end.

use super::*;
use crate::upstream::SendError;
use bytes::Bytes;
use futures_util::stream;
use std::task::Poll;
use tokio::sync::{Notify, mpsc};
use tonic::Code;

#[tokio::test]
async fn events_and_messages_pass_in_order() {
    let server = serve(echo).await;
    let (core, services) = one(&[server.address]);
    let mut link = core.open(&services).await.expect("taken");
    for _ in 0..1000 {
        assert_eq!(recv(&mut link).await, Ok(Some(beat())));
        link.try_send(&heartbeat()).expect("room");
    }
}

#[tokio::test]
async fn finish_lets_the_service_end_the_stream() {
    let (seen, mut events) = mpsc::channel(8);
    let server = serve(move |mut request: Request<Streaming<CallEvent>>| {
        let seen = seen.clone();
        async move {
            let end = async move {
                while let Some(event) = request.get_mut().message().await? {
                    seen.send(event).await.expect("the test waits");
                }
                Ok(beat())
            };
            Ok(Response::new(stream::once(end).boxed()))
        }
    })
    .await;
    let (core, services) = one(&[server.address]);
    let mut link = core.open(&services).await.expect("taken");
    link.try_send(&heartbeat()).expect("room");
    link.finish();
    assert_eq!(link.try_send(&heartbeat()), Err(SendError::Closed));
    assert_eq!(recv(&mut link).await, Ok(Some(beat())));
    assert_eq!(recv(&mut link).await, Ok(None));
    assert_eq!(recv(&mut link).await, Ok(None), "and ever after");
    assert_eq!(events.recv().await, Some((*opening("call-1").started).clone()));
    assert_eq!(events.recv().await, Some(heartbeat()));
}

#[tokio::test]
async fn a_status_in_the_middle_is_a_loss_with_its_words() {
    let server = serve(|_| {
        let said = [Ok(beat()), Err(Status::data_loss("the disk is gone"))];
        std::future::ready(Ok(Response::new(stream::iter(said).boxed())))
    })
    .await;
    let (core, services) = one(&[server.address]);
    let mut link = core.open(&services).await.expect("taken");
    assert_eq!(recv(&mut link).await, Ok(Some(beat())));
    let lost = Lost { code: Code::DataLoss, message: "the disk is gone".to_owned() };
    assert_eq!(recv(&mut link).await, Err(lost));
    assert_eq!(link.try_send(&heartbeat()), Err(SendError::Closed));
    assert_eq!(recv(&mut link).await, Ok(None));
}

/// Waits for `started` and one event more.
async fn two_events(events: &mut h2::RecvStream) {
    for _ in 0..2 {
        events.data().await.expect("an event").expect("whole");
    }
}

/// Takes the call, and then does `with` to the stream, once the bridge knows that it was taken.
async fn taken_by_raw(
    with: impl Fn(h2::SendStream<Bytes>) + Clone + Send + Sync + 'static,
) -> Link {
    let address = serve_raw(move |mut request, mut respond| {
        let with = with.clone();
        async move {
            let answer = http::Response::builder().header("content-type", "application/grpc");
            let body = respond.send_response(answer.body(()).expect("a response"), false);
            if request.uri().path().contains("HandleCall") {
                two_events(request.body_mut()).await;
                with(body.expect("open"));
            }
            // The stream stays open.
            std::future::pending::<()>().await;
        }
    })
    .await;
    let (core, services) = one(&[address]);
    let mut link = core.open(&services).await.expect("taken");
    link.try_send(&heartbeat()).expect("room");
    link
}

#[tokio::test]
async fn a_reset_in_the_middle_is_a_loss() {
    let resets =
        [(h2::Reason::CANCEL, Code::Cancelled), (h2::Reason::REFUSED_STREAM, Code::Unavailable)];
    for (reason, code) in resets {
        let mut link = taken_by_raw(move |mut body| body.send_reset(reason)).await;
        assert_eq!(recv(&mut link).await.expect_err("lost").code, code);
    }
}

#[tokio::test]
async fn an_end_without_a_status_is_a_loss() {
    let mut link = taken_by_raw(|mut body| body.send_data(Bytes::new(), true).expect("open")).await;
    assert_eq!(recv(&mut link).await.expect_err("lost").code, Code::Unknown);
}

#[tokio::test]
async fn bytes_that_are_no_message_are_a_loss() {
    let junk: [(&'static [u8], Code); 3] = [
        (&[0, 0, 0, 0, 2, 0xff, 0xff], Code::Internal),
        (&[7, 0, 0, 0, 0], Code::Internal),
        // 4 MiB and one byte are announced.
        (&[0, 0, 0x40, 0, 1], Code::OutOfRange),
    ];
    for (bytes, code) in junk {
        let data = Bytes::from_static(bytes);
        let mut link = taken_by_raw(move |mut body| {
            body.send_data(data.clone(), false).expect("open");
        })
        .await;
        assert_eq!(recv(&mut link).await.expect_err("lost").code, code);
    }
}

#[tokio::test]
async fn details_that_are_no_base64_do_no_harm() {
    let address = serve_raw(|_, mut respond| async move {
        let answer = http::Response::builder().header("content-type", "application/grpc");
        let answer = answer.header("grpc-status", "5").header("grpc-status-details-bin", "{}");
        let _ = respond.send_response(answer.body(()).expect("a response"), true);
    })
    .await;
    let (core, services) = one(&[address]);
    let exhausted = core.open(&services).await.expect_err("refused");
    assert!(exhausted.to_string().contains("NotFound"), "{exhausted}");

    let mut link = taken_by_raw(|mut body| {
        let mut trailers = http::HeaderMap::new();
        trailers.insert("grpc-status", http::HeaderValue::from_static("5"));
        trailers.insert("grpc-status-details-bin", http::HeaderValue::from_static("{}"));
        body.send_trailers(trailers).expect("open");
    })
    .await;
    assert_eq!(recv(&mut link).await.expect_err("lost").code, Code::NotFound);
}

#[tokio::test]
async fn a_connection_that_breaks_is_a_loss() {
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        let mut sockets = prompt(listener);
        while let Some(Ok(socket)) = sockets.next().await {
            tokio::spawn(async move {
                let mut http2 = h2::server::handshake(socket).await.expect("HTTP/2");
                let Some(Ok((mut request, mut respond))) = http2.accept().await else { return };
                let answer = http::Response::builder().header("content-type", "application/grpc");
                let _body = respond.send_response(answer.body(()).expect("a response"), false);
                tokio::select! {
                    _ = http2.accept() => {}
                    () = two_events(request.body_mut()) => {}
                }
                // And it is gone, with all of the connection.
            });
        }
    });
    let (core, services) = one(&[address]);
    let mut link = core.open(&services).await.expect("taken");
    link.try_send(&heartbeat()).expect("room");
    assert_eq!(recv(&mut link).await.expect_err("lost").code, Code::Unavailable);
    assert_eq!(core.upstreams.connections(), 0);
    drop(link);
    assert_eq!(core.active(), 0);
}

#[tokio::test]
async fn a_service_that_does_not_read_fills_only_its_own_queue() {
    let read = Arc::new(Notify::new());
    let read_too = read.clone();
    let server = serve(move |request| {
        let read = read_too.clone();
        async move {
            let waiting = stream::once(async move {
                read.notified().await;
                Ok::<_, Status>(beat())
            });
            let events = request.into_inner().map(|event| event.map(|_| beat()));
            Ok(Response::new(waiting.chain(events).boxed()))
        }
    })
    .await;
    let (core, services) = one(&[server.address]);
    let mut link = core.open(&services).await.expect("taken");
    let large = CallEvent { event: opening(&"x".repeat(16 * 1024)).started.event.clone() };
    let mut sent = 0;
    let full = loop {
        match link.try_send(&large) {
            Ok(()) => sent += 1,
            Err(full) => break full,
        }
        yield_now().await;
    };
    assert_eq!((full, link.waiting()), (SendError::Full, 16));
    let ready = poll_fn(|cx| Poll::Ready(link.poll_ready_to_send(cx))).await;
    assert!(ready.is_pending());
    // Another call of the same connection is not held up.
    let mut other = core.open(&services).await.expect("taken");
    other.try_send(&heartbeat()).expect("room");

    read.notify_one();
    assert_eq!(recv(&mut link).await, Ok(Some(beat())));
    poll_fn(|cx| link.poll_ready_to_send(cx)).await.expect("room again");
    link.try_send(&heartbeat()).expect("room again");
    for _ in 0..sent + 2 {
        assert_eq!(recv(&mut link).await, Ok(Some(beat())), "nothing was lost");
    }
    assert_eq!(link.waiting(), 0);
}

#[tokio::test]
async fn an_event_over_4_mib_is_refused() {
    let server = serve(echo).await;
    let (core, services) = one(&[server.address]);
    let mut link = core.open(&services).await.expect("taken");
    let huge = opening(&"x".repeat(4 * 1024 * 1024)).started;
    assert_eq!(link.try_send(&huge), Err(SendError::TooLarge));
    link.try_send(&heartbeat()).expect("the link is as good as before");
    let exhausted = core.open_as(&services, &Opening { started: huge, ..opening("") }).await;
    assert!(exhausted.expect_err("too large").to_string().contains("over 4 MiB"));
}

#[tokio::test]
async fn a_dropped_link_is_no_orderly_end() {
    let (seen, mut ends) = mpsc::channel(1);
    let address = serve_raw(move |mut request, mut respond| {
        let seen = seen.clone();
        async move {
            let answer = http::Response::builder().header("content-type", "application/grpc");
            let _body = respond.send_response(answer.body(()).expect("a response"), false);
            if request.uri().path().contains("HandleCall") {
                let end = loop {
                    match request.body_mut().data().await {
                        Some(Ok(_)) => {}
                        Some(Err(error)) => break error.reason(),
                        None => break None,
                    }
                };
                seen.send(end).await.expect("the test waits");
            }
        }
    })
    .await;
    let (core, services) = one(&[address]);
    drop(core.open(&services).await.expect("taken"));
    assert_eq!(ends.recv().await, Some(Some(h2::Reason::CANCEL)));
}
