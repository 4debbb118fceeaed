//! Connections: how many, how full, and how they end.

use super::*;
use futures_util::future::join_all;
use tokio::{
    io::copy_bidirectional,
    sync::{Notify, oneshot},
};
use tonic::Code;

#[tokio::test]
async fn a_peer_that_permits_no_streams_gets_no_heap_of_connections() {
    let router = transport::Server::builder().max_concurrent_streams(0);
    let server = serve_router({ router }.add_service(scripted(echo))).await;
    let (core, services) = one(&[server.address]);
    core.open(&services).await.expect_err("no room");
    assert!(core.outcomes().len() > 1);
    assert_eq!(core.upstreams.connections(), 0);
}

#[tokio::test]
async fn the_peers_stream_limit_opens_further_connections() {
    let router = transport::Server::builder().max_concurrent_streams(10);
    let server = serve_router({ router }.add_service(scripted(echo))).await;
    let (core, services) = one(&[server.address]);
    let mut links = join_all((0..35).map(|_| core.open(&services))).await;
    assert!(links.iter().all(Result::is_ok));
    assert_eq!(core.upstreams.connections(), 4);
    // Every one of them is a stream that works, not one that waits for its turn.
    for link in links.iter_mut().flatten() {
        assert_eq!(recv(link).await, Ok(Some(beat())));
    }
    drop(links);
    core.open(&services).await.expect("taken");
    assert_eq!(core.upstreams.connections(), 4, "there is room on those");
}

#[tokio::test]
async fn our_own_limit_holds_too() {
    let server = serve(echo).await;
    let mut small = service("127.0.0.1", server.address.port());
    small.max_streams_per_connection = 2;
    let services = [Arc::new(small)];
    let core = Core::new(Resolver::system(), &services);
    let _links = join_all((0..5).map(|_| core.open(&services))).await;
    assert_eq!(core.upstreams.connections(), 3);
}

#[tokio::test]
async fn a_server_that_goes_away_keeps_its_calls_and_gets_no_new_ones() {
    let (listener, address) = listener().await;
    let (stop, stopped) = oneshot::channel::<()>();
    let router = transport::Server::builder().add_service(scripted(echo));
    let draining = router.serve_with_incoming_shutdown(prompt(listener), async {
        let _ = stopped.await;
    });
    let draining = tokio::spawn(draining);
    let (core, services) = one(&[address]);
    let mut running = core.open(&services).await.expect("taken");
    assert_eq!(recv(&mut running).await, Ok(Some(beat())));

    stop.send(()).expect("it serves");
    until(|| core.upstreams.connections() == 0).await;
    let other = serve(echo).await;
    let services = [services[0].clone(), Arc::new(service("127.0.0.1", other.address.port()))];
    core.directory.update(&services);
    let link = core.open(&services).await.expect("taken");
    assert_eq!(link.endpoint(), other.address.to_string());

    running.try_send(&heartbeat()).expect("room");
    assert_eq!(recv(&mut running).await, Ok(Some(beat())));
    running.finish();
    assert_eq!(recv(&mut running).await, Ok(None));
    draining.await.expect("no panic").expect("an orderly end");
}

#[tokio::test]
async fn a_connection_that_died_unnoticed_costs_no_address() {
    // Each connection takes one call and is then ended with GOAWAY.
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        let mut sockets = prompt(listener);
        while let Some(Ok(socket)) = sockets.next().await {
            tokio::spawn(async move {
                let mut http2 = h2::server::handshake(socket).await.expect("HTTP/2");
                while let Some(Ok((_, mut respond))) = http2.accept().await {
                    let answer =
                        http::Response::builder().header("content-type", "application/grpc");
                    let answer = answer.body(()).expect("a response");
                    let body = respond.send_response(answer, false);
                    http2.graceful_shutdown();
                    tokio::spawn(async move {
                        let _body = body;
                        std::future::pending::<()>().await;
                    });
                }
            });
        }
    });
    let (core, services) = one(&[address]);
    let first = core.open(&services).await.expect("taken");
    for _ in 0..3 {
        core.open(&services).await.expect("taken");
    }
    assert_eq!(core.outcomes(), ["ok"; 4]);
    drop(first);
}

#[tokio::test]
async fn a_connection_without_calls_is_closed_after_a_while() {
    let clock = Clock::stopped();
    let server = serve(echo).await;
    let (core, services) = one(&[server.address]);
    let link = clock.run(core.open(&services)).await.expect("taken");
    clock.pass(Duration::from_secs(100)).await;
    assert_eq!(core.upstreams.connections(), 1, "a quiet call is a call");
    drop(link);
    clock.pass(Duration::from_secs(30)).await;
    assert_eq!(core.upstreams.connections(), 1);
    clock.pass(Duration::from_secs(60)).await;
    assert_eq!(core.upstreams.connections(), 0);
}

/// Passes bytes on until told to hold them back, with all sockets left open.
async fn proxy(to: SocketAddr) -> (SocketAddr, Arc<Notify>) {
    let (listener, address) = listener().await;
    let stall = Arc::new(Notify::new());
    let stalled = stall.clone();
    tokio::spawn(async move {
        let mut sockets = prompt(listener);
        let mut connections = Vec::new();
        loop {
            let accepted = tokio::select! {
                accepted = sockets.next() => accepted,
                () = stalled.notified() => break,
            };
            let mut near = accepted.expect("it listens").expect("a connection");
            let mut far = TcpStream::connect(to).await.expect("the server is there");
            far.set_nodelay(true).expect("a TCP socket");
            let stalled = Arc::new(Notify::new());
            connections.push(stalled.clone());
            tokio::spawn(async move {
                tokio::select! {
                    _ = copy_bidirectional(&mut near, &mut far) => return,
                    () = stalled.notified() => {}
                }
                std::future::pending::<()>().await;
            });
        }
        for connection in connections {
            connection.notify_one();
        }
        std::future::pending::<()>().await;
    });
    (address, stall)
}

#[tokio::test]
async fn a_dead_connection_is_noticed_by_its_calls_pings() {
    let clock = Clock::stopped();
    let server = serve(echo).await;
    let (address, stall) = proxy(server.address).await;
    let (core, services) = one(&[address]);
    let mut link = clock.run(core.open(&services)).await.expect("taken");
    assert_eq!(clock.run(recv(&mut link)).await, Ok(Some(beat())));
    clock.pass(Duration::from_secs(90)).await;
    link.try_send(&heartbeat()).expect("room");
    assert_eq!(
        clock.run(recv(&mut link)).await,
        Ok(Some(beat())),
        "pings were answered all the time"
    );

    stall.notify_one();
    let begun = tokio::time::Instant::now();
    let lost = clock.run(recv(&mut link)).await.expect_err("lost");
    assert_eq!(lost.code, Code::Unavailable);
    assert!(begun.elapsed() < Duration::from_secs(45));
    assert_eq!(core.upstreams.connections(), 0);
}
