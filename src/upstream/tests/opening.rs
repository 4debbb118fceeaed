//! Who gets a call, and what happens on the way.

use super::*;
use crate::{secret::Secret, upstream::AttemptError};
use futures_util::{future::join_all, stream};
use std::{
    pin::pin,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::{Notify, mpsc},
    time::{Instant, sleep, timeout},
};

/// Nobody listens there.
async fn refused() -> SocketAddr {
    listener().await.1
}

/// Answers whatever comes with `bytes`.
async fn talks(bytes: &'static [u8]) -> SocketAddr {
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        let mut sockets = prompt(listener);
        while let Some(Ok(mut socket)) = sockets.next().await {
            tokio::spawn(async move {
                let _ = socket.write_all(bytes).await;
                let mut rest = [0; 1024];
                while matches!(socket.read(&mut rest).await, Ok(read) if read > 0) {}
            });
        }
    });
    address
}

#[tokio::test]
async fn the_service_sees_the_call_before_it_takes_it() {
    let (seen, mut calls) = mpsc::channel(1);
    // As a stock server does: no headers before it has something to say, and it reads first.
    let server = serve(move |mut request| {
        let seen = seen.clone();
        async move {
            let metadata = request.metadata().clone();
            let first = request.get_mut().message().await?;
            seen.send((metadata, first)).await.expect("the test waits");
            Ok(Response::new(stream::pending().boxed()))
        }
    })
    .await;
    let mut wanted = service("127.0.0.1", server.address.port());
    wanted.token = Some(Secret::new("t0p"));
    wanted.headers = vec![("x-tenant".to_owned(), Secret::new("blue"))];
    let services = [Arc::new(wanted)];
    let core = Core::new(Resolver::system(), &services);

    let link = core.open(&services).await.expect("taken");
    let (metadata, first) = calls.recv().await.expect("a call");
    assert_eq!(first, Some((*opening("call-1").started).clone()));
    let text = |name: &str| metadata.get(name).and_then(|value| value.to_str().ok());
    assert_eq!(text("agibridge-call-id"), Some("call-1"));
    assert_eq!(text("authorization"), Some("Bearer t0p"));
    assert_eq!(text("x-tenant"), Some("blue"));
    assert_eq!((link.endpoint(), link.service()), (server.address.to_string(), &services[0]));
    assert_eq!(core.outcomes(), ["ok"]);
}

#[tokio::test]
async fn an_opening_may_move_between_threads() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let server = serve(echo).await;
    let (core, services) = one(&[server.address]);
    let link = is_send(core.open(&services)).await;
    drop(is_send(link));
    is_send(core.upstreams);
}

#[tokio::test]
async fn all_addresses_are_used_and_the_one_with_least_calls_first() {
    let servers = join_all((0..3).map(|_| serve(echo))).await;
    let addresses: Vec<_> = servers.iter().map(|server| server.address).collect();
    let (core, services) = one(&addresses);
    let mut links = Vec::new();
    for _ in 0..9 {
        links.push(core.open(&services).await.expect("taken"));
    }
    assert!(core.directory.endpoints().iter().all(|endpoint| endpoint.active == 3));
    // Its calls end: it is next, however often the others had been.
    links.retain(|link| link.endpoint() != addresses[1].to_string());
    for _ in 0..3 {
        links.push(core.open(&services).await.expect("taken"));
    }
    assert!(core.directory.endpoints().iter().all(|endpoint| endpoint.active == 3));
    drop(links);
    assert_eq!(core.active(), 0);
}

#[tokio::test]
async fn a_refused_connection_leads_to_the_next_service_and_is_remembered() {
    let server = serve(echo).await;
    let (core, services) = each(&[refused().await, server.address]);
    let link = core.open(&services).await.expect("taken");
    assert_eq!(link.endpoint(), server.address.to_string());
    assert_eq!(core.outcomes(), ["connect", "ok"]);
    assert!(core.directory.endpoints()[0].penalised);
}

