//! WebSockets against real servers.

use super::*;
use crate::{
    proto::{
        Noop, WorkerOffer, WorkerReport, WorkerStatus, command::Command as Kind,
        worker_report::Report,
    },
    secret::Secret,
    upstream::{Format, Messages, Pings, SendError},
};
use futures_util::SinkExt as _;
use http::HeaderMap;
use prost::Message as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::{Notify, mpsc},
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Message as Frame,
        handshake::server::{ErrorResponse, Request as Asked, Response as Answer},
        protocol::{CloseFrame, Role, frame::coding::CloseCode},
    },
};
use tonic::Code;

type Socket = WebSocketStream<TcpStream>;

/// What a server says to a handshake: the subprotocol, or the status that it refuses with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Say {
    Take(&'static str),
    Refuse(u16),
}

pub(super) const PROTO: Say = Say::Take("agibridge.v1.proto");
const JSON: Say = Say::Take("agibridge.v1.json");

/// The server's side of a handshake, and the headers of the request.
#[expect(clippy::result_large_err, reason = "the library's own type")]
pub(super) async fn accept<S>(stream: S, say: Say) -> Option<(WebSocketStream<S>, HeaderMap)>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut headers = HeaderMap::new();
    let answer = |asked: &Asked, mut answer: Answer| {
        headers = asked.headers().clone();
        headers.insert("path", asked.uri().path().parse().expect("a path"));
        match say {
            Say::Take("") => Ok(answer),
            Say::Take(protocol) => {
                answer
                    .headers_mut()
                    .insert("sec-websocket-protocol", protocol.parse().expect("a name"));
                Ok(answer)
            }
            Say::Refuse(status) => {
                let mut refusal = ErrorResponse::new(None);
                *refusal.status_mut() = status.try_into().expect("a status");
                refusal.headers_mut().insert("retry-after", "60".parse().expect("a number"));
                Err(refusal)
            }
        }
    };
    let socket = accept_hdr_async(stream, answer).await.ok()?;
    Some((socket, headers))
}

/// Serves WebSockets: each is taken as `say` says, and then `handler` has it.
async fn serve<F, R>(say: Say, handler: F) -> Server
where
    F: Fn(Socket, HeaderMap) -> R + Clone + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let (listener, address) = listener().await;
    let task = tokio::spawn(async move {
        let mut sockets = prompt(listener);
        while let Some(Ok(socket)) = sockets.next().await {
            let handler = handler.clone();
            tokio::spawn(async move {
                if let Some((socket, headers)) = accept(socket, say).await {
                    handler(socket, headers).await;
                }
            });
        }
    });
    Server { address, task: task.abort_handle() }
}

fn websocket(address: SocketAddr) -> Service {
    let remote = Remote { host: address.ip().to_string(), port: address.port(), tls: None };
    Service {
        url: format!("ws://{address}/calls").into(),
        target: Target::WebSocket { remote, path: "/calls".to_owned() },
        keepalive_interval: Duration::from_secs(20),
        ..service("x", 1)
    }
}

fn at(addresses: &[SocketAddr]) -> (Core, Vec<Arc<Service>>) {
    let services: Vec<_> = addresses.iter().map(|address| Arc::new(websocket(*address))).collect();
    (Core::new(Resolver::system(), &services), services)
}

fn frame(say: Say, control: &CallControl) -> Frame {
    if say == JSON {
        return Frame::text(serde_json::to_string(control).expect("JSON"));
    }
    Frame::binary(control.encode_to_vec())
}

fn event(frame: &Frame) -> CallEvent {
    match frame {
        Frame::Binary(bytes) => CallEvent::decode(&bytes[..]).expect("an event"),
        Frame::Text(text) => serde_json::from_str(text).expect("an event"),
        Frame::Ping(_) | Frame::Pong(_) | Frame::Close(_) | Frame::Frame(_) => {
            panic!("no message: {frame:?}")
        }
    }
}

