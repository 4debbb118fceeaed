//! The same call over a WebSocket and to a worker that dialled in: what is wrong there ends one stream, and no other call
//! feels it.

use crate::harness::{
    Asterisk, Bridge, Caller, PRELUDE, WebSocketService, Worker, client, command, end, hello, soon,
};
use agi_bridge::{
    proto::{
        CallControl, Checkpoint, GetData, Noop, call_control::Control, call_ended::Reason,
        call_event::Event, command::Command as Kind, command_result::Outcome, worker_offer::Offer,
    },
    upstream::Format,
};
use std::sync::Arc;
use tokio::sync::Notify;
use tokio_stream::wrappers::ReceiverStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tonic::{Code, Request, Status};

const API: &str = "api: {listen: '127.0.0.1:0', workers: [{groups: '*'}]}";
const ONCE: &str = "    resume_for: 0s\n";
const LOST: &str = r#"SET VARIABLE "AGIBRIDGE_STATUS" "LOST""#;
const RESUMED: &str = r#"agibridge_call_resumed_total{route="test",cause="service_lost"} 1"#;
const GET_DATA: &str = r#"GET DATA "pin" "0" "4""#;
const NOOP: &str = r#"NOOP "x""#;

fn noop() -> Kind {
    Kind::Noop(Noop { text: "x".into() })
}

/// Has a prompt at Asterisk when it is lost, and carries on on the next stream.
async fn lost_once(mut caller: Caller, prompted: Arc<Notify>) -> Result<(), Status> {
    let Some(resumption) = caller.started().await.resumption else {
        caller
            .send(Control::Checkpoint(Checkpoint { state: "pin".into(), ..Checkpoint::default() }))
            .await;
        caller.run(noop()).await;
        let pin = GetData { file: "pin".into(), max_digits: 4, ..GetData::default() };
        caller.send_command(Kind::GetData(pin)).await;
        caller.send(command(1, noop())).await;
        prompted.notified().await;
        return Err(Status::internal("a bug"));
    };
    assert_eq!(resumption.checkpoint.as_deref(), Some(&b"pin"[..]));
    let data = caller.result().await;
    assert!(
        matches!(data.outcome, Some(Outcome::Digits(digits)) if digits.digits == "12"),
        "{resumption:?}"
    );
    assert_eq!(caller.result().await.id, 1, "what was refused stays in its place");
    caller.send(command(3, noop())).await;
    assert_eq!(caller.result().await.id, 3);
    caller.send(end()).await;
    assert_eq!(caller.ended().await.reason(), Reason::Service);
    Ok(())
}

/// Asterisk's side of that.
async fn prompted(bridge: &Bridge, prompted: &Notify) {
    let mut asterisk = Asterisk::call(bridge.address()).await;
    asterisk.expect(NOOP, "200 result=0\n").await;
    assert_eq!(asterisk.line().await.as_deref(), Some(GET_DATA));
    prompted.notify_one();
    bridge.counted(RESUMED).await;
    asterisk.send("200 result=12\n").await;
    asterisk.expect(NOOP, "200 result=0\n").await;
    assert_eq!(asterisk.finish().await, [""; 0]);
}

