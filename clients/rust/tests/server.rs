//! The gRPC server, dialled as the bridge dials it.

#![cfg(test)]

mod common;

use agibridge::{
    Call, Error, ServeError, Server, Stopper,
    proto::{
        self, CallEvent, call_control::Control, call_event::Event,
        call_service_client::CallServiceClient,
    },
    secs,
};
use common::{Caller, done, event, hangup, result, started};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{sync::Notify, task::JoinHandle};
use tonic::{Code, Request};

struct Running {
    address: SocketAddr,
    stopper: Stopper,
    server: JoinHandle<Result<(), ServeError>>,
}

async fn run(server: Server) -> Running {
    let server = server.listen("127.0.0.1:0").signals(false);
    let stopper = server.stopper();
    let bound = server.bind().await.unwrap();
    Running { address: bound.address(), stopper, server: tokio::spawn(bound.run()) }
}

async fn dial(address: SocketAddr) -> Caller {
    common::dial(address, None).await.unwrap()
}

#[tokio::test]
async fn headers_come_before_anything_is_sent() {
    let running = run(Server::new(|call: Call| async move { call.answer().await })).await;
    // `dial` waits for the headers, and sends `started` afterwards.
    let mut caller = dial(running.address).await;
    caller.send(started("one")).await;
    let Some(Control::Command(command)) = caller.control().await else { panic!("no command") };
    assert_eq!(command.id, 1);
    caller.send(done(1)).await;
    assert_eq!(caller.control().await, Some(Control::End(proto::EndCall::default())));
    caller.end().await;
    assert_eq!(caller.status().await, Code::Ok);
}

#[tokio::test]
async fn a_handler_that_fails_ends_the_stream_with_internal() {
    let handler = |call: Call| async move {
        call.checkpoint("kept")?;
        Err::<(), agibridge::BoxError>("no such customer".into())
    };
    let running = run(Server::new(handler)).await;
    let mut caller = dial(running.address).await;
    caller.send(started("one")).await;
    assert!(matches!(caller.control().await, Some(Control::Checkpoint(_))));
    assert_eq!(caller.status().await, Code::Internal);
}

#[tokio::test]
async fn a_call_that_is_released_ends_with_unavailable() {
    let running = run(Server::new(|call: Call| async move { call.release("full") })).await;
    let mut caller = dial(running.address).await;
    caller.send(started("one")).await;
    assert_eq!(caller.status().await, Code::Unavailable);
}

#[tokio::test]
async fn what_a_newer_bridge_sends_is_ignored() {
    let handler = |call: Call| async move {
        let state = call.channel_status().await?;
        assert_eq!(state, agibridge::ChannelState::Unknown(77));
        let hangup = call.wait_hangup().await.expect("a hangup");
        assert_eq!(hangup.source, agibridge::HangupSource::Unknown(42));
        Ok::<_, Error>(())
    };
    let running = run(Server::new(handler)).await;
    let mut caller = dial(running.address).await;
    // An event that this contract does not have is one without content.
    caller.send(CallEvent { event: None }).await;
    caller.send(started("one")).await;
    caller.send(CallEvent { event: None }).await;
    // Results and progress of commands that nobody sent.
    caller.send(done(99)).await;
    caller
        .send(event(Event::Progress(proto::CommandProgress { id: 7, text: "x".to_owned() })))
        .await;
    caller.send(started("again")).await;
    assert!(matches!(caller.control().await, Some(Control::Command(_))));
    let state = proto::ChannelStatusResult { state: 77 };
    caller.send(result(1, proto::command_result::Outcome::ChannelStatus(state))).await;
    caller.send(event(Event::Hangup(proto::Hangup { source: 42, grace: None }))).await;
    assert!(matches!(caller.control().await, Some(Control::End(_))));
}