#[tokio::test]
async fn peers_that_speak_no_http2_lead_to_the_next() {
    let server = serve(echo).await;
    let http1 = talks(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").await;
    let garbage = talks(&[0xff; 64]).await;
    let (core, services) = each(&[http1, garbage, server.address]);
    let link = core.open(&services).await.expect("taken");
    assert_eq!(link.endpoint(), server.address.to_string());
    assert_eq!(core.outcomes(), ["http2", "http2", "ok"]);
}

#[tokio::test]
async fn a_silent_peer_costs_the_connect_timeout() {
    let clock = Clock::stopped();
    let server = serve(echo).await;
    let (core, services) = each(&[talks(b"").await, server.address]);
    let begun = Instant::now();
    let link = clock.run(core.open(&services)).await.expect("taken");
    assert_eq!(link.endpoint(), server.address.to_string());
    assert_eq!(core.outcomes(), ["timeout", "ok"]);
    assert!(begun.elapsed() >= PATIENCE.attempt && begun.elapsed() < PATIENCE.all);
}

#[tokio::test]
async fn a_service_that_is_slow_to_accept_loses_the_call_to_another() {
    let clock = Clock::stopped();
    let slow = serve(|_| async {
        sleep(Duration::from_secs(2)).await;
        Err(Status::cancelled("too late"))
    })
    .await;
    let server = serve(echo).await;
    let (core, services) = each(&[slow.address, server.address]);
    let link = clock.run(core.open(&services)).await.expect("taken");
    assert_eq!(link.endpoint(), server.address.to_string());
    assert_eq!(core.outcomes(), ["timeout", "ok"]);
}

#[tokio::test]
async fn without_an_alternative_a_slow_service_has_all_the_time() {
    let clock = Clock::stopped();
    let slow = serve(|request| async {
        sleep(Duration::from_secs(2)).await;
        echo(request).await
    })
    .await;
    let (core, services) = one(&[slow.address]);
    clock.run(core.open(&services)).await.expect("taken");
    assert_eq!(core.outcomes(), ["ok"]);
}

#[tokio::test]
async fn a_slow_service_is_given_the_rest_of_the_time_when_the_others_failed() {
    let clock = Clock::stopped();
    let slow = serve(|request| async {
        sleep(Duration::from_millis(1500)).await;
        echo(request).await
    })
    .await;
    let (core, services) = one(&[slow.address, refused().await]);
    let link = clock.run(core.open(&services)).await.expect("taken");
    assert_eq!(link.endpoint(), slow.address.to_string());
}

#[tokio::test]
async fn a_status_before_the_headers_leads_to_the_next() {
    for status in [Status::unavailable("full"), Status::internal("bug"), Status::aborted("no")] {
        let expected = crate::upstream::status_name(status.code());
        let bad = serve(move |_| std::future::ready(Err(status.clone()))).await;
        let server = serve(echo).await;
        let (core, services) = each(&[bad.address, server.address]);
        let link = core.open(&services).await.expect("taken");
        assert_eq!(link.endpoint(), server.address.to_string());
        assert_eq!(core.outcomes(), [expected, "ok"]);
    }
}

#[tokio::test]
async fn a_negative_pushback_is_never_asked_again() {
    let clock = Clock::stopped();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let bad = serve(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        let mut status = Status::unavailable("go away");
        status.metadata_mut().insert("grpc-retry-pushback-ms", "-1".parse().expect("ascii"));
        std::future::ready(Err(status))
    })
    .await;
    let (core, services) = one(&[bad.address]);
    let begun = Instant::now();
    let exhausted = clock.run(core.open(&services)).await.expect_err("refused");
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert!(begun.elapsed() < PATIENCE.all, "there is nothing to wait for");
    let failure = &exhausted.failures[0];
    assert_eq!((failure.address, failure.attempts), (Some(bad.address), 1));
    assert!(matches!(&failure.error, AttemptError::Status { message, .. } if message == "go away"));
}

