//! Peers that are silent, dead, or something else.

use super::*;
use bytes::{BufMut as _, Bytes, BytesMut};
use prost::Message as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

const SHORT: Duration = Duration::from_millis(50);

fn short() -> server::Limits {
    server::Limits { head: SHORT, idle: SHORT, ping: SHORT, pong: SHORT, ..Default::default() }
}

async fn bridge(limits: server::Limits) -> Bridge {
    Bridge::with(vec![permit("*", Credential::Anybody)], None, limits).await
}

/// What comes until the bridge closes.
async fn answer(bridge: &Bridge, request: &str) -> String {
    let mut socket = TcpStream::connect(bridge.address).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut text = Vec::new();
    // A reset is an end as well.
    let _ = socket.read_to_end(&mut text).await;
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let bridge = bridge(short()).await;
    assert_eq!(answer(&bridge, "").await, "");
    assert!(!answer(&bridge, "GET /v1/worker HTTP/1.1\r\n").await.contains("101"));
    answer(&bridge, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    answer(&bridge, "\0\u{1}\u{2}").await;
}

#[tokio::test]
async fn a_worker_that_does_not_answer_pings_is_withdrawn() {
    let bridge = bridge(short()).await;
    let socket = TcpStream::connect(bridge.address).await.unwrap();
    let (mut requests, mut connection) = h2::client::handshake(socket).await.unwrap();
    let request = http::Request::post("http://x/agibridge.v1.WorkerService/Register")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .unwrap();
    let (_response, mut stream) = requests.send_request(request, false).unwrap();
    let report = WorkerReport { report: Some(Report::Hello(hello("w", &["sales"]))) };
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(u32::try_from(report.encoded_len()).unwrap());
    report.encode(&mut frame).unwrap();
    stream.send_data(frame.freeze(), false).unwrap();
    tokio::select! {
        _ = &mut connection => panic!("closed"),
        () = bridge.until_connected("sales", 1) => {}
    }
    // From here on it is dead, and its socket open.
    bridge.until_connected("sales", 0).await;
    drop((connection, stream, requests));
}

#[tokio::test]
async fn a_quiet_worker_stays() {
    let bridge = bridge(short()).await;
    let mut worker = bridge.worker("w").await;
    // As long as it takes another one to be found dead, several times.
    for _ in 0..3 {
        answer(&bridge, "").await;
    }
    let (link, _driven) = tokio::join!(bridge.open("sales"), worker.next_call());
    assert!(link.is_ok());
}

#[tokio::test]
async fn rubbish_in_a_stream_costs_that_stream() {
    let bridge = bridge(server::Limits::default()).await;
    let mut worker = bridge.worker("w").await;
    let socket = TcpStream::connect(bridge.address).await.unwrap();
    let (mut requests, connection) = h2::client::handshake(socket).await.unwrap();
    tokio::spawn(connection);
    let mut statuses = Vec::new();
    for body in [&[0, 0, 0, 0, 2, 0xff, 0xff][..], &[0, 0xff, 0xff, 0xff, 0xff], &[9], b"hello"] {
        let request = http::Request::post("http://x/agibridge.v1.WorkerService/Register")
            .header("content-type", "application/grpc")
            .body(())
            .unwrap();
        let (response, mut stream) = requests.send_request(request, false).unwrap();
        stream.send_data(Bytes::copy_from_slice(body), true).unwrap();
        let mut response = response.await.unwrap();
        while let Some(data) = response.body_mut().data().await {
            data.unwrap();
        }
        let trailers = response.body_mut().trailers().await.unwrap().unwrap();
        statuses.push(trailers["grpc-status"].to_str().unwrap().to_owned());
    }
    assert!(statuses.iter().all(|status| status != "0"), "{statuses:?}");
    let (link, _driven) = tokio::join!(bridge.open("sales"), worker.next_call());
    assert!(link.is_ok());
}

#[tokio::test]
async fn health_is_told_by_name_and_changes_with_the_drain() {
    let bridge = bridge(server::Limits::default()).await;
    let channel = Channel::from_shared(format!("http://{}", bridge.address)).unwrap();
    let mut client = HealthClient::new(channel.connect().await.unwrap());
    for service in ["", "agibridge.v1.WorkerService"] {
        let request = HealthCheckRequest { service: service.into() };
        let answer = client.check(request).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving);
    }
    let mut watched = client.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    watched.message().await.unwrap().unwrap();
    bridge.draining.send_replace(true);
    let told = watched.message().await.unwrap().unwrap();
    assert_eq!(told.status(), ServingStatus::NotServing);
}

#[tokio::test]
async fn other_requests_are_turned_away() {
    let bridge = bridge(short()).await;
    let page = answer(&bridge, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(page.starts_with("HTTP/1.1 404 "), "{page}");
    let grpc = "POST /agibridge.v1.WorkerService/Register HTTP/1.1\r\nhost: x\r\n\
                content-type: application/grpc\r\ncontent-length: 0\r\n\r\n";
    let refused = answer(&bridge, grpc).await;
    assert!(refused.starts_with("HTTP/1.1 505 "), "{refused}");
}