/// The next frame that is no ping.
async fn next(socket: &mut Socket) -> Option<Frame> {
    loop {
        let frame = socket.next().await?.ok()?;
        if !matches!(frame, Frame::Ping(_) | Frame::Pong(_)) {
            return Some(frame);
        }
    }
}

/// A link whose server does `then` once it has the first event, and what the server was told last.
async fn taken_by<F, R>(say: Say, then: F) -> (Link, mpsc::Receiver<Option<CloseFrame>>, Server)
where
    F: Fn(Socket) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Socket> + Send,
{
    let (told, tells) = mpsc::channel(1);
    let server = serve(say, move |mut socket, _| {
        let (then, told) = (then.clone(), told.clone());
        async move {
            assert_eq!(
                event(&next(&mut socket).await.expect("a frame")),
                (*opening("call-1").started).clone()
            );
            let mut socket = then(socket).await;
            while let Some(frame) = next(&mut socket).await {
                if let Frame::Close(frame) = frame {
                    let _ = told.send(frame).await;
                }
            }
        }
    })
    .await;
    let (core, services) = at(&[server.address]);
    (core.open(&services).await.expect("taken"), tells, server)
}

async fn code(tells: &mut mpsc::Receiver<Option<CloseFrame>>) -> u16 {
    tells.recv().await.expect("told").expect("with a code").code.into()
}

#[tokio::test]
async fn messages_pass_in_order_in_both_formats() {
    for say in [PROTO, JSON] {
        let (mut link, mut tells, _server) = taken_by(say, move |mut socket| async move {
            for _ in 0..1000 {
                socket.send(frame(say, &beat())).await.expect("sent");
                let came = next(&mut socket).await.expect("a frame");
                assert_eq!(came.is_text(), say == JSON);
                assert_eq!(event(&came), heartbeat());
            }
            socket
        })
        .await;
        for _ in 0..1000 {
            assert_eq!(recv(&mut link).await, Ok(Some(beat())));
            link.try_send(&heartbeat()).expect("room");
        }
        link.finish();
        assert_eq!(link.try_send(&heartbeat()), Err(SendError::Closed));
        assert_eq!(recv(&mut link).await, Ok(None));
        assert_eq!(recv(&mut link).await, Ok(None), "and ever after");
        assert_eq!(code(&mut tells).await, 1000);
    }
}

#[tokio::test]
async fn the_service_sees_metadata_headers_and_token() {
    let (seen, mut requests) = mpsc::channel(1);
    let server = serve(JSON, move |_, headers| {
        let seen = seen.clone();
        async move { seen.send(headers).await.expect("the test waits") }
    })
    .await;
    let mut wanted = websocket(server.address);
    wanted.token = Some(Secret::new("t0p"));
    wanted.headers = vec![("x-tenant".to_owned(), Secret::new("blue"))];
    let services = [Arc::new(wanted)];
    let link = Core::new(Resolver::system(), &services).open(&services).await.expect("taken");
    let headers = requests.recv().await.expect("a request");
    assert_eq!(headers["path"], "/calls");
    assert_eq!(headers["agibridge-call-id"], "call-1");
    assert_eq!(headers["authorization"], "Bearer t0p");
    assert_eq!(headers["x-tenant"], "blue");
    assert_eq!(headers["host"], server.address.to_string());
    assert!(!headers.contains_key("sec-websocket-extensions"));
    assert_eq!(link.endpoint(), server.address.to_string());
}

#[tokio::test]
async fn a_refusal_passes_the_call_to_the_next_service() {
    let mut servers = Vec::new();
    for status in [401, 403, 404, 302] {
        servers.push(serve(Say::Refuse(status), |_, _| async {}).await);
    }
    servers.push(serve(PROTO, |_, _| std::future::pending()).await);
    let addresses: Vec<_> = servers.iter().map(|server| server.address).collect();
    let (core, services) = at(&addresses);
    let link = core.open(&services).await.expect("taken by the last one");
    assert_eq!(link.endpoint(), addresses[4].to_string());
    let outcomes = ["unauthenticated", "permission_denied", "unimplemented", "unknown", "ok"];
    assert_eq!(core.outcomes(), outcomes);
    assert_eq!(core.active(), 1);
}