#[tokio::test]
async fn a_result_without_content_is_an_error_of_its_command() {
    let handler = |call: Call| async move {
        let error = call.answer().await.unwrap_err();
        assert_eq!(error.code(), Some(agibridge::Code::ProtocolError));
        Ok::<_, Error>(())
    };
    let running = run(Server::new(handler)).await;
    let mut caller = dial(running.address).await;
    caller.send(started("one")).await;
    assert!(matches!(caller.control().await, Some(Control::Command(_))));
    let empty = proto::CommandResult { id: 1, ..Default::default() };
    caller.send(event(Event::Result(empty))).await;
    assert!(matches!(caller.control().await, Some(Control::End(_))));
}

#[tokio::test]
async fn an_event_before_started_ends_that_stream_alone() {
    let running = run(Server::new(|call: Call| async move { call.answer().await })).await;
    let mut broken = dial(running.address).await;
    broken.send(done(1)).await;
    assert_eq!(broken.status().await, Code::Internal);
    let mut caller = dial(running.address).await;
    caller.send(started("one")).await;
    assert!(matches!(caller.control().await, Some(Control::Command(_))));
}

#[tokio::test]
async fn an_unexpected_end_of_the_stream_is_a_loss_to_the_handler() {
    let lost = Arc::new(Notify::new());
    let told = Arc::clone(&lost);
    let handler = move |call: Call| {
        let told = Arc::clone(&told);
        async move {
            let error = call.answer().await.unwrap_err();
            assert!(matches!(error, Error::Lost(_)), "{error:?}");
            told.notify_one();
            Err::<(), _>(error)
        }
    };
    let running = run(Server::new(handler)).await;
    for reset in [true, false] {
        let mut caller = dial(running.address).await;
        caller.send(started("one")).await;
        assert!(matches!(caller.control().await, Some(Control::Command(_))));
        if reset {
            drop(caller);
        } else {
            caller.close();
        }
        lost.notified().await;
    }
}