#[tokio::test]
async fn a_pushback_is_waited_for() {
    let clock = Clock::stopped();
    let asked = Arc::new(AtomicUsize::new(0));
    let server = serve(move |request| {
        let before = asked.fetch_add(1, Ordering::Relaxed);
        async move {
            if before > 0 {
                return echo(request).await;
            }
            let mut status = Status::unavailable("soon");
            status.metadata_mut().insert("grpc-retry-pushback-ms", "2000".parse().expect("ascii"));
            Err(status)
        }
    })
    .await;
    let (core, services) = one(&[server.address]);
    let begun = Instant::now();
    clock.run(core.open(&services)).await.expect("taken");
    assert_eq!(core.outcomes(), ["unavailable", "ok"]);
    assert!(begun.elapsed() >= Duration::from_secs(2));
}

#[tokio::test]
async fn a_long_pushback_of_one_address_keeps_nobody_from_the_others() {
    let clock = Clock::stopped();
    let held = serve(|_| {
        let mut status = Status::unavailable("in an hour");
        status.metadata_mut().insert("grpc-retry-pushback-ms", "3600000".parse().expect("ascii"));
        std::future::ready(Err(status))
    })
    .await;
    let asked = AtomicUsize::new(0);
    let restarting = serve(move |request| {
        let before = asked.fetch_add(1, Ordering::Relaxed);
        async move {
            if before > 0 { echo(request).await } else { Err(Status::unavailable("starting")) }
        }
    })
    .await;
    let (core, services) = each(&[held.address, restarting.address]);
    clock.run(core.open(&services)).await.expect("taken");
    assert_eq!(core.outcomes(), ["unavailable", "unavailable", "ok"]);
}

#[tokio::test]
async fn nobody_is_tried_again_and_again_until_the_time_is_over() {
    let clock = Clock::stopped();
    let nowhere = refused().await;
    let (core, services) = one(&[nowhere]);
    let begun = Instant::now();
    let exhausted = clock.run(core.open(&services)).await.expect_err("nobody is there");
    assert!(begun.elapsed() <= PATIENCE.all);
    assert!(core.outcomes().len() > 3 && core.outcomes().len() < 30, "{:?}", core.outcomes());
    assert_eq!(exhausted.to_string(), format!("grpc://x:1 {nowhere}: connection refused"));
    assert_eq!(core.active(), 0);
}

#[tokio::test]
async fn a_service_that_comes_up_within_the_time_takes_the_call() {
    let clock = Clock::stopped();
    let (listener, address) = listener().await;
    drop(listener);
    let (core, services) = one(&[address]);
    let opening = core.open(&services);
    let starting = async {
        sleep(Duration::from_secs(1)).await;
        let listener = TcpListener::bind(address).await.expect("the port is still free");
        let router = transport::Server::builder().add_service(scripted(echo));
        tokio::spawn(router.serve_with_incoming(prompt(listener)));
    };
    let (link, ()) = clock.run(Box::pin(async { tokio::join!(opening, starting) })).await;
    link.expect("taken");
}

#[tokio::test]
async fn a_name_without_an_address_leads_to_the_next() {
    let clock = Clock::stopped();
    let server = serve(echo).await;
    let services = [Arc::new(service("nowhere", 1)), Arc::new(service("here", 1))];
    let address = server.address;
    let resolver = Resolver::from_fn(move |host, _| async move {
        if host == "here" { Ok(vec![address]) } else { Err(io::Error::other("no such name")) }
    });
    let core = Core::new(resolver, &services);
    clock.run(core.open(&services)).await.expect("taken");
    assert_eq!(core.outcomes(), ["resolve", "ok"]);

    let exhausted = clock.run(core.open(&services[..1])).await.expect_err("no address");
    assert_eq!(exhausted.to_string(), "grpc://nowhere:1: name not resolved: no such name");
}

