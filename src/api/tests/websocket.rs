//! The same over WebSocket.

use super::*;
use crate::upstream::Format;
use futures_util::{SinkExt as _, StreamExt as _};
use serde::{Serialize, de::DeserializeOwned};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Error, Message as Frame,
        client::IntoClientRequest as _,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};
use tonic::Code;

pub(super) struct Socket {
    socket: WebSocketStream<TcpStream>,
    format: Format,
}

impl Socket {
    pub(super) async fn open(
        bridge: &Bridge,
        path: &str,
        protocols: &str,
        token: Option<&str>,
    ) -> Result<Self, u16> {
        let url = format!("ws://{}{path}", bridge.address);
        let mut request = url.into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", protocols.parse().unwrap());
        if let Some(token) = token {
            headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        let tcp = TcpStream::connect(bridge.address).await.unwrap();
        match client_async(request, tcp).await {
            Ok((socket, response)) => {
                let chosen = response.headers()["sec-websocket-protocol"].to_str().unwrap();
                Ok(Self { socket, format: Format::of_subprotocol(chosen).unwrap() })
            }
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    async fn worker(bridge: &Bridge, format: Format, id: &str) -> Self {
        let mut worker =
            Self::open(bridge, "/v1/worker", format.subprotocol(), None).await.unwrap();
        worker.send(&WorkerReport { report: Some(Report::Hello(hello(id, &["sales"]))) }).await;
        let first: WorkerOffer = worker.recv().await.unwrap();
        assert!(matches!(first.offer, Some(Offer::Registered(_))), "{first:?}");
        worker
    }

    pub(super) async fn send(&mut self, message: &(impl prost::Message + Serialize)) {
        let frame = match self.format {
            Format::Proto => Frame::binary(message.encode_to_vec()),
            Format::Json => Frame::text(serde_json::to_string(message).unwrap()),
        };
        self.socket.send(frame).await.unwrap();
    }

    /// The next message, or how the connection was closed.
    pub(super) async fn recv<M: prost::Message + Default + DeserializeOwned>(
        &mut self,
    ) -> Result<M, u16> {
        loop {
            match self.socket.next().await {
                Some(Ok(Frame::Binary(bytes))) => {
                    assert_eq!(self.format, Format::Proto);
                    return Ok(M::decode(bytes).unwrap());
                }
                Some(Ok(Frame::Text(text))) => {
                    assert_eq!(self.format, Format::Json);
                    return Ok(serde_json::from_str(&text).unwrap());
                }
                Some(Ok(Frame::Close(frame))) => {
                    // The answer to it.
                    let _ = self.socket.flush().await;
                    return Err(frame.map_or(1005, |frame| frame.code.into()));
                }
                Some(Ok(Frame::Ping(_) | Frame::Pong(_) | Frame::Frame(_))) => {}
                Some(Err(_)) | None => return Err(1006),
            }
        }
    }

    async fn close(&mut self, code: u16) {
        let frame = CloseFrame { code: CloseCode::from(code), reason: "".into() };
        self.socket.close(Some(frame)).await.unwrap();
    }

    async fn offered(&mut self) -> String {
        loop {
            match self.recv::<WorkerOffer>().await.unwrap().offer.unwrap() {
                Offer::Call(call) => return call.token,
                Offer::Withdrawn(_) | Offer::Registered(_) | Offer::Heartbeat(_) => {}
            }
        }
    }

    async fn next_call(&mut self, bridge: &Bridge) -> Self {
        let path = format!("/v1/calls/{}", self.offered().await);
        Self::open(bridge, &path, self.format.subprotocol(), None).await.unwrap()
    }
}

/// A call that a worker took, up to its first event.
async fn taken(bridge: &Bridge, worker: &mut Socket) -> (Link, Socket) {
    let (link, mut call) = tokio::join!(bridge.open("sales"), worker.next_call(bridge));
    let mut link = link.unwrap();
    // Whatever waits goes out while the link is polled.
    tokio::select! {
        received = recv(&mut link) => panic!("{received:?}"),
        first = call.recv::<CallEvent>() => {
            assert!(matches!(first.unwrap().event, Some(Event::Started(_))));
        }
    }
    (link, call)
}

#[tokio::test]
async fn a_whole_call_goes_both_ways_in_both_formats() {
    for format in Format::ALL {
        let bridge = Bridge::open_to_all().await;
        let mut worker = Socket::worker(&bridge, format, "w").await;
        let (mut link, mut call) = taken(&bridge, &mut worker).await;
        assert_eq!(link.endpoint(), "w");
        for _ in 0..10 {
            link.try_send(&heartbeat()).unwrap();
            call.send(&beat()).await;
            assert_eq!(recv(&mut link).await, Ok(Some(beat())));
            assert_eq!(call.recv::<CallEvent>().await, Ok(heartbeat()));
        }
        link.finish();
        let (ended, closed) = tokio::join!(recv(&mut link), call.recv::<CallEvent>());
        assert_eq!((ended, closed), (Ok(None), Err(1000)));
    }
}

#[tokio::test]
async fn the_first_subprotocol_that_is_known_is_spoken() {
    let bridge = Bridge::open_to_all().await;
    let both = "graphql, agibridge.v1.json, agibridge.v1.proto";
    let socket = Socket::open(&bridge, "/v1/worker", both, None).await.unwrap();
    assert_eq!(socket.format, Format::Json);
    let none = Socket::open(&bridge, "/v1/worker", "agibridge.v2.json", None).await;
    assert_eq!(none.map(|_| ()), Err(400));
}

#[tokio::test]
async fn ends_of_a_call_are_told_apart() {
    let bridge = Bridge::open_to_all().await;
    let mut worker = Socket::worker(&bridge, Format::Json, "w").await;
    let (mut link, mut call) = taken(&bridge, &mut worker).await;
    let (ended, ()) = tokio::join!(recv(&mut link), call.close(1000));
    assert_eq!(ended, Ok(None));

    let (mut link, mut call) = taken(&bridge, &mut worker).await;
    let (lost, ()) = tokio::join!(recv(&mut link), call.close(1011));
    assert_eq!(lost.unwrap_err().code, Code::Internal);

    let (mut link, call) = taken(&bridge, &mut worker).await;
    drop(call);
    assert_eq!(recv(&mut link).await.unwrap_err().code, Code::Unavailable);

    let (link, mut call) = taken(&bridge, &mut worker).await;
    drop(link);
    assert_eq!(call.recv::<CallEvent>().await, Err(4001));
}

#[tokio::test]
async fn an_offer_is_taken_once_and_by_its_worker() {
    let bridge = Bridge::start(vec![permit("sales", token("a")), permit("lab", token("b"))]).await;
    let mut worker = Worker::dial(&bridge, hello("w", &["sales"]), Some("a")).await.unwrap();
    let mut opening = Box::pin(bridge.open("sales"));
    let token = tokio::select! {
        _ = &mut opening => panic!("nobody took it"),
        call = worker.offered() => call.token,
    };
    let path = format!("/v1/calls/{token}");
    let json = "agibridge.v1.json";
    for (protocol, credential, status) in
        [("none", Some("a"), 400), (json, Some("b"), 403), (json, None, 401)]
    {
        let refused = Socket::open(&bridge, &path, protocol, credential).await.map(|_| ());
        assert_eq!(refused, Err(status));
    }
    let (link, call) = tokio::join!(opening, Socket::open(&bridge, &path, json, Some("a")));
    assert!(link.is_ok() && call.is_ok());
    for path in [&*path, "/v1/calls/", "/v1/calls/0123"] {
        let void = Socket::open(&bridge, path, json, Some("a")).await.map(|_| ());
        assert_eq!(void, Err(404));
    }
}

#[tokio::test]
async fn a_worker_that_breaks_the_rules_is_told_by_a_close_code() {
    let bridge = Bridge::start(vec![permit("sales", token("a"))]).await;
    let json = Format::Json.subprotocol();
    let report = |report| WorkerReport { report: Some(report) };
    for (first, code) in [
        (report(Report::Hello(hello("w", &["sales"]))), 1008),
        (report(Report::Status(Default::default())), 1008),
    ] {
        let mut worker = Socket::open(&bridge, "/v1/worker", json, None).await.unwrap();
        worker.send(&first).await;
        assert_eq!(worker.recv::<WorkerOffer>().await, Err(code));
    }
    let mut worker = Socket::open(&bridge, "/v1/worker", json, Some("a")).await.unwrap();
    worker.socket.send(Frame::text("{\"hello\": 7}")).await.unwrap();
    assert_eq!(worker.recv::<WorkerOffer>().await, Err(1007));
    let mut worker = Socket::open(&bridge, "/v1/worker", json, Some("a")).await.unwrap();
    worker.socket.send(Frame::binary(vec![1, 2])).await.unwrap();
    assert_eq!(worker.recv::<WorkerOffer>().await, Err(1003));
}

#[tokio::test]
async fn a_worker_is_withdrawn_when_it_goes_and_sent_elsewhere_by_the_drain() {
    let bridge = Bridge::open_to_all().await;
    for goes_well in [true, false] {
        let mut worker = Socket::worker(&bridge, Format::Proto, "w").await;
        bridge.until_connected("sales", 1).await;
        if goes_well {
            worker.close(1000).await;
        }
        drop(worker);
        bridge.until_connected("sales", 0).await;
    }
    let mut worker = Socket::worker(&bridge, Format::Proto, "w").await;
    bridge.draining.send_replace(true);
    assert_eq!(worker.recv::<WorkerOffer>().await, Err(1012));
    let late = Socket::open(&bridge, "/v1/worker", "agibridge.v1.json", None).await.map(|_| ());
    assert_eq!(late, Err(503));
}

#[tokio::test]
async fn a_web_page_of_another_site_gets_no_websocket() {
    let bridge = Bridge::start(vec![permit("*", Credential::Anybody)]).await;
    let here = format!("http://{}", bridge.address);
    for (origin, token, status) in [
        ("https://evil.example", None, Some(403)),
        ("null", None, Some(403)),
        (&*here, None, None),
        ("https://evil.example", Some("no page can add it"), None),
    ] {
        let url = format!("ws://{}/v1/worker", bridge.address);
        let mut request = url.into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", "agibridge.v1.json".parse().unwrap());
        headers.insert("origin", origin.parse().unwrap());
        if let Some(token) = token {
            headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        let tcp = TcpStream::connect(bridge.address).await.unwrap();
        let refused = match client_async(request, tcp).await {
            Ok(_) => None,
            Err(Error::Http(response)) => Some(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        };
        assert_eq!(refused, status, "{origin}");
    }
}