#[tokio::test]
async fn a_websocket_service_that_is_lost_is_resumed() {
    for format in Format::ALL {
        let told = Arc::new(Notify::new());
        let tell = Arc::clone(&told);
        let service =
            WebSocketService::start(format, move |caller| lost_once(caller, Arc::clone(&tell)))
                .await;
        let bridge = Bridge::at(&[service.url()], "", "");
        prompted(&bridge, &told).await;
        let opened =
            r#"agibridge_stream_opened_total{route="test",transport="websocket",status="OK"} 2"#;
        bridge.counted(opened).await;
        bridge.counted(r#"agibridge_stream_lost_total{route="test",status="INTERNAL"} 1"#).await;
    }
}

#[tokio::test]
async fn a_worker_that_cancels_its_call_is_lost_and_not_done() {
    let bridge = Bridge::at(&["worker://sales"], "", API);
    let told = Arc::new(Notify::new());
    let tell = Arc::clone(&told);
    let _worker =
        Worker::start(bridge.api(), "sales", move |caller| lost_once(caller, Arc::clone(&tell)))
            .await;
    prompted(&bridge, &told).await;
    let opened = r#"agibridge_stream_opened_total{route="test",transport="worker",status="OK"} 2"#;
    bridge.counted(opened).await;
}

#[tokio::test]
async fn a_frame_against_the_rules_costs_its_own_call_only() {
    let five = vec![0; 5 << 20];
    let wrong = [
        (Format::Proto, Frame::binary(five)),
        (Format::Proto, Frame::binary(vec![0xff; 9])),
        (Format::Proto, Frame::text("{}")),
        (Format::Json, Frame::text(r#"{"command":{"id":{}}}"#)),
        (Format::Json, Frame::text("[".repeat(1 << 20))),
        (Format::Json, Frame::binary(Vec::new())),
    ];
    for (format, frame) in wrong {
        let (proceed, _) = tokio::sync::broadcast::channel::<()>(1);
        let waiting = proceed.clone();
        let service = WebSocketService::start(format, move |mut caller| {
            let (frame, mut proceed) = (frame.clone(), waiting.subscribe());
            async move {
                if caller.started().await.arguments == ["polite"] {
                    let _ = proceed.recv().await;
                    caller.run(noop()).await;
                    return Ok(());
                }
                caller.send_frame(frame).await;
                assert_eq!(caller.event().await, None, "cut off");
                Ok(())
            }
        })
        .await;
        let bridge = Bridge::at(&[service.url()], ONCE, "");
        let mut polite =
            Asterisk::call_with(bridge.address(), PRELUDE.replace("one", "polite")).await;
        bridge.driven().await;
        let lines = Asterisk::call(bridge.address()).await.finish().await;
        assert_eq!(lines[0], LOST, "{format:?}");
        assert_eq!(lines.last().map(String::as_str), Some("failure"));
        proceed.send(()).unwrap();
        polite.expect(NOOP, "200 result=0\n").await;
        assert_eq!(polite.finish().await, [""; 0]);
    }
}

#[tokio::test]
async fn a_json_service_of_a_newer_contract_is_understood() {
    let service = WebSocketService::start(Format::Json, |mut caller| async move {
        caller.started().await;
        let newer = r#"{"command":{"id":1,"noop":{"text":"x","volume":11},"mood":"good"},"at":{}}"#;
        caller.send_frame(Frame::text(newer)).await;
        caller.send_frame(Frame::text(r#"{"teleport":{"to":"moon"}}"#)).await;
        assert_eq!(caller.result().await.id, 1);
        caller.send(end()).await;
        assert_eq!(caller.ended().await.reason(), Reason::Service);
        Ok(())
    })
    .await;
    let bridge = Bridge::at(&[service.url()], "", "");
    let mut asterisk = Asterisk::call(bridge.address()).await;
    asterisk.expect(NOOP, "200 result=0\n").await;
    assert_eq!(asterisk.finish().await, [""; 0]);
}

#[tokio::test]
async fn a_flood_of_pings_costs_its_own_call_only() {
    let service = WebSocketService::start(Format::Proto, |mut caller| async move {
        if caller.started().await.arguments == ["polite"] {
            caller.run(noop()).await;
            return Ok(());
        }
        for _ in 0..1_000_000 {
            if !caller.send_frame(Frame::Ping("x".into())).await {
                break;
            }
        }
        Ok(())
    })
    .await;
    let bridge = Bridge::at(&[service.url()], ONCE, "");
    let lines = Asterisk::call(bridge.address()).await.finish().await;
    assert_eq!(lines[0], LOST);
    let mut polite = Asterisk::call_with(bridge.address(), PRELUDE.replace("one", "polite")).await;
    polite.expect(NOOP, "200 result=0\n").await;
    assert_eq!(polite.finish().await, [""; 0]);
}

#[tokio::test]
async fn a_token_that_is_used_twice_gives_one_call() {
    let bridge = Bridge::at(&["worker://sales"], ONCE, API);
    let mut client = client(bridge.api()).await;
    let (mut offers, _reports) = hello(&client, "sales").await;
    let mut asterisk = Asterisk::call(bridge.address()).await;
    let offer = soon("an offer", offers.message()).await.unwrap().unwrap();
    let Some(Offer::Call(offer)) = offer.offer else { panic!("{offer:?}") };
    let take = |controls| {
        let mut request = Request::new(ReceiverStream::new(controls));
        request.metadata_mut().insert("agibridge-offer-token", offer.token.parse().unwrap());
        request
    };
    let (controls, receiver) = tokio::sync::mpsc::channel::<CallControl>(4);
    let mut events = client.take_call(take(receiver)).await.unwrap().into_inner();
    let started = soon("the call", events.message()).await.unwrap().unwrap();
    assert!(matches!(started.event, Some(Event::Started(_))), "{started:?}");
    // The thief, or the retry: whoever comes second.
    let (_thief, receiver) = tokio::sync::mpsc::channel::<CallControl>(4);
    let refused = client.take_call(take(receiver)).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    controls.send(CallControl { control: Some(command(1, noop())) }).await.unwrap();
    asterisk.expect(NOOP, "200 result=0\n").await;
    let result = soon("the result", events.message()).await.unwrap().unwrap();
    assert!(matches!(result.event, Some(Event::Result(_))), "{result:?}");
    drop(controls);
    assert_eq!(asterisk.finish().await, [""; 0]);
}

#[tokio::test]
async fn a_worker_that_vanishes_leaves_its_call_to_another() {
    let bridge = Bridge::at(&["worker://sales"], "", API);
    let first = client(bridge.api()).await;
    let (mut offers, reports) = hello(&first, "sales").await;
    let mut asterisk = Asterisk::call(bridge.address()).await;
    let offer = soon("an offer", offers.message()).await.unwrap().unwrap();
    let Some(Offer::Call(offer)) = offer.offer else { panic!("{offer:?}") };
    let (controls, receiver) = tokio::sync::mpsc::channel::<CallControl>(4);
    let mut request = Request::new(ReceiverStream::new(receiver));
    request.metadata_mut().insert("agibridge-offer-token", offer.token.parse().unwrap());
    let mut taking = first.clone();
    let events = taking.take_call(request).await.unwrap().into_inner();
    controls.send(CallControl { control: Some(command(1, noop())) }).await.unwrap();
    assert_eq!(asterisk.line().await.as_deref(), Some(NOOP));
    // The process is gone, and its connection with it.
    drop((events, offers, reports, controls, taking, first));
    let _other = Worker::start(bridge.api(), "sales", |mut caller| async move {
        let resumption = caller.resumed().await;
        assert_eq!(resumption.running.unwrap().id, 1);
        assert_eq!(caller.result().await.id, 1);
        caller.send(end()).await;
        assert_eq!(caller.ended().await.reason(), Reason::Service);
        Ok(())
    })
    .await;
    bridge.listed("the other worker", |call| call.service.is_some()).await;
    bridge.counted(RESUMED).await;
    asterisk.send("200 result=0\n").await;
    assert_eq!(asterisk.finish().await, [""; 0]);
}