#[tokio::test]
async fn an_old_answer_is_kept_and_a_new_one_is_used() {
    let clock = Clock::stopped();
    let (old, new) = (serve(echo).await, serve(echo).await);
    let (works, moved) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
    let (works_too, moved_too) = (works.clone(), moved.clone());
    let (before, after) = (old.address, new.address);
    let resolver = Resolver::from_fn(move |_, _| {
        let works = works_too.load(Ordering::Relaxed);
        let address = if moved_too.load(Ordering::Relaxed) { after } else { before };
        async move { if works { Ok(vec![address]) } else { Err(io::Error::other("broken")) } }
    });
    let services = [Arc::new(service("x", 1))];
    let core = Core::new(resolver, &services);
    clock.run(core.open(&services)).await.expect("taken");

    works.store(false, Ordering::Relaxed);
    clock.pass(Duration::from_secs(25)).await;
    assert_eq!(
        clock.run(core.open(&services)).await.expect("taken").endpoint(),
        before.to_string()
    );

    works.store(true, Ordering::Relaxed);
    moved.store(true, Ordering::Relaxed);
    clock.pass(Duration::from_secs(25)).await;
    assert_eq!(clock.run(core.open(&services)).await.expect("taken").endpoint(), after.to_string());
}

#[tokio::test]
async fn services_come_and_go_with_the_configuration() {
    let (first, second) = (serve(echo).await, serve(echo).await);
    let (core, services) = each(&[first.address, second.address]);
    let held = core.open(&services[..1]).await.expect("taken");
    core.directory.update(&services[1..]);
    let listed: Vec<_> = core.directory.endpoints().iter().map(|e| e.address).collect();
    assert_eq!(listed, [second.address]);
    // A call that began under the old configuration still finds its service.
    assert_eq!(held.endpoint(), first.address.to_string());
    core.open(&services[..1]).await.expect("taken");
    // What stays keeps its counts.
    let _other = core.open(&services[1..]).await.expect("taken");
    core.directory.update(&services);
    assert_eq!(core.directory.endpoints()[1].active, 1);
}

#[tokio::test]
async fn a_cancelled_opening_resets_the_stream_and_leaks_nothing() {
    let (asked, dropped) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (asked_too, dropped_too) = (asked.clone(), dropped.clone());
    let server = serve(move |_| {
        struct Gone(Arc<Notify>);
        impl Drop for Gone {
            fn drop(&mut self) {
                self.0.notify_one();
            }
        }
        let gone = Gone(dropped_too.clone());
        asked_too.notify_one();
        async move {
            let _gone = gone;
            std::future::pending().await
        }
    })
    .await;
    let (core, services) = one(&[server.address]);
    {
        let mut opening = pin!(core.open(&services));
        tokio::select! {
            _ = &mut opening => panic!("nobody takes it"),
            () = asked.notified() => assert_eq!(core.active(), 1),
        }
    }
    assert_eq!(core.active(), 0);
    timeout(Duration::from_secs(10), dropped.notified()).await.expect("the server is told");
    assert_eq!(core.upstreams.connections(), 1, "the connection is still good");
}

#[tokio::test]
async fn proxies_that_answer_in_plain_http_lead_to_the_next() {
    let server = serve(echo).await;
    let busy = serve_raw(|_, mut respond| async move {
        let answer = http::Response::builder().status(503).body(()).expect("a response");
        let _ = respond.send_response(answer, true);
    })
    .await;
    let page = serve_raw(|_, mut respond| async move {
        let answer = http::Response::builder().header("content-type", "text/html");
        let _ = respond.send_response(answer.body(()).expect("a response"), true);
    })
    .await;
    let (core, services) = each(&[busy, page, server.address]);
    core.open(&services).await.expect("taken");
    assert_eq!(core.outcomes(), ["unavailable", "not_grpc", "ok"]);
}

#[tokio::test]
async fn a_service_may_be_done_at_once() {
    let server = serve(|_| std::future::ready(Ok(Response::new(stream::empty().boxed())))).await;
    let bare = serve_raw(|_, mut respond| async move {
        let answer = http::Response::builder()
            .header("content-type", "application/grpc")
            .header("grpc-status", "0");
        let _ = respond.send_response(answer.body(()).expect("a response"), true);
    })
    .await;
    for address in [server.address, bare] {
        let (core, services) = one(&[address]);
        let mut link = core.open(&services).await.expect("taken");
        assert_eq!(recv(&mut link).await, Ok(None));
    }
}