#[tokio::test]
async fn a_service_that_asks_for_a_minute_is_not_asked_again() {
    let server = serve(Say::Refuse(503), |_, _| async {}).await;
    let (core, services) = at(&[server.address]);
    let exhausted = core.open(&services).await.expect_err("refused");
    assert!(exhausted.to_string().contains("HTTP 503"), "{exhausted}");
    assert_eq!(core.outcomes(), ["unavailable"]);
}

/// Answers whatever comes with `bytes`, and closes.
async fn talks(bytes: &'static [u8]) -> SocketAddr {
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        let mut sockets = prompt(listener);
        while let Some(Ok(mut socket)) = sockets.next().await {
            let _ = socket.read(&mut [0; 4096]).await;
            let _ = socket.write_all(bytes).await;
        }
    });
    address
}

#[tokio::test]
async fn whoever_speaks_something_else_is_passed_over() {
    let other = serve(Say::Take("graphql-ws"), |_, _| std::future::pending()).await;
    let none = serve(Say::Take(""), |_, _| std::future::pending()).await;
    let right = serve(PROTO, |_, _| std::future::pending()).await;
    let addresses = [
        other.address,
        none.address,
        talks(b"220 mail.example ESMTP\r\n").await,
        talks(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await,
        talks(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: x\r\n\r\n").await,
        talks(b"").await,
        right.address,
    ];
    let (core, services) = at(&addresses);
    core.open(&services).await.expect("taken by the last one");
    let mut outcomes = vec!["not_websocket"; 5];
    outcomes.extend(["connect", "ok"]);
    assert_eq!(core.outcomes(), outcomes);
}

#[tokio::test]
async fn a_handshake_without_an_answer_times_out() {
    let clock = Clock::stopped();
    let (silent, address) = listener().await;
    let right = serve(PROTO, |_, _| std::future::pending()).await;
    let (core, services) = at(&[address, right.address]);
    clock.run(core.open(&services)).await.expect("taken by the other one");
    assert_eq!(core.outcomes(), ["timeout", "ok"]);
    drop(silent);
}

#[tokio::test]
async fn the_wrong_frames_end_the_connection() {
    for (say, wrong) in [(PROTO, JSON), (JSON, PROTO)] {
        let (mut link, mut tells, _server) = taken_by(say, move |mut socket| async move {
            socket.send(frame(wrong, &beat())).await.expect("sent");
            socket
        })
        .await;
        assert_eq!(recv(&mut link).await.expect_err("lost").code, Code::InvalidArgument);
        assert_eq!(code(&mut tells).await, 1003);
        assert_eq!(link.try_send(&heartbeat()), Err(SendError::Closed));
        assert_eq!(recv(&mut link).await, Ok(None));
    }
}

#[tokio::test]
async fn json_of_a_newer_service_is_understood() {
    let (mut link, _tells, _server) = taken_by(JSON, |mut socket| async move {
        let text = r#"{"command": {"id": 7, "noop": {"text": "a"}, "mood": "fine"}, "v": [1]}"#;
        socket.send(Frame::text(text)).await.expect("sent");
        socket
    })
    .await;
    let control = recv(&mut link).await.expect("a message").expect("no end");
    let Some(Control::Command(command)) = control.control else { panic!("a command") };
    assert_eq!((command.id, command.command), (7, Some(Kind::Noop(Noop { text: "a".into() }))));
}

#[tokio::test]
async fn a_frame_that_is_no_message_ends_the_connection() {
    let broken = [
        (JSON, Frame::text("{\"heartbeat\": {}")),
        (JSON, Frame::text("[]")),
        (PROTO, Frame::binary(&[0xff, 0xff][..])),
    ];
    for (say, frame) in broken {
        let (mut link, mut tells, _server) = taken_by(say, move |mut socket| {
            let frame = frame.clone();
            async move {
                socket.send(frame).await.expect("sent");
                socket
            }
        })
        .await;
        assert_eq!(recv(&mut link).await.expect_err("lost").code, Code::Internal);
        assert_eq!(code(&mut tells).await, 1007);
    }
}

/// A link whose server writes these bytes below the WebSocket.
async fn raw(bytes: &'static [u8]) -> (Link, mpsc::Receiver<Option<CloseFrame>>, Server) {
    taken_by(JSON, move |mut socket| async move {
        socket.get_mut().write_all(bytes).await.expect("written");
        socket
    })
    .await
}

#[tokio::test]
async fn frames_against_the_rules_end_the_connection() {
    let against: [(&[u8], Code, u16); 5] = [
        // Five MiB are announced.
        (&[0x81, 127, 0, 0, 0, 0, 0, 0x50, 0, 0], Code::ResourceExhausted, 1009),
        // No UTF-8.
        (&[0x81, 2, 0xff, 0xff], Code::Internal, 1007),
        // A reserved bit, a continuation of nothing, a masked frame.
        (&[0xc1, 1, b'{'], Code::Internal, 1002),
        (&[0x80, 1, b'{'], Code::Internal, 1002),
        (&[0x81, 0x81, 0, 0, 0, 0, b'{'], Code::Internal, 1002),
    ];
    for (bytes, status, told) in against {
        let (mut link, mut tells, _server) = raw(bytes).await;
        assert_eq!(recv(&mut link).await.expect_err("lost").code, status, "{bytes:?}");
        assert_eq!(code(&mut tells).await, told, "{bytes:?}");
    }
}

#[tokio::test]
async fn a_frame_of_five_mib_costs_its_own_connection() {
    for fragments in [1, 5] {
        let (mut link, _tells, _server) = taken_by(PROTO, move |mut socket| async move {
            let chunk = vec![0; 5 * 1024 * 1024 / fragments];
            let mut head = vec![if fragments == 1 { 0x82 } else { 0x02 }, 127];
            for _ in 0..fragments {
                head.extend_from_slice(&(chunk.len() as u64).to_be_bytes());
                let stream = socket.get_mut();
                if stream.write_all(&head).await.is_err() || stream.write_all(&chunk).await.is_err()
                {
                    break;
                }
                head = vec![0x00, 127];
            }
            socket
        })
        .await;
        assert_eq!(recv(&mut link).await.expect_err("lost").code, Code::ResourceExhausted);
    }
}

#[tokio::test]
async fn a_flood_of_pings_ends_the_connection() {
    let (mut link, mut tells, _server) = taken_by(PROTO, |mut socket| async move {
        for _ in 0..300 {
            socket.feed(Frame::Ping(vec![7; 125].into())).await.expect("fed");
        }
        let _ = socket.send(frame(PROTO, &beat())).await;
        socket
    })
    .await;
    let lost = recv(&mut link).await.expect_err("lost");
    assert_eq!(lost.code, Code::ResourceExhausted);
    assert!(lost.message.contains("flood"), "{lost}");
    assert_eq!(code(&mut tells).await, 1008);
}

#[tokio::test]
async fn a_message_in_endless_pieces_ends_the_connection() {
    let (mut link, _tells, _server) = taken_by(PROTO, |mut socket| async move {
        // A message begins, and nothing is added to it for ever.
        let stream = socket.get_mut();
        stream.write_all(&[0x02, 0]).await.expect("written");
        let pieces = [0; 64 * 1024];
        while stream.write_all(&pieces).await.is_ok() {}
        socket
    })
    .await;
    let lost = recv(&mut link).await.expect_err("lost");
    assert_eq!(lost.code, Code::ResourceExhausted);
    assert!(lost.message.contains("flood"), "{lost}");
}

#[tokio::test]
async fn a_ping_is_answered_and_an_empty_message_is_one() {
    let (mut link, _tells, _server) = taken_by(PROTO, |mut socket| async move {
        socket.send(Frame::Ping("are you there".into())).await.expect("sent");
        let pong = socket.next().await.expect("a frame").expect("whole");
        assert_eq!(pong, Frame::Pong("are you there".into()));
        socket.send(Frame::binary(Vec::new())).await.expect("sent");
        socket
    })
    .await;
    assert_eq!(recv(&mut link).await, Ok(Some(CallControl::default())));
}

fn large(index: usize) -> CallEvent {
    let started = CallStarted { call_id: format!("{index:0>50000}"), ..CallStarted::default() };
    CallEvent { event: Some(Event::Started(Box::new(started))) }
}

#[tokio::test]
async fn whoever_does_not_read_holds_up_its_own_events_only() {
    let (go, read) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let (gone, counted) = (go.clone(), read.clone());
    let (mut link, _tells, _server) = taken_by(PROTO, move |mut socket| {
        let (gone, counted) = (gone.clone(), counted.clone());
        async move {
            gone.notified().await;
            while let Frame::Binary(bytes) = next(&mut socket).await.expect("a frame") {
                let index = counted.fetch_add(1, Ordering::Relaxed);
                assert_eq!(event(&Frame::Binary(bytes)), large(index));
            }
            socket
        }
    })
    .await;
    // All that the kernel holds, and then all that the link does.
    let mut sent = 0;
    while link.try_send(&large(sent)).is_ok() {
        sent += 1;
        let _ = poll_fn(|cx| link.poll_ready_to_send(cx)).now_or_never();
        yield_now().await;
    }
    assert_eq!(link.try_send(&large(sent)), Err(SendError::Full));
    assert_eq!(link.waiting(), 16);
    assert!(poll_fn(|cx| link.poll_ready_to_send(cx)).now_or_never().is_none());

    go.notify_one();
    assert_eq!(poll_fn(|cx| link.poll_ready_to_send(cx)).await, Ok(()));
    while link.try_send(&large(sent)).is_ok() {
        sent += 1;
    }
    assert!(link.waiting() > 0, "the end comes after what waits");
    link.finish();
    assert_eq!(recv(&mut link).await, Ok(None));
    assert_eq!(read.load(Ordering::Relaxed), sent);
}

#[tokio::test]
async fn an_event_over_4_mib_is_not_sent_and_does_no_harm() {
    let (mut link, _tells, _server) = taken_by(PROTO, |mut socket| async move {
        assert_eq!(event(&next(&mut socket).await.expect("a frame")), heartbeat());
        socket.send(frame(PROTO, &beat())).await.expect("sent");
        socket
    })
    .await;
    let started = CallStarted { call_id: "a".repeat(5 << 20), ..CallStarted::default() };
    let huge = CallEvent { event: Some(Event::Started(Box::new(started))) };
    assert_eq!(link.try_send(&huge), Err(SendError::TooLarge));
    link.try_send(&heartbeat()).expect("room");
    assert_eq!(recv(&mut link).await, Ok(Some(beat())));
}

#[tokio::test]
async fn how_the_service_closes_is_what_it_means() {
    let closes = [
        (None, None),
        (Some(1000), None),
        (Some(1001), Some(Code::Unavailable)),
        (Some(1011), Some(Code::Internal)),
        (Some(1013), Some(Code::Unavailable)),
        (Some(4007), Some(Code::PermissionDenied)),
    ];
    for (code, status) in closes {
        let (mut link, _tells, _server) = taken_by(JSON, move |mut socket| async move {
            socket.send(frame(JSON, &beat())).await.expect("sent");
            let reason = "as told".into();
            let frame = code.map(|code| CloseFrame { code: CloseCode::from(code), reason });
            socket.send(Frame::Close(frame)).await.expect("sent");
            socket
        })
        .await;
        assert_eq!(recv(&mut link).await, Ok(Some(beat())));
        match (recv(&mut link).await, status) {
            (Ok(None), None) => {}
            (Err(lost), Some(status)) => {
                assert_eq!(lost.code, status);
                let message = format!("closed with {}: as told", code.expect("a code"));
                assert_eq!(lost.message, message);
            }
            (other, _) => panic!("{code:?}: {other:?}"),
        }
        assert_eq!(recv(&mut link).await, Ok(None));
    }
}

#[tokio::test]
async fn an_end_without_a_close_is_a_loss_and_remembered() {
    let server = serve(PROTO, |mut socket, _| async move {
        next(&mut socket).await.expect("a frame");
    })
    .await;
    let (core, services) = at(&[server.address]);
    let mut link = core.open(&services).await.expect("taken");
    assert_eq!(recv(&mut link).await.expect_err("lost").code, Code::Unavailable);
    drop(link);
    assert_eq!(core.active(), 0);
    assert!(core.directory.endpoints()[0].penalised, "others are tried first for a while");
}

#[tokio::test]
async fn a_link_that_is_dropped_tells_the_service() {
    let (link, mut tells, _server) = taken_by(PROTO, |socket| async move { socket }).await;
    drop(link);
    assert_eq!(code(&mut tells).await, 4001);
}

#[tokio::test]
async fn a_dead_peer_is_found_by_pings() {
    let clock = Clock::stopped();
    let stall = Arc::new(Notify::new());
    let stalled = stall.clone();
    let open = taken_by(PROTO, move |mut socket| {
        let stalled = stalled.clone();
        async move {
            // Reading is what answers pings.
            tokio::select! {
                frame = next(&mut socket) => panic!("{frame:?}"),
                () = stalled.notified() => {}
            }
            std::future::pending::<()>().await;
            socket
        }
    });
    let (mut link, _tells, _server) = clock.run(open).await;
    tokio::select! {
        biased;
        received = recv(&mut link) => panic!("{received:?}"),
        () = clock.pass(Duration::from_secs(90)) => {}
    }
    stall.notify_one();
    let lost = clock.run(recv(&mut link)).await.expect_err("lost");
    assert_eq!(lost.code, Code::Unavailable);
    assert!(lost.message.contains("pings"), "{lost}");
}

#[tokio::test]
async fn the_servers_side_speaks_both_formats_too() {
    for format in Format::ALL {
        let (near, far) = tokio::io::duplex(1024);
        let pings = Pings { interval: Duration::from_secs(20), timeout: Duration::from_secs(10) };
        let mut worker: Messages<WorkerReport, WorkerOffer> =
            Messages::server(near, format, 4, pings).await;
        let mut peer = WebSocketStream::from_raw_socket(far, Role::Client, None).await;
        let report = WorkerReport { report: Some(Report::Status(WorkerStatus::default())) };
        peer.send(match format {
            Format::Proto => Frame::binary(report.encode_to_vec()),
            Format::Json => Frame::text(serde_json::to_string(&report).expect("JSON")),
        })
        .await
        .expect("sent");
        assert_eq!(poll_fn(|cx| worker.poll_recv(cx)).await, Ok(Some(report)));
        worker.try_send(&WorkerOffer::default()).expect("room");
        worker.finish();
        let (end, came) = tokio::join!(poll_fn(|cx| worker.poll_recv(cx)), async {
            let offer = peer.next().await.expect("a frame").expect("whole");
            let close = peer.next().await.expect("a frame").expect("whole");
            while peer.next().await.is_some() {}
            (offer, close)
        });
        assert_eq!(end, Ok(None));
        assert_eq!(came.0.is_text(), format == Format::Json);
        assert!(matches!(came.1, Frame::Close(Some(frame)) if frame.code == CloseCode::Normal));
    }
}