#[tokio::test]
async fn a_handler_that_never_returns_is_dropped_after_the_grace() {
    let running = run(Server::new(|_| std::future::pending::<Result<(), Error>>())).await;
    let mut caller = dial(running.address).await;
    caller.send(started("one")).await;
    caller.send(hangup(Duration::from_millis(50))).await;
    assert_eq!(caller.control().await, Some(Control::End(proto::EndCall::default())));
    caller.end().await;
    assert_eq!(caller.status().await, Code::Ok);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_blocks_its_thread_does_not_keep_the_stream() {
    let (unblock, blocked) = std::sync::mpsc::sync_channel::<()>(0);
    let blocked = Arc::new(std::sync::Mutex::new(blocked));
    let handler = move |_| {
        let blocked = Arc::clone(&blocked);
        async move {
            let _ended = blocked.lock().unwrap().recv();
            Ok::<_, Error>(())
        }
    };
    let running = run(Server::new(handler)).await;
    let mut caller = dial(running.address).await;
    caller.send(started("one")).await;
    caller.send(hangup(Duration::from_millis(50))).await;
    assert!(matches!(caller.control().await, Some(Control::End(_))));
    drop(unblock);
}

#[tokio::test]
async fn without_the_token_a_call_is_refused() {
    let running = run(Server::new(|_| async { Ok::<_, Error>(()) }).token("sesame")).await;
    let refused = common::dial(running.address, None).await.err().map(|it| it.code());
    assert_eq!(refused, Some(Code::Unauthenticated));
    let refused =
        common::dial(running.address, Some("Bearer sesamf")).await.err().map(|it| it.code());
    assert_eq!(refused, Some(Code::Unauthenticated));
    let mut caller = common::dial(running.address, Some("Bearer sesame")).await.unwrap();
    caller.send(started("one")).await;
    assert!(matches!(caller.control().await, Some(Control::End(_))));
}

#[tokio::test]
async fn one_call_more_than_it_takes_is_refused() {
    let handler = |call: Call| async move { call.answer().await };
    let running = run(Server::new(handler).max_calls(1)).await;
    let mut caller = dial(running.address).await;
    caller.send(started("one")).await;
    assert!(matches!(caller.control().await, Some(Control::Command(_))));
    let refused = common::dial(running.address, None).await.err().map(|it| it.code());
    assert_eq!(refused, Some(Code::ResourceExhausted));
}

#[tokio::test]
async fn a_drain_refuses_new_calls_and_waits_for_those_that_run() {
    let running = run(Server::new(|call: Call| async move { call.answer().await })).await;
    let mut caller = dial(running.address).await;
    caller.send(started("one")).await;
    assert!(matches!(caller.control().await, Some(Control::Command(_))));
    assert_eq!(common::health(running.address).await, 1);
    running.stopper.drain();
    while common::health(running.address).await != 2 {
        tokio::task::yield_now().await;
    }
    let refused = common::dial(running.address, None).await.err().map(|it| it.code());
    assert_eq!(refused, Some(Code::Unavailable));
    caller.send(done(1)).await;
    assert!(matches!(caller.control().await, Some(Control::End(_))));
    caller.end().await;
    assert_eq!(caller.status().await, Code::Ok);
    running.server.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_second_signal_releases_the_calls() {
    let handler = |call: Call| async move { call.answer().await };
    let running = run(Server::new(handler).cleanup_timeout(secs(1))).await;
    let mut caller = dial(running.address).await;
    caller.send(started("one")).await;
    assert!(matches!(caller.control().await, Some(Control::Command(_))));
    running.stopper.drain();
    running.stopper.stop();
    assert_eq!(caller.status().await, Code::Unavailable);
    running.server.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_drain_timeout_releases_the_calls() {
    let handler = |call: Call| async move { call.answer().await };
    let running = run(Server::new(handler).drain_timeout(Duration::from_millis(50))).await;
    let mut caller = dial(running.address).await;
    caller.send(started("one")).await;
    assert!(matches!(caller.control().await, Some(Control::Command(_))));
    running.stopper.drain();
    assert_eq!(caller.status().await, Code::Unavailable);
    running.server.await.unwrap().unwrap();
}

#[tokio::test]
async fn reflection_can_be_switched_off() {
    for on in [true, false] {
        let running = run(Server::new(|_| async { Ok::<_, Error>(()) }).reflection(on)).await;
        assert_eq!(common::reflects(running.address).await, on);
    }
}

#[tokio::test]
async fn an_address_in_use_says_what_to_do() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = agibridge::serve(&address, |_| async { Ok::<_, Error>(()) }).await.unwrap_err();
    assert!(matches!(error, ServeError::Listen { .. }));
    assert!(error.to_string().contains("choose a free address"), "{error}");
}

#[tokio::test]
async fn a_stream_that_ends_before_started_is_no_call() {
    let running = run(Server::new(|_| async { Ok::<_, Error>(()) })).await;
    let mut client =
        CallServiceClient::connect(format!("http://{}", running.address)).await.unwrap();
    let none = tokio_stream::iter(Vec::<CallEvent>::new());
    let mut controls = client.handle_call(Request::new(none)).await.unwrap().into_inner();
    assert_eq!(controls.message().await.unwrap(), None);
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn tls_asks_for_client_certificates_where_wanted() {
    use agibridge::ServerTls;
    let pki = common::Pki::new();
    let (certificate, key) = pki.issue("localhost");
    let tls = ServerTls::new(certificate, key).client_authority(pki.authority());
    let running = run(Server::new(|call: Call| async move { call.answer().await }).tls(tls)).await;
    let refused = pki.dial(running.address, None).await;
    assert!(refused.is_err());
    let mut caller = pki.dial(running.address, Some(pki.issue("bridge"))).await.unwrap();
    caller.send(started("one")).await;
    assert!(matches!(caller.control().await, Some(Control::Command(_))));
}
